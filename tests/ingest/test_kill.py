"""The short form of the kill campaign; the long one is `scripts/campaign kill` (docs/campaigns.md)."""

from __future__ import annotations

from tests.ingest.campaigns import kill
from tests.ingest.campaigns.state import State


def test_a_server_that_was_killed_has_lost_nothing_and_done_nothing_twice(database_url: str) -> None:
    said: list[str] = []
    report = kill.campaign(database_url, rounds=1, seed=7, longest=0.5, state=State(None), say=said.append, records=10)

    assert report.wrong == [], [*said, *report.lines]
