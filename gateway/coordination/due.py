"""When what is missing may become another by time alone: the moments at which somebody must look again.

Too many moments cost a look each; one too few would be a gap that nobody sees. Every time that a rule of the gaps
compares with is here, but one: a source falls silent for everybody at once, and is watched by itself (`falls_silent`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from gateway.coordination.agreements import Agreement
from gateway.coordination.directory import AFTER
from gateway.coordination.facts import ContactFact, TaskFact
from gateway.coordination.gaps_of_stays import NOTICE_WITHIN
from gateway.coordination.picture import Picture
from gateway.coordination.values import instant
from gateway.coordination.words import days_after, due
from gateway.records import Source, Statement

TICK = timedelta(milliseconds=1)
"""A time has passed when the next moment has begun."""


def next_look(picture: Picture, said: Iterable[Statement] = ()) -> datetime | None:
    """The first moment after the picture's at which it may show other gaps; None when there is none to come.

    `said` are all statements, those that speak of a time to come among them.
    """
    at = picture.at
    told = [moment for one in said if one.effective > at for moment in _steps(one)]
    coming = [moment for moment in (*told, *moments(picture)) if moment >= at]
    return min(coming) + TICK if coming else None


def falls_silent(source: Source, heard: datetime | None, agreement: Agreement) -> datetime | None:
    """The first moment at which a source that was last heard then is silent; None where it never is."""
    if heard is None or source.cadence is None:
        return None
    return heard + timedelta(seconds=agreement.cadences * source.cadence) + TICK


def _steps(one: Statement) -> Iterator[datetime]:
    """When what it states begins: steps of a Task that it leaves out are inferred at the times that it names."""
    yield one.effective
    named = (one.body.get("authoredOn"), one.body.get("executionPeriod", {}).get("start"))
    yield from (moment for name in named if (moment := instant(name)))


def moments(picture: Picture) -> Iterator[datetime]:
    """The times that the rules compare with, past ones among them."""
    for task in picture.tasks:
        yield from _of_task(picture, task)
    for contact in picture.contacts:
        yield from _of_contact(picture, contact)
    for one in picture.agreed:
        if one.resource_type == "Consent" and (
            end := due(one.resource.get("provision", {}).get("period", {}).get("end"))
        ):
            yield end
    for team in picture.teams:
        for participant in team.get("participant", ()):
            if end := instant(participant.get("period", {}).get("end")):
                yield end
    for end in picture.directory.ends():
        yield end
        yield end + AFTER


def _of_task(picture: Picture, task: TaskFact) -> Iterator[datetime]:
    agreement, window = picture.agreement, picture.at - picture.since
    yield from (moment for moment in (task.due, task.start, task.end) if moment)
    for turn in task.turns:
        yield turn.start
        yield turn.start + window
    asked = [moment for moment in (task.asked, *(turn.start for turn in task.turns)) if moment]
    for limits in (agreement.unanswered, agreement.report):
        limit = agreement.limit(limits, task.code, task.priority)
        if limit is not None:
            yield from (moment + limit.after for moment in asked)
    if task.asked:
        yield task.asked + window
        yield days_after(task.asked, agreement.sip_call_days)
    if task.start:
        yield task.start - agreement.visits_ahead
        yield task.start + window
        yield (task.end or task.start) + agreement.visits_late


def _of_contact(picture: Picture, contact: ContactFact) -> Iterator[datetime]:
    window = picture.at - picture.since
    yield from (moment for moment in (contact.start, contact.end, contact.planned_end) if moment)
    if contact.start:
        yield contact.start + NOTICE_WITHIN
        yield contact.start - picture.agreement.visits_ahead
    if contact.end:
        yield contact.end + window
        yield days_after(contact.end, 0)
