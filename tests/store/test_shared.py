"""What is committed in groups: one that cannot be written fails alone, and nobody waits for what is nobody's fault."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event

from gateway.errors import Unavailable, Unprocessable
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


def test_a_database_that_is_away_is_not_asked_for_each_of_a_group() -> None:
    groups, told = tried(Unavailable)
    assert groups == [[0], [1, 2, 3, 4]]
    assert told == [False] * 4
