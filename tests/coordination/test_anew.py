"""A report that is counted anew gives no case away to whoever has the one before it: by trying every pair of tables."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from itertools import product
from typing import Any

from gateway.coordination.measures import Asked, Tally, read_definition, report
from gateway.coordination.measures.anew import anew
from gateway.coordination.measures.cases import Value
from gateway.coordination.measures.suppress import is_small
from gateway.coordination.measures.tally import Cell
from gateway.definitions import CANONICAL, load
from tests.coordination.measuring import at, in_short

MOST = 10
"""Of tables with larger cells not all that look the same are tried."""
ASKED = Asked(at("2026-01-01").date(), at("2026-01-31").date(), at("2026-02-01T00:00"))


def counted(measure: str, cells: Sequence[tuple[int, int]], dimension: str) -> dict[str, Any]:
    """A report of so many cases a municipality, of which so many count, and nothing else."""
    tally = Tally(read_definition(load().resources[f"{CANONICAL}/Measure/{measure}"]), frozenset({dimension}))
    for table in tally.tables:
        table.total.every, table.total.counted = (sum(one[place] for one in cells) for place in (0, 1))
        for number, (every, count) in enumerate(cells):
            if every:
                table.strata["municipality"][Value("urn:place", f"m{number}")] = Cell(every, count)
    return report(tally, ASKED)


def refused(*cells: int) -> dict[str, Any]:
    return counted("refusals", [(one, one) for one in cells], "municipality")


def at_home(*cells: tuple[int, int]) -> dict[str, Any]:
    return counted("solved-at-home", list(cells), "municipality")


def test_of_no_cell_can_be_said_that_a_few_have_come_or_gone() -> None:
    """Every pair of tables that look the same: of none of their cells is the change a few in all of them."""
    before = {cells: refused(*cells) for cells in product(range(8), repeat=2)}
    after = {cells: refused(*cells) for cells in product(range(MOST + 5), repeat=2)}
    told: dict[str, list[list[int]]] = defaultdict(list)
    is_inside: dict[str, bool] = {}
    for (old, standing), (new, fresh) in product(before.items(), after.items()):
        both = json.dumps([standing["group"], (anew(standing, fresh) or standing)["group"]])
        told[both].append([b - a for a, b in zip(old, new, strict=True)])
        is_inside[both] = is_inside.get(both, False) or max(new) < MOST
    for both, changes in told.items():
        for by in zip(*changes, strict=True) if is_inside[both] else ():
            assert len(set(by)) > 1 or not is_small(abs(by[0])), changes


def test_one_that_was_told_late_changes_nothing_and_five_do() -> None:
    standing = refused(7, 20, 30)
    assert anew(standing, refused(8, 20, 30)) is None
    assert anew(standing, refused(8, 21, 31)) is None
    made = anew(standing, refused(12, 20, 30))
    assert made is not None
    assert in_short(made)["count"] == {
        "initial-population": 62,
        "score": 62,
        "municipality": {
            "m0": {"initial-population": 12, "score": 12},
            "m1": {"initial-population": 20, "score": 20},
            "m2": {"initial-population": 30, "score": 30},
        },
    }


def test_what_was_masked_stays_masked_and_a_cell_of_a_few_comes_in_no_later_version() -> None:
    standing = refused(3, 8, 30)
    assert "-" in json.dumps(in_short(standing))
    made = anew(standing, refused(9, 8, 40))
    assert made is not None
    found = in_short(made)["count"]["municipality"]
    assert [found[name]["initial-population"] for name in ("m0", "m1", "m2")] == ["-", "-", 40]
    made = anew(refused(0, 8, 30, 50), refused(2, 8, 40, 50))
    assert made is not None
    assert in_short(made)["count"]["municipality"].keys() == {"m1", "m2", "m3"}


def test_a_share_changes_with_five_of_those_that_count_and_of_those_that_do_not() -> None:
    standing = at_home((20, 10), (30, 15))
    assert anew(standing, at_home((26, 11), (30, 15))) is None
    made = anew(standing, at_home((26, 16), (30, 15)))
    assert made is not None
    assert in_short(made)["share"]["municipality"]["m0"] == {
        "initial-population": 26,
        "denominator": 26,
        "numerator": 16,
        "score": 61.5,
    }


def test_what_is_the_same_is_no_new_version_whenever_it_was_counted() -> None:
    assert anew(refused(3, 8, 30), refused(3, 8, 30)) is None
    assert anew(refused(), refused()) is None
