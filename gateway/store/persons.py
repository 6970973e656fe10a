"""Persons: the internal key that a person's Patients point to. Merge and unmerge re-point."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, Table, select

from gateway.keysets import among
from gateway.store import sets
from gateway.store.ahead import Memory
from gateway.tables import person, person_patient, takes_part, to_micros

_OF_PATIENTS = select(person_patient.c.patient_id, person_patient.c.person).where(
    among(person_patient.c.patient_id, "patients")
)
_PATIENTS_OF = (
    select(person_patient.c.person, person_patient.c.patient_id)
    .where(among(person_patient.c.person, "persons"))
    .order_by(person_patient.c.patient_id)
)


class Persons:
    def __init__(self, connection: Connection, now: datetime, ahead: Memory) -> None:
        self._connection, self._ahead = connection, ahead
        self._now = now

    def of_patients(self, patient_ids: Collection[str]) -> dict[str, str]:
        """Patient id to person key."""
        if not patient_ids:
            return {}
        rows = self._ahead.rows(patient_ids)
        if rows is None:
            rows = sets.fetch(self._connection, _OF_PATIENTS, patient_ids)
        return {patient: person for patient, person in rows if patient in patient_ids}

    def patients_of(self, persons: Collection[str]) -> dict[str, list[str]]:
        """Person key to the ids of the Patients that are this person."""
        found: dict[str, list[str]] = {}
        for key, patient in sets.fetch(self._connection, _PATIENTS_OF, persons):
            found.setdefault(key, []).append(patient)
        return found

    def point(self, patients: Mapping[str, str]) -> None:
        """Let each Patient (id) be that person (key), whoever it was before."""
        if not patients:
            return
        recorded = to_micros(self._now)
        keys = sorted(set(patients.values()))
        self._write(person, ("key", "recorded"), [(key, recorded) for key in keys])
        known = self.of_patients(patients)
        if moved := sorted(id for id, key in known.items() if patients[id] != key):
            self._connection.execute(person_patient.delete().where(among(person_patient.c.patient_id, moved)))
        rows = [(id, key, recorded) for id, key in sorted(patients.items()) if known.get(id) != key]
        if rows:
            self._ahead.forget()
        self._write(person_patient, ("patient_id", "person", "recorded"), rows)

    def take_part(self, parties: Iterable[tuple[str, str]]) -> None:
        """Remember that organisations (HSA-id) take part in the care of persons (key): pairs of both."""
        self._write(takes_part, ("hsa_id", "person"), sorted(set(parties)))

    def take_part_alone(self, persons: Collection[str], parties: Iterable[tuple[str, str]]) -> None:
        """Of these persons (keys) nobody takes part in the care any more but who is among the pairs."""
        kept = [(hsa_id, person) for hsa_id, person in parties if person in persons]
        self._connection.execute(takes_part.delete().where(among(takes_part.c.person, sorted(persons))))
        self.take_part(kept)

    def _write(self, table: Table, columns: tuple[str, ...], rows: Sequence[sets.Row]) -> None:
        sets.insert_later(self._connection, [sets.Rows(table, columns, rows, perhaps=True)])

    def in_care_of(self, hsa_ids: Collection[str]) -> set[str]:
        """The persons (keys) in whose care one of these organisations takes part; and the compartments (ADR 53)."""
        query = select(takes_part.c.person).where(among(takes_part.c.hsa_id, hsa_ids))
        return set(self._connection.scalars(query))

    def some_in_care_of(self, hsa_id: str, after: str, *, limit: int) -> tuple[set[str], str | None]:
        """The same of one, a page of them in order; and after whom the next one is, where there is one."""
        query = select(takes_part.c.person).where(takes_part.c.hsa_id == hsa_id, takes_part.c.person > after)
        found = self._connection.scalars(query.order_by(takes_part.c.person).limit(limit)).all()
        return set(found), found[-1] if len(found) == limit else None

    def parties(self, person: str) -> set[str]:
        """The HSA-ids of those who take part in a person's care."""
        return set(self._connection.scalars(select(takes_part.c.hsa_id).where(takes_part.c.person == person)))
