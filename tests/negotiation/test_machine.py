"""Several parties, their systems and mishaps on a few Tasks: short seeded forms of `scripts/campaign tasks`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.negotiation.campaign import round_of, world
from tests.negotiation.machine import World
from tests.negotiation.process import Nursery


def test_once_accepted_a_task_has_one_owner_whoever_says_what_in_whatever_order() -> None:
    with world() as here:
        assert round_of(here, number=7, series=8, steps=40) > 80
        assert here.done > 10 and here.refused > 10 and here.reported > 10


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as made:
        yield made


def test_a_process_that_is_killed_has_done_all_of_an_act_or_nothing(database_url: str, nursery: Nursery) -> None:
    here = World(database_url, nursery, kills=2, seed=7)
    try:
        round_of(here, number=7, series=4, steps=12)
        assert here.killed > 3
    finally:
        here.close()
