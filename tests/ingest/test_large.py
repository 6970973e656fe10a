"""A short form of the campaign of a large database: all sources tell of the same care, late, twice and askew."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from tests.ingest.campaigns import large
from tests.ingest.campaigns.care import World
from tests.ingest.campaigns.state import State

RECORDS = 160


def test_the_same_seed_tells_the_same_of_every_package_in_order_of_arrival() -> None:
    told = World(7, 2000).deliveries()
    assert told == World(7, 2000).deliveries() != World(8, 2000).deliveries()
    assert all(one.at <= other.at for one, other in pairwise(told))
    assert len({one.source for one in told}) == 11
    assert len({one.body for one in told}) < len(told), "some come twice"


def test_nothing_is_held_the_fold_is_what_is_stored_and_most_of_what_is_proposed_was_meant(tmp_path: Path) -> None:
    state = State(tmp_path / "state.json")
    said: list[str] = []
    report = large.campaign(tmp_path, records=RECORDS, seed=7, synthea=tmp_path, state=state, say=said.append)
    assert not report.wrong
    assert any(line.startswith("items: done") and "held" not in line for line in report.lines), report.lines
    (weak,) = (line for line in report.lines if line.startswith("weak links"))
    _, hold, meant = (int(part) for part in weak.replace(",", "").split() if part.isdecimal())
    assert meant >= 0.8 * hold > 0
    again = large.campaign(tmp_path, records=RECORDS, seed=7, synthea=tmp_path, state=state, say=said.append)
    assert again.lines == report.lines, "what is done is not done again"
