"""What is missing: one function for each gap, and a table of them. Those of hospital stays are in `gaps_of_stays.py`.

Their words are in conformance/agreements/gaps.json, their limits in the agreement; docs/gaps.md explains each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from itertools import combinations

from gateway.coordination.directory import Unit
from gateway.coordination.facts import Heard, PlanFact, TaskFact
from gateway.coordination.gap import SEVERITIES, Gap, gap
from gateway.coordination.gaps_of_stays import (
    admitted_without_notice,
    discharge_ready_without_sip_call,
    discharged_without_contact,
    discharged_without_information,
    is_discharged,
    visit_while_admitted,
)
from gateway.coordination.needs import (
    answer_due,
    has_owner,
    is_asked,
    is_asked_of_nobody,
    is_one_need,
    keeper,
    next_in_turn,
    refusals,
)
from gateway.coordination.picture import Picture, named
from gateway.coordination.sip import sip_incomplete
from gateway.coordination.values import instant
from gateway.coordination.visits import report_due, visits
from gateway.coordination.words import Part, phrase, swedish_day, words

Blanks = Mapping[str, Part]
_OVER = frozenset({"rejected", "completed", "failed", "cancelled", "finished"})


def find(picture: Picture) -> list[Gap]:
    """Every gap, the gravest first, then the oldest."""
    found = [one for look in GAPS.values() for one in look(picture)]
    return sorted(found, key=lambda one: _pressing(one, picture.at))


def _pressing(one: Gap, at: datetime) -> tuple[int, datetime, str, str, tuple[str, ...]]:
    return SEVERITIES.index(one.severity), one.since or at, one.code, one.text.sv, one.about


def unowned(picture: Picture) -> Iterator[Gap]:
    """A task that nobody has: asked of nobody, or refused once and offered to nobody since."""
    for task in picture.tasks:
        if is_asked_of_nobody(picture, task):
            yield gap(
                "unowned",
                picture.turn_to(task.requester),
                [task],
                {"what": task.what},
                since=task.since or picture.at,
            )
    for need in picture.needs.values():
        refused = refusals(picture, need)
        if not 0 < len(refused) < picture.agreement.refusals or has_owner(picture, need) or is_asked(picture, need):
            continue
        last = refused[-1]
        if last.when >= picture.since:
            yield gap(
                "unowned",
                picture.turn_to(keeper(picture, need), need[0].requester),
                [last.task],
                {"what": last.task.what},
                since=last.when,
                next=next_in_turn(need),
            )


def unanswered(picture: Picture) -> Iterator[Gap]:
    """A question that has waited for its answer longer than was agreed."""
    agreement = picture.agreement
    for task in picture.tasks:
        due = answer_due(task, agreement)
        if due is None or task.owner is None or not picture.is_offered(task):
            continue
        need = picture.needs[task.need]
        if task.code not in agreement.codes["parallel"] and has_owner(picture, need):
            continue  # Another has it: nobody waits for this answer any more.
        if picture.at > due:
            blanks: Blanks = {"unit": task.owner.name, "what": task.what}
            later = next_in_turn(need)
            who = (keeper(picture, need), task.requester) if later else (task.owner, task.requester)
            yield gap(
                "unanswered",
                picture.turn_to(*who),
                [task],
                blanks,
                since=task.asked_last,
                due=due,
                ask_for="askNext" if later else "ask",
                next=later,
            )


def overdue(picture: Picture) -> Iterator[Gap]:
    """A task that should have been done by now, or a visit that should have been made and is not reported."""
    messages = picture.agreement.codes["messages"]
    for task in picture.tasks:
        acknowledged = task.code in messages and task.status != "requested"
        told = task.code == "sip-call" or is_discharged(picture, task)  # as gaps of their own
        if not picture.is_open(task) or task.status == "draft" or acknowledged or told:
            continue
        due = task.due or report_due(picture, task)
        if due is not None and due < picture.at:
            unit = task.owner.name if task.owner else phrase("nobody")
            blanks: Blanks = {"unit": unit, "what": task.what}
            yield gap("overdue", picture.turn_to(task.owner, task.requester), [task], blanks, since=due, due=due)


def two_owners(picture: Picture) -> Iterator[Gap]:
    """Two who say that they have it: two statements about one task, or two tasks for one need."""
    for agreed in picture.agreed:
        for found in agreed.contradictions:
            task = picture.fact(f"{agreed.resource_type}/{agreed.id}")
            if found["path"] != "Task.owner" or not isinstance(task, TaskFact) or task.owner is None:
                continue
            said = [one for digest in found["statements"] if (one := picture.statements.get(digest))]
            owners = [(picture.unit(one.body.get("owner")), one) for one in said]
            for other, one in owners:
                if other is not None and other.key != task.owner.key:
                    blanks: Blanks = {"unit": task.owner.name, "other": other.name, "what": task.what}
                    evidence, start = found["statements"], one.effective
                    yield gap("two-owners", task.owner, [task], blanks, since=start, evidence=evidence, apart=other.key)
    held = sorted(
        filter(picture.is_held, picture.tasks),
        key=lambda task: (task.held_since or picture.at, named(task.owner), task.reference),
    )
    for first, second in combinations(held, 2):
        if first.owner is None or second.owner is None or first.owner.key == second.owner.key:
            continue
        if is_one_need(picture, first, second):
            blanks = {"unit": first.owner.name, "other": second.owner.name, "what": first.what}
            both, since = [first, second], second.held_since
            yield gap("two-owners", first.owner, both, blanks, since=since, apart=second.reference)


def owner_left(picture: Picture) -> Iterator[Gap]:
    """A task in the hands of somebody who no longer takes part: one who left the team, or closed without heir."""
    left = _left_teams(picture)
    for task in picture.tasks:
        if not picture.is_open(task) or task.status == "draft" or task.owner is None:
            continue
        resource = picture.directory.resource(task.owner.key)
        closed = resource is not None and resource.get("active") is False
        ended = task.owner.ended or (left.get(task.owner.key) if picture.is_held(task) else None)
        if closed or (ended is not None and ended < picture.at):
            by_another = task.requester if task.requester and task.requester.key != task.owner.key else None
            who = picture.turn_to(by_another, picture.directory.body(task.owner), task.owner)
            blanks: Blanks = {"unit": task.owner.name, "what": task.what}
            yield gap("owner-left", who, [task], blanks, since=ended or task.held_since or task.asked)


def contradiction(picture: Picture) -> Iterator[Gap]:
    """Sources that say different things where it matters for who does what."""
    for agreed in picture.agreed:
        fact = picture.fact(f"{agreed.resource_type}/{agreed.id}")
        for found in agreed.contradictions if fact else ():
            assert fact is not None
            if found["path"] not in picture.agreement.contradictions:
                continue
            heard = [picture.heard_of(source) for source in found["sources"]]
            names = [one.source.name if one else id for one, id in zip(heard, found["sources"], strict=True)]
            who = next((getattr(fact, name) for name in ("owner", "unit", "author") if hasattr(fact, name)), None)
            controller = next((_controller(picture, one) for one in heard if one), None)
            element = words("elements", found["path"]) or found["path"]
            blanks: Blanks = {"sources": " / ".join(names), "what": fact.what, "element": element}
            evidence, path = found["statements"], found["path"]
            yield gap("contradiction", picture.turn_to(who, controller), [fact], blanks, evidence=evidence, apart=path)


def source_silent(picture: Picture) -> Iterator[Gap]:
    """A source that should have been heard: what it stated is unconfirmed since, and what it knows is not seen."""
    for heard in picture.heard:
        if heard.last is None or not is_silent(picture, heard):
            continue
        about = [fact for fact in picture.facts() if heard.source.id in fact.contributors and fact.status not in _OVER]
        if about:
            who = _controller(picture, heard)
            silent = gap("source-silent", who, about, {"source": heard.source.name}, since=heard.last)
            yield replace(silent, key=f"source-silent|{heard.source.id}")


def sent_on(picture: Picture) -> Iterator[Gap]:
    """One need, refused or sent on again and again, and owned by nobody: the chain, and who asked first."""
    for need in picture.needs.values():
        refused = refusals(picture, need)
        if len(refused) < picture.agreement.refusals or has_owner(picture, need) or refused[-1].when < picture.since:
            continue
        asked = [task.owner.name for task in need if picture.is_offered(task) and task.owner]
        chain = " → ".join([*(refusal.unit.name for refusal in refused), *asked])
        first = need[0]
        blanks: Blanks = {"what": first.what, "count": len(refused), "chain": chain}
        who = keeper(picture, need)
        had = who is not None and first.requester is not None and who.key != first.requester.key
        yield gap(
            "sent-on",
            picture.turn_to(who, first.requester),
            need,
            blanks,
            since=first.asked,
            ask_for="askKeeper" if had else "ask",
            next=next_in_turn(need) if not asked else None,
        )


def double_visit(picture: Picture) -> Iterator[Gap]:
    """Visits by two units at the person's home on the same Swedish day."""
    coming = [v for v in visits(picture) if v.start >= picture.at and not v.codes & picture.agreement.not_double]
    told = set()
    for one, other in combinations(coming, 2):
        both_that_day = (frozenset((one.unit.key, other.unit.key)), swedish_day(one.start))
        same_day = swedish_day(one.start) == swedish_day(other.start)
        if one.unit.key != other.unit.key and same_day and both_that_day not in told:
            told.add(both_that_day)
            blanks: Blanks = {
                "unit": one.unit.name,
                "when": one.start,
                "other": other.unit.name,
                "otherwhen": other.start,
            }
            both = [one.fact, other.fact]
            yield gap("double-visit", one.unit, both, blanks, since=one.start, apart=other.fact.reference)


def named_but_not_told(picture: Picture) -> Iterator[Gap]:
    """A plan that counts on a unit which has accepted no task."""
    owned = [task for task in picture.tasks if task.owner]
    told = {task.owner.key for task in owned if task.owner and (task.held_since or task.status == "completed")}
    asked = {task.owner.key for task in owned if task.owner and picture.is_offered(task)}
    for plan in picture.plans:
        if plan.resource.get("status") != "active":
            continue
        drafts = {t.owner.key: t for t in owned if t.owner and t.status == "draft" and t.plans & plan.keys}
        units = {unit.key: unit for unit in (*plan.named, *(task.owner for task in drafts.values())) if unit}
        for key, unit in units.items():
            if key in told | asked or (plan.author and plan.author.key == key):
                continue
            draft = drafts.get(key)
            who = picture.turn_to(draft.requester if draft else None, plan.author)
            facts: list[PlanFact | TaskFact] = [plan, draft] if draft else [plan]
            told_of: Blanks = {"unit": unit.name, "plan": plan.what}
            yield gap("named-but-not-told", who, facts, told_of, since=plan.since, apart=key)


def done_without_report(picture: Picture) -> Iterator[Gap]:
    """A task that was finished, and the one who asked was told nothing."""
    agreement = picture.agreement
    for task in picture.tasks:
        limit = agreement.limit(agreement.report, task.code, task.priority)
        if limit is None or task.status != "completed" or task.reported or task.since is None:
            continue
        if task.owner is None or task.requester is None or task.requester.key == task.owner.key:
            continue
        due = task.since + limit.after
        if task.since >= picture.since and picture.at > due:
            blanks: Blanks = {"unit": task.owner.name, "other": task.requester.name, "what": task.what}
            yield gap(
                "done-without-report",
                picture.turn_to(task.owner, task.requester),
                [task],
                blanks,
                since=task.since,
                due=due,
            )


GAPS: Mapping[str, Callable[[Picture], Iterator[Gap]]] = {
    "unowned": unowned,
    "unanswered": unanswered,
    "overdue": overdue,
    "two-owners": two_owners,
    "owner-left": owner_left,
    "contradiction": contradiction,
    "source-silent": source_silent,
    "sent-on": sent_on,
    "double-visit": double_visit,
    "named-but-not-told": named_but_not_told,
    "visit-while-admitted": visit_while_admitted,
    "admitted-without-notice": admitted_without_notice,
    "discharge-ready-without-sip-call": discharge_ready_without_sip_call,
    "discharged-without-contact": discharged_without_contact,
    "discharged-without-information": discharged_without_information,
    "sip-incomplete": sip_incomplete,
    "done-without-report": done_without_report,
}
"""Every gap by its code: to add one, add its function here and its words to conformance/agreements/gaps.json."""


def is_silent(picture: Picture, heard: Heard) -> bool:
    """Whether a source should have been heard again by now; one without a cadence speaks when something happens."""
    cadence = heard.source.cadence
    if cadence is None or heard.last is None:
        return False
    return (picture.at - heard.last).total_seconds() > picture.agreement.cadences * cadence


def _controller(picture: Picture, heard: Heard) -> Unit:
    """The care provider who answers for what a source says."""
    return picture.directory.by_hsa_id(heard.source.controller, heard.source.controller_name or heard.source.name)


def _left_teams(picture: Picture) -> dict[str, datetime]:
    """Units whose part in every care team that knows them has ended, and when."""
    ends: dict[str, list[datetime | None]] = {}
    for team in picture.teams:
        for participant in team.get("participant", ()):
            if unit := picture.directory.unit(participant.get("member")):
                ends.setdefault(unit.key, []).append(instant(participant.get("period", {}).get("end")))
    return {key: max(end for end in found if end) for key, found in ends.items() if all(found)}
