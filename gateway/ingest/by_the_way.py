"""What records say of units and staff by the way, and said before: it holds from the first day of a month (ADR 74)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from gateway.coordination.statements import Month, month
from gateway.identity import ResolvedItem
from gateway.identity.resolve import ABOUT, SWEDEN, Resolved
from gateway.records import Source
from gateway.store import UnitOfWork

Wording = tuple[str, str, str]
"""Record key, which has the words in it, id of whom they are about, and the care provider who speaks."""


def without_repetitions(uow: UnitOfWork, source: Source, found: Sequence[ResolvedItem]) -> list[list[Resolved]]:
    """What each item says, but for what its source has said in the same words that month, as of no later a day."""
    told = [(_wording(one), one.draft.effective) for item in found for one in item.resolved if _is_by_the_way(one)]
    if not told:
        return [item.resolved for item in found]
    since = min(day for _, day in told).astimezone(SWEDEN).replace(day=1)
    before = _earliest(uow.statements.times_said(source.id, {key for (key, *_), _ in told}, since))
    news = {said: day for said, day in _earliest(told).items() if said not in before or day < before[said]}
    kept: list[list[Resolved]] = []
    for item in found:
        said: list[Resolved] = []
        for one in item.resolved:
            if _is_by_the_way(one):
                told_in = _wording(one), month(one.draft.effective)
                if news.get(told_in) != one.draft.effective:
                    continue
                del news[told_in]  # The first record that says so as of the first day says it for all.
            said.append(one)
        kept.append(said)
    return kept


def _is_by_the_way(one: Resolved) -> bool:
    return one.record_key is not None and one.record_key.startswith(ABOUT) and not one.draft.withdrawn


def _wording(one: Resolved) -> Wording:
    return str(one.record_key), one.id, one.draft.provider


def _earliest(told: Iterable[tuple[Wording, datetime]]) -> dict[tuple[Wording, Month], datetime]:
    found: dict[tuple[Wording, Month], datetime] = {}
    for wording, day in told:
        said = wording, month(day)
        found[said] = min(day, found.get(said, day))
    return found
