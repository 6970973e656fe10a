"""Commands performed within one unit of work: held, decided, stated, agreed, saved and audited, as many as there are.

Each command is decided on by itself, and one that is refused stops the whole. What they state is recorded at once.
What the operator writes is plain R4: his word replaces everybody's earlier ones.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

from gateway.access.audit import audit_event
from gateway.access.caller import Asking
from gateway.access.commands import ANY_VERSION, Command, Create, Delete, Done, Matching, Patch, Update, Versions
from gateway.access.conditions import Find, criteria, locks, meeting, narrowing, unmet
from gateway.access.decision import DIRECTORY, Decision, decide_write, source_of
from gateway.access.reading import Reading, Rooms, Served, served
from gateway.access.validated import against
from gateway.coordination.statements import Origin, make
from gateway.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    GatewayError,
    Gone,
    Invalid,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
    Unprocessable,
)
from gateway.fhir.check import check
from gateway.fhir.links import conditional
from gateway.identity.resolve import Key, logical_references, person_of
from gateway.records import Resource, Statement
from gateway.store import Saved, Stored, UnitOfWork

T = TypeVar("T")
Thing = tuple[str, str]
"""Resource type and id."""

MOST_DELETED = 1000


class Refusal(Exception):
    """One of the commands is refused: undo them all, record the decision, and give the answer.

    `place` is the command's among those performed together.
    """

    def __init__(self, place: int, command: Command, answer: GatewayError, decision: Decision, person: str | None):
        super().__init__(decision.rule)
        self.place, self.command, self.answer = place, command, answer
        self.decision, self.person = decision, person


@dataclass(slots=True)
class Step:
    """One resource of a command on its way: what is stored, what was decided, what is to be stated."""

    place: int
    command: Command
    id: str
    resource: Resource | None = None
    """The new content, under its id; None where nothing is left to say, or until it is known."""
    states: bool = True
    fresh: bool = False
    """Nothing may be stored under the id."""
    current: Stored | None = None
    person: str | None = None
    decision: Decision = field(default=Decision(True, "nothing-there"))

    @property
    def thing(self) -> Thing:
        return self.command.resource_type, self.id


class Links(Protocol):
    """What resources that are written together say of each other, before they have their ids."""

    @property
    def versions(self) -> Mapping[Thing, str]:
        """Versions that something refers to before they are made."""

    @property
    def changed(self) -> Collection[int]:
        """The places of the commands whose content was changed."""

    def learn(self, steps: Sequence[Step], find: Find) -> None:
        """Learn the ids that were found or made, and let the new content name them."""

    def settle(self, steps: Sequence[Step], performance: Performance) -> None:
        """Let the new content name what only these commands themselves bring about."""

    def named(self, resource: Resource) -> Resource:
        """Content that is made of what is stored, with the names that the others have."""


class Performance:
    """The commands of one caller in one unit of work.

    `kept` is where what was sent is kept: the inbox's id, and the item of each command.
    """

    def __init__(
        self,
        reading: Reading,
        rooms: Rooms,
        uow: UnitOfWork,
        asking: Asking,
        kept: tuple[str, Sequence[int]] | None = None,
        links: Links | None = None,
    ) -> None:
        self._reading, self._rooms, self._uow, self._asking, self._kept = reading, rooms, uow, asking, kept
        self._links = links
        self._visible = narrowing(reading, asking.caller)
        self._minted: dict[int, str] = {}
        self._parties: dict[str, set[str]] = {}
        self._joined: set[str] = set()
        """Persons in whose care the caller takes part by one of these commands."""

    def perform(self, commands: Sequence[Command]) -> list[Done]:
        """What became of each, in their order. Refusal as soon as one may not, or cannot, be done.

        What is deleted is gone when the others' conditions are looked at.
        """
        steps = self._hold(commands)
        deletions = [step for step in steps if isinstance(step.command, Delete)]
        others = [step for step in steps if not isinstance(step.command, Delete)]
        made = self._do(deletions)
        if made and others:
            others = [step for step in self._look(commands) if not isinstance(step.command, Delete)]
        _tell_apart([*deletions, *others])
        if self._links is not None:
            self._links.settle(others, self)
            self._learn_persons(others)
            for step in others:
                if step.resource is not None and step.place in self._links.changed:
                    with refusing(step):
                        checked(step.resource, self._rooms)
        made |= self._do(others)
        done: dict[int, list[Step]] = {place: [] for place in range(len(commands))}
        for step in (*deletions, *others):
            done[step.place].append(step)
        self._record(commands, done)
        return [_done(commands[place], found, made) for place, found in done.items()]

    def find(self, resource_type: str, condition: Matching, *, most: int = 1) -> tuple[list[Stored], bool]:
        """What meets a condition that the caller may see, and whether that is all of it."""
        return meeting(self._uow, criteria(resource_type, condition, self._rooms), self._visible, most=most)

    def try_out(self, steps: Sequence[Step], ask: Callable[[], T]) -> T:
        """What the answer would be once these are done; they are allowed, and are not done."""

        def work() -> T:
            self._do(steps)
            return ask()

        return self._uow.undone(work)

    def _hold(self, commands: Sequence[Command]) -> list[Step]:
        """Lock everything concerned in one call, then find and read it again: no other command comes between."""
        uow = self._uow
        alone, shared = self._conditional(commands)
        uow.lock(key for key in alone if key.count("|") == 1)
        uow.lock(shared - alone, shared=True)
        held = {key for key in alone if key.count("|") == 1}
        wanted = alone
        while True:
            steps = self._look(commands)
            wanted |= {key for step in steps for key in _keys(step)}
            if wanted <= held or uow.alone:
                return steps
            uow.lock(wanted - held)
            held |= wanted

    @staticmethod
    def _conditional(commands: Sequence[Command]) -> tuple[set[str], set[str]]:
        alone: set[str] = set()
        shared: set[str] = set()
        for command in commands:
            condition = command.if_none_exist if isinstance(command, Create) else command.target
            if isinstance(condition, Matching) and isinstance(command, Create | Update):
                mine, ours = locks(command.resource_type, condition, command.resource)
                alone |= mine
                shared |= ours
        return alone, shared

    def _look(self, commands: Sequence[Command]) -> list[Step]:
        """What each command is about, as it is now."""
        steps: list[Step] = []
        none = unmet(commands, self.find) if len(commands) > 1 else ()
        for place, command in enumerate(commands):
            with refusing(Step(place, command, "")):
                steps += self._steps(place, command, known_unmet=place in none)
        current = self._uow.resources.read_many([step.thing for step in steps])
        for step in steps:
            step.current = current.get(step.thing)
        if self._links is not None:
            self._links.learn(steps, self.find)
        self._learn_persons(steps)
        return steps

    def _learn_persons(self, steps: Sequence[Step]) -> None:
        for step, person in zip(steps, self._persons([step.resource for step in steps]), strict=True):
            step.person = person

    def _steps(self, place: int, command: Command, *, known_unmet: bool) -> list[Step]:
        match command:
            case Create(if_none_exist=None):
                return [self._new(place, command)]
            case Create(if_none_exist=Matching() as condition):
                found = None if known_unmet else self._one(command.resource_type, condition)
                return [self._new(place, command) if found is None else Step(place, command, found.id, states=False)]
            case Update(target=Matching() as condition):
                return [self._replaced(place, command, condition)]
            case Update(target=str(id)):
                return [Step(place, command, id, command.resource)]
            case Patch(target=Matching() as condition):
                found = self._one(command.resource_type, condition)
                if found is None:
                    raise NotFound("Nothing that you may see meets the condition.", rule="condition-unmet")
                return [Step(place, command, found.id)]
            case Delete(target=Matching() as condition):
                matches, all_of_them = self.find(command.resource_type, condition, most=MOST_DELETED)
                if not all_of_them:
                    text = f"More than {MOST_DELETED} resources meet the condition: narrow it, and delete in parts."
                    raise PreconditionFailed(text, rule="condition-meets-too-many")
                return [Step(place, command, one.id) for one in matches]
            case Patch(target=str(id)) | Delete(target=str(id)):
                return [Step(place, command, id)]
        raise AssertionError(command)

    def _new(self, place: int, command: Create | Update) -> Step:
        id = self._minted.setdefault(place, str(uuid.uuid4()))
        return Step(place, command, id, command.resource | {"id": id})

    def _one(self, resource_type: str, condition: Matching) -> Stored | None:
        """The one that meets the condition; PreconditionFailed where several do."""
        found, all_of_them = self.find(resource_type, condition)
        if not all_of_them:
            raise PreconditionFailed(
                "Several resources meet the condition: say more closely which is meant.", rule="condition-meets-several"
            )
        return found[0] if found else None

    def _replaced(self, place: int, command: Update, condition: Matching) -> Step:
        """A conditional update. https://hl7.org/fhir/R4/http.html#cond-update"""
        found, own = self._one(command.resource_type, condition), command.resource.get("id")
        if found is None and own is None:
            return self._new(place, command)
        if found is None:
            return Step(place, command, str(own), command.resource, fresh=True)
        if own not in (None, found.id):
            raise BadRequest(
                "Another resource meets the condition than the one whose id the body has. Leave the id out, or give "
                "that of the resource that is meant.",
                rule="id-differs",
                expression=f"{command.resource_type}.id",
            )
        return Step(place, command, found.id, command.resource | {"id": found.id})

    def _do(self, steps: Sequence[Step]) -> dict[Thing, Saved]:
        """Decide on each, and state what they say."""
        for step in sorted(steps, key=lambda step: not self._asks(step)):
            with refusing(step):
                self._prepare(step)
        stated = [step for step in steps if step.states]
        saved = self._state(stated)
        self._rooms.known.take_in(self._uow, ((*step.thing, step.resource) for step in stated))
        return saved

    def _prepare(self, step: Step) -> None:
        """Decide on one command, and settle what it states."""
        command, current = step.command, step.current
        if current is not None:
            step.decision = self._reading.may_see(self._uow, self._asking, current)
            if not step.decision.allowed:
                step.person = current.person
                raise NotFound(rule="resource-unknown")
        match command:
            case Create():
                if step.states:
                    self._decide(step)
            case Update():
                self._decide(step, named=True)
                self._match(current, command.if_match)
                _match_none(current, command.if_none_match)
                if step.fresh and current is not None and not current.deleted:
                    text = "Nothing meets the condition, and the id in the body is taken by another resource."
                    raise Conflict(text, rule="id-taken", expression=f"{command.resource_type}.id")
            case Patch():
                self._patch(step, command)
                self._decide(step)
            case Delete():
                self._delete(step, command)

    def _patch(self, step: Step, command: Patch) -> None:
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
        if self._links is not None:
            resource = self._links.named(resource)
        checked(resource, self._rooms)
        if self._links is None:
            unconditional(resource, self._rooms)
        step.resource = resource
        (step.person,) = self._persons([resource])

    def _delete(self, step: Step, command: Delete) -> None:
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
        elif current is None or not (current.version in wanted or _any(current, wanted)):
            raise PreconditionFailed(
                f"The version is {current.version} now: read it again." if current else "There is no version yet.",
                rule="version-differs",
            )

    def _decide(self, step: Step, *, named: bool = False) -> None:
        """The decision to let the caller state this; refused where he may not.

        `named`: the caller chose the id. Whether it is taken by what he may not see is not to be told from the answer.
        """
        caller, kind, current = self._asking.caller, step.command.resource_type, step.current
        if step.person is None and current is not None:
            step.person = current.person
        person = step.person
        if person and not caller.operator and person not in self._parties:
            self._parties[person] = self._uow.persons.parties(person)
        parties = self._parties.get(person or "", set())
        step.decision = decide_write(
            caller,
            kind,
            takes_part=person in self._joined or bool(parties & set(caller.organisations)),
            asks_for_it=person is not None and self._asks(step),
        )
        if step.decision.allowed and person:
            self._joined.add(person)
        if not step.decision.allowed:
            if named and current is None and kind not in DIRECTORY:
                raise NotFound(rule="resource-unknown")
            raise Forbidden(f"Not allowed: {step.decision.rule}.", rule=step.decision.rule)

    def _asks(self, step: Step) -> bool:
        """Whether the caller is the requester of what it writes."""
        requester = (step.resource or {}).get("requester", {}).get("identifier", {}).get("value")
        return requester in self._asking.caller.organisations

    def _state(self, steps: Sequence[Step]) -> dict[tuple[str, str], Saved]:
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
            versions=self._links.versions if self._links else {},
        )
        self._made_as_named(steps, recorded.saved)
        return {(one.resource_type, one.id): one for one in recorded.saved}

    def _made_as_named(self, steps: Sequence[Step], saved: Sequence[Saved]) -> None:
        """Refusal where something refers to a version that was not made: unchanged content makes none."""
        versions = {(one.resource_type, one.id): one.version for one in saved}
        for step in steps:
            wanted = self._links.versions.get(step.thing) if self._links else None
            if wanted is not None and versions.get(step.thing) != wanted:
                with refusing(step):
                    text = "It changes nothing, so that there is no new version to refer to: refer to it without one."
                    raise Conflict(text, rule="version-unchanged")

    def _statement(self, step: Step, number: int) -> Statement:
        caller, now = self._asking.caller, self._uow.now
        kept, items = self._kept if self._kept and step.resource is not None else (None, ())
        kind, id = step.thing
        return make(
            body=step.resource or {"resourceType": kind, "id": id},
            origin=Origin(source_of(caller), kept, items[step.place] if items else None),
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

    def _record(self, commands: Sequence[Command], done: Mapping[int, Sequence[Step]]) -> None:
        """The decisions, in the unit of work of what was done by them."""
        narrowed = Decision(True, "operator" if self._asking.caller.operator else "narrowed-to-own-persons")
        self._uow.audit.add_about(
            (
                audit_event(
                    replace(self._asking, interaction=commands[place].interaction),
                    step.decision if step else narrowed,
                    at=self._uow.now,
                    patient=f"Patient/{step.person}" if step and step.person else None,
                    entities=["/".join(step.thing)] if step and (step.states or step.current) else [],
                ),
                step.person if step else None,
            )
            for place, steps in done.items()
            for step in (steps or (None,))
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


def unconditional(resource: Resource, rooms: Rooms) -> None:
    """Unprocessable where a resource that is written by itself refers to another by a search.

    R4 has such references in transactions only. Kept as they are they would lead nowhere, and nobody would know.
    https://hl7.org/fhir/R4/http.html#trules
    """
    for _, path in conditional(resource, rooms.definitions):
        raise Unprocessable(
            "A reference by a search is followed in a transaction only: send one, or refer to Type/id.",
            rule="conditional-reference",
            expression=f"{resource['resourceType']}{path}",
        )


def checked(resource: Resource, rooms: Rooms) -> None:
    """Invalid where the resource breaks the structural rules of its type, or others that writes are held to."""
    found = [issue for issue in check(resource, rooms.definitions) if issue.severity in ("fatal", "error")]
    found = found or rooms.known.problems(resource) or against(resource, rooms)
    if found:
        raise Invalid(issues=found)


def _keys(step: Step) -> Iterator[str]:
    """What to hold while it is done: persons, and ids of what has no person."""
    yield step.id
    if step.person:
        yield step.person
    if step.current is not None and step.current.person:
        yield step.current.person


def _tell_apart(steps: Sequence[Step]) -> None:
    """Refusal where two commands are about one resource, or would make two on the same condition."""
    places: dict[Any, int] = {}
    for step in steps:
        if not step.states:  # What was found is left as it is.
            continue
        command = step.command
        condition = command.if_none_exist if isinstance(command, Create) else command.target
        keys: list[Any] = [step.thing]
        if isinstance(condition, Matching) and not isinstance(command, Delete):
            keys.append((command.resource_type, frozenset(condition.params)))
        if any(places.setdefault(key, step.place) != step.place for key in keys):
            with refusing(step):
                text = "Another entry is about the same resource: one is changed once."
                raise BadRequest(text, rule="entry-duplicate")


@contextmanager
def refusing(step: Step, expression: str | None = None) -> Iterator[None]:
    """A refusal within is one of this command; `expression` is what it is about, unless it says so itself."""
    try:
        yield
    except GatewayError as answer:
        issues = [replace(issue, expression=issue.expression or expression) for issue in answer.issues]
        raise Refusal(step.place, step.command, answer.told(issues), step.decision, step.person) from None


def _record_key(step: Step) -> str:
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


def _match_none(current: Stored | None, unwanted: Versions | None) -> None:
    """PreconditionFailed where what is stored is at one of the versions."""
    if unwanted is None or current is None or current.deleted:
        return
    if current.version in unwanted or _any(current, unwanted):
        raise PreconditionFailed("There is such a version already: read it.", rule="version-exists")


def _any(current: Stored, versions: Versions) -> bool:
    return ANY_VERSION in versions and not current.deleted


def _done(command: Command, steps: Sequence[Step], made: Mapping[Thing, Saved]) -> Done:
    versions = []
    created = False
    for step in steps:
        if (saved := made.get(step.thing)) is not None:
            versions.append(_served(saved))
            created = saved.created
        elif step.current is not None:
            versions.append(served(step.current))
    match command:
        case Delete():
            return Done("deleted", tuple(versions))
        case Create() if not steps[0].states:
            return Done("found", tuple(versions))
    return Done("created" if created else "updated", tuple(versions))


def _served(saved: Saved) -> Served:
    return Served(saved.resource_type, saved.id, saved.version, saved.last_updated, saved.body, saved.created)
