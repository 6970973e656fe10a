"""Patient/$who-does-what: the view as a document Bundle, in the manner of the IPS `$summary`.

https://hl7.org/fhir/R4/documents.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from gateway.coordination.careteam import Member
from gateway.coordination.directory import Unit
from gateway.coordination.gap import Gap
from gateway.coordination.issue import issue
from gateway.coordination.narrative import SECTIONS, narrative, summary
from gateway.coordination.values import logical_reference, written
from gateway.coordination.view import Awaited, Next, Now, SourceLine, View
from gateway.coordination.words import phrase, words
from gateway.definitions import CANONICAL
from gateway.fhir.json import dump
from gateway.records import Resource

SECTION_SYSTEM = f"{CANONICAL}/CodeSystem/who-does-what"
HEARD = f"{CANONICAL}/StructureDefinition/source-heard"
OF_PLAN = f"{CANONICAL}/StructureDefinition/team-of-plan"
_NAMESPACE = uuid5(NAMESPACE_URL, f"{CANONICAL}/who-does-what")
_UNITS = re.compile(rb'"reference":"(Organization/[A-Za-z0-9.-]+)"')
_PLAN_OF_CARE = {"system": "http://loinc.org", "code": "18776-5", "display": "Plan of care note"}


def document(view: View, base: str) -> Resource:
    """The document: Composition first, then all that it names. `base` is the address that references resolve under."""
    writer = _Writer(view, base.rstrip("/"))
    entries = list(writer.entries())
    return {
        "resourceType": "Bundle",
        "identifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{writer.id('document')}"},
        "type": "document",
        "timestamp": written(view.known_at),
        "entry": entries,
    }


class _Writer:
    def __init__(self, view: View, base: str) -> None:
        self.view = view
        self.base = base
        patient = view.patient["id"]
        self.namespace: UUID = uuid5(_NAMESPACE, f"{patient}|{view.at.timestamp()}|{view.known_at.timestamp()}")
        self.patient = {"reference": f"{base}/Patient/{patient}"}
        self.shown = {f"{one.resource_type}/{one.id}" for one in view.agreed}
        self.units: dict[str, Resource] = {}

    def id(self, name: str) -> str:
        return str(uuid5(self.namespace, name))

    def entries(self) -> Iterator[dict[str, Any]]:
        gaps = [self.gap(gap) for gap in self.view.gaps]
        teams = [self.team("team", self.view.team)] if self.view.team else []
        teams += [self.team(plan, members, plan) for plan, members in sorted(self.view.teams.items())]
        yield self.made(self.composition(gaps))
        yield self.stored(self.view.patient)
        for one in self.view.agreed:
            self.note_units(one.resource)
            yield self.stored(one.resource)
        for resource in (*teams, *gaps):
            yield self.made(resource)
        for id in sorted(self.units):
            yield self.stored(self.units[id])

    def composition(self, gaps: list[Resource]) -> Resource:
        title = phrase("document")
        return {
            "resourceType": "Composition",
            "id": self.id("composition"),
            "language": "sv",
            "text": summary(self.view),
            "status": "final",
            "type": {
                "coding": [
                    {"system": SECTION_SYSTEM, "code": "who-does-what", "display": title.en},
                    _PLAN_OF_CARE,
                ],
                "text": title.sv,
            },
            "subject": self.patient,
            "date": written(self.view.at),
            "author": [{"type": "Device", "display": "Samverka"}],
            "title": f"{title.sv} / {title.en}",
            "section": [self.section(name, gaps) for name in SECTIONS],
        }

    def section(self, name: str, gaps: list[Resource]) -> dict[str, Any]:
        title = words("sections", name)
        assert title is not None
        made: dict[str, Any] = {
            "title": title.sv,
            "code": {"coding": [{"system": SECTION_SYSTEM, "code": name, "display": title.en}], "text": title.sv},
            "text": narrative(name, self.view),
        }
        if name == "sources":
            made["extension"] = [self.heard(line) for line in self.view.sources]
        entries = self.section_entries(name, gaps)
        if entries:
            made["entry"] = entries
        elif name != "sources":
            made["emptyReason"] = {
                "coding": [{"system": "http://terminology.hl7.org/CodeSystem/list-empty-reason", "code": "nilknown"}]
            }
        return {key: made[key] for key in ("extension", "title", "code", "text", "entry", "emptyReason") if key in made}

    def section_entries(self, name: str, gaps: list[Resource]) -> list[dict[str, Any]]:
        if name == "gaps":
            return [{"reference": f"urn:uuid:{gap['id']}"} for gap in gaps]
        told: dict[str, Sequence[Now | Next | Awaited]] = {
            "now": self.view.now,
            "next": self.view.next,
            "awaited": self.view.awaited,
        }
        lines = told.get(name, ())
        found = dict.fromkeys(line.reference for line in lines if line.reference in self.shown)
        return [{"reference": f"{self.base}/{reference}"} for reference in found]

    def heard(self, line: SourceLine) -> dict[str, Any]:
        parts: list[dict[str, Any]] = [
            {"url": "source", "valueString": line.id},
            {"url": "name", "valueString": line.name},
            {"url": "state", "valueCode": line.state},
        ]
        if line.last is not None:
            parts.append({"url": "last", "valueDateTime": written(line.last)})
        return {"url": HEARD, "extension": parts}

    def gap(self, gap: Gap) -> Resource:
        made = issue(gap, self.patient, f"{self.base}/", self.to)
        made["id"] = self.id(f"gap|{gap.code}|{'|'.join(gap.about)}|{gap.text.en}")
        return made if gap.since is None else made | {"identifiedDateTime": written(gap.since)}

    def team(self, name: str, members: Iterable[Member], plan: str | None = None) -> Resource:
        members = list(members)
        open_ = any(member.end is None for member in members)
        made: Resource = {
            "resourceType": "CareTeam",
            "id": self.id(f"team|{name}"),
            "status": "active" if open_ else "inactive",
            "subject": self.patient,
            "period": _period(min(member.start for member in members), None),
            "participant": [
                {"member": self.to(member.unit), "period": _period(member.start, member.end)} for member in members
            ],
        }
        if plan:
            made["extension"] = [{"url": OF_PLAN, "valueReference": {"reference": f"{self.base}/{plan}"}}]
        return made

    def to(self, unit: Unit) -> dict[str, Any]:
        """A reference to a unit, and the unit with the document when it is known."""
        resource = self.view.directory.resource(unit.key)
        if resource is not None:
            self.units[str(resource["id"])] = resource
            return {"reference": f"{self.base}/Organization/{resource['id']}", "display": unit.name}
        return logical_reference("Organization", unit.key, unit.name)

    def note_units(self, resource: Resource) -> None:
        """Take along the organisations that a resource names."""
        for literal in _UNITS.findall(dump(resource)):  # To write it and look there is a tenth of walking through it.
            unit = self.view.directory.resource(literal.decode())
            if unit is not None:
                self.units[str(unit["id"])] = unit

    def stored(self, resource: Resource) -> dict[str, Any]:
        return {"fullUrl": f"{self.base}/{resource['resourceType']}/{resource['id']}", "resource": resource}

    def made(self, resource: Resource) -> dict[str, Any]:
        return {"fullUrl": f"urn:uuid:{resource['id']}", "resource": resource}


def _period(start: datetime, end: datetime | None) -> dict[str, str]:
    return {"start": written(start)} | ({"end": written(end)} if end is not None else {})
