"""Who does what for a person, for a caller: the statements he may see, looked at and written down.

docs/who-does-what.md
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from gateway.access.caller import Asking
from gateway.access.decision import Decision
from gateway.access.reading import Reading
from gateway.coordination.agree import agree_all, wanted
from gateway.coordination.directory import Unit
from gateway.coordination.facts import Heard
from gateway.coordination.heirs import is_passing
from gateway.coordination.look import look
from gateway.coordination.recorder import parties_to
from gateway.coordination.see import see
from gateway.coordination.statements import GATEWAY_SOURCE
from gateway.coordination.view import Lane, LaneItem, Now, SourceLine, View
from gateway.coordination.who_does_what import document
from gateway.errors import BadRequest
from gateway.fhir.json import dump
from gateway.identity.resolve import Key, logical_references
from gateway.identity.systems import HSA_ID
from gateway.records import Resource, Statement
from gateway.store import Stored, UnitOfWork

# The page shows these; it reaches them through the door.
__all__ = ["Answers", "Lane", "LaneItem", "Now", "SourceLine", "Unit", "View"]


FIRST_YEAR, LAST_YEAR = 1800, 2300
"""Between these anybody may ask what held."""


class Answers(Reading):
    """view and who_does_what."""

    def who_does_what(
        self,
        asking: Asking,
        patient_id: str,
        *,
        base: str,
        at: datetime | None = None,
        known_at: datetime | None = None,
        since: datetime | None = None,
    ) -> bytes:
        """The answer as a document Bundle. NotFound."""
        return dump(document(self.view(asking, patient_id, at=at, known_at=known_at, since=since), base))

    def view(
        self,
        asking: Asking,
        patient_id: str,
        *,
        at: datetime | None = None,
        known_at: datetime | None = None,
        since: datetime | None = None,
    ) -> View:
        """The answer as a plain view. NotFound."""
        now = self._rooms.clock()
        at, known_at = at or now, known_at or now
        timely(("at", at), ("known-at", known_at), ("since", since))
        if since is not None and since > at:
            raise BadRequest("since must not be later than at.", rule="parameter-malformed", where="since")

        def ask(uow: UnitOfWork) -> tuple[Stored | None, Decision, View | None]:
            patient = own_patient(uow, patient_id)
            decision = self.judge(uow, asking, patient)
            view = self._look(uow, asking, patient, at, known_at, since) if patient and decision.allowed else None
            return patient, decision, view

        patient, decision, view = self._rooms.store.read(ask)
        self.known(asking, patient, decision)
        assert view is not None
        return view

    def _look(
        self,
        uow: UnitOfWork,
        asking: Asking,
        patient: Stored,
        at: datetime,
        known_at: datetime,
        since: datetime | None,
    ) -> View:
        every, ids = self.said(uow, patient, known_at)
        said = self.audible(asking, every)
        things = {one.resource_id for one in said}
        seen = see(
            patient.resource(),
            said,
            at=at,
            known_at=known_at,
            since=since,
            links=uow.links.of(sorted(things | set(ids)), known_at=known_at),
            organisations=self.units_named(uow, said, known_at),
            heard=self.heard(uow, said, min(at, known_at)),
            known=uow.identifiers.find(wanted(said)),
        )
        return look(seen)

    def said(self, uow: UnitOfWork, patient: Stored, known_at: datetime) -> tuple[list[Statement], list[str]]:
        """What was said of the person but for gaps, which follow from it, and his Patients' ids."""
        person = patient.person or patient.id
        ids = sorted({person, patient.id, *uow.persons.patients_of([person]).get(person, ())})
        said = [one for id in ids for one in uow.statements.of_person(id, known_at=known_at)]
        return [one for one in said if one.source != GATEWAY_SOURCE or is_passing(one)], ids

    def units_named(self, uow: UnitOfWork, said: Iterable[Statement], known_at: datetime) -> list[Resource]:
        """The agreed Organizations that are named, those that are above them or took over, as they were known then."""
        keys = {key for one in said for _, key in logical_references(one.body) if key[0] == "Organization"}
        hsa_ids = {source.controller for source in self._rooms.sources.values()}
        hsa_ids |= {party for one in said for party in (one.party, one.provider) if party}
        return with_those_above(uow, keys | {("Organization", HSA_ID, hsa_id) for hsa_id in hsa_ids}, known_at)

    def heard(self, uow: UnitOfWork, said: Collection[Statement], by: datetime) -> list[Heard]:
        """The sources that have spoken of the person, and those of the organisations that are named in what they said.

        By what may be heard alone: that somebody has withheld records says already who he is (SVOD 2 kap. 4 §).
        """
        speaking = {one.source for one in said}
        parties = {party for one in said for party in parties_to(one)}
        about = [
            source
            for source in self._rooms.sources.values()
            if source.id in speaking or {source.hsa_id, source.controller} & parties
        ]
        last = uow.inbox.heard([source.id for source in about], known_at=by)
        return [Heard(source, last.get(source.id)) for source in about]


def timely(*asked: tuple[str, datetime | None]) -> None:
    """BadRequest unless the times that are asked about are of the years in which anything held."""
    for name, moment in asked:
        if moment is not None and not FIRST_YEAR <= moment.year <= LAST_YEAR:
            text = f"{name} must lie between {FIRST_YEAR} and {LAST_YEAR}."
            raise BadRequest(text, rule="parameter-malformed", where=name)


def with_those_above(uow: UnitOfWork, keys: Collection[Key], known_at: datetime) -> list[Resource]:
    """The Organizations that have these identifiers, those above them and that took over, as they were known then."""
    found: dict[str, Resource] = {}
    while keys:
        ids = set(uow.identifiers.find(keys).values()) - found.keys()
        stored = uow.resources.read_many([("Organization", id) for id in ids])
        met = {one.id: one.resource() for one in stored.values() if not one.deleted}
        met |= _known_by(uow, [one for one in stored.values() if one.last_updated > known_at], known_at)
        found |= met
        keys = {key for one in met.values() for _, key in logical_references(one) if key[0] == "Organization"}
        if not met:
            break
    return [found[id] for id in sorted(found)]


def _known_by(uow: UnitOfWork, changed: Collection[Stored], known_at: datetime) -> dict[str, Resource]:
    """What has changed since, as it was known then; what nobody had told of by then is known by what it is called."""
    things = [(one.resource_type, one.id) for one in changed]
    said = uow.statements.of_resources(things, known_at=known_at) if things else []
    return {one.id: one.resource for one in agree_all(said) if not one.deleted}


def own_patient(uow: UnitOfWork, patient_id: str) -> Stored | None:
    """The person's own Patient, whichever of his Patients was named; None when there is none any more."""
    stored = uow.resources.read("Patient", patient_id)
    if stored is not None and stored.person not in (None, stored.id):
        stored = uow.resources.read("Patient", str(stored.person)) or stored
    return None if stored is None or stored.deleted else stored
