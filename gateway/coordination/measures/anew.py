"""A stored report counted anew: what has changed by fewer than five is told as it was.

Who has both versions takes the one from the other. A case that was told late would be one more in a municipality,
with a unit, for a reason: the person it was about. So a figure changes by five cases or more, or not at all; what was
masked stays so; and no total tells what a single cell has changed by. A told number is at most four off, but where the
whole table stays.

Pure: two MeasureReports in, one out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from gateway.coordination.measures.suppress import LEAST, is_small
from gateway.records import Resource

MASKED: Final = "_count"
Figures = Mapping[str, Any]
"""A group or a stratum: its populations and its score."""
Key = tuple[str, str]
"""System and code of a stratum."""
NOTHING: Final[Figures] = {"population": ()}


def anew(standing: Resource, fresh: Resource) -> Resource | None:
    """What is to be told where a report stands that was now counted as `fresh`; None where nothing of it changes."""
    groups = [_group(old, new) for old, new in zip(standing["group"], fresh["group"], strict=True)]
    return None if groups == standing["group"] else {**fresh, "group": groups}


def _group(standing: Resource, fresh: Resource) -> Resource:
    """One figure, with its tables; all as it stands where one of the tables would give a cell away."""
    made = _figures(standing, fresh)
    total = _changes(standing, made)
    tables = []
    for old, new in zip(standing.get("stratifier", ()), fresh.get("stratifier", ()), strict=True):
        tables.append(_stratifier(old, new))
        if _gives_away(_strata(old), _strata(tables[-1]), total):
            return standing
    return {**made, "stratifier": tables} if tables else made


def _figures(standing: Figures, fresh: Figures) -> Resource:
    """The populations and the score of a cell."""
    changes = [*_changes(standing, fresh).values()]
    if not any(MASKED in one for side in (standing, fresh) for one in side["population"]):
        changes.append(_rest(fresh) - _rest(standing))
    stays = not any(changes) or any(is_small(abs(one)) for one in changes)
    chosen = standing if stays else fresh
    populations = [
        next((side for side in (old, new) if MASKED in side), told)
        for old, new, told in zip(standing["population"], fresh["population"], chosen["population"], strict=True)
    ]
    made = {name: value for name, value in chosen.items() if name != "stratifier"} | {"population": populations}
    if any(MASKED in one for one in populations):
        made.pop("measureScore", None)
    return made


def _stratifier(standing: Resource, fresh: Resource) -> Resource:
    if "extension" in standing or "extension" in fresh:
        return standing if "extension" in standing else fresh
    old, new = _strata(standing), _strata(fresh)
    made = [told for key in sorted({*old, *new}) if (told := _stratum(old.get(key), new.get(key))) is not None]
    left = {name: value for name, value in fresh.items() if name != "stratum"}
    return {**left, "stratum": made} if made else left


def _stratum(standing: Figures | None, fresh: Figures | None) -> Figures | None:
    """What is told of a cell. One of a few comes in no later version, and one that was of a few does not go."""
    if standing is None:
        return fresh if fresh and _counts(fresh) else None
    if fresh is None:
        return None if _counts(standing) else standing
    return _figures(standing, fresh)


def _gives_away(old: Mapping[Key, Figures], made: Mapping[Key, Figures], total: Mapping[str, int]) -> bool:
    """Whether the total tells of a cell that seems unchanged that it is not.

    `total`: by how many its numbers are told to have changed. What the cells that are told do not come to of it lies in
    those that seem unchanged, in each at most four, or in those that are masked. Any of them alone may be as it was.
    """
    masked = [key for key in {*old, *made} if any(key in side and not _counts(side[key]) for side in (old, made))]
    if len(masked) > 1:
        return False
    moved = [_changes(old.get(key, NOTHING), made.get(key, NOTHING)) for key in {*old, *made}]
    for name, by in total.items():
        still = sum(not one.get(name, 0) for one in moved)
        if moved and abs(by - sum(one.get(name, 0) for one in moved)) > (LEAST - 1) * max(still - 1, 0):
            return True
    return False


def _changes(standing: Figures, fresh: Figures) -> dict[str, int]:
    """By population, how many more there are now; those that are told of either. A cell that is not there has none."""
    old, new = _counts(standing), _counts(fresh)
    told = old.keys() | new.keys() if NOTHING in (standing, fresh) else old.keys() & new.keys()
    return {name: new.get(name, 0) - old.get(name, 0) for name in told}


def _rest(figures: Figures) -> int:
    """Of a share, those that do not count."""
    counts = _counts(figures).values()
    return max(counts) - min(counts)


def _counts(figures: Figures) -> dict[str, int]:
    return {str(one["code"]["coding"][0]["code"]): one["count"] for one in figures["population"] if "count" in one}


def _strata(stratifier: Resource) -> dict[Key, Figures]:
    found: Sequence[Figures] = stratifier.get("stratum", ())
    codings = [one["value"]["coding"][0] for one in found]
    return {(str(c.get("system", "")), str(c["code"])): one for c, one in zip(codings, found, strict=True)}
