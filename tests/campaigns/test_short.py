"""The campaigns in short, with fixed seeds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.campaigns import kill
from tests.campaigns.orders import Demo, differences


@pytest.fixture(scope="module")
def demo() -> Demo:
    return Demo()


def test_what_is_agreed_does_not_depend_on_the_order_of_arrival(demo: Demo) -> None:
    expected = demo.agreed(list(range(len(demo.messages))))

    for seed in (1, 2):
        assert differences(expected, demo.agreed(demo.shuffled(seed))) == []
    assert len(expected) > 100


def test_what_was_acknowledged_outlives_being_killed_and_is_processed_once(tmp_path: Path) -> None:
    found = kill.run(f"sqlite:///{tmp_path}/kill.db", 2, 7, records=12, longest=1.0)

    assert found.right, found
    assert found.acknowledged > 0
