"""The persons a caller may know of: to find one by number, and to pick one from a list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from gateway.access.caller import Asking, Caller
from gateway.access.decision import Decision, decide
from gateway.access.reading import Reading
from gateway.identity import systems
from gateway.records import Resource
from gateway.store import Stored, UnitOfWork

PERSON_SYSTEMS = (systems.PERSONNUMMER, systems.SAMORDNINGSNUMMER, systems.NATIONAL_RESERVE_NUMBER)
PROTECTED = frozenset({"sekretessmarkering", "skyddadFolkbokforing"})


@dataclass(frozen=True, slots=True)
class Person:
    """A person in a list; a protected one shows no name."""

    id: str
    name: str
    birth_year: str
    protected: bool


class Persons(Reading):
    """find_person and persons."""

    def find_person(self, asking: Asking, number: str) -> str | None:
        """The Patient id of an identity number that the caller may know of; None alike for unknown and not allowed."""
        digits = "".join(character for character in number if character.isalnum())

        def find(uow: UnitOfWork) -> tuple[Stored | None, Decision]:
            known = uow.identifiers.find([("Patient", system, digits) for system in PERSON_SYSTEMS])
            for id in sorted(set(known.values())):
                person = uow.persons.of_patients([id]).get(id, id)
                stored = uow.resources.read("Patient", person)
                if stored is not None and not stored.deleted:
                    return stored, self.may_see(uow, asking, stored)
            return None, Decision(True, "nothing-there")

        stored, decision = self._rooms.store.read(find)
        self.audit(asking, decision, *([stored] if stored else []))
        return stored.id if stored is not None and decision.allowed else None

    def persons(self, asking: Asking, *, limit: int = 200) -> list[Person]:
        """The persons whose care the caller takes part in, by name."""

        def listed(uow: UnitOfWork) -> list[Stored]:
            seen = (one for one in _patients(uow, asking.caller) if self.may_see(uow, asking, one).allowed)
            return list(islice(seen, limit))

        found = self._rooms.store.read(listed)
        self.audit(asking, decide(asking.caller, "Patient", takes_part=None), *found)
        shown = [_person(one.resource()) for one in found]
        return sorted(shown, key=lambda person: (person.protected, person.name, person.id))


def _patients(uow: UnitOfWork, caller: Caller) -> Iterator[Stored]:
    """Each person's own Patient: of everybody for the operator, else of those in whose care the caller takes part."""
    if caller.operator:
        found: Iterable[Stored] = uow.resources.all(resource_type="Patient")
    else:
        keys = sorted(uow.persons.in_care_of(caller.organisations))
        found = uow.resources.read_many([("Patient", key) for key in keys]).values()
    return (one for one in found if not one.deleted and one.id == one.person)


def _person(patient: Resource) -> Person:
    protected = is_protected(patient)
    year = str(patient.get("birthDate", ""))[:4]
    return Person(patient["id"], "" if protected else name_of(patient), year, protected)


def is_protected(patient: Resource) -> bool:
    """Whether the population register protects who and where the person is."""
    labels = {label.get("code") for label in patient.get("meta", {}).get("security", ())}
    return bool(labels & PROTECTED)


def name_of(patient: Resource) -> str:
    """The name as a person reads it; empty where no source has stated one."""
    for name in patient.get("name", ()):
        if text := name.get("text") or " ".join([*name.get("given", ()), name.get("family", "")]).strip():
            return str(text)
    return ""
