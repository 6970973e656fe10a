"""What needs a person: held items, proposed links, persons without a number, contradictions; and deciding it.

The operator's. Every decision is audited in the unit of work of what it changes, and nothing is lost by one: an item
that was set aside can be replayed, a link is a row beside the others, a contradiction is settled by a statement. What
was decided can be decided otherwise. Sent twice, a decision is made once.

docs/page.md
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal

from gateway.access.caller import Asking
from gateway.access.commands import Matching
from gateway.access.conditions import criteria
from gateway.access.decision import Decision
from gateway.access.messages import message_row
from gateway.access.persons import PERSON_SYSTEMS
from gateway.access.settling import Contradiction, Settling, said_reason
from gateway.coordination import weak_links
from gateway.coordination.agree import agree
from gateway.definitions import CANONICAL
from gateway.errors import BadRequest, Conflict, NotFound
from gateway.issues import Issue
from gateway.records import Agreed, Link, Resource, Statement
from gateway.search.cursor import Cursor
from gateway.store import Stored, UnitOfWork

MOST: Final = 50
"""Of each kind on a page."""
MARKS: Final = f"{CANONICAL}/CodeSystem/mark"
DISCARDED: Final = "discarded"
_AGREED_ON: Final = ("Task", "Encounter", "CarePlan")

Verdict = Literal["same", "undone"]
Kind = Literal["held", "proposals", "alike", "unmatched", "contradicted", "settled", "links"]
WAITING: Final[tuple[Kind, ...]] = ("held", "proposals", "alike", "unmatched", "contradicted")
"""What waits for a decision."""
KINDS: Final[tuple[Kind, ...]] = (*WAITING, "settled", "links")
"""And what was decided, and can be decided otherwise."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two Patients that may be one person, or were found to be or not; the link says which, and why."""

    link: Link
    one: Resource
    other: Resource


@dataclass(frozen=True, slots=True)
class Disputed:
    """What sources contradict each other about, or did until it was decided; and the Patient whom it is about."""

    resource: Resource
    patient: Resource | None
    contradictions: Sequence[Contradiction]


@dataclass(frozen=True, slots=True)
class Told:
    """One thing as sources tell of it, for a person to look at."""

    resource: Resource
    units: Sequence[str]
    times: Sequence[tuple[datetime | None, datetime | None]]
    sources: Sequence[str]


@dataclass(frozen=True, slots=True)
class Alike:
    """Two things that may be one (`coordination.weak_links`), or were found to be or not, and whom both are about."""

    link: Link
    one: Told
    other: Told
    patient: Resource | None


Row = dict[str, Any] | Pair | Alike | Disputed
"""A message that is held, or a Patient that nobody has matched, as JSON; a pair; what may be one; what is disputed."""


@dataclass(frozen=True, slots=True)
class Part:
    """One kind: a page of it, and where to go on; empty at the end."""

    rows: Sequence[Any]
    next: str = ""


class Queueing(Settling):
    """queue, replay, discard, decide_link and match_person."""

    def queue(self, asking: Asking, kind: str | None = None, after: str = "") -> Mapping[Kind, Part]:
        """All that waits for a decision, from its beginning; or one kind, behind a place. NotFound for all but the
        operator, BadRequest.
        """
        self._operator(asking)
        wanted = [one for one in KINDS if one == kind] if kind else list(WAITING)
        if not wanted:
            raise BadRequest(f"Kinds: {', '.join(KINDS)}.", rule="parameter-malformed", where="kind")
        if after and not (kind and _PLACE[kind in ("contradicted", "settled")](after)):
            raise BadRequest("Open the queue anew.", rule="parameter-malformed", where="after")

        def ask(uow: UnitOfWork) -> tuple[dict[Kind, Part], list[Stored]]:
            seen: list[Stored] = []
            return {one: self._parts[one](uow, asking, after, seen) for one in wanted}, seen

        found, seen = self._rooms.store.read(ask)
        self.audit(asking, Decision(True, "operator"), *seen)
        return found

    @property
    def _parts(self) -> Mapping[Kind, Callable[[UnitOfWork, Asking, str, list[Stored]], Part]]:
        return {
            "held": self._held,
            "proposals": self._proposals,
            "alike": self._alike,
            "unmatched": self._unmatched,
            "contradicted": self._contradicted,
            "settled": self._settled,
            "links": self._links,
        }

    def replay(self, asking: Asking, id: str) -> tuple[int, int]:
        """Work a message through anew; how many items were tried, and are still held. NotFound, Conflict."""
        self._operator(asking)
        outcome = self._rooms.intake().replay(id)
        return outcome.items, outcome.held

    def discard(self, asking: Asking, id: str, reason: str) -> int:
        """Set aside what a message holds, with the reason beside it; how many items. NotFound, Conflict.

        The bytes stay, and a replay tries them anew.
        """
        self._operator(asking)
        why = said_reason(reason)
        issue = Issue("information", "informational", DISCARDED, f"Set aside by the operator: {why}")

        def work(uow: UnitOfWork) -> int:
            count = uow.inbox.discard(id, issue)
            if count is None:
                raise Conflict("The message holds nothing any more, or is being worked on.", rule="inbox-not-held")
            uow.audit.add_about(self.events(asking, Decision(True, "operator")))
            return count

        if self._rooms.store.read(lambda uow: uow.inbox.entry(id)) is None:
            raise NotFound("The inbox has no message of this id.", rule="inbox-unknown")
        return self._rooms.store.write(work, now=self._rooms.clock)

    def decide_link(
        self,
        asking: Asking,
        one: str,
        other: str,
        verdict: Verdict,
        reason: str,
        *,
        before: Verdict | None = None,
        resource_type: str = "Patient",
    ) -> None:
        """Say that two Patients are one person, or two things one, or are not: that was proposed, or decided otherwise
        (`before`). NotFound, Conflict.
        """
        self._operator(asking)
        why = said_reason(reason)

        def work(uow: UnitOfWork) -> None:
            persons = self._hold(uow, one, other, resource_type=resource_type)
            pair = [link for link in uow.links.of({one}) if {link.from_id, link.to_id} == {one, other}]
            known = [link for link in pair if link.resource_type == resource_type]
            now = next((link.kind for link in reversed(known) if link.kind != "proposed"), None)
            if now == verdict:
                return  # What is sent twice is decided once.
            if not known or now != before:
                text = "This pair is not proposed, or was decided on otherwise meanwhile."
                raise Conflict(text, rule="link-not-proposed")
            self._tie(uow, asking, Link(resource_type, one, other, verdict, why, uow.now), persons)

        self._rooms.store.write(work, now=self._rooms.clock)

    def match_person(self, asking: Asking, patient_id: str, number: str, reason: str) -> str:
        """Say that a Patient without a national number is the person who has this one; that person's Patient id."""
        self._operator(asking)
        why, digits = said_reason(reason), "".join(one for one in number if one.isalnum())

        def work(uow: UnitOfWork) -> str:
            known = uow.identifiers.find([("Patient", system, digits) for system in PERSON_SYSTEMS])
            found = next(iter(sorted(set(known.values()))), None)
            if found is None or found == patient_id:
                raise BadRequest("Nobody else here has this number.", rule="number-unknown", where="number")
            persons = self._hold(uow, patient_id, found)
            if len(set(uow.persons.of_patients([patient_id, found]).values())) > 1:
                self._tie(uow, asking, Link("Patient", found, patient_id, "same", why, uow.now), persons)
            return found

        return self._rooms.store.write(work, now=self._rooms.clock)

    def _hold(self, uow: UnitOfWork, *ids: str, resource_type: str = "Patient") -> list[str]:
        """Lock both and their persons, whom it returns. NotFound where one of them is nothing here.

        What gave way to another has an id still.
        """
        uow.lock({*ids, *uow.persons.of_patients(ids).values()})
        stored = uow.resources.read_many([(resource_type, id) for id in ids])
        there = [one for one in stored.values() if not one.deleted]
        if len(stored) < len(set(ids)) or len(there) < (len(set(ids)) if resource_type == "Patient" else 1):
            raise NotFound(rule="resource-unknown")
        if resource_type == "Patient":
            return list(ids)
        persons = sorted({one.person for one in stored.values() if one.person})
        uow.lock(persons)
        return persons

    def _tie(self, uow: UnitOfWork, asking: Asking, link: Link, persons: Sequence[str]) -> None:
        self._rooms.recorder.record(uow, [], links=[link])
        asked = replace(asking, interaction="update")
        for person in persons:
            uow.audit.add_about(self.events(asked, Decision(True, "operator"), person=person))

    def _held(self, uow: UnitOfWork, asking: Asking, after: str, seen: list[Stored]) -> Part:
        found = uow.inbox.entries(held=True, before=int(after) if after else None, limit=MOST + 1)
        return Part([message_row(one) for one in found[:MOST]], str(found[MOST - 1].number) if found[MOST:] else "")

    def _proposals(self, uow: UnitOfWork, asking: Asking, after: str, seen: list[Stored]) -> Part:
        found = uow.links.proposed(["Patient"], after=int(after or 0), limit=MOST + 1)
        return self._pairs(uow, found, seen)

    def _alike(self, uow: UnitOfWork, asking: Asking, after: str, seen: list[Stored]) -> Part:
        """Things of one person that may be one, as they are now: what has moved apart since is not asked about."""
        kinds = sorted(weak_links.rules())
        found = uow.links.proposed(kinds, after=int(after or 0), limit=MOST + 1)
        shown = found[:MOST]
        keys = {(link.resource_type, id) for _, link in shown for id in (link.from_id, link.to_id)}
        there = {key: one for key, one in uow.resources.read_many(keys).items() if not one.deleted}
        patients = uow.resources.read_many([("Patient", one.person) for one in there.values() if one.person])
        rows = []
        for _, link in shown:
            one, other = (there.get((link.resource_type, id)) for id in (link.from_id, link.to_id))
            if one and other and weak_links.may_be_one(one.resource(), other.resource()):
                seen += (one, other)
                patient = patients.get(("Patient", one.person or ""))
                rows.append(
                    Alike(link, self._as_told(one), self._as_told(other), patient.resource() if patient else None)
                )
        return Part(rows, str(shown[-1][0]) if found[MOST:] else "")

    def _as_told(self, stored: Stored) -> Told:
        return self._thing(stored.resource(), stored.contributors)

    def _thing(self, resource: Resource, contributors: Sequence[str]) -> Told:
        known = self._rooms.sources
        sources = [known[id].name if id in known else id for id in contributors]
        return Told(resource, weak_links.units_of(resource), weak_links.times_of(resource), sources)

    def _links(self, uow: UnitOfWork, asking: Asking, after: str, seen: list[Stored]) -> Part:
        """Persons and things by what is said of each alone: what gave way to another is known by nothing else."""
        found = uow.links.decided(before=int(after) if after else None, limit=MOST + 1)
        shown = found[:MOST]
        known = self._said_alone(uow, [link for _, link in shown], seen)
        persons = {one.person for kind, one in known.items() if kind[0] != "Patient" and one.person}
        patients = uow.resources.read_many([("Patient", person) for person in persons])
        rows: list[Pair | Alike] = []
        for _, link in shown:
            one, other = (known.get((link.resource_type, id)) for id in (link.from_id, link.to_id))
            if one is None or other is None:
                continue
            if link.resource_type == "Patient":
                rows.append(Pair(link, one.resource, other.resource))
                continue
            patient = patients.get(("Patient", one.person or ""))
            about = patient.resource() if patient is not None and not patient.deleted else None
            mine = self._thing(one.resource, one.contributors)
            rows.append(Alike(link, mine, self._thing(other.resource, other.contributors), about))
        return Part(rows, str(shown[-1][0]) if found[MOST:] else "")

    def _pairs(self, uow: UnitOfWork, found: Sequence[tuple[int, Link]], seen: list[Stored]) -> Part:
        shown = found[:MOST]
        known = self._said_alone(uow, [link for _, link in shown], seen)
        sides = [(link, ("Patient", link.from_id), ("Patient", link.to_id)) for _, link in shown]
        pairs = [
            Pair(link, known[one].resource, known[other].resource)
            for link, one, other in sides
            if one in known and other in known
        ]
        return Part(pairs, str(shown[-1][0]) if found[MOST:] else "")

    @staticmethod
    def _said_alone(uow: UnitOfWork, links: Sequence[Link], seen: list[Stored]) -> dict[tuple[str, str], Agreed]:
        """Both sides of the links, each by what is said of it alone, where anything is."""
        ids = {(link.resource_type, id) for link in links for id in (link.from_id, link.to_id)}
        stored = uow.resources.read_many(ids)
        seen += stored.values()
        said: dict[tuple[str, str], list[Statement]] = {}
        for one in uow.statements.of_resources(list(stored)):
            said.setdefault((one.resource_type, one.resource_id), []).append(one)
        return {thing: agreed for thing, of in said.items() if not (agreed := agree(of)).deleted}

    def _unmatched(self, uow: UnitOfWork, asking: Asking, after: str, seen: list[Stored]) -> Part:
        """Patients whom no national number names, and whom nobody has tied to another."""
        nobody = ("identifier:not", ",".join(f"{system}|" for system in PERSON_SYSTEMS))
        found, rid = self._page(uow, "Patient", int(after) if after else None, nobody, ("active:not", "false"))
        tied = uow.persons.patients_of({one.person for one in found if one.person})
        alone = [one for one in found if len(tied.get(one.person or "", ())) < 2]
        seen += alone
        return Part([one.resource() for one in alone], str(rid or ""))

    def _contradicted(self, uow: UnitOfWork, asking: Asking, after: str, seen: list[Stored]) -> Part:
        """What nobody has decided, and the parties are not asked about."""
        return self._disputed(uow, asking, after, seen, "contradicted", without="asked")

    def _settled(self, uow: UnitOfWork, asking: Asking, after: str, seen: list[Stored]) -> Part:
        return self._disputed(uow, asking, after, seen, "settled", "asked")

    def _disputed(
        self, uow: UnitOfWork, asking: Asking, after: str, seen: list[Stored], *marks: str, without: str | None = None
    ) -> Part:
        """A page over the types one after the other; the place is a type and a row of it."""
        params = [("_tag", ",".join(f"{MARKS}|{one}" for one in marks))]
        params += [("_tag:not", f"{MARKS}|{without}")] if without else []
        begin, _, rid = after.partition("-")
        found: list[Stored] = []
        next = ""
        for kind in _AGREED_ON[_AGREED_ON.index(begin) if begin else 0 :]:
            more, last = self._page(uow, kind, int(rid) if rid else None, *params, count=MOST - len(found))
            found += more
            rid = ""
            if last is not None:
                next = f"{kind}-{last}"
                break
            if len(found) == MOST:
                next = f"{_AGREED_ON[_AGREED_ON.index(kind) + 1]}-0" if kind != _AGREED_ON[-1] else ""
                break
        seen += found
        persons = uow.resources.read_many([("Patient", one.person) for one in found if one.person])
        known = {one.id: one.resource() for one in persons.values() if not one.deleted}
        rows = [
            Disputed(one.stored.resource(), known.get(one.stored.person or ""), one.contradictions)
            for one in (self.explained(uow, asking, found) if found else ())
        ]
        return Part(rows, next)

    def _page(
        self, uow: UnitOfWork, kind: str, after: int | None, *params: tuple[str, str], count: int = MOST
    ) -> tuple[list[Stored], int | None]:
        """So many behind a row, and the last one's row where there are more."""
        query = replace(criteria(kind, Matching(params), self._rooms), count=count)
        page = uow.searches.page(query, after=Cursor(rid=after))
        return list(page.matches), None if page.behind is None else page.behind.rid


def _is_number(text: str) -> bool:
    return text.isdecimal() and len(text) < 19


def _is_place(text: str) -> bool:
    kind, _, rid = text.partition("-")
    return kind in _AGREED_ON and _is_number(rid)


_PLACE: Final = (_is_number, _is_place)
