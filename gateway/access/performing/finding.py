"""What each command is about: found, locked and read again, so that no other command comes between."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from gateway.access.commands import Command, Create, Delete, Matching, Patch, Update
from gateway.access.conditions import criteria, locks, meeting, narrowing, unmet
from gateway.access.performing.negotiating import Negotiator
from gateway.access.performing.steps import Act, Step, refusing
from gateway.errors import BadRequest, NotFound, PreconditionFailed
from gateway.identity.resolve import Key, logical_references, person_of
from gateway.records import Resource
from gateway.store import Stored, UnitOfWork
from gateway.store.identifiers import lock_keys

MOST_DELETED = 1000


class Finder:
    """Finds what commands are about, within one act."""

    def __init__(self, act: Act) -> None:
        self._act = act
        self._visible = narrowing(act.reading, act.asking.caller)
        self._minted: dict[int, str] = {}
        self._negotiator = Negotiator(act)

    def hold(self, commands: Sequence[Command]) -> list[Step]:
        """Lock everything concerned in one call, then find and read it again: no other command comes between."""
        uow = self._act.uow
        alone, shared = self._conditional(commands)
        held = {key for key in alone if key.count("|") == 1} | self._foreseen(commands)
        uow.lock(held)
        uow.lock(shared - alone, shared=True)
        wanted = alone
        while True:
            steps = self.look(commands)
            wanted |= {key for step in steps for key in (*_keys(step), *self._negotiator.keys(step))}
            if wanted <= held or uow.alone:
                return steps
            uow.lock(wanted - held)
            held |= wanted

    def _foreseen(self, commands: Sequence[Command]) -> set[str]:
        """What is nearly always all that is to be held, told by the commands: then they are looked at once."""
        if any(_condition(command) for command in commands):  # That is held first.
            return set()
        held: set[str] = set()
        for place, command in enumerate(commands):
            match command:
                case Create():
                    held.add(self._id(place))
                case Update(target=str(id)) | Patch(target=str(id)) | Delete(target=str(id)):
                    held.add(id)
            if isinstance(command, Create | Update):
                resource = {"id": "", **command.resource}
                held |= {patient} if (patient := person_of(resource)) else lock_keys(claims([resource]))
        return held

    def look(self, commands: Sequence[Command]) -> list[Step]:
        """What each command is about, as it is now."""
        steps: list[Step] = []
        none = unmet(commands, self.find) if len(commands) > 1 else ()
        for place, command in enumerate(commands):
            with refusing(Step(place, command, "")):
                steps += self._steps(place, command, known_unmet=place in none)
        current = self._act.uow.resources.read_many([step.thing for step in steps if not step.unheard])
        for step in steps:
            step.current = current.get(step.thing)
        if self._act.links is not None:
            self._act.links.learn(steps, self.find)
        learn_persons(self._act.uow, steps)
        return steps

    def find(self, resource_type: str, condition: Matching, *, most: int = 1) -> tuple[list[Stored], bool]:
        """What meets a condition that the caller may see, and whether that is all of it."""
        return meeting(self._act.uow, criteria(resource_type, condition, self._act.rooms), self._visible, most=most)

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
        id = self._id(place)
        return Step(place, command, id, command.resource | {"id": id}, unheard=True)

    def _id(self, place: int) -> str:
        """The id that the command of a place has made up for what it makes."""
        return self._minted.setdefault(place, str(uuid.uuid4()))

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

    @staticmethod
    def _conditional(commands: Sequence[Command]) -> tuple[set[str], set[str]]:
        alone: set[str] = set()
        shared: set[str] = set()
        for command in commands:
            condition = _condition(command)
            if condition is not None and isinstance(command, Create | Update):
                mine, ours = locks(command.resource_type, condition, command.resource)
                alone |= mine
                shared |= ours
        return alone, shared


def _condition(command: Command) -> Matching | None:
    """What must be met by what the command is about, or by nothing."""
    condition = command.if_none_exist if isinstance(command, Create) else command.target
    return condition if isinstance(condition, Matching) else None


def learn_persons(uow: UnitOfWork, steps: Sequence[Step]) -> None:
    """Let each step say which person its new content is about."""
    for step, person in zip(steps, persons_of(uow, [step.resource for step in steps]), strict=True):
        step.person = person


def persons_of(uow: UnitOfWork, resources: Sequence[Resource | None]) -> list[str | None]:
    """The persons that resources are about, by literal reference, or by an identifier that is known or becomes so."""
    patients = [None if one is None else person_of(one) for one in resources]
    keys = [{key for _, key in logical_references(one)} if one else set() for one in resources]
    named = [
        set() if patient else {key for key in some if key[0] == "Patient"}
        for some, patient in zip(keys, patients, strict=True)
    ]
    wanted = set().union(*named)
    fresh = claims(one for one in resources if one is not None)
    uow.ahead.ask({one for one in patients if one}, {value for *_, value in (*fresh, *set().union(*keys))})
    known = {**fresh, **uow.identifiers.find(wanted)}
    found = [
        patient or min((known[key] for key in keys if key in known), default=None)
        for patient, keys in zip(patients, named, strict=True)
    ]
    persons = uow.persons.of_patients({one for one in found if one})
    kinds = [None if one is None else one["resourceType"] for one in resources]
    return [
        patient if patient is None or kind == "Patient" else persons.get(patient, patient)
        for kind, patient in zip(kinds, found, strict=True)
    ]


def claims(resources: Iterable[Resource]) -> dict[Key, str]:
    """The identifiers that resources have, each with the id of the first of them."""
    claimed: dict[Key, str] = {}
    for resource in resources:
        given: Any = resource.get("identifier", [])
        for one in [given] if isinstance(given, dict) else given:
            if "system" in one and "value" in one:
                claimed.setdefault((resource["resourceType"], one["system"], one["value"]), resource["id"])
    return claimed


def _keys(step: Step) -> Iterator[str]:
    """What to hold while it is done: persons, and ids of what has no person."""
    yield step.id
    if step.person:
        yield step.person
    if step.current is not None and step.current.person:
        yield step.current.person
