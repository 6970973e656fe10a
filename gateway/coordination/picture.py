"""One person's agreed resources as plain facts that the gaps and the view are computed from.

Nothing is decided here: what R4 spreads over extensions and references is gathered in one place, once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gateway.coordination.agreements import Agreement, Authority
from gateway.coordination.directory import Directory, Unit
from gateway.coordination.facts import ContactFact, Fact, Heard, PlanFact, TaskFact, Turn
from gateway.coordination.statements import GATEWAY_SOURCE, order
from gateway.coordination.tasks import ARRIVING, HISTORY, written_history
from gateway.coordination.values import instant, reference_key
from gateway.coordination.words import Words, both, due, words
from gateway.identity.resolve import MENTION
from gateway.records import Agreed, Resource, Statement

REPLACES = "http://hl7.org/fhir/StructureDefinition/task-replaces"
PLANNED_END = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Encounter.plannedEndDate"
CONTACT = "/StructureDefinition/contact"
NEXT = "next-candidate"
READ = frozenset({"Task", "Encounter", "CarePlan", "CareTeam", "Communication", "Consent"})
"""What gaps are computed from; units are looked up."""
_MOST_REPLACED = 21
"""Of a chain of Tasks that replace one another, so many are followed."""


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything that is known of one person's care at one time."""

    patient: Resource
    at: datetime
    known_at: datetime
    since: datetime
    agreement: Agreement
    authority: Authority
    directory: Directory
    agreed: tuple[Agreed, ...]
    tasks: tuple[TaskFact, ...]
    contacts: tuple[ContactFact, ...]
    plans: tuple[PlanFact, ...]
    teams: tuple[Resource, ...]
    heard: tuple[Heard, ...]
    statements: Mapping[str, Statement] = field(default_factory=dict)
    """By digest: the evidence."""
    speaking: frozenset[str] = frozenset()
    """The sources that have said anything of the person."""
    needs: Mapping[str, Sequence[TaskFact]] = field(default_factory=dict)
    """Tasks by need, in the order in which they were asked."""
    by_reference: Mapping[str, Fact | PlanFact] = field(default_factory=dict)

    def of(self, group: str) -> Iterator[TaskFact]:
        """The Tasks whose code belongs to a group of the agreement."""
        codes = self.agreement.codes[group]
        return (task for task in self.tasks if task.code in codes)

    def is_open(self, task: TaskFact) -> bool:
        return task.status not in self.authority.steps["Task"].ended

    def is_offered(self, task: TaskFact) -> bool:
        return task.status in self.authority.steps["Task"].offered and task.status != "draft"

    def is_held(self, task: TaskFact) -> bool:
        return task.held_since is not None and self.is_open(task)

    def unit(self, reference: Any) -> Unit | None:
        """The unit that a Reference names, or once it has closed the one that took over."""
        return self.directory.takes_over(self.directory.unit(reference), self.at)

    def turn_to(self, *units: Unit | None) -> Unit | None:
        """The first of these who can act: a unit that has closed leaves it to its heir, or to the next of them."""
        return next((acting for unit in units if (acting := self.directory.acting(unit, self.at))), None)

    def stay(self) -> ContactFact | None:
        """The hospital stay that the person is in."""
        admitted = self.agreement.codes["admitted"]
        inside = [c for c in self.contacts if c.code in admitted and c.status in ("in-progress", "arrived", "onleave")]
        return max(inside, key=lambda stay: (stay.start or self.since, stay.reference), default=None)

    def fact(self, reference: str) -> Fact | PlanFact | None:
        """The Task, Encounter or CarePlan of that reference."""
        return self.by_reference.get(reference)

    def facts(self) -> Iterator[Fact]:
        yield from self.tasks
        yield from self.contacts

    def heard_of(self, source: str) -> Heard | None:
        return next((heard for heard in self.heard if heard.source.id == source), None)


def picture(
    patient: Resource,
    agreed: Iterable[Agreed],
    statements: Iterable[Statement],
    directory: Directory,
    heard: Iterable[Heard],
    *,
    agreement: Agreement,
    authority: Authority,
    at: datetime,
    known_at: datetime,
    since: datetime,
) -> Picture:
    """The agreed resources of the person, read."""
    found = tuple(one for one in agreed if not one.deleted and one.resource.get("status") != "entered-in-error")
    said = [one for one in statements if not one.record_key.startswith(MENTION)]
    evidence = _evidence(said)
    reader = _Reader(directory, authority, evidence, at)
    tasked = [one for one in found if one.resource_type == "Task"]
    needs = _needs(tasked)
    tasks = tuple(_acknowledged(found, [reader.task(one, needs[one.id]) for one in tasked]))
    contacts = tuple(reader.contact(one) for one in found if one.resource_type == "Encounter")
    plans = tuple(reader.plan(one) for one in found if one.resource_type == "CarePlan")
    by_reference: dict[str, Fact | PlanFact] = {}
    for facts in (tasks, contacts, plans):
        by_reference |= {fact.reference: fact for fact in facts}
    return Picture(
        patient=patient,
        at=at,
        known_at=known_at,
        since=since,
        agreement=agreement,
        authority=authority,
        directory=directory,
        agreed=found,
        tasks=tasks,
        contacts=contacts,
        plans=plans,
        teams=tuple(one.resource for one in found if one.resource_type == "CareTeam"),
        heard=tuple(sorted(heard, key=lambda one: one.source.id)),
        statements={one.digest: one for one in said},
        needs=_by_need(tasks, at),
        by_reference=by_reference,
    )


def named(unit: Unit | None) -> str:
    """What orders units that nothing else does: their names are the same in every installation, our ids are not."""
    return unit.name if unit else ""


def _by_need(tasks: Sequence[TaskFact], at: datetime) -> dict[str, list[TaskFact]]:
    found: dict[str, list[TaskFact]] = defaultdict(list)
    for task in sorted(tasks, key=lambda task: (task.asked or at, named(task.owner), task.reference)):
        found[task.need].append(task)
    return found


def task_fact(agreed: Agreed, directory: Directory, authority: Authority, at: datetime) -> TaskFact:
    """One agreed Task, read by itself: without its statements, and without the need that it shares with others."""
    return _Reader(directory, authority, {}, at).task(agreed)


class _Reader:
    def __init__(
        self, directory: Directory, authority: Authority, evidence: Mapping[str, tuple[str, ...]], at: datetime
    ) -> None:
        self.directory = directory
        self.at = at
        self.steps = authority.steps["Task"]
        self.evidence = evidence

    def task(self, agreed: Agreed, need: str = "") -> TaskFact:
        resource = agreed.resource
        reference = f"Task/{agreed.id}"
        codes = _codes(resource.get("code"))
        owner = self.directory.unit(resource.get("owner"))
        acting = self.unit(resource.get("owner")) if resource.get("status") not in self.steps.ended else owner
        turns = tuple(self.turns(resource))
        begun = [turn.start for turn in turns if not turn.inherited]
        status = resource.get("status", "unknown")
        execution = resource.get("executionPeriod", {})
        asked = instant(resource.get("authoredOn")) or (turns[0].start if turns else None)
        extensions = [one for one in resource.get("extension", ()) if one.get("url") != HISTORY]
        return TaskFact(
            reference=reference,
            resource=resource,
            code=codes[0] if codes else "",
            codes=frozenset(codes),
            what=_what(codes, resource.get("code"), "Task", resource.get("description")),
            detail=str(resource.get("description", "")),
            status=status,
            priority=resource.get("priority"),
            owner=acting,
            requester=self.unit(resource.get("requester")),
            arriving=self.unit(_extension(extensions, ARRIVING).get("valueReference")),
            turns=turns,
            asked=asked,
            since=begun[-1] if begun else instant(resource.get("lastModified")) or asked,
            held_since=self.inherited(self.held_since(turns, status, owner), owner),
            due=due(resource.get("restriction", {}).get("period", {}).get("end")),
            start=instant(execution.get("start")),
            end=instant(execution.get("end")),
            need=need,
            stay=reference_key(resource.get("encounter")),
            plans=frozenset(key for plan in resource.get("basedOn", ()) if (key := reference_key(plan))),
            candidates=tuple(self.candidates(resource)),
            phone=_extension(extensions, CONTACT).get("valueContactPoint", {}).get("value")
            if acting is owner
            else None,
            contributors=agreed.contributors,
            statements=self.evidence.get(reference, ()),
        )

    def unit(self, reference: Any) -> Unit | None:
        """The unit that a Reference names, or once it has closed the one that took over."""
        return self.directory.takes_over(self.directory.unit(reference), self.at)

    def turns(self, resource: Resource) -> Iterator[Turn]:
        owner = None
        for step in written_history(resource):
            if step.owner is not None:
                owner = self.directory.unit(step.owner)
            yield Turn(step.status, step.start, step.end, owner, inherited=step.source == GATEWAY_SOURCE)

    def candidates(self, resource: Resource) -> Iterator[Unit]:
        for said in resource.get("input", ()):
            if NEXT in _codes(said.get("type")) and (unit := self.directory.unit(said.get("valueReference"))):
                yield unit

    def held_since(self, turns: Sequence[Turn], status: str, owner: Unit | None) -> datetime | None:
        """Since when the Task is in its owner's hands without a break; None when it is not."""
        since = None
        for turn in turns:
            same = turn.owner and owner and turn.owner.key == owner.key
            if turn.status in self.steps.held and same:
                since = since or turn.start
            elif turn.status != "on-hold" or not same:
                since = None
        return since if status in self.steps.held or status == "on-hold" else None

    def inherited(self, since: datetime | None, owner: Unit | None) -> datetime | None:
        """Since when it is in the hands of who has it now: at the earliest when the unit before him closed."""
        took_over = self.directory.took_over(owner, self.at)
        return max(since, took_over) if since and took_over else since

    def contact(self, agreed: Agreed) -> ContactFact:
        resource = agreed.resource
        reference = f"Encounter/{agreed.id}"
        period = resource.get("period", {})
        kind = str(resource.get("class", {}).get("code", ""))
        codes = [code for concept in resource.get("type", ()) for code in _codes(concept)]
        codes += _codes(resource.get("serviceType"))
        return ContactFact(
            reference=reference,
            resource=resource,
            code=kind,
            codes=frozenset((kind, *codes)),
            what=_what([kind, *codes], next(iter(resource.get("type", ())), None), "Encounter"),
            detail="; ".join(str(reason["text"]) for reason in resource.get("reasonCode", ()) if "text" in reason),
            status=resource.get("status", "unknown"),
            unit=self.unit(resource.get("serviceProvider")),
            keys=frozenset((reference, *_identifiers(resource))),
            start=instant(period.get("start")),
            end=instant(period.get("end")),
            planned_end=due(_extension(resource.get("extension", ()), PLANNED_END).get("valueDateTime")),
            contributors=agreed.contributors,
            statements=self.evidence.get(reference, ()),
        )

    def plan(self, agreed: Agreed) -> PlanFact:
        resource = agreed.resource
        reference = f"CarePlan/{agreed.id}"
        contributors = [c for c in resource.get("contributor", ()) if c.get("type", "Organization") == "Organization"]
        units = [unit for one in contributors if (unit := self.unit(one))]
        title = resource.get("title")
        return PlanFact(
            reference=reference,
            resource=resource,
            what=both(str(title)) if title else words("codes", "CarePlan") or both("CarePlan"),
            codes=frozenset(code for concept in resource.get("category", ()) for code in _codes(concept)),
            author=self.unit(resource.get("author")),
            named=tuple({unit.key: unit for unit in units}.values()),
            keys=frozenset((reference, *_identifiers(resource))),
            since=instant(resource.get("created")) or instant(resource.get("period", {}).get("start")),
            statements=self.evidence.get(reference, ()),
        )


def _acknowledged(found: Iterable[Agreed], tasks: Sequence[TaskFact]) -> list[TaskFact]:
    """The Tasks, with whether who asked has acknowledged how it ended: by a Communication that is part of the Task."""
    read = {
        (reference_key(part), reference_key(one.resource.get("sender")))
        for one in found
        if one.resource_type == "Communication" and one.resource.get("status") == "completed"
        for part in one.resource.get("partOf", ())
    }
    if not read:
        return list(tasks)
    return [
        task._replace(acknowledged=True)
        if any((key, reference_key(task.resource.get("requester"))) in read for key in _keys(task))
        else task
        for task in tasks
    ]


def _keys(task: TaskFact) -> tuple[str, ...]:
    return (task.reference, *_identifiers(task.resource))


def _needs(tasks: Iterable[Agreed]) -> dict[str, str]:
    """The need of each Task, by id: its group, else that of the Task it replaces, else its request, else its own.

    What is replaced is named by its identifier, as sources do, or by its address, as clients do.
    """
    found = list(tasks)
    by_key = {key: one for one in found for key in (f"Task/{one.id}", *_identifiers(one.resource))}
    return {one.id: _need(one, by_key) for one in found}


def _need(task: Agreed, by_key: Mapping[str, Agreed]) -> str:
    for left in reversed(range(_MOST_REPLACED)):
        group = task.resource.get("groupIdentifier")
        if group and "value" in group:
            return f"{group.get('system', '')}|{group['value']}"
        replaced = _extension(task.resource.get("extension", ()), REPLACES).get("valueReference")
        before = by_key.get(reference_key(replaced) or "")
        if before is None or before is task or not left:
            break
        task = before
    return reference_key(task.resource.get("focus")) or next(iter(_identifiers(task.resource)), f"Task/{task.id}")


def _identifiers(resource: Resource) -> list[str]:
    return [f"{i.get('system', '')}|{i['value']}" for i in resource.get("identifier", ()) if "value" in i]


def _codes(concept: Any) -> list[str]:
    codings = concept.get("coding", ()) if isinstance(concept, dict) else ()
    return [str(coding["code"]) for coding in codings if "code" in coding]


def _what(codes: Sequence[str], concept: Any, kind: str, description: str | None = None) -> Words:
    """What it is called: by our words for its code, else as the source put it; an activity by what it is to do."""
    if description and "activity" in codes:
        return both(description)
    known = [found for code in codes if (found := words("codes", code))]
    if known:
        return known[-1] if codes[0] == "care-service" else known[0]
    text = concept.get("text") if isinstance(concept, dict) else None
    display = next((c["display"] for c in (concept or {}).get("coding", ()) if "display" in c), None)
    named = text or display
    return both(str(named)) if named else words("codes", kind) or both(kind)


def _extension(extensions: Iterable[Mapping[str, Any]], url: str) -> Mapping[str, Any]:
    return next((one for one in extensions if str(one.get("url", "")).endswith(url)), {})


def _evidence(statements: Iterable[Statement]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[Statement]] = defaultdict(list)
    for one in statements:
        found[f"{one.resource_type}/{one.resource_id}"].append(one)
    return {
        reference: tuple(one.digest for one in sorted(said, key=order, reverse=True))
        for reference, said in found.items()
    }
