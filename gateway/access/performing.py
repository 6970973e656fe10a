"""Commands performed within one unit of work: held, decided, stated, agreed, saved and audited, as many as there are.

Each command is decided on by itself, and one that is refused stops the whole. What they state is recorded at once.
What the operator writes is plain R4: his word replaces everybody's earlier ones.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.access.audit import audit_event
from gateway.access.caller import Asking
from gateway.access.commands import ANY_VERSION, Command, Create, Delete, Done, Patch, Update, Versions
from gateway.access.decision import DIRECTORY, Decision, decide_write, source_of
from gateway.access.reading import Reading, Rooms, Served, served
from gateway.coordination.statements import Origin, make
from gateway.errors import (
    Conflict,
    Forbidden,
    GatewayError,
    Gone,
    Invalid,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
)
from gateway.fhir.check import check
from gateway.identity.resolve import Key, logical_references, person_of
from gateway.records import Resource, Statement
from gateway.store import Saved, Stored, UnitOfWork


class Refusal(Exception):
    """One of the commands is refused: undo them all, record the decision, and give the answer.

    `place` is the command's among those performed together.
    """

    def __init__(self, place: int, command: Command, answer: GatewayError, decision: Decision, person: str | None):
        super().__init__(decision.rule)
        self.place, self.command, self.answer = place, command, answer
        self.decision, self.person = decision, person


@dataclass(slots=True)
class _Step:
    """One command on its way: what it is about, what was decided, what is to be stated."""

    place: int
    command: Command
    id: str
    current: Stored | None = None
    person: str | None = None
    resource: Resource | None = None
    """The new content, under its id; None where nothing is left to say, or until it is known."""
    decision: Decision = field(default=Decision(True, "nothing-there"))
    states: bool = True

    @property
    def thing(self) -> tuple[str, str]:
        return self.command.resource_type, self.id


class Performance:
    """The commands of one caller in one unit of work. `kept` is the inbox's id of what was sent."""

    def __init__(self, reading: Reading, rooms: Rooms, uow: UnitOfWork, asking: Asking, kept: str | None) -> None:
        self._reading, self._rooms, self._uow, self._asking, self._kept = reading, rooms, uow, asking, kept

    def perform(self, commands: Sequence[Command]) -> list[Done]:
        """What became of each, in their order. Refusal as soon as one may not, or cannot, be done."""
        steps = [_step(place, command) for place, command in enumerate(commands)]
        self._hold(steps)
        for step in steps:
            with _refused(step):
                self._prepare(step)
        saved = self._state([step for step in steps if step.states])
        self._record(steps)
        return [_done(step, saved.get(step.thing)) for step in steps]

    def _hold(self, steps: Sequence[_Step]) -> None:
        """Lock everything concerned in one call, then read what is stored: no other command comes between."""
        uow = self._uow
        before = uow.resources.read_many([step.thing for step in steps])
        persons = self._persons([step.resource for step in steps])
        for step, person in zip(steps, persons, strict=True):
            step.person = person
        keys = [step.id for step in steps]
        keys += [step.person for step in steps if step.person]
        keys += [one.person for one in before.values() if one.person]
        uow.lock(keys)
        current = uow.resources.read_many([step.thing for step in steps])
        for step in steps:
            step.current = current.get(step.thing)

    def _prepare(self, step: _Step) -> None:
        """Decide on one command, and settle what it states."""
        command, current = step.command, step.current
        if current is not None and not isinstance(command, Create):
            step.decision = self._reading.may_see(self._uow, self._asking, current)
            if not step.decision.allowed:
                step.person = current.person
                raise NotFound(rule="resource-unknown")
        match command:
            case Create():
                self._decide(step)
            case Update():
                self._decide(step, named=True)
                self._match(current, command.if_match)
            case Patch():
                self._patch(step, command)
                self._decide(step)
            case Delete():
                self._delete(step, command)

    def _patch(self, step: _Step, command: Patch) -> None:
        current = step.current
        if current is None:
            raise NotFound(rule="resource-unknown")
        if current.deleted:
            raise Gone()
        self._match(current, command.if_match)
        resource = command.change(current.resource())
        for name, rule in (("resourceType", "resource-type-differs"), ("id", "id-differs")):
            if resource.get(name) != step.thing[name == "id"]:
                raise Conflict(f"A patch leaves the {name} as it is.", rule=rule, expression=f"{step.thing[0]}.{name}")
        checked(resource, self._rooms)
        step.resource = resource
        (step.person,) = self._persons([resource])

    def _delete(self, step: _Step, command: Delete) -> None:
        current = step.current
        if current is None and not self._asking.caller.operator:  # As for what he may not see.
            step.decision = Decision(False, "nothing-there")
            raise NotFound(rule="resource-unknown")
        self._match(current, command.if_match)
        self._decide(step)
        step.states = current is not None and not current.deleted

    def _match(self, current: Stored | None, wanted: Versions | None) -> None:
        """PreconditionFailed unless what is stored is at one of the versions; required, where the setting says so."""
        if wanted is None:
            if self._rooms.require_if_match and current is not None and not current.deleted:
                raise PreconditionRequired(rule="if-match-required")
        elif current is None or (current.version not in wanted and ANY_VERSION not in wanted):
            raise PreconditionFailed(
                f"The version is {current.version} now: read it again." if current else "There is no version yet.",
                rule="version-differs",
            )

    def _decide(self, step: _Step, *, named: bool = False) -> None:
        """The decision to let the caller state this; refused where he may not.

        `named`: the caller chose the id. Whether it is taken by what he may not see is not to be told from the answer.
        """
        caller, kind, current = self._asking.caller, step.command.resource_type, step.current
        if step.person is None and current is not None:
            step.person = current.person
        person = step.person
        parties = self._uow.persons.parties(person) if person and not caller.operator else set()
        requester = (step.resource or {}).get("requester", {}).get("identifier", {}).get("value")
        step.decision = decide_write(
            caller,
            kind,
            takes_part=bool(parties & set(caller.organisations)),
            asks_for_it=person is not None and requester in caller.organisations,
        )
        if not step.decision.allowed:
            if named and current is None and kind not in DIRECTORY:
                raise NotFound(rule="resource-unknown")
            raise Forbidden(f"Not allowed: {step.decision.rule}.", rule=step.decision.rule)

    def _state(self, steps: Sequence[_Step]) -> dict[tuple[str, str], Saved]:
        """The caller's statements, agreed with what others state, and saved."""
        if not steps:
            return {}
        uow, caller = self._uow, self._asking.caller
        counts = uow.statements.counts_of(source_of(caller), [_record_key(step) for step in steps])
        recorded = self._rooms.recorder.record(
            uow,
            [self._statement(step, counts.get(_record_key(step), 0) + 1) for step in steps],
            identifiers=_identifiers(uow, [step.resource for step in steps if step.resource is not None]),
            organisation=caller.hsa_id or None,
        )
        return {(one.resource_type, one.id): one for one in recorded.saved}

    def _statement(self, step: _Step, number: int) -> Statement:
        caller, now = self._asking.caller, self._uow.now
        kept = self._kept if step.resource is not None else None
        kind, id = step.thing
        return make(
            body=step.resource or {"resourceType": kind, "id": id},
            origin=Origin(source_of(caller), kept, None if kept is None else step.place),
            record_key=_record_key(step),
            person=step.person,
            effective=now,
            recorded=now,
            party=caller.hsa_id,
            provider=caller.controller,
            kind="withdraw" if step.resource is None else "assert",
            # Two writes within one tick of the clock are told apart, and ordered, by the version they replace.
            version=str(number),
        )

    def _record(self, steps: Sequence[_Step]) -> None:
        """The decisions, in the unit of work of what was done by them."""
        self._uow.audit.add_about(
            (
                audit_event(
                    replace(self._asking, interaction=step.command.interaction),
                    step.decision,
                    at=self._uow.now,
                    patient=f"Patient/{step.person}" if step.person else None,
                    entities=["/".join(step.thing)] if step.states else [],
                ),
                step.person,
            )
            for step in steps
        )

    def _persons(self, resources: Sequence[Resource | None]) -> list[str | None]:
        """The persons that resources are about, by literal reference or by a known identifier."""
        patients = [None if one is None else person_of(one) for one in resources]
        named = [
            {key for _, key in logical_references(one) if key[0] == "Patient"} if one and not patient else set()
            for one, patient in zip(resources, patients, strict=True)
        ]
        known = self._uow.identifiers.find(set().union(*named))
        found = [
            patient or min((known[key] for key in keys if key in known), default=None)
            for patient, keys in zip(patients, named, strict=True)
        ]
        persons = self._uow.persons.of_patients({one for one in found if one})
        kinds = [None if one is None else one["resourceType"] for one in resources]
        return [
            patient if patient is None or kind == "Patient" else persons.get(patient, patient)
            for kind, patient in zip(kinds, found, strict=True)
        ]


def checked(resource: Resource, rooms: Rooms) -> None:
    """Invalid where the resource breaks the structural rules of its type."""
    found = [issue for issue in check(resource, rooms.definitions) if issue.severity in ("fatal", "error")]
    if found:
        raise Invalid(issues=found)


def _step(place: int, command: Command) -> _Step:
    match command:
        case Create():
            id = str(uuid.uuid4())
            return _Step(place, command, id, resource=command.resource | {"id": id})
        case Update():
            return _Step(place, command, command.id, resource=command.resource)
        case _:
            return _Step(place, command, command.id)


@contextmanager
def _refused(step: _Step) -> Iterator[None]:
    try:
        yield
    except GatewayError as answer:
        raise Refusal(step.place, step.command, answer, step.decision, step.person) from None


def _record_key(step: _Step) -> str:
    return "/".join(step.thing)


def _identifiers(uow: UnitOfWork, resources: Sequence[Resource]) -> dict[Key, str]:
    """The resources' identifiers that nobody has: an identifier belongs to the first who claims it."""
    claimed: dict[Key, str] = {}
    for resource in resources:
        given: Any = resource.get("identifier", [])
        for one in [given] if isinstance(given, dict) else given:
            if "system" in one and "value" in one:
                claimed.setdefault((resource["resourceType"], one["system"], one["value"]), resource["id"])
    known = uow.identifiers.find(claimed)
    return {key: id for key, id in claimed.items() if key not in known}


def _done(step: _Step, saved: Saved | None) -> Done:
    if isinstance(step.command, Delete):
        made = _served(saved) if saved else served(step.current) if step.current else None
        return Done("deleted", (made,) if made else ())
    assert saved is not None
    return Done("created" if saved.created else "updated", (_served(saved),))


def _served(saved: Saved) -> Served:
    return Served(saved.resource_type, saved.id, saved.version, saved.last_updated, saved.body, saved.created)
