"""What the entries of a transaction call each other, and what they are called when they have their ids.

https://hl7.org/fhir/R4/http.html#trules
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import parse_qsl

from gateway.access.commands import Create, Delete, Matching, Patch, Update
from gateway.access.conditions import Find
from gateway.access.performing import Step, Thing, Trial, refusing
from gateway.definitions import Definitions
from gateway.errors import GatewayError, PreconditionFailed
from gateway.fhir import reference
from gateway.fhir.entries import Entry
from gateway.fhir.links import Kind, conditional, renamed
from gateway.records import Resource


@dataclass(slots=True)
class _Sought:
    """A conditional reference: where it stands first, and what meets it."""

    resource_type: str
    condition: Matching
    step: Step
    path: str
    found: str | None = None

    def look(self, find: Find, *, must: bool) -> None:
        """Look for the one that meets it. Refusal where several do, or where one must and none does."""
        with refusing(self.step, f"{self.step.thing[0]}{self.path}"):
            matches, all_of_them = find(self.resource_type, self.condition)
            if not all_of_them:
                text = "Several resources meet the condition of this reference: say more closely which is meant."
                raise PreconditionFailed(text, rule="condition-meets-several")
            if must and not matches:
                text = "Nothing that you may see meets the condition of this reference."
                raise PreconditionFailed(text, rule="condition-unmet")
        self.found = matches[0].id if matches else None


class BundleLinks:
    """What the entries of one transaction, by the places of their commands, call each other, and are called then."""

    def __init__(self, entries: Mapping[int, Entry] | Sequence[Entry], definitions: Definitions, base: str) -> None:
        self.versions: dict[Thing, str] = {}
        self.changed: set[int] = set()
        self._entries, self._definitions, self._base = entries, definitions, base
        self._names: dict[str, str] = {}
        """What a link says, and what it is to say."""
        self._sought: dict[str, _Sought] = {}

    def learn(self, steps: Sequence[Step], find: Find) -> None:
        written = [step for step in steps if not isinstance(step.command, Delete)]
        urls = ((self._entries[step.place].full_url, step) for step in written)
        self._names = {url: "/".join(step.thing) for url, step in urls if url}
        self._sought = {}
        for step in written:
            if step.states:
                self._seek(step)
        for one in self._sought.values():
            one.look(find, must=False)
        for step in written:
            self._rename(step)

    def settle(self, steps: Sequence[Step], trial: Trial) -> None:
        """Refusal where a condition that only the transaction itself can meet is met by nothing, or by several.

        What waits for nothing is tried out first. What waited, and found it, may be what others wait for.
        """
        kinds = {step.thing[0] for step in steps if step.states}
        open_ = {text for text, one in self._sought.items() if one.found is None or one.resource_type in kinds}
        waiting = [step for step in steps if step.states and open_ & self._texts(step)]
        ready = [step for step in steps if step.states and step not in waiting]

        while waiting:
            trial.try_out(ready, lambda: self._find(open_, trial, must=False))
            found = [step for step in waiting if all(self._sought[text].found for text in self._texts(step))]
            for step in found:
                self._rename(step)
            ready += found
            waiting = [step for step in waiting if step not in found]
            if not found:
                break
        if waiting:  # What can be made is made: nothing else will meet them.
            unmet = set().union(*map(self._texts, waiting))
            trial.try_out(ready, lambda: self._find(unmet, trial, must=True))

    def _find(self, texts: Collection[str], trial: Trial, *, must: bool) -> None:
        for text in sorted(texts):
            self._sought[text].look(trial.find, must=must)

    def named(self, resource: Resource) -> Resource:
        return renamed(resource, self._definitions, lambda text, kind, path: self._name(text, kind, self._base))

    def _rename(self, step: Step) -> None:
        """Let what is written name the others; a patch does so when it is done."""
        if step.resource is None or not step.states or isinstance(step.command, Patch):
            return
        target = reference.parse(self._entries[step.place].full_url or "")
        base = target.base or self._base
        before = step.resource
        step.resource = renamed(before, self._definitions, lambda text, kind, path: self._name(text, kind, base))
        if step.resource is not before:
            self.changed.add(step.place)

    def _name(self, text: str, kind: Kind, base: str) -> str | None:
        """The new name of a link within the transaction; None for one that leads out of it."""
        if kind == "reference" and (sought := self._sought.get(text)) is not None:
            return f"{sought.resource_type}/{sought.found}" if sought.found else None
        whole, mark, fragment = text.partition("#")
        main, history, _ = whole.partition("/_history/")
        new = self._names.get(main)
        if new is None and main and ":" not in main:  # Relative: to the entry's own base, then to this server's.
            new = self._names.get(f"{base}/{main}") or self._names.get(f"{self._base}/{main}")
        if new is None:
            return None
        if history:
            resource_type, _, id = new.partition("/")
            new += f"/_history/{self.versions.setdefault((resource_type, id), secrets.token_hex(8))}"
        return f"{new}{mark}{fragment}"

    def _seek(self, step: Step) -> None:
        """Take up the conditional references of a resource."""
        for text, path in self._conditional(step):
            found = reference.CONDITIONAL.fullmatch(text)
            if found is not None and text not in self._sought:
                params = tuple(parse_qsl(found["query"], keep_blank_values=True))
                self._sought[text] = _Sought(found["type"], Matching(params, self._base), step, path)

    def _texts(self, step: Step) -> set[str]:
        return {text for text, _ in self._conditional(step) if text in self._sought}

    def _conditional(self, step: Step) -> list[tuple[str, str]]:
        """The conditional references in what was sent, or in what a patch makes, and where they stand."""
        match step.command:
            case Create() | Update():
                return conditional(step.command.resource, self._definitions)
            case Patch() if step.current is not None and not step.current.deleted:
                with suppress(GatewayError):  # A patch that does not fit is told when it is done.
                    return conditional(step.command.change(step.current.resource()), self._definitions)
        return []


class Several:
    """Of several transactions that are performed together, each names its own entries only."""

    def __init__(self, parts: Sequence[tuple[range, BundleLinks]]) -> None:
        self._parts = parts

    @property
    def versions(self) -> Mapping[Thing, str]:
        return {thing: version for _, one in self._parts for thing, version in one.versions.items()}

    @property
    def changed(self) -> Collection[int]:
        return set().union(*(one.changed for _, one in self._parts))

    def learn(self, steps: Sequence[Step], find: Find) -> None:
        for places, one in self._parts:
            one.learn([step for step in steps if step.place in places], find)

    def settle(self, steps: Sequence[Step], trial: Trial) -> None:
        for places, one in self._parts:
            one.settle([step for step in steps if step.place in places], trial)

    def named(self, resource: Resource) -> Resource:
        raise AssertionError("Patches are not performed together with other transactions.")
