"""$match and $ihe-pix: who a person is among those that the caller may know of.

https://hl7.org/fhir/R4/patient-operation-match.html, https://profiles.ihe.net/ITI/PIXm/ITI-83.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gateway.access.caller import Asking
from gateway.access.conditions import narrowing
from gateway.access.decision import decide
from gateway.access.searching import Searching
from gateway.definitions import CANONICAL
from gateway.errors import BadRequest, Forbidden, GatewayError, NotFound
from gateway.fhir import bundle
from gateway.fhir.json import dump
from gateway.identity import numbers, systems
from gateway.identity.matching import GRADES, REGISTERS, Likeness, Traits, likeness, slips, traits
from gateway.issues import Issue, operation_outcome
from gateway.records import Resource
from gateway.search import dates
from gateway.search.conditions import (
    AllOf,
    AnyOf,
    Criterion,
    DateIs,
    IdIs,
    Own,
    StringIs,
    TokenIs,
    Where,
)
from gateway.search.numbers import number
from gateway.search.query import Query
from gateway.search.text import folded
from gateway.store import Stored, UnitOfWork
from gateway.store.narrowing import Narrowing

PATIENT: Final = "Patient"
MOST: Final = 1000
"""Patients that are compared with the one that is asked for."""
SHOWN: Final = 50
"""Matches that are told where the caller sets no number."""
GRADE: Final = "http://hl7.org/fhir/StructureDefinition/match-grade"
REASON: Final = f"{CANONICAL}/StructureDefinition/match-reason"
NOT_FOUND: Final = "sourceIdentifier Patient Identifier not found"
UNKNOWN_SOURCE: Final = "sourceIdentifier Assigning Authority not found"
UNKNOWN_TARGET: Final = "targetSystem not found"
"""The words of the profile, by which its clients tell one refusal from another."""


@dataclass(frozen=True, slots=True)
class Match:
    stored: Stored
    likeness: Likeness


class Matching(Searching):
    """match and cross_references."""

    def match(self, asking: Asking, patient: Resource, *, certain: bool, count: int | None, base: str) -> bytes:
        """A searchset Bundle of those who may be this person, the likeliest first. BadRequest."""
        wanted = traits(patient)
        criterion = _alike(wanted, self._rooms.zone)
        if criterion is None:
            text = "Give an identifier with system and value, a family name with a given name, or a whole birth date."
            raise BadRequest(text, rule="match-insufficient", expression="Patient", where="resource")
        visible = narrowing(self, asking.caller)
        query = Query((PATIENT,), criteria=(criterion,), count=MOST)
        page = self._rooms.store.read(lambda uow: uow.searches.page(query, narrowing=visible))
        found = sorted(_graded(wanted, page.matches), key=lambda one: (-one.likeness.score, one.stored.id))
        told = [one for one in found if not certain or one.likeness.grade == "certain"]
        if certain and len({one.stored.person or one.stored.id for one in told}) > 1:
            told = []
        told = told[: SHOWN if count is None else count]
        self.audit(asking, decide(asking.caller, PATIENT, takes_part=None), *(one.stored for one in told))
        return dump(_bundle(told, left=len(found) - len(told), whole=page.behind is None, base=base))

    def cross_references(self, asking: Asking, source: tuple[str, str], targets: Sequence[str], base: str) -> Resource:
        """Parameters: the other identifiers of a person, and his Patients. NotFound, BadRequest, Forbidden."""
        system, value = source
        own = base.rstrip("/")
        known = {systems.canonical(one) for one in targets}

        def ask(uow: UnitOfWork) -> tuple[list[Stored], GatewayError | None]:
            visible = narrowing(self, asking.caller)
            alike = _ids(value.removeprefix(f"{PATIENT}/")) if system.rstrip("/") == own else _identified(system, value)
            found = _patients(uow, alike, visible)
            if not found and system.rstrip("/") != own and not _domain(uow, system, visible):
                return [], _coded(BadRequest, "pix-source-unknown", UNKNOWN_SOURCE)
            if not found:
                return [], NotFound(NOT_FOUND, rule="pix-source-not-found", where=NOT_FOUND)
            if any(one != own and not _domain(uow, one, visible) for one in (one.rstrip("/") for one in targets)):
                return [], _coded(Forbidden, "pix-target-unknown", UNKNOWN_TARGET)
            persons = sorted({one.person or one.id for one in found})
            ids = {one.id for one in found}.union(*uow.persons.patients_of(persons).values())
            return _patients(uow, _ids(*ids), visible), None

        found, refusal = self._rooms.store.read(ask)
        failure = None if refusal is None else refusal.issues[0].rule
        self.audit(asking, decide(asking.caller, PATIENT, takes_part=None), *found, failure=failure)
        if refusal is not None:
            raise refusal
        asked = _read(system, value)
        told: list[dict[str, Any]] = [
            {"name": "targetIdentifier", "valueIdentifier": one}
            for one in _distinct(found)
            if _read(one["system"], one["value"]) != asked and (not known or systems.canonical(one["system"]) in known)
        ]
        if not targets or own in {one.rstrip("/") for one in targets}:
            itself = value.removeprefix(f"{PATIENT}/") if system.rstrip("/") == own else None
            told += [
                {"name": "targetId", "valueReference": {"reference": f"{PATIENT}/{one.id}"}}
                for one in found
                if one.id != itself
            ]
        return {"resourceType": "Parameters"} | ({"parameter": told} if told else {})


def _alike(wanted: Traits, zone: Any) -> Criterion | None:
    """Who is compared: whoever has an identifier, a name, a birth date or a telephone of what is asked for."""
    found: list[Criterion] = []
    if wanted.identifiers:
        found.append(_tokens("identifier", sorted(wanted.identifiers)))
    days = {day for born in wanted.born if len(born) == 10 for day in (born, *slips(born))}
    spans = [span for day in sorted(days) if (span := dates.span(day, zone)) is not None]
    if spans:
        conditions = tuple(DateIs("eq", low, high) for low, high in spans)
        found.append(Where("date", (number(PATIENT, "birthdate"),), conditions))
    if wanted.family and wanted.given:
        found.append(AllOf((_named("family", wanted.family), _named("given", wanted.given))))
    return AnyOf(tuple(found)) if found else None


def _named(code: str, names: Iterable[str]) -> Criterion:
    return Where("string", (number(PATIENT, code),), tuple(StringIs("starts", one, one) for one in sorted(names)))


def _tokens(code: str, identifiers: Iterable[tuple[str, str]]) -> Criterion:
    conditions = tuple(TokenIs(system, folded(value), value) for system, value in identifiers)
    return Where("token", (number(PATIENT, code),), conditions)


def _identified(system: str, value: str) -> Criterion:
    """As it was given, and in the one spelling."""
    return _tokens("identifier", sorted({(system, value), _read(system, value)}))


def _ids(*ids: str) -> Criterion:
    return Own("_id", tuple(IdIs(id) for id in sorted(ids)))


def _read(system: str, value: str) -> tuple[str, str]:
    reading = numbers.read(system, value, system)
    return (systems.canonical(system), value) if reading is None else (reading.system, reading.value)


def _patients(uow: UnitOfWork, criterion: Criterion, visible: Narrowing | None) -> list[Stored]:
    return list(uow.searches.page(Query((PATIENT,), criteria=(criterion,), count=MOST), narrowing=visible).matches)


def _domain(uow: UnitOfWork, system: str, visible: Narrowing | None) -> bool:
    """Whether identifiers of this system are known here: a register's, or those of a Patient that may be seen."""
    canonical = systems.canonical(system)
    if canonical in REGISTERS:
        return True
    conditions = tuple(TokenIs(one, None) for one in sorted({system, canonical}))
    criterion = Where("token", (number(PATIENT, "identifier"),), conditions)
    page = uow.searches.page(Query((PATIENT,), criteria=(criterion,), count=1), narrowing=visible)
    return bool(page.matches)


def _coded(kind: type[GatewayError], rule: str, text: str) -> GatewayError:
    return kind(text, issues=[Issue("error", "code-invalid", rule, text, text)])


def _distinct(found: Iterable[Stored]) -> Iterator[dict[str, Any]]:
    """The identifiers of Patients, each once."""
    seen: set[tuple[str, str]] = set()
    for one in found:
        for identifier in one.resource().get("identifier", ()):
            if "system" in identifier and "value" in identifier:
                key = _read(identifier["system"], identifier["value"])
                if key not in seen:
                    seen.add(key)
                    yield identifier


def _graded(wanted: Traits, found: Iterable[Stored]) -> Iterator[Match]:
    for one in found:
        alike = likeness(wanted, traits(one.resource()))
        if alike.score >= GRADES[-1][0]:
            yield Match(one, alike)


def _bundle(told: Sequence[Match], *, left: int, whole: bool, base: str) -> Resource:
    entries = [bundle.Found(one.stored.resource_type, one.stored.id, one.stored.body) for one in told]
    made = bundle.searchset(entries, base=base, links={}, total=len(told))
    del made["link"]
    for entry, one in zip(made.get("entry", ()), told, strict=True):
        reasons = [{"url": REASON, "valueCode": reason} for reason in one.likeness.reasons]
        entry["search"] = {
            "extension": [{"url": GRADE, "valueCode": one.likeness.grade}, *reasons],
            "mode": "match",
            "score": one.likeness.score,
        }
    issues = []
    if left:
        text = f"{left} more came near, and are left out: by onlyCertainMatches, or by count."
        issues.append(Issue("information", "informational", "matches-left-out", text))
    if not whole:
        text = f"More than {MOST} patients come into question; not all were compared. Give more of the person."
        issues.append(Issue("warning", "too-costly", "too-many-candidates", text))
    if issues:
        made.setdefault("entry", []).append({"resource": operation_outcome(issues), "search": {"mode": "outcome"}})
    return made
