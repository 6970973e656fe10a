"""The short form of the order campaign; the long one is `scripts/campaign orders` (docs/campaigns.md)."""

from __future__ import annotations

import pytest

from tests.ingest.campaigns import orders


@pytest.mark.parametrize("number", range(2))
def test_the_demo_in_a_random_order_is_agreed_as_in_its_own(number: int) -> None:
    assert orders.round_of((7, number)) == (number, [])


@pytest.mark.postgres
def test_workers_that_share_the_messages_agree_as_one_does(postgres_url: str) -> None:
    report = orders.interleaved(postgres_url, seed=7, processes=False)

    assert report.wrong == [], report.lines
