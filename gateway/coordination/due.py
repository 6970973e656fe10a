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
    coming = [moment for moment in told + moments(picture) if moment >= at]
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


def moments(picture: Picture) -> list[datetime]:
    """The times that the rules compare with, past ones among them."""
    found: list[datetime] = []
    for task in picture.tasks:
        found += _of_task(picture, task)
    for contact in picture.contacts:
        found += _of_contact(picture, contact)
    for one in picture.agreed:
        if one.resource_type == "Consent" and (
            end := due(one.resource.get("provision", {}).get("period", {}).get("end"))
        ):
            found.append(end)
    for team in picture.teams:
        for participant in team.get("participant", ()):
            if end := instant(participant.get("period", {}).get("end")):
                found.append(end)
    for end in picture.directory.ends():
        found += (end, end + AFTER)
    return found


def _of_task(picture: Picture, task: TaskFact) -> list[datetime]:
    agreement, window = picture.agreement, picture.at - picture.since
    found = [moment for moment in (task.due, task.start, task.end) if moment]
    began = [turn.start for turn in task.turns]
    found += began
    found += [start + window for start in began]
    asked = [task.asked, *began] if task.asked else began
    for limits in (agreement.unanswered, agreement.report):
        limit = agreement.limit(limits, task.code, task.priority)
        if limit is not None:
            found += [moment + limit.after for moment in asked]
    if task.asked:
        found += (task.asked + window, days_after(task.asked, agreement.sip_call_days))
    if task.start:
        found += (task.start - agreement.visits_ahead, task.start + window)
        found.append((task.end or task.start) + agreement.visits_late)
    return found


def _of_contact(picture: Picture, contact: ContactFact) -> list[datetime]:
    window = picture.at - picture.since
    found = [moment for moment in (contact.start, contact.end, contact.planned_end) if moment]
    if contact.start:
        found += (contact.start + NOTICE_WITHIN, contact.start - picture.agreement.visits_ahead)
    if contact.end:
        found += (contact.end + window, days_after(contact.end, 0))
    return found
