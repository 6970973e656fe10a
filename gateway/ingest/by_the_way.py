"""What records say of units and staff by the way, and said before: it holds from when it was first said (ADR 66)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from gateway.identity import ResolvedItem
from gateway.identity.resolve import ABOUT, Resolved
from gateway.records import Source
from gateway.store import UnitOfWork

Wording = tuple[str, str, str]
"""Record key, which has the words in it, id of whom they are about, and the care provider who speaks."""


def without_repetitions(uow: UnitOfWork, source: Source, found: Sequence[ResolvedItem]) -> list[list[Resolved]]:
    """What each item says, but for what its source has said in the same words, as of the same day or an earlier one."""
    told = [(_wording(one), one.draft.effective) for item in found for one in item.resolved if _is_by_the_way(one)]
    if not told:
        return [item.resolved for item in found]
    before = uow.statements.first_said(source.id, {key for (key, *_), _ in told})
    news = {wording: day for wording, day in _earliest(told).items() if wording not in before or day < before[wording]}
    kept: list[list[Resolved]] = []
    for item in found:
        said: list[Resolved] = []
        for one in item.resolved:
            if _is_by_the_way(one):
                wording = _wording(one)
                if news.get(wording) != one.draft.effective:
                    continue
                del news[wording]  # The first record that says so as of the first day says it for all.
            said.append(one)
        kept.append(said)
    return kept


def _is_by_the_way(one: Resolved) -> bool:
    return one.record_key is not None and one.record_key.startswith(ABOUT) and not one.draft.withdrawn


def _wording(one: Resolved) -> Wording:
    return str(one.record_key), one.id, one.draft.provider


def _earliest(told: Iterable[tuple[Wording, datetime]]) -> dict[Wording, datetime]:
    found: dict[Wording, datetime] = {}
    for wording, day in told:
        found[wording] = min(day, found.get(wording, day))
    return found
