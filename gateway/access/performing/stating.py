"""What is stated: the caller's statements agreed with what others state, saved, and the decisions recorded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from gateway.access.audit import audit_event
from gateway.access.commands import Command
from gateway.access.decision import Decision, source_of
from gateway.access.performing.finding import claims
from gateway.access.performing.negotiating import NEGOTIATED
from gateway.access.performing.steps import Act, Step, Thing, refusing
from gateway.access.standing import BY, Standings
from gateway.coordination.statements import Origin, make
from gateway.errors import Conflict
from gateway.identity.resolve import Key
from gateway.records import Resource, Statement
from gateway.store import Saved, UnitOfWork


class Stater:
    """States what steps say, within one act."""

    def __init__(self, act: Act) -> None:
        self._act = act

    def state(self, steps: Sequence[Step]) -> dict[tuple[str, str], Saved]:
        """The caller's statements, agreed with what others state, and saved."""
        if not steps:
            return {}
        uow, caller = self._act.uow, self._act.asking.caller
        heard = [_record_key(step) for step in steps if not step.unheard]
        counts = uow.statements.counts_of(source_of(caller), heard)
        # A command comes after all that it was decided on, though a source's clock may run ahead of this one.
        last = uow.statements.last_of(
            [step.thing for step in steps if step.thing[0] in NEGOTIATED and not step.unheard]
        )
        recorded = self._act.rooms.recorder.record(
            uow,
            [self._statement(step, counts.get(_record_key(step), 0) + 1, after=last.get(step.thing)) for step in steps],
            identifiers=_identifiers(uow, [step.resource for step in steps if step.resource is not None]),
            organisation=caller.hsa_id or None,
            versions=self._versions(steps),
            unheard={step.thing for step in steps if step.unheard},
        )
        uow.persons.take_part(self._by_role(steps))
        self._made_as_named(steps, recorded.saved)
        return {(one.resource_type, one.id): one for one in recorded.saved}

    def _by_role(self, steps: Sequence[Step]) -> Iterator[tuple[str, str]]:
        """Who takes part because a Task names a role or a service of his, by HSA-id, each with the person."""
        standings = Standings(self._act.rooms, self._act.uow, self._act.asking.caller)
        for step in steps:
            if step.thing[0] not in NEGOTIATED or step.resource is None or step.person is None:
                continue
            for name in ("owner", "requester"):
                literal = str(step.resource.get(name, {}).get("reference", ""))
                if literal.partition("/")[0] in BY and (hsa_id := standings.named(step.resource[name])):
                    yield hsa_id, step.person

    def _versions(self, steps: Sequence[Step]) -> dict[Thing, str]:
        """The versions that something refers to before they are made."""
        named = {step.thing: step.version for step in steps if step.version is not None}
        return named | dict(self._act.links.versions if self._act.links else {})

    def _made_as_named(self, steps: Sequence[Step], saved: Sequence[Saved]) -> None:
        """Refusal where something refers to a version that was not made: unchanged content makes none."""
        made, wanted = {(one.resource_type, one.id): one.version for one in saved}, self._versions(steps)
        for step in steps:
            if step.thing in wanted and made.get(step.thing) != wanted[step.thing]:
                with refusing(step):
                    text = "It changes nothing, so that there is no new version to refer to: refer to it without one."
                    raise Conflict(text, rule="version-unchanged")

    def _statement(self, step: Step, number: int, *, after: datetime | None) -> Statement:
        caller, now = self._act.asking.caller, self._act.uow.now
        kept = self._act.kept[step.place] if self._act.kept and step.resource is not None else None
        kind, id = step.thing
        return make(
            body=step.resource or {"resourceType": kind, "id": id},
            origin=Origin(source_of(caller), *(kept or (None, None))),
            record_key=_record_key(step),
            person=step.person,
            effective=now if after is None or after < now else after + timedelta(microseconds=1),
            recorded=now,
            party=caller.hsa_id,
            provider=caller.controller,
            kind="withdraw" if step.resource is None else "assert",
            # Two writes within one tick of the clock are told apart, and ordered, by the version they replace.
            version=str(number),
        )

    def record(self, commands: Sequence[Command], done: Mapping[int, Sequence[Step]]) -> None:
        """The decisions, in the unit of work of what was done by them."""
        narrowed = Decision(True, "operator" if self._act.asking.caller.operator else "narrowed-to-own-persons")
        self._act.uow.audit.add_about(
            (
                audit_event(
                    replace(self._act.asked(place), interaction=commands[place].interaction),
                    step.decision if step else narrowed,
                    at=self._act.uow.now,
                    patient=f"Patient/{step.person}" if step and step.person else None,
                    entities=["/".join(step.thing)] if step and (step.states or step.current) else [],
                ),
                step.person if step else None,
            )
            for place, steps in done.items()
            for step in (steps or (None,))
        )


def _record_key(step: Step) -> str:
    return "/".join(step.thing)


def _identifiers(uow: UnitOfWork, resources: Sequence[Resource]) -> dict[Key, str]:
    """The resources' identifiers that nobody has: an identifier belongs to the first who claims it."""
    claimed = claims(resources)
    known = uow.identifiers.find(claimed)
    return {key: id for key, id in claimed.items() if key not in known}
