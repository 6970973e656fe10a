"""Transactions of several requests, performed together where that makes no difference to them.

https://hl7.org/fhir/R4/http.html#transaction
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.access.caller import Asking
from gateway.access.commands import Body, Command, Create, Done, Update
from gateway.access.links import BundleLinks, Several
from gateway.access.performing import Act, Performance, Thing
from gateway.access.together import grouped, joining, performed
from gateway.access.transaction import Transacting
from gateway.fhir.entries import Entry
from gateway.fhir.links import conditional
from gateway.store import UnitOfWork

Made = Mapping[int, Done]
"""What became of each command, by its entry's index."""
LARGE = 64 * 1024
"""Bytes of a Bundle that others shall not wait for."""


@dataclass(frozen=True, slots=True)
class Bundled:
    """A transaction that only writes: its commands by their entries' indices."""

    asking: Asking
    body: Body
    commands: Mapping[int, Command]
    entries: Sequence[Entry]
    base: str

    @property
    def places(self) -> list[int]:
        return sorted(self.commands)

    @property
    def things(self) -> list[Thing]:
        """What it is about, where that is told already."""
        found = ((one.resource_type, one.target) for one in self.commands.values() if isinstance(one, Update))
        return [(kind, target) for kind, target in found if isinstance(target, str)]


class Bundling(Transacting):
    """Performs the transactions that came in one moment."""

    def transact_all(self, bundles: Sequence[Bundled]) -> list[Made | Exception]:
        """What became of each, or why it was refused."""
        answers: dict[int, Made | Exception] = {}
        asked = ((n, one.asking.caller, self._joins(one), one.things) for n, one in enumerate(bundles))
        for places in grouped(asked):
            group = [bundles[place] for place in places]
            answers |= zip(places, performed(group, self._all_in_one, self._by_itself), strict=True)
        return [answers[place] for place in range(len(bundles))]

    def _joins(self, one: Bundled) -> bool:
        """Whether it may go with others: nothing of it depends on what a search finds."""
        return len(one.body.raw) <= LARGE and all(
            joining(one.asking.caller, command.resource_type) and self._plain(command)
            for command in one.commands.values()
        )

    def _plain(self, command: Command) -> bool:
        match command:
            case Create(if_none_exist=None) | Update(target=str()):
                return not conditional(command.resource, self._rooms.definitions)
        return False

    def _by_itself(self, one: Bundled) -> Made:
        done, _ = self.transact(
            one.asking, one.body, one.commands, entries=one.entries, base=one.base, then=lambda _: None
        )
        return done

    def _all_in_one(self, group: Sequence[Bundled]) -> list[Made]:
        def work(uow: UnitOfWork) -> list[Made]:
            messages = self.keep_bodies(uow, group[0].asking, [one.body for one in group])
            commands: list[Command] = []
            kept: list[tuple[str, int] | None] = []
            each: list[Asking] = []
            parts: list[tuple[range, BundleLinks]] = []
            for one, message in zip(group, messages, strict=True):
                first = len(commands)
                commands += [one.commands[index] for index in one.places]
                kept += [(message[0], index) if message else None for index in one.places]
                each += [one.asking] * len(one.places)
                entries = {first + n: one.entries[index] for n, index in enumerate(one.places)}
                parts.append((range(first, len(commands)), BundleLinks(entries, self._rooms.definitions, one.base)))
            act = Act(self, self._rooms, uow, group[0].asking, kept, Several(parts), each)
            done = Performance(act).perform(commands)
            return [
                dict(zip(one.places, done[places.start : places.stop], strict=True))
                for one, (places, _) in zip(group, parts, strict=True)
            ]

        return self._rooms.store.write(work, now=self._rooms.clock)
