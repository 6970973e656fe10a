"""The sheet of a SIP: what a form shows of plan, consent and Tasks, and what they become by what is written in it.

Pure, both ways: what is read of resources that were made from a sheet is that sheet again, so that a form which changes
nothing writes nothing. Elements that the form does not know stay as they are.

docs/sip.md
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID, uuid4, uuid5

from gateway.coordination import sip
from gateway.coordination.consenting import SIP
from gateway.coordination.directory import Directory
from gateway.coordination.plans.basis import TASK_CODES
from gateway.coordination.values import SWEDEN, instant, written
from gateway.definitions import CANONICAL
from gateway.identity.systems import HSA_ID
from gateway.records import Resource

TASK_INPUT: Final = f"{CANONICAL}/CodeSystem/task-input"
PLACE: Final = "meeting-place"
INVITATION: Final = "sip"
FOLLOW_UP: Final = "return-contact"
GIVEN, REFUSED, UNASKED = "given", "refused", ""
_CONSENT: Final[Mapping[str, str]] = {GIVEN: "active", REFUSED: "rejected", UNASKED: "proposed"}
_TITLE: Final = "Samordnad individuell plan"
_LAW: Final = "HSL 16 kap. 4 §, SoL 10 kap. 8 §"


@dataclass(frozen=True, slots=True)
class Line:
    """One activity: what, who answers for it by law, and who does it."""

    id: str
    version: str = ""
    what: str = ""
    body: str = ""
    """The HSA-id of the region or the municipality; `other` for somebody else."""
    unit: str = ""
    """The HSA-id of the unit that does it."""
    name: str = ""
    """Who does it, where that is no unit."""
    start: str = ""

    @property
    def is_blank(self) -> bool:
        return not (self.what or self.body or self.unit or self.name or self.start)


@dataclass(frozen=True, slots=True)
class Sheet:
    """What the form holds. Versions are those that were shown; empty for what was not there yet."""

    id: str
    version: str = ""
    goal: str = ""
    consent: str = UNASKED
    consent_date: str = ""
    consent_version: str = ""
    overall: str = ""
    present: bool = False
    """Whether the person took part himself."""
    relatives: str = ""
    """Relatives who took part, one a line."""
    meeting: str = ""
    place: str = ""
    invited: tuple[str, ...] = ()
    follow_up: str = ""
    lines: tuple[Line, ...] = ()
    removed: frozenset[str] = frozenset()

    def bare(self) -> Sheet:
        """What it says of the plan itself."""
        bare = Sheet(self.id, goal=self.goal, consent=self.consent, overall=self.overall, present=self.present)
        return replace(bare, relatives=self.relatives, follow_up=self.follow_up)

    @property
    def meets(self) -> bool:
        return bool(self.meeting or self.place or self.invited)


def consent_id(plan: str) -> str:
    return str(uuid5(UUID(plan), "consent"))


def read(plan: Resource, consent: Resource | None, tasks: Iterable[Resource], own: str) -> Sheet:
    """The sheet of what is stored, with the activities that nobody has been asked for yet."""
    there = list(tasks)
    invitations = [one for one in there if is_of(one, INVITATION) and one.get("status") not in sip.GONE]
    contributors = plan.get("contributor", ())
    held = next((one for one in invitations), {})
    return Sheet(
        str(plan["id"]),
        _version(plan),
        goal=str(plan.get("description", "")),
        consent=UNASKED if consent is None else _answer(consent),
        consent_date=str((consent or {}).get("dateTime", ""))[:10],
        consent_version="" if consent is None else _version(consent),
        overall=hsa_id_of(sip.overall_of(plan)),
        present=any(one.get("type") == "Patient" for one in contributors),
        relatives="\n".join(str(one["display"]) for one in contributors if _is_relative(one)),
        meeting=_local(held.get("executionPeriod", {}).get("start")),
        place=next((str(one["valueString"]) for one in held.get("input", ()) if "valueString" in one), ""),
        invited=tuple(sorted(who for one in invitations if (who := hsa_id_of(one.get("owner"))) and who != own)),
        follow_up=str(plan.get("period", {}).get("end", ""))[:10],
        lines=tuple(line(one) for one in there if sip.is_activity(one) and one.get("status") == "draft"),
    )


def line(task: Resource) -> Line:
    """One activity as the sheet has it."""
    kind, body = sip.accountable(task)
    owner = task.get("owner", {})
    unit = hsa_id_of(owner)
    return Line(
        str(task["id"]),
        _version(task),
        what=str(task.get("description", "")),
        body=sip.OTHER if kind == sip.OTHER else hsa_id_of(body),
        unit=unit,
        name="" if unit else str(owner.get("display") or (body or {}).get("display", "") if kind == sip.OTHER else ""),
        start=str(task.get("executionPeriod", {}).get("start", ""))[:10],
    )


def plan_of(sheet: Sheet, before: Resource | None, patient: str, named: Mapping[str, str], now: datetime) -> Resource:
    """The plan as the sheet has it."""
    made: Resource = dict(before) if before is not None else _new_plan(sheet.id, patient, now)
    keep = [one for one in made.get("contributor", ()) if one.get("type") != "Patient" and not _is_relative(one)]
    took_part: list[Resource] = [{"type": "Patient", "reference": patient}] if sheet.present else []
    took_part += [{"type": "RelatedPerson", "display": name} for name in sheet.relatives.splitlines() if name]
    info = {"reference": f"Consent/{consent_id(sheet.id)}", "type": "Consent"}
    others = [one for one in made.get("supportingInfo", ()) if one.get("reference") != info["reference"]]
    extensions = [one for one in made.get("extension", ()) if one.get("url") != sip.OVERALL]
    if sheet.overall:
        extensions.append({"url": sip.OVERALL, "valueReference": organisation(sheet.overall, named)})
    period = {name: value for name, value in made.get("period", {}).items() if name != "end"}
    return _with(
        made,
        description=sheet.goal,
        contributor=[*keep, *took_part],
        supportingInfo=[*others, info] if sheet.consent else others,
        extension=extensions,
        period=period | ({"end": sheet.follow_up} if sheet.follow_up else {}),
    )


def consent_of(sheet: Sheet, before: Resource | None, patient: str, own: Resource, now: datetime) -> Resource:
    """The person's answer, as a Consent that the plan refers to."""
    scope = {"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "treatment"}
    kind = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IDSCL"}
    made: Resource = dict(before or {}) or {
        "resourceType": "Consent",
        "id": consent_id(sheet.id),
        "scope": {"coding": [scope]},
        "category": [{"coding": [kind]}],
        "patient": {"reference": patient},
        "organization": [own],
        "policyRule": {"text": _LAW},
    }
    day = sheet.consent_date or now.astimezone(SWEDEN).date().isoformat()
    return made | {"status": _CONSENT[sheet.consent], "dateTime": day}


def task_of(
    one: Line, before: Resource | None, plan: Resource, own: Resource, named: Mapping[str, str], directory: Directory
) -> Resource:
    """An activity as the sheet has it; asked for at once where the plan is settled."""
    status = "requested" if sip.is_settled(plan) else "draft"
    made: Resource = dict(before) if before is not None else new_task(one.id, "activity", plan, own, status)
    who: Resource | None = organisation(one.unit, named) if one.unit else None
    if who is None and one.body == sip.OTHER and one.name:
        who = {"type": "RelatedPerson", "display": one.name}
    extensions = [extension for extension in made.get("extension", ()) if extension.get("url") != sip.ACCOUNTABLE]
    if one.body:
        kind = sip.OTHER if one.body == sip.OTHER else sip.huvudman(directory.by_hsa_id(one.body), directory)
        body = who if one.body == sip.OTHER else organisation(one.body, named)
        parts: list[Resource] = [{"url": "kind", "valueCode": kind or sip.OTHER}]
        parts += [{"url": "body", "valueReference": body}] if body else []
        extensions.append({"url": sip.ACCOUNTABLE, "extension": parts})
    period = {name: value for name, value in made.get("executionPeriod", {}).items() if name != "start"}
    return _with(
        made,
        description=one.what,
        owner=who,
        extension=extensions,
        executionPeriod=({"start": one.start} if one.start else {}) | period,
    )


def invitation_of(
    sheet: Sheet, to: str, before: Resource | None, plan: Resource, own: Resource, named: Mapping[str, str]
) -> Resource:
    """The invitation of a unit to the meeting; that of the unit which calls holds the time and the place."""
    made: Resource = dict(before or {}) or new_task(str(uuid4()), INVITATION, plan, own, "draft")
    place = {"type": {"coding": [{"system": TASK_INPUT, "code": PLACE}]}, "valueString": sheet.place}
    start = instant(sheet.meeting)
    moment = written(start) if start else ""
    return _with(
        made,
        owner=organisation(to, named),
        executionPeriod={"start": moment} if moment else {},
        restriction={"period": {"end": moment}} if moment else {},
        input=[place] if sheet.place else [],
    )


def new_task(id: str, code: str, plan: Resource, own: Resource, status: str) -> Resource:
    return {
        "resourceType": "Task",
        "id": id,
        "status": status,
        "intent": "order",
        "code": {"coding": [{"system": TASK_CODES, "code": code}]},
        "for": plan["subject"],
        "basedOn": [{"reference": f"CarePlan/{plan['id']}"}],
        "requester": own,
    }


def organisation(hsa_id: str, named: Mapping[str, str]) -> Resource:
    made: Resource = {"type": "Organization", "identifier": {"system": HSA_ID, "value": hsa_id}}
    return made | ({"display": named[hsa_id]} if hsa_id in named else {})


def is_of(task: Resource, code: str) -> bool:
    codings = (task.get("code") or {}).get("coding", ())
    return any(one.get("system") == TASK_CODES and one.get("code") == code for one in codings)


def hsa_id_of(reference: Any) -> str:
    identifier = (reference or {}).get("identifier", {})
    return str(identifier.get("value", "")) if identifier.get("system") == HSA_ID else ""


def _new_plan(id: str, patient: str, now: datetime) -> Resource:
    return {
        "resourceType": "CarePlan",
        "id": id,
        "status": "draft",
        "intent": "plan",
        "category": [{"coding": [{"system": sip.CATEGORIES, "code": SIP, "display": _TITLE}]}],
        "title": _TITLE,
        "subject": {"reference": patient},
        "created": written(now),
        "period": {"start": now.astimezone(SWEDEN).date().isoformat()},
    }


def _with(resource: Resource, **elements: Any) -> Resource:
    """The resource with these elements; what is empty is left out."""
    kept = {name: value for name, value in resource.items() if name not in elements}
    return kept | {name: value for name, value in elements.items() if value}


def _answer(consent: Resource) -> str:
    if consent.get("provision", {}).get("type") == "deny":
        return REFUSED
    return next((answer for answer, status in _CONSENT.items() if status == consent.get("status")), UNASKED)


def _is_relative(one: Mapping[str, Any]) -> bool:
    return one.get("type") == "RelatedPerson" and "display" in one


def _version(resource: Resource) -> str:
    return str(resource.get("meta", {}).get("versionId", ""))


def _local(moment: Any) -> str:
    """A time as a form's field has it."""
    found = instant(moment)
    return found.astimezone(SWEDEN).strftime("%Y-%m-%dT%H:%M") if found else ""


def is_day(text: str) -> bool:
    """Whether it is a day as a form's field has it."""
    try:
        return len(text) == 10 and date.fromisoformat(text).year >= 1900
    except ValueError:
        return False


def relations(sheet: Sheet) -> Iterator[str]:
    """The HSA-ids that it names."""
    yield from (one for one in (sheet.overall, *sheet.invited) if one)
    yield from (one for row in sheet.lines for one in (row.unit, row.body) if one and one != sip.OTHER)
