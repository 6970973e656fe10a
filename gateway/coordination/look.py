"""From the picture to the view: what is in it, ranked and put in words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime

from gateway.coordination import gaps
from gateway.coordination.careteam import Member, members
from gateway.coordination.directory import Unit
from gateway.coordination.discharge import liabilities
from gateway.coordination.facts import ContactFact, Fact, PlanFact, TaskFact
from gateway.coordination.gaps_of_stays import is_discharged
from gateway.coordination.needs import is_halted, is_sought, keeper
from gateway.coordination.picture import Picture, named
from gateway.coordination.view import Awaited, Lane, LaneItem, LaneState, Next, Now, SourceLine, SourceState, View
from gateway.coordination.words import Words, phrase, words
from gateway.coordination.worklist import due_of
from gateway.records import Agreed

NEXT_MOST = 20


def look(seen: Picture) -> View:
    """Who does what for the patient, as of the picture's time."""
    missing = tuple(gaps.find(seen))
    now, coming, awaited = tuple(_now(seen)), tuple(_next(seen))[:NEXT_MOST], tuple(_awaited(seen))
    named = {reference for gap in missing for reference in gap.about}
    named |= {line.reference for lines in (now, coming, awaited) for line in lines}
    return View(
        patient=seen.patient,
        at=seen.at,
        known_at=seen.known_at,
        since=seen.since,
        gaps=missing,
        now=now,
        next=coming,
        awaited=awaited,
        sources=tuple(_sources(seen)),
        lanes=tuple(_lanes(seen)),
        team=tuple(members((task for task in seen.tasks if _is_of_the_time(seen, task)), seen.authority.steps["Task"])),
        teams=_teams(seen),
        agreed=tuple(one for one in seen.agreed if f"{one.resource_type}/{one.id}" in named or _is_shown(seen, one)),
        directory=seen.directory,
    )


def _now(seen: Picture) -> Iterator[Now]:
    """Who is responsible, the most pressing first: an alarm, the ward, missions, visits, standing care, what waits."""
    stay = seen.stay()
    ranked: list[tuple[int, bool, float, Now]] = []
    for contact in seen.contacts:
        if contact.status in ("in-progress", "arrived", "onleave") and contact.unit:
            now = Now(
                unit=contact.unit,
                what=contact.what,
                since=contact.start,
                phone=contact.unit.phone,
                status=_status(contact.status),
                reference=contact.reference,
                statements=contact.statements,
                detail=contact.detail,
            )
            ranked.append((1 if contact is stay else 3, False, _latest_first(contact.start), now))
    for task in seen.tasks:
        if task.owner is None or not _is_in_hand(seen, task) or seen.turn_to(task.owner) is None:
            continue
        standing = task.code in seen.agreement.codes["standing"]
        now = Now(
            unit=task.owner,
            what=task.what,
            since=task.start if standing and task.start else task.held_since,
            phone=task.phone or task.owner.phone,
            status=_status(task.status),
            reference=task.reference,
            statements=task.statements,
            detail=task.detail,
        )
        ranked.append((_rank(seen, task, stay), task.status != "in-progress", _latest_first(now.since), now))
    for liable in liabilities(seen):
        if liable.since <= seen.at:
            now = Now(
                unit=liable.body,
                what=phrase("liable"),
                since=liable.since,
                phone=liable.body.phone,
                status=_status("active"),
                reference=liable.notice.reference,
                statements=liable.notice.statements,
            )
            ranked.append((5, True, _latest_first(now.since), now))
    for need in seen.needs.values():
        unit = keeper(seen, need) if is_sought(seen, need) else None
        if unit is not None:
            last = need[-1]
            now = Now(
                unit=unit,
                what=phrase("sought").fill_in(what=last.what),
                since=need[0].asked,
                phone=unit.phone,
                status=_status("requested"),
                reference=last.reference,
                statements=last.statements,
                detail=last.detail,
            )
            ranked.append((_rank(seen, last, stay), True, _latest_first(now.since), now))
    yield from (now for *_, now in sorted(ranked, key=lambda one: (*one[:3], one[3].unit.name, one[3].reference)))


def _rank(seen: Picture, task: TaskFact, stay: ContactFact | None) -> int:
    codes = seen.agreement.codes
    if task.code in codes["missions"]:
        before_the_stay = stay is not None and (stay.start or seen.at) > (task.held_since or seen.at)
        return 0 if task.priority == "stat" and not before_the_stay else 2
    return 4 if task.code in codes["standing"] else 3 if task.code in codes["visits"] else 5


def _latest_first(moment: datetime | None) -> float:
    return -moment.timestamp() if moment else 0.0


def _next(seen: Picture) -> Iterator[Next]:
    """What is planned and what falls due, in order of time."""
    found: list[Next] = []
    stay = seen.stay()
    for contact in seen.contacts:
        if contact.status == "planned" and contact.start and contact.start >= seen.at:
            found.append(_contact_next(contact, contact.what, contact.start))
        if contact is stay and contact.planned_end and contact.planned_end >= seen.at:
            leaving = phrase("discharge").started()
            found.append(_contact_next(contact, leaving, contact.planned_end))
    for task in seen.tasks:
        if not seen.is_open(task) or task.status == "draft" or is_discharged(seen, task):
            continue
        if task.start and task.start >= seen.at:
            found.append(Next(task.owner, task.what, task.start, False, task.reference, task.statements, task.detail))
        elif task.due and task.due >= seen.at and task.code not in seen.agreement.codes["messages"]:
            done = phrase("deadline").fill(what=task.what)
            found.append(Next(task.owner, done, task.due, True, task.reference, task.statements, task.detail))
    for liable in liabilities(seen):
        if liable.since > seen.at:
            what, notice = phrase("liability").started(), liable.notice
            found.append(Next(liable.body, what, liable.since, False, notice.reference, notice.statements))
    yield from sorted(found, key=lambda one: (one.when, one.is_due, named(one.unit), one.what.sv, one.reference))


def _contact_next(contact: ContactFact, what: Words, when: datetime) -> Next:
    return Next(contact.unit, what, when, False, contact.reference, contact.statements, contact.detail)


def _awaited(seen: Picture) -> Iterator[Awaited]:
    """Answers, additions and reports that somebody waits for."""
    found: list[tuple[str, Unit | None, Unit | None, TaskFact]] = []
    for task in seen.tasks:
        to = task.requester
        elsewhere = to is not None and (task.owner is None or task.owner.key != to.key)
        if seen.is_offered(task) and (handed := _handed_over(seen, task)) is not None:
            found.append(("takeover" if handed.owner == to else "release", task.owner, to, task))
        elif seen.is_offered(task) and not _is_acknowledged(seen, task):
            found.append(("answer", task.owner, to, task))
        elif is_halted(task) and elsewhere:
            found.append(("completion", to, task.owner, task))
        elif elsewhere and task.code in seen.agreement.codes["needs"]:
            done = task.status == "completed" and not task.reported and (task.since or seen.at) >= seen.since
            if done or seen.is_held(task):
                found.append(("outcome", task.owner, to, task))
        if task.arriving is not None and seen.is_held(task):
            found.append(("takeover", task.arriving, task.owner, task))
    found.sort(key=lambda one: (one[3].since or seen.at, named(one[1]), one[3].what.sv, one[3].reference))
    for kind, unit, to, task in found:
        handed = _handed_over(seen, task)
        what = phrase(kind).fill(what=(handed or task).what)
        since = task.since if kind != "takeover" or handed else None  # When a source offered it, no element says.
        due = due_of(task, seen.agreement, seen.at, offered=True)[0] if seen.is_offered(task) else task.due
        yield Awaited(unit, what, since, due, to, task.reference, task.statements, task.detail)


def _handed_over(seen: Picture, task: TaskFact) -> TaskFact | None:
    """The Task that a hand-over is about."""
    if task.code not in seen.agreement.codes["handovers"]:
        return None
    found = seen.fact(str(task.resource.get("focus", {}).get("reference")))
    return found if isinstance(found, TaskFact) else None


def _sources(seen: Picture) -> Iterator[SourceLine]:
    for heard in seen.heard:
        silent = gaps.is_silent(seen, heard)
        state: SourceState = "not-connected" if heard.last is None else "silent" if silent else "heard"
        source = heard.source
        unit = seen.directory.by_hsa_id(source.controller, source.controller_name or source.name)
        yield SourceLine(source.id, source.name, heard.last, state, unit, source.id in seen.speaking)


def _lanes(seen: Picture) -> Iterator[Lane]:
    """Each unit with what it did, does and is to do; those who did something latest first."""
    lanes: dict[str, list[LaneItem]] = defaultdict(list)
    units: dict[str, Unit] = {}
    for fact in seen.facts():
        unit = fact.unit if isinstance(fact, ContactFact) else fact.owner or fact.requester
        item = _lane_item(seen, fact)
        if unit and item and (item.end or seen.at) >= seen.since:
            units[unit.key] = unit
            lanes[unit.key].append(item)
    for key in sorted(lanes, key=lambda key: (min(item.start for item in lanes[key]), units[key].name, key)):
        yield Lane(units[key], tuple(sorted(lanes[key], key=lambda item: (item.start, item.reference))))


def _lane_item(seen: Picture, fact: Fact) -> LaneItem | None:
    if isinstance(fact, TaskFact):
        kind, over = fact.code or "Task", not seen.is_open(fact)
        start = fact.start or fact.held_since or fact.asked or fact.since
        end = fact.end or (fact.since if over else None)
        asked = seen.is_offered(fact) or fact.status == "draft"
    else:
        kind, over = fact.code or "Encounter", fact.status in ("finished", "cancelled")
        start, end, asked = fact.start, fact.end or (fact.start if over else None), False
    if start is None:
        return None
    state: LaneState = "now"
    if fact.status in ("cancelled", "rejected"):
        state = "not"
    elif over:
        state = "past"
    elif asked:
        state = "asked"
    elif start > seen.at or fact.status == "planned":
        state = "coming"
    last = end if end is None or end >= start else start
    told = _status(fact.status)
    return LaneItem(kind, fact.what, told, state, start, last, fact.reference, fact.statements, fact.detail)


def _teams(seen: Picture) -> dict[str, tuple[Member, ...]]:
    steps = seen.authority.steps["Task"]
    found = {
        plan.reference: tuple(members((task for task in seen.tasks if task.plans & plan.keys), steps))
        for plan in seen.plans
    }
    return {reference: team for reference, team in found.items() if team}


def _is_shown(seen: Picture, agreed: Agreed) -> bool:
    """What is open, or ended within the time that was asked for."""
    fact = seen.fact(f"{agreed.resource_type}/{agreed.id}")
    if fact is None or isinstance(fact, PlanFact):
        return agreed.resource_type in ("CarePlan", "CareTeam")
    if isinstance(fact, TaskFact):
        return _is_of_the_time(seen, fact)
    return fact.status not in ("finished", "cancelled") or (fact.end or fact.start or seen.at) >= seen.since


def _is_of_the_time(seen: Picture, task: TaskFact) -> bool:
    return seen.is_open(task) or (task.since or seen.at) >= seen.since


def _is_in_hand(seen: Picture, task: TaskFact) -> bool:
    """Being done, or standing; not what is to be done later, a visit whose time has passed, or a message."""
    if not seen.is_held(task) or task.code in seen.agreement.codes["messages"]:
        return False
    if task.status == "in-progress" or task.start is None:
        return True
    is_visit = task.code in seen.agreement.codes["visits"]
    return task.start <= seen.at and not (is_visit and seen.at > (task.end or task.start) + seen.agreement.visits_late)


def _is_acknowledged(seen: Picture, task: TaskFact) -> bool:
    return task.code in seen.agreement.codes["messages"] and task.status != "requested"


def _status(status: str) -> Words:
    return words("statuses", status) or Words(status, status)
