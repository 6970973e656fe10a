"""Who does what for a person, for a caller: the statements he may see, looked at and written down.

docs/who-does-what.md
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from gateway.access.caller import Asking
from gateway.access.decision import Decision
from gateway.access.reading import Reading
from gateway.coordination.agree import agree_all
from gateway.coordination.as_stored import Thing
from gateway.coordination.directory import Unit
from gateway.coordination.facts import Heard
from gateway.coordination.heirs import is_passing
from gateway.coordination.look import look
from gateway.coordination.over import PERIOD, is_withheld, keys_of_need, needed
from gateway.coordination.see import begins, see
from gateway.coordination.statements import GATEWAY_SOURCE
from gateway.coordination.view import Lane, LaneItem, Now, SourceLine, View
from gateway.coordination.who_does_what import document
from gateway.errors import BadRequest
from gateway.fhir.json import dump
from gateway.identity.resolve import Key, logical_references
from gateway.identity.systems import HSA_ID
from gateway.records import Link, Resource, Source, Statement
from gateway.store import Named, Stored, UnitOfWork

# The page shows these; it reaches them through the door.
__all__ = ["Answers", "Lane", "LaneItem", "Now", "SourceLine", "Unit", "View"]


FIRST_YEAR, LAST_YEAR = 1800, 2300
"""Between these anybody may ask what held."""


@dataclass(frozen=True, slots=True)
class Told:
    """What was said of a person: what may bear on the answer, and what is left of what was over by then."""

    statements: list[Statement]
    past: list[Named]
    patients: list[str]
    """The ids of his Patients."""
    whole: frozenset[Thing] = frozenset()
    """The Tasks and Encounters of which nothing else was said, of whomever and later."""


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
            if patient is None or not decision.allowed:
                return patient, decision, None
            view = self._look(uow, asking, patient, at, known_at, since, earlier=known_at < now)
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
        *,
        earlier: bool,
    ) -> View:
        told = self.said(uow, patient, known_at, since or begins(at))
        said = self.audible(asking, told.statements)
        if not asking.caller.operator:
            # What was known earlier, or may be heard of it, need not say that a plan is closed now.
            whole = not earlier and len(said) == len(told.statements)
            said = list(self.outside(uow, said, asking.caller.organisations, whole=whole))
        things = {one.resource_id for one in said}
        named = names(said, told.past)
        spoke = {one.source for one in told.past}
        links = uow.links.of(sorted(things | set(told.patients)), known_at=known_at)
        seen = see(
            patient.resource(),
            said,
            at=at,
            known_at=known_at,
            since=since,
            links=links,
            organisations=self.units_named(uow, named.every, known_at),
            heard=self.heard(uow, spoke.union(one.source for one in said), named.every, min(at, known_at)),
            known=uow.identifiers.find(named.awaited),
            spoke=spoke,
            stored={} if earlier else unfolded(uow, told, said, links, known_at),
        )
        return look(seen)

    def said(self, uow: UnitOfWork, patient: Stored, known_at: datetime, since: datetime) -> Told:
        """What was said of the person that may bear on a time from `since` on, but for gaps, which follow from it."""
        person = patient.person or patient.id
        patients = sorted({person, patient.id, *uow.persons.patients_of([person]).get(person, ())})
        statements: list[Statement] = []
        past: list[Named] = []
        whole: set[Thing] = set()
        for id in patients:
            things = uow.bearing.after(id, since=since, known_at=known_at)
            bears = uow.statements.of_person(id, without_types=PERIOD, known_at=known_at)
            about, shared = _about(uow, id, things, known_at)
            whole |= {thing for thing, recorded in things.items() if recorded <= known_at} - shared
            bears += about
            also = _bearing_too(uow, id, bears)
            bears += _about(uow, id, also, known_at)[0]
            ids = sorted(id for _, id in also)
            past += uow.bearing.named_in_past(id, since=since, known_at=known_at, without=ids)
            statements += (one for one in bears if one.source != GATEWAY_SOURCE or is_passing(one))
        return Told(statements, past, patients, frozenset(whole))

    def units_named(self, uow: UnitOfWork, named: Collection[Key], known_at: datetime) -> list[Resource]:
        """The agreed Organizations that are named, those that are above them or took over, as they were known then."""
        keys = {key for key in named if key[0] == "Organization"}
        keys |= {("Organization", HSA_ID, source.controller) for source in self._rooms.sources.values()}
        return with_those_above(uow, keys, known_at)

    def heard(self, uow: UnitOfWork, speaking: Collection[str], named: Iterable[Key], by: datetime) -> list[Heard]:
        """The sources that have spoken of the person, and those of the organisations that are named in what they said.

        By what may be heard alone: that somebody has withheld records says already who he is (SVOD 2 kap. 4 §).
        """
        about = self.about(speaking, named)
        last = uow.inbox.heard([source.id for source in about], known_at=by)
        return [Heard(source, last.get(source.id)) for source in about]

    def about(self, speaking: Collection[str], named: Iterable[Key]) -> list[Source]:
        """Those sources."""
        parties = {value for _, system, value in named if system == HSA_ID}
        return [
            source
            for source in self._rooms.sources.values()
            if source.id in speaking or {source.hsa_id, source.controller} & parties
        ]


@dataclass(frozen=True, slots=True)
class Names:
    """Who and what is named by identifier in what was said, those who said it among them."""

    every: set[Key]
    awaited: set[Key]
    """Those whose target was not known when they were named."""


def names(said: Iterable[Statement], past: Iterable[Named]) -> Names:
    """The names in what was said, and those that are left of what is over."""
    found = Names({key for one in past for key in one.keys}, set())
    for one in said:
        found.every.update(("Organization", HSA_ID, party) for party in (one.party, one.provider) if party)
        for reference, key in logical_references(one.body):
            found.every.add(key)
            if "reference" not in reference:
                found.awaited.add(key)
    return found


def _about(
    uow: UnitOfWork, person: str, things: Collection[Thing], known_at: datetime
) -> tuple[list[Statement], set[Thing]]:
    """What is said of the person about these things, and those of them that are said to be about another, too."""
    found = uow.statements.of_resources(things, known_at=known_at) if things else []
    shared = {(one.resource_type, one.resource_id) for one in found if one.person != person}
    return [one for one in found if one.person == person], shared


def unfolded(
    uow: UnitOfWork, told: Told, said: Collection[Statement], links: Iterable[Link], known_at: datetime
) -> dict[Thing, Stored]:
    """The current versions of what need not be folded: all that is said of it may be heard, and no tie concerns it."""
    things = set(told.whole)
    if len(said) < len(told.statements):
        heard = {one.digest for one in said}
        things -= {(one.resource_type, one.resource_id) for one in told.statements if one.digest not in heard}
    things -= {(link.resource_type, id) for link in links for id in (link.from_id, link.to_id)}
    found = uow.resources.read_many(things)
    return {thing: one for thing, one in found.items() if one.last_updated <= known_at}


def _bearing_too(uow: UnitOfWork, person: str, said: Collection[Statement]) -> set[Thing]:
    """What is over and yet matters: it belongs to a need that is not, or came in a record that is kept from some."""
    read = {(one.resource_type, one.resource_id) for one in said}
    keys: dict[Thing, Collection[str]] = {
        thing: names for thing, names in uow.bearing.keys_of_past(person).items() if thing not in read
    }
    over = set(keys)
    for one in said:
        if one.resource_type == "Task":
            thing = one.resource_type, one.resource_id
            keys[thing] = [*keys.get(thing, ()), *keys_of_need([one])]
    found = needed(over, keys)
    records = {(one.inbox_id, one.item) for one in said if one.inbox_id and one.item is not None and is_withheld(one)}
    for inbox_id, item in sorted(records):
        found |= {
            (one.resource_type, one.resource_id)
            for one in uow.statements.of_item(str(inbox_id), item)
            if one.person == person
        }
    return found - read


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
