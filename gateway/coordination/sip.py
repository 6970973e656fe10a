"""A SIP answers the law's four questions, with consent: what a plan leaves out.

HSL (2017:30) 16 kap. 4 §, SoL (2025:400) 10 kap. 8 and 9 §§.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.coordination.facts import PlanFact, TaskFact
from gateway.coordination.gap import Gap, gap
from gateway.coordination.picture import Picture
from gateway.coordination.values import reference_key
from gateway.coordination.words import Words, phrase

SIP = "SIP"
ACCOUNTABLE = "/StructureDefinition/accountable"
_BODIES = frozenset({"region", "municipality"})
_OPEN = frozenset({"draft", "active", "on-hold"})


def sip_incomplete(picture: Picture) -> Iterator[Gap]:
    """A coordinated individual plan that does not say what the law says that it must."""
    for plan in picture.plans:
        if SIP not in plan.codes or plan.resource.get("status") not in _OPEN:
            continue
        found = list(missing(picture, plan))
        if found:
            activities = _activities(picture, plan)
            asked = next((task.requester for task in activities if task.requester), None)
            text = Words(*(", ".join(one.in_language(language) for one in found) for language in ("sv", "en")))
            who = picture.turn_to(asked, plan.author)
            yield gap("sip-incomplete", who, [plan], {"plan": plan.what, "missing": text}, since=plan.since)


def missing(picture: Picture, plan: PlanFact) -> Iterator[Words]:
    """What the plan leaves out, in the order of the law's questions; consent comes first, for without it is no plan."""
    if not _consented(picture, plan):
        yield phrase("sip-consent")
    activities = _activities(picture, plan)
    if not activities:
        yield phrase("sip-activities")
    for task in activities:
        kind, body = _accountable(task)
        if kind in _BODIES and body:
            continue
        if kind is None or kind in _BODIES:
            yield phrase("sip-accountable").fill_in(what=task.what)
        elif not body:
            yield phrase("sip-other").fill_in(what=task.what)
    if plan.author is None:
        yield phrase("sip-overall")


def _activities(picture: Picture, plan: PlanFact) -> list[TaskFact]:
    tasks = [task for task in picture.tasks if task.code == "activity" and task.plans & plan.keys]
    return sorted(tasks, key=lambda task: (task.what.sv, task.reference))


def _accountable(task: TaskFact) -> tuple[str | None, str | None]:
    """The kind of who answers for an activity (region, municipality, other), and who it is."""
    found: Mapping[str, Any] = next(
        (one for one in task.resource.get("extension", ()) if str(one.get("url", "")).endswith(ACCOUNTABLE)), {}
    )
    parts = {part.get("url"): part for part in found.get("extension", ())}
    kind = parts.get("kind", {}).get("valueCode")
    return kind, reference_key(parts.get("body", {}).get("valueReference"))


def _consented(picture: Picture, plan: PlanFact) -> bool:
    """The consent that the plan names is in force, or lies with another and is taken at the plan's word."""
    named = {key for one in plan.resource.get("supportingInfo", ()) if (key := reference_key(one))}
    known = {
        key: one.resource.get("status")
        for one in picture.agreed
        if one.resource_type == "Consent"
        for key in (f"Consent/{one.id}", *_identifiers(one.resource))
    }
    told = [known[key] for key in named if key in known]
    kinds = {one.get("type") for one in plan.resource.get("supportingInfo", ())}
    return "active" in told if told else "Consent" in kinds


def _identifiers(resource: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"{i.get('system', '')}|{i['value']}" for i in resource.get("identifier", ()) if "value" in i)
