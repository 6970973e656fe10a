"""Hand-made histories of missions, from a few words each to agreed Tasks; and a report back to a few words."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from gateway.coordination import agreements
from gateway.coordination.directory import Directory
from gateway.coordination.measures import Asked, Moments, Person, Tally, cases, read_definition, report
from gateway.coordination.measures.tally import add_all
from gateway.coordination.missions import DISPOSITION, MISSION
from gateway.coordination.picture import picture
from gateway.coordination.tasks import HISTORY
from gateway.definitions import CANONICAL, load
from gateway.identity.systems import HSA_ID
from gateway.records import Agreed
from tests.coordination import people

ZONE = ZoneInfo("Europe/Stockholm")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


def unit(hsa_id: str) -> dict[str, Any]:
    return {"type": "Organization", "identifier": {"system": HSA_ID, "value": hsa_id}}


def task(row: dict[str, Any]) -> dict[str, Any]:
    """An agreed Task from `steps`: time, status and, where it changes, the owner."""
    steps = [(at(one[0]), one[1], one[2] if len(one) > 2 else None) for one in row["steps"]]
    owner = None
    extensions = []
    for place, (start, status, to) in enumerate(steps):
        period = {"start": start.isoformat()}
        if place + 1 < len(steps):
            period["end"] = steps[place + 1][0].isoformat()
        parts: list[dict[str, Any]] = [
            {"url": "status", "valueCode": status},
            {"url": "period", "valuePeriod": period},
        ]
        if to:
            owner = to
            parts.append({"url": "owner", "valueReference": unit(to)})
        parts.append({"url": "source", "valueString": "by-hand"})
        extensions.append({"url": HISTORY, "extension": parts})
    made: dict[str, Any] = {
        "resourceType": "Task",
        "id": row["id"],
        "status": steps[-1][1],
        "intent": "order",
        "code": {"coding": [{"system": MISSION, "code": row["mission"]}]},
        "groupIdentifier": {"system": f"{CANONICAL}/sid/group", "value": row.get("need", row["id"])},
        "for": {"reference": "Patient/p1"},
        "requester": unit(row["from"]),
        "authoredOn": steps[0][0].isoformat(),
        "extension": extensions,
    }
    if owner:
        made["owner"] = unit(owner)
    if "priority" in row:
        made["priority"] = row["priority"]
    if "due" in row:
        made["restriction"] = {"period": {"end": at(row["due"]).isoformat()}}
    if "reason" in row:
        made["statusReason"] = {"coding": [{"system": f"{CANONICAL}/CodeSystem/decline-reason", "code": row["reason"]}]}
    if "ended" in row:
        kind = {"coding": [{"system": f"{CANONICAL}/CodeSystem/task-output", "code": "disposition"}]}
        value = {"coding": [{"system": DISPOSITION, "code": row["ended"]}]}
        made["output"] = [{"type": kind, "valueCodeableConcept": value}]
    return made


def evaluate(document: dict[str, Any], measure: str, by: list[str] | None = None) -> dict[str, Any]:
    """The MeasureReport of a case."""
    definition = read_definition(load().resources[f"{CANONICAL}/Measure/{measure}"])
    tally = Tally(definition, frozenset(by) if by else None)
    first, last = (date.fromisoformat(document[name]) for name in ("first", "last"))
    now = at(document["now"])
    start, end = datetime.combine(first, time(), ZONE), datetime.combine(last + timedelta(days=1), time(), ZONE)
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in document["missions"]:
        for copy in range(row.get("copies", 1)):
            own = (
                row if not copy else row | {"id": f"{row['id']}-{copy}", "need": f"{row.get('need', row['id'])}-{copy}"}
            )
            person = f"{row.get('need', row['id'])}-{copy}"
            rows.setdefault(person, []).append(own)
    for person, own in sorted(rows.items()):
        moments = Moments(
            {f"Task/{row['id']}": at(row["arrived"]) for row in own if "arrived" in row},
            {f"Task/{row['id']}": at(row["reported"]) for row in own if "reported" in row},
        )
        seen = picture(
            _patient(person, next((row["lives"] for row in own if "lives" in row), None)),
            [Agreed("Task", row["id"], person, task(row), ("by-hand",)) for row in own],
            (),
            Directory(people.organisations()),
            (),
            agreement=agreements.agreement(),
            authority=agreements.authority(),
            at=now,
            known_at=now,
            since=start,
        )
        add_all([tally], cases(Person(seen, moments, start, end)))
    return report(tally, Asked(first, last, now))


def _patient(person: str, municipality: str | None) -> dict[str, Any]:
    patient: dict[str, Any] = {"resourceType": "Patient", "id": person}
    if municipality:
        coding = {"system": "urn:oid:1.2.752.129.2.2.1.17", "code": municipality}
        extension = {"url": f"{CANONICAL}/StructureDefinition/municipality", "valueCoding": coding}
        patient["address"] = [{"extension": [extension]}]
    return patient


def in_short(made: dict[str, Any]) -> dict[str, Any]:
    """By statistic: the numbers of the populations, the score, and the same by dimension and value; `-` is not told."""
    return {_code(group["code"]): _figures(group) | _strata(group) for group in made["group"]}


def _figures(of: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {_code(one["code"]): one.get("count", "-") for one in of["population"]}
    if "measureScore" in of:
        found["score"] = of["measureScore"]["value"]
    return found


def _strata(group: dict[str, Any]) -> dict[str, Any]:
    found = {}
    for one in group.get("stratifier", []):
        name = _code(one["code"][0])
        found[name] = "-" if "extension" in one else {_code(s["value"]): _figures(s) for s in one.get("stratum", [])}
    return found


def _code(concept: dict[str, Any]) -> str:
    return str(concept["coding"][0]["code"])
