"""A SIP answers the law's four questions, with consent: what a plan leaves open.

HSL (2017:30) 16 kap. 4 §, SoL (2025:400) 10 kap. 8 and 9 §§.

What sources report is never refused: what is open in it is a gap. What is written over REST or by the form is held to
the same questions once the plan is settled (`access/performing/sips.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.coordination.consenting import OPEN, SIP, in_force
from gateway.coordination.directory import Directory, Unit
from gateway.coordination.facts import PlanFact, TaskFact
from gateway.coordination.gap import Gap, gap
from gateway.coordination.negotiation.conditions import kind_of
from gateway.coordination.picture import Picture
from gateway.coordination.plans.basis import TASK_CODES
from gateway.coordination.plans.team import custodian
from gateway.coordination.values import reference_key
from gateway.coordination.words import Words, both, phrase, words
from gateway.definitions import CANONICAL
from gateway.records import Resource

CATEGORIES: Final = "https://fhir.inera.se/CodeSystem/typeofcareplan-cs"
ACCOUNTABLE: Final = f"{CANONICAL}/StructureDefinition/accountable"
OVERALL: Final = f"{CANONICAL}/StructureDefinition/overall-responsible"
ACTIVITY: Final = "activity"
OTHER: Final = "other"
BODIES: Final[Mapping[str, str]] = {"region": "region", "municipality": "kommun"}
"""The two huvudmän of the law, and their codes in the directory."""
_SETTLED: Final = frozenset({"active", "on-hold", "completed"})
GONE: Final = frozenset({"cancelled", "entered-in-error"})
_QUESTIONS: Final = {"sip-consent": 0, "sip-activities": 1, "sip-accountable": 2, "sip-other": 3, "sip-overall": 4}
"""The law's questions by number; consent comes first, for without it is no plan."""


@dataclass(frozen=True, slots=True)
class Question:
    """One of the law's questions that a plan leaves open: which, where, and about which of its activities."""

    code: str
    task: Resource | None = None

    @property
    def requirement(self) -> str:
        return f"SIP-{_QUESTIONS[self.code]}"

    @property
    def path(self) -> str:
        """A FHIRPath into the plan, or into the Task that it is about."""
        return {
            "sip-consent": "CarePlan.supportingInfo",
            "sip-activities": "CarePlan.activity",
            "sip-overall": "CarePlan.extension",
        }.get(self.code, "Task.extension")

    @property
    def words(self) -> Words:
        """What the plan does not say."""
        said = phrase(self.code)
        return said if self.task is None else said.fill_in(what=what_of(self.task))


def is_activity(task: Resource) -> bool:
    """Whether a Task is something that the plan has somebody do, and still counts."""
    codings = (task.get("code") or {}).get("coding", ())
    coded = any(one.get("code") == ACTIVITY and one.get("system") in (None, TASK_CODES) for one in codings)
    return coded and task.get("status") not in GONE


def what_of(task: Resource) -> Words:
    return both(str(task["description"])) if task.get("description") else words("codes", ACTIVITY) or both(ACTIVITY)


def is_settled(plan: Resource) -> bool:
    """Whether the parties have settled the plan; a draft or a proposal may leave questions open."""
    return plan.get("status") in _SETTLED and plan.get("intent") != "proposal"


def questions(
    activities: Iterable[Resource], *, consented: bool, overall: bool, directory: Directory | None = None
) -> Iterator[Question]:
    """What is left open, in the order of the law's questions; with a directory, only its huvudmän are taken for one."""
    if not consented:
        yield Question("sip-consent")
    found = list(activities)
    if not found:
        yield Question("sip-activities")
    for task in found:
        if (code := unaccounted(task, directory)) is not None:
            yield Question(code, task)
    if not overall:
        yield Question("sip-overall")


def unaccounted(task: Resource, directory: Directory | None = None) -> str | None:
    """The question that an activity leaves open: which body answers for it, or who else does it."""
    kind, body = accountable(task)
    if kind is not None and kind not in BODIES:
        return None if reference_key(body) else "sip-other"
    if kind is None or not reference_key(body):
        return "sip-accountable"
    return None if directory is None or huvudman(directory.unit(body), directory) == kind else "sip-accountable"


def accountable(task: Resource) -> tuple[str | None, Mapping[str, Any] | None]:
    """The kind of who answers for an activity (region, municipality, other), and who it is."""
    found: Mapping[str, Any] = next((one for one in task.get("extension", ()) if one.get("url") == ACCOUNTABLE), {})
    parts = {part.get("url"): part for part in found.get("extension", ())}
    return parts.get("kind", {}).get("valueCode"), parts.get("body", {}).get("valueReference")


def overall_of(plan: Resource) -> Mapping[str, Any] | None:
    """Who has the overall responsibility: as the plan says by itself, else the body that is its author."""
    said = next((one for one in plan.get("extension", ()) if one.get("url") == OVERALL), None)
    if said is not None:
        named: Mapping[str, Any] | None = said.get("valueReference")
        return named
    author: Mapping[str, Any] | None = plan.get("author")
    return author if kind_of(author) in ("", "Organization") else None


def huvudman(unit: Unit | None, directory: Directory) -> str | None:
    """Which of the two huvudmän a unit is, `region` or `municipality`; None for what is part of one, or private."""
    if unit is None or unit.above is not None:
        return None
    return next((kind for kind, code in BODIES.items() if directory.is_of(unit, code)), None)


def sip_incomplete(picture: Picture) -> Iterator[Gap]:
    """A coordinated individual plan that does not say what the law says that it must."""
    for plan in picture.plans:
        if SIP not in plan.codes or plan.resource.get("status") not in OPEN:
            continue
        activities = _activities(picture, plan)
        found = questions(
            [task.resource for task in activities],
            consented=_consented(picture, plan),
            overall=_answers_for_it(picture, plan),
        )
        told = [one.words for one in found]
        if told:
            asked = next((task.requester for task in activities if task.requester), None)
            text = Words(*(", ".join(one.in_language(language) for one in told) for language in ("sv", "en")))
            who = picture.turn_to(asked, plan.author, picture.unit(custodian(plan.resource)))
            yield gap("sip-incomplete", who, [plan], {"plan": plan.what, "missing": text}, since=plan.since)


def _activities(picture: Picture, plan: PlanFact) -> list[TaskFact]:
    tasks = [task for task in picture.tasks if task.plans & plan.keys and is_activity(task.resource)]
    return sorted(tasks, key=lambda task: (task.what.sv, task.reference))


def _answers_for_it(picture: Picture, plan: PlanFact) -> bool:
    """Whether a huvudman is named; of whom the directory knows nothing, the source is taken at its word."""
    unit = picture.directory.unit(overall_of(plan.resource))
    if unit is None:
        return False
    return picture.directory.resource(unit.key) is None or huvudman(unit, picture.directory) is not None


def _consented(picture: Picture, plan: PlanFact) -> bool:
    """The consent that the plan names is in force, or lies with another and is taken at the plan's word."""
    named = {key for one in plan.resource.get("supportingInfo", ()) if (key := reference_key(one))}
    known = {
        key: in_force(one.resource, picture.at)
        for one in picture.agreed
        if one.resource_type == "Consent"
        for key in (f"Consent/{one.id}", *_identifiers(one.resource))
    }
    told = [known[key] for key in named if key in known]
    kinds = {one.get("type") for one in plan.resource.get("supportingInfo", ())}
    return any(told) if told else "Consent" in kinds


def _identifiers(resource: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"{i.get('system', '')}|{i['value']}" for i in resource.get("identifier", ()) if "value" in i)
