"""What is committed in groups: one that cannot be written fails alone, and nobody waits for what is nobody's fault."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from gateway.errors import Unavailable, Unprocessable
from gateway.store import shared as sharing
from gateway.store.shared import Shared


def tried(failing: type[Exception]) -> tuple[list[list[int]], list[bool]]:
    """The groups that were tried when four came while a first one was under way; of the four, who was told of success.

    Nothing is written that has a 3 in it.
    """
    begun, goes_on = Event(), Event()
    groups: list[list[int]] = []

    def write(given: Sequence[int]) -> None:
        groups.append(list(given))
        if given[0] == 0:
            begun.set()
            assert goes_on.wait(10)
        if 3 in given:
            raise failing

    shared = Shared(write)

    def commit(n: int) -> bool:
        try:
            shared.commit(n)
        except failing:
            return False
        return True

    with ThreadPoolExecutor(5) as pool:
        first = pool.submit(commit, 0)
        assert begun.wait(10)
        others = []
        for n in (1, 2, 3, 4):
            others.append(pool.submit(commit, n))
            time.sleep(0.02)  # In their order.
        goes_on.set()
        assert first.result()
        return groups, [one.result() for one in others]


def test_one_that_cannot_be_written_fails_alone() -> None:
    groups, told = tried(Unprocessable)
    assert groups == [[0], [1, 2, 3, 4], [1], [2], [3], [4]]
    assert told == [True, True, False, True]


def test_who_was_just_told_shares_the_next_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "PATIENCE", 10.0)
    begun, goes_on = Event(), Event()
    groups: list[list[str]] = []

    def write(given: Sequence[str]) -> None:
        groups.append(list(given))
        if given == ["first"]:
            begun.set()
            assert goes_on.wait(10)

    shared = Shared(write)

    def twice() -> None:
        shared.commit("first")
        shared.commit("again")

    with ThreadPoolExecutor(3) as pool:
        told = [pool.submit(twice)]
        assert begun.wait(10)
        for one in ("second", "third"):
            told.append(pool.submit(shared.commit, one))
            time.sleep(0.02)  # In their order.
        goes_on.set()
        for one in told:
            one.result(10)
    assert groups == [["first"], ["second", "third", "again"]]


def test_who_is_alone_waits_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "PATIENCE", 10.0)
    groups: list[list[int]] = []
    shared: Shared[int] = Shared(lambda given: groups.append(list(given)))
    began = time.monotonic()
    for n in range(3):
        shared.commit(n)
    assert groups == [[0], [1], [2]]
    assert time.monotonic() - began < 5


def test_nobody_is_left_behind_however_many_come() -> None:
    groups: list[list[int]] = []
    shared: Shared[int] = Shared(lambda given: groups.append(list(given)))
    with ThreadPoolExecutor(16) as pool:
        for one in [pool.submit(shared.commit, n) for n in range(3000)]:
            one.result(10)
    assert sorted(n for group in groups for n in group) == list(range(3000))


def test_a_database_that_is_away_is_not_asked_for_each_of_a_group() -> None:
    groups, told = tried(Unavailable)
    assert groups == [[0], [1, 2, 3, 4]]
    assert told == [False] * 4
