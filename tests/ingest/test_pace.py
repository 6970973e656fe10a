"""How large the ranges are that waiting messages are worked through in (`gateway/ingest/pace.py`)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from time import sleep
from typing import Any

import pytest

from gateway.coordination.recorder import Recorder
from gateway.ingest import pace
from gateway.ingest.pace import Pace
from tests.ingest.inlet import Inlet
from tests.ingest.samples import alarm, dispatch


@pytest.mark.parametrize(
    ("before", "items", "seconds", "waited", "after"),
    [
        pytest.param(200, 200, 1.9, False, 400, id="full, quick and alone: twice as many"),
        pytest.param(200, 199, 0.1, False, 200, id="not full: no more are wanted"),
        pytest.param(400, 400, 2.1, False, 400, id="neither quick nor slow"),
        pytest.param(800, 800, 4.1, False, 400, id="slow: half as many"),
        pytest.param(200, 200, 9.0, False, 200, id="never fewer than the fewest"),
        pytest.param(1600, 1600, 0.9, False, 1600, id="never more than the most"),
        pytest.param(1600, 1600, 0.9, True, 200, id="somebody waited: from the beginning"),
    ],
)
def test_a_range_is_as_large_as_the_one_before_allows(
    before: int, items: int, seconds: float, waited: bool, after: int
) -> None:
    paced = Pace()
    paced.items = before
    paced.took(items, seconds, waited=waited, at=0)

    assert paced.items == after


def test_who_waited_may_write_again_for_a_while() -> None:
    paced = Pace()
    sizes = []
    for at, waited in ((0, False), (1, True), (2, False), (30, False), (31, False)):
        paced.took(paced.items, 0.1, waited=waited, at=at)
        sizes.append(paced.items)

    assert sizes == [400, 200, 200, 200, 400]


@pytest.fixture
def mapped_at_leisure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "MAPPING", 60)


@pytest.mark.usefixtures("mapped_at_leisure")
def test_a_backlog_is_worked_through_in_ever_larger_ranges(inlet: Inlet) -> None:
    for n in range(14):
        inlet.keep("dispatch-json", dispatch(alarm(str(n))))
    inlet.ingest.pace = Pace(fewest=2, quick=60)

    assert _worked(inlet) == [2, 4, 8]
    assert len(inlet.statuses()) == 14
    assert inlet.rebuilt().different == []


@pytest.mark.usefixtures("mapped_at_leisure")
def test_what_somebody_else_writes_meanwhile_makes_them_small_again(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On SQLite, where one writes at a time: a message that comes is kept after the range in hand."""
    inlet = Inlet.open(sqlite_url)
    for n in range(11):
        inlet.keep("dispatch-json", dispatch(alarm(str(n))))
    inlet.ingest.pace = Pace(fewest=2, quick=60)
    record, ranges = Recorder.record, []
    with ThreadPoolExecutor(1) as sender:

        def meanwhile(self: Recorder, uow: Any, *args: Any, **kwargs: Any) -> Any:
            ranges.append(uow)
            if len(ranges) == 2:
                sender.submit(inlet.keep, "dispatch-json", dispatch(alarm("meanwhile")))
                while not inlet.store.others_wait:
                    sleep(0.001)
            return record(self, uow, *args, **kwargs)

        monkeypatch.setattr(Recorder, "record", meanwhile)
        assert _worked(inlet) == [2, 4, 2, 2, 2]
    assert len(inlet.statuses()) == 12
    inlet.close()


def _worked(inlet: Inlet) -> list[int]:
    """How many messages each range had."""
    found = []
    while outcomes := inlet.ingest.process_waiting():
        found.append(len(outcomes))
    return found
