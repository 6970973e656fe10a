"""What is not told of a table can not be computed from what is: by trying every table that looks the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.coordination.measures.suppress import LEAST, Part, Told, is_small, suppress

parts = st.integers(1, 7).flatmap(lambda every: st.builds(Part, st.just(every), st.integers(0, every)))
tables = st.dictionaries(st.sampled_from("abcde"), parts, min_size=1, max_size=4)


def total_of(strata: Mapping[str, Part]) -> Part:
    return Part(sum(one.every for one in strata.values()), sum(one.counted for one in strata.values()))


def divided(total: int, least: list[int], most: list[int]) -> Iterator[tuple[int, ...]]:
    """Every way to divide a total into numbers within these bounds."""
    if not least:
        if total == 0:
            yield ()
        return
    for first in range(least[0], min(most[0], total) + 1):
        for rest in divided(total - first, least[1:], most[1:]):
            yield (first, *rest)


@settings(max_examples=40, deadline=None)
@given(tables)
def test_no_number_of_cases_that_is_not_told_can_be_computed(strata: dict[str, Part]) -> None:
    total = total_of(strata)
    told = suppress(total, strata)
    if told.strata is None:
        return
    hidden = [key for key, is_told in told.strata.items() if not is_told]
    left = total.every - sum(strata[key].every for key, is_told in told.strata.items() if is_told)
    ways = list(divided(left, [1] * len(hidden), [left] * len(hidden)))
    for place in range(len(hidden)):
        assert {way[place] for way in ways} >= set(range(1, LEAST + 1))


@settings(max_examples=40, deadline=None)
@given(tables)
def test_no_share_that_is_not_told_can_be_computed(strata: dict[str, Part]) -> None:
    total = total_of(strata)
    told = suppress(total, strata)
    if told.strata is None or not told.counted or total.counted in (0, total.every):
        return  # Where none counts, or all do, the total says so of every cell; neither is a few.
    kept = [key for key in told.strata if key not in told.shares]
    counted = total.counted - sum(strata[key].counted for key in told.shares)
    every = total.every - sum(one.every for key, one in strata.items() if told.strata[key])
    known = [strata[key].every if told.strata[key] else 0 for key in kept]
    spread: list[set[int]] = [set() for _ in kept]
    unknown = [place for place, bound in enumerate(known) if not bound]
    for sizes in divided(every, [1] * len(unknown), [every] * len(unknown)):
        most = list(known)
        for place, size in zip(unknown, sizes, strict=True):
            most[place] = size
        for way in divided(counted, [0] * len(most), most):
            for found, number in zip(spread, way, strict=True):
                found.add(number)
    assert all(len(found) > 1 for found in spread)


@settings(max_examples=40, deadline=None)
@given(tables)
def test_nothing_small_is_told_and_what_is_told_is_true(strata: dict[str, Part]) -> None:
    total = total_of(strata)
    told = suppress(total, strata)
    assert told.total is not is_small(total.every)
    if told.counted:
        assert not is_small(total.counted)
        assert not is_small(total.rest)
    for key, is_told in (told.strata or {}).items():
        if is_told:
            assert not is_small(strata[key].every)
    for key in told.shares:
        assert told.strata is not None
        assert told.strata[key]
        assert not is_small(strata[key].counted)
        assert not is_small(strata[key].rest)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.sampled_from("abcdef"), st.integers(LEAST, 40), min_size=1, max_size=6))
def test_a_table_without_small_cells_is_told_whole(counts: dict[str, int]) -> None:
    strata = {key: Part(count, count) for key, count in counts.items()}
    told = suppress(total_of(strata), strata)
    assert told == Told(True, True, dict.fromkeys(strata, True), frozenset(strata))


def cohort(*counts: int) -> dict[str, Part]:
    return {name: Part(count, count) for name, count in zip("abcdefgh", counts, strict=False)}


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        # One small cell is the total without the others: the smallest of those is kept back with it.
        ((20, 12, 3), {"a": True, "b": False, "c": False}),
        # Two small cells keep each other, where they hold enough together.
        ((20, 4, 3), {"a": True, "b": False, "c": False}),
        # Two of one each: what is left is 2, and so each is 1; a third goes with them.
        ((20, 9, 1, 1), {"a": True, "b": False, "c": False, "d": False}),
        # Nothing keeps five of one each: not even which there are is told.
        ((1, 1, 1, 1, 1), None),
        ((7,), {"a": True}),
    ],
)
def test_small_cells_take_others_with_them(counts: tuple[int, ...], told: dict[str, bool] | None) -> None:
    strata = cohort(*counts)
    assert suppress(total_of(strata), strata).strata == told


def test_a_total_of_a_few_tells_nothing() -> None:
    assert suppress(Part(4, 2), {"a": Part(4, 2)}) == Told(False, False, None, frozenset())


def test_those_that_do_not_count_are_persons_too() -> None:
    told = suppress(Part(60, 50), {"a": Part(30, 28), "b": Part(30, 22)})
    assert told.strata == {"a": True, "b": True}
    assert told.shares == frozenset()


def test_a_share_of_none_or_of_all_is_told() -> None:
    told = suppress(Part(40, 20), {"a": Part(20, 20), "b": Part(20, 0)})
    assert told.shares == {"a", "b"}


def test_every_small_table_of_two_cells_is_safe() -> None:
    for one, other in product(range(1, 12), repeat=2):
        strata = cohort(one, other)
        told = suppress(total_of(strata), strata)
        if min(one, other) < LEAST:
            assert told.strata is None or not any(told.strata.values()), (one, other)
