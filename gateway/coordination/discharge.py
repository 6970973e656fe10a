"""When the municipality becomes liable to pay for somebody who is ready to leave the hospital, and whether it does.

Lag (2017:612) om samverkan vid utskrivning, 5 kap. 3 to 5 §§; the days stand in the agreement, as region and
municipality may agree otherwise (4 kap. 5 §).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from gateway.coordination.directory import Unit
from gateway.coordination.facts import ContactFact, TaskFact
from gateway.coordination.gaps_of_stays import NEVER, of_stay
from gateway.coordination.picture import Picture
from gateway.coordination.values import SWEDEN
from gateway.coordination.words import start_after


@dataclass(frozen=True, slots=True)
class Liability:
    """A municipality, and from when it pays."""

    body: Unit
    since: datetime
    notice: TaskFact


def liabilities(picture: Picture) -> Iterator[Liability]:
    """Who pays, for the stay that the person is in; nobody where a condition of the law is missing.

    It takes an admission notice and a discharge-ready notice (5:3) and a call to the plan (5:5). Whether the region's
    open care is ready, no source says.
    """
    stay = picture.stay()
    if stay is None or not _conditions(picture, stay):
        return
    first: dict[str, Liability] = {}
    for notice in sorted(_told(picture, stay, "discharge-ready"), key=lambda task: task.asked or picture.at):
        body = picture.directory.body(notice.owner) if notice.owner else None
        if body is not None and notice.asked is not None and picture.directory.is_municipality(body):
            first.setdefault(body.key, Liability(body, _since(picture, notice, notice.asked), notice))
    yield from first.values()


def _conditions(picture: Picture, stay: ContactFact) -> bool:
    calls = of_stay(picture, stay, "sip-call")
    return bool(_told(picture, stay, "admission-notice")) and any(call.status == "completed" for call in calls)


def _told(picture: Picture, stay: ContactFact, code: str) -> list[TaskFact]:
    return [task for task in of_stay(picture, stay, code) if task.status not in NEVER]


def _since(picture: Picture, notice: TaskFact, asked: datetime) -> datetime:
    """The day that the notice itself names, as the parties have agreed; else so many days after it."""
    if notice.due is not None:
        return start_after(notice.due, 0)
    rule = picture.agreement.liability
    late = asked.astimezone(SWEDEN).time() > rule.noon
    return start_after(asked, rule.days_after_noon if late else rule.days)
