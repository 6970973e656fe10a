"""When the municipality becomes liable to pay for somebody who is ready to leave the hospital, and whether it does.

Lag (2017:612) om samverkan vid utskrivning, 5 kap. 3 to 5 §§; the days stand in the agreement, as region and
municipality may agree otherwise (4 kap. 5 §).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from gateway.coordination.agreements import Agreement
from gateway.coordination.directory import Unit
from gateway.coordination.facts import ContactFact, TaskFact
from gateway.coordination.gaps_of_stays import NEVER, of_stay
from gateway.coordination.picture import Picture
from gateway.coordination.values import SWEDEN
from gateway.coordination.words import days_after, start_after, swedish_day

ROLES = ("municipal-care", "social-services", "open-care", "other")
"""As what a unit is told, of CodeSystem/task-role."""
_MUNICIPAL = frozenset({"municipal-care", "social-services"})


@dataclass(frozen=True, slots=True)
class Liability:
    """A municipality, and from when it pays."""

    body: Unit
    since: datetime
    notice: TaskFact


def deadline(
    code: str, role: str, asked: datetime, agreement: Agreement, *, estimated: str | None = None
) -> str | None:
    """The day until which somebody has what a message, or the duty that follows from it, asks of him.

    The law's calendar days, Swedish time, as the agreement has them; None where the law sets none.
    """
    if code in ("admission-notice", "appoint-contact"):  # 2 kap. 5 and 6 §§: before the discharge.
        return estimated
    if code == "discharge-ready":  # 5 kap. 4 §: then the municipality pays.
        return _day(liable_from(asked, agreement)) if role in _MUNICIPAL else None
    days = {"sip-call": agreement.sip_call_days, "information-transfer": 0}.get(code)
    return None if days is None else _day(days_after(asked, days))


def liable_from(asked: datetime, agreement: Agreement) -> datetime:
    """From when the municipality pays by a notice: so many days after it, one more where it came after noon."""
    rule = agreement.liability
    late = asked.astimezone(SWEDEN).time() > rule.noon
    return start_after(asked, rule.days_after_noon if late else rule.days)


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
    return liable_from(asked, picture.agreement)


def _day(moment: datetime) -> str:
    return swedish_day(moment).isoformat()
