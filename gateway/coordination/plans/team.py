"""The CareTeam of a plan: the person, the custodian, and everybody who has, or had, one of its Tasks in hand.

The person and the custodian are in it always (C-27). Who left and came back stands in it twice (C-28). What others
state of the team, a name or persons of their own, stands beside what follows from the Tasks.

https://hl7.org/fhir/R4/careteam.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from gateway.coordination.agreements import Steps
from gateway.coordination.layout import laid_out, marks_of
from gateway.coordination.membership import Span, spans
from gateway.coordination.plans.basis import Basis, key_of, united
from gateway.coordination.values import instant, written
from gateway.definitions import CANONICAL
from gateway.records import Agreed, Resource

CUSTODIAN: Final = "http://hl7.org/fhir/5.0/StructureDefinition/extension-CarePlan.custodian"
OF_PLAN: Final = f"{CANONICAL}/StructureDefinition/team-of-plan"
TEAM_ROLE: Final = f"{CANONICAL}/CodeSystem/team-role"
"""The roles of participants that follow from the plan and its Tasks; nobody else's participants have one of these."""
TEAM_ID: Final = f"{CANONICAL}/sid/care-team"
_CATEGORY: Final = {
    "coding": [
        {
            "system": "http://loinc.org",
            "code": "LA28865-6",
            "display": "Longitudinal care-coordination focused care team",
        }
    ]
}
_STATUS: Final = {
    "draft": "proposed",
    "active": "active",
    "on-hold": "suspended",
    "revoked": "inactive",
    "completed": "inactive",
    "entered-in-error": "entered-in-error",
    "unknown": "active",
}
"""The plan's status, and the team's."""
_NEVER_IN: Final = frozenset({"proposal"})
"""What is only proposed brings nobody into the team, whoever thinks well of it (C-16)."""


def team(
    plan: Agreed, stated: Agreed | None, tasks: Sequence[Basis], steps: Steps, others: Sequence[Basis] = ()
) -> Agreed:
    """The team that follows from the Tasks, with what is `stated` of it. `others` are no activities, and count too."""
    said: Resource = {} if stated is None or stated.deleted else dict(stated.resource)
    since, keeper = _since(plan, tasks), custodian(plan.resource)
    own = [one for one in said.get("participant", ()) if not follows(one)]
    default: Resource = {"category": [_CATEGORY], "name": plan.resource.get("title") or "Vårdteam / Care team"}
    if since is not None:
        default["period"] = {"start": written(since)}
    fixed: Resource = {
        "extension": [
            {"url": OF_PLAN, "valueReference": {"reference": f"CarePlan/{plan.id}"}},
            *(one for one in said.get("extension", ()) if one.get("url") != OF_PLAN),
        ],
        "identifier": [
            {"system": TEAM_ID, "value": plan.id},
            *(one for one in said.get("identifier", ()) if one.get("system") != TEAM_ID),
        ],
        "status": _STATUS.get(plan.resource.get("status", ""), "active"),
        "participant": [*_standing(plan, since), *_owners(plan, [*tasks, *others], steps), *own],
    }
    fixed |= {name: plan.resource[name] for name in ("subject", "encounter") if name in plan.resource}
    if keeper is not None and _is_organisation(keeper):
        fixed["managingOrganization"] = [keeper]
    if security := plan.resource.get("meta", {}).get("security"):
        fixed["meta"] = {**said.get("meta", {}), "security": security}
    resource = {name: value for name, value in (default | said | fixed).items() if name not in ("resourceType", "id")}
    contributors = tuple(sorted({*plan.contributors, *(stated.contributors if stated else ())}))
    made = laid_out("CareTeam", plan.id, resource, marks_of(said), {})
    return Agreed("CareTeam", plan.id, plan.person, made, contributors)


def custodian(plan: Resource) -> Mapping[str, Any] | None:
    """Who answers for the plan: by the extension that R5 made an element; else its author (C-31)."""
    for extension in plan.get("extension", ()):
        if extension.get("url") == CUSTODIAN and "valueReference" in extension:
            found: Mapping[str, Any] = extension["valueReference"]
            return found
    author: Mapping[str, Any] | None = plan.get("author")
    return author if author and _is_organisation(author) else None


def active_members(team: Resource, at: datetime) -> Iterator[Mapping[str, Any]]:
    """The references to those who take part at a time."""
    for one in team.get("participant", ()):
        period = one.get("period", {})
        start, end = instant(period.get("start")), instant(period.get("end"))
        if "member" in one and (start is None or start <= at) and (end is None or end > at):
            yield one["member"]


def follows(participant: Mapping[str, Any]) -> bool:
    """Whether a participant follows from the plan and its Tasks."""
    codings = (coding for role in participant.get("role", ()) for coding in role.get("coding", ()))
    return any(coding.get("system") == TEAM_ROLE for coding in codings)


def _standing(plan: Agreed, since: datetime | None) -> Iterator[dict[str, Any]]:
    """The person and the custodian, from the first that is known of the plan on."""
    for role, reference in (("subject", plan.resource.get("subject")), ("custodian", custodian(plan.resource))):
        if reference is not None:
            yield _participant(role, reference, None if since is None else Span(since, None))


def _owners(plan: Agreed, tasks: Sequence[Basis], steps: Steps) -> Iterator[dict[str, Any]]:
    """Who has, or had, one of the Tasks, by when they came."""
    always = {key_of(plan.resource.get("subject")), key_of(custodian(plan.resource))}
    counted = [one for one in tasks if one.resource.get("intent") not in _NEVER_IN]
    references = united(counted)
    times = spans((one.life for one in counted), steps)
    came = [(span, key) for key, found in times.items() if key not in always for span in found]
    for span, key in sorted(came, key=lambda one: (one[0].start, one[1])):
        yield _participant("owner", references[key], span)


def _participant(role: str, reference: Mapping[str, Any], span: Span | None) -> dict[str, Any]:
    made: dict[str, Any] = {"role": [{"coding": [{"system": TEAM_ROLE, "code": role}]}], "member": dict(reference)}
    if span is not None:
        made["period"] = {"start": written(span.start)}
        if span.end is not None:
            made["period"]["end"] = written(span.end)
    return made


def _since(plan: Agreed, tasks: Iterable[Basis]) -> datetime | None:
    times = [instant(plan.resource.get("created")), instant(plan.resource.get("period", {}).get("start"))]
    times += [one.life[0].start if one.life else None for one in tasks]
    return min((time for time in times if time is not None), default=None)


def _is_organisation(reference: Mapping[str, Any]) -> bool:
    return reference.get("type") == "Organization" or str(reference.get("reference", "")).startswith("Organization/")
