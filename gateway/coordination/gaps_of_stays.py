"""What is missing around a stay in hospital: visits, the call to the plan, the contact, the information.

Lag (2017:612) om samverkan vid utskrivning; its days are calendar days, Swedish time. docs/gaps.md explains each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from gateway.coordination.facts import ContactFact, TaskFact
from gateway.coordination.gap import Gap, Severity, gap
from gateway.coordination.picture import Picture
from gateway.coordination.visits import Visit, visits
from gateway.coordination.words import Part, days_after

Blanks = Mapping[str, Part]
_PAUSED = frozenset({"received", "accepted", "in-progress", "completed"})
NEVER = frozenset({"cancelled", "rejected", "failed", "entered-in-error"})
NOTICE_WITHIN = timedelta(hours=24)
"""From the admission until those who care for the person at home are told."""
_UNSENT = frozenset({"draft", "cancelled", "entered-in-error"})
"""An invitation that is only being written calls nobody."""


def visit_while_admitted(picture: Picture) -> Iterator[Gap]:
    """A visit to the home of somebody who is in hospital; open until the visiting unit has acknowledged the pause."""
    stay = picture.stay()
    if stay is None or stay.start is None or stay.unit is None:
        return
    pauses = [task for task in picture.tasks if task.code == "pause-visits" and task.status in _PAUSED]
    paused = {task.owner.key for task in pauses if task.owner} | {stay.unit.key}
    leaves = stay.end or stay.planned_end
    until = picture.at + picture.agreement.visits_ahead
    if leaves is not None and leaves > picture.at:
        until = min(until, leaves)
    first: dict[str, Visit] = {}
    for visit in visits(picture):
        if visit.unit.key not in paused and max(stay.start, picture.at) <= visit.start <= until:
            first.setdefault(visit.unit.key, visit)
    for visit in first.values():
        blanks: Blanks = {"unit": visit.unit.name, "when": visit.start, "other": stay.unit.name}
        yield gap("visit-while-admitted", visit.unit, [visit.fact, stay], blanks, since=stay.start)


def admitted_without_notice(picture: Picture) -> Iterator[Gap]:
    """In hospital, and those who care for the person at home were not told within 24 hours (2017:612, 2:1 to 2:3).

    That he will need them afterwards is for a doctor to judge, and no source says it; who has municipal care, or is
    waiting for its visit, will.
    """
    stay = picture.stay()
    if stay is None or stay.start is None or stay.unit is None or stay.start + NOTICE_WITHIN >= picture.at:
        return
    since = stay.start
    caring = [task.owner for task in picture.of("standing") if picture.is_held(task)]
    caring += [visit.unit for visit in visits(picture) if visit.start >= since]
    bodies = {body.key: body for unit in caring if unit for body in [picture.directory.body(unit)]}
    affected = sorted(body.name for body in bodies.values() if picture.directory.is_municipality(body))
    told = [task for task in picture.tasks if task.code == "admission-notice" and task.status not in NEVER]
    if not affected or any(task.stay in stay.keys or (task.asked and task.asked >= since) for task in told):
        return
    blanks: Blanks = {"unit": affected[0]}
    due = since + NOTICE_WITHIN
    yield gap("admitted-without-notice", picture.turn_to(stay.unit), [stay], blanks, since=since, due=due)


def discharge_ready_without_sip_call(picture: Picture) -> Iterator[Gap]:
    """Ready to leave, and nobody has called to the plan: three calendar days from the notice (2017:612, 4:3)."""
    told = [task for task in picture.tasks if task.code == "discharge-ready" and task.status != "cancelled"]
    notices = [(task.asked, task) for task in told if task.asked and task.asked >= picture.since]
    calls = [task for task in picture.tasks if task.code == "sip-call" and task.status != "cancelled"]
    invited = any(task.code == "sip" and task.status not in _UNSENT for task in picture.tasks)
    called = invited or any(task.status == "completed" for task in calls)
    if not notices or called:
        return
    asked, notice = min(notices, key=lambda told: (told[0], told[1].reference))
    duty = min(calls, key=lambda task: task.reference, default=None)
    contact = next((task.owner for task in picture.tasks if task.code == "appoint-contact" and task.owner), None)
    due = (duty and duty.due) or days_after(asked, picture.agreement.sip_call_days)
    who = picture.turn_to(duty.owner if duty else None, contact, notice.requester)
    grave: Severity | None = "high" if due < picture.at else None
    facts = [notice, duty] if duty else [notice]
    yield gap("discharge-ready-without-sip-call", who, facts, {}, severity=grave, since=asked, due=due)


def discharged_without_contact(picture: Picture) -> Iterator[Gap]:
    """Gone home, and no fast vårdkontakt was appointed: it is to be done before the discharge (2017:612, 2:5)."""
    for stay, end in _discharges(picture):
        duties = [task for task in of_stay(picture, stay, "appoint-contact") if task.status not in NEVER]
        if not duties or any(task.status == "completed" for task in duties):
            continue
        who = picture.turn_to(duties[0].owner, duties[0].requester, stay.unit)
        yield gap("discharged-without-contact", who, [duties[0], stay], {}, since=end)


def discharged_without_information(picture: Picture) -> Iterator[Gap]:
    """Gone home, and those who take over were told nothing: it is due the same day at the latest (2017:612, 3:2)."""
    for stay, end in _discharges(picture):
        notices = [task for task in of_stay(picture, stay, "admission-notice") if task.status not in NEVER]
        if not notices or any(of_stay(picture, stay, "information-transfer")):
            continue
        due = days_after(end, 0)
        grave: Severity | None = "high" if due < picture.at else None
        who = picture.turn_to(stay.unit, notices[0].requester)
        yield gap("discharged-without-information", who, [stay, notices[0]], {}, severity=grave, since=end, due=due)


def is_discharged(picture: Picture, task: TaskFact) -> bool:
    """A duty to appoint the contact that was not done in time: the person has left."""
    ended = task.code == "appoint-contact" and [stay for stay, _ in _discharges(picture) if task.stay in stay.keys]
    return bool(ended)


def of_stay(picture: Picture, stay: ContactFact, code: str) -> list[TaskFact]:
    """The Tasks of that code that belong to the stay."""
    return [task for task in picture.tasks if task.code == code and task.stay in stay.keys]


def _discharges(picture: Picture) -> Iterator[tuple[ContactFact, datetime]]:
    for stay in picture.contacts:
        over = stay.status == "finished" and stay.code in picture.agreement.codes["admitted"]
        if over and stay.end is not None and picture.since <= stay.end <= picture.at:
            yield stay, stay.end
