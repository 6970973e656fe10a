"""Several parties, their systems and mishaps on a few Tasks: a short seeded form of `scripts/campaign tasks`."""

from __future__ import annotations

from tests.negotiation.campaign import round_of, world


def test_once_accepted_a_task_has_one_owner_whoever_says_what_in_whatever_order() -> None:
    with world() as here:
        assert round_of(here, number=7, series=8, steps=40) > 80
        assert here.done > 10 and here.refused > 10 and here.reported > 10
