"""Complete snapshots: what a source no longer lists is withdrawn, in whatever order its messages come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import permutations
from pathlib import Path
from random import Random
from typing import Any

import pytest

from gateway.store import Store
from tests.ingest.inlet import NOW, Inlet
from tests.ingest.samples import municipal, visit

NAMESPACE = "secret:namespace"


def at(day: int) -> str:
    return f"2026-03-0{day}T08:00:00"


def test_what_is_no_longer_listed_is_withdrawn(inlet: Inlet) -> None:
    inlet.send("municipal-csv", municipal(visit("A"), visit("B")))
    inlet.send("municipal-csv", municipal(visit("A", updated=at(3))))

    assert inlet.statuses() == {"A": "accepted", "B": "cancelled"}


def test_what_is_listed_again_is_back(inlet: Inlet) -> None:
    inlet.send("municipal-csv", municipal(visit("A"), visit("B")))
    inlet.send("municipal-csv", municipal(visit("A", updated=at(3))))
    inlet.send("municipal-csv", municipal(visit("A", updated=at(4)), visit("B")))

    assert inlet.statuses() == {"A": "accepted", "B": "accepted"}


def test_a_snapshot_that_cannot_be_read_whole_withdraws_nothing(inlet: Inlet) -> None:
    inlet.send("municipal-csv", municipal(visit("A"), visit("B")))
    inlet.send("municipal-csv", municipal(visit("A", updated=at(3))).replace(b"local_id", b"local"))

    assert inlet.statuses() == {"A": "accepted", "B": "accepted"}


def test_a_row_that_is_held_keeps_what_was_said_of_it(inlet: Inlet) -> None:
    inlet.send("municipal-csv", municipal(visit("A"), visit("B")))
    sent = inlet.send("municipal-csv", municipal(visit("A", updated=at(3)), visit("B", updated=at(3), status="?")))

    assert sent.states == ["done", "held"]
    assert inlet.statuses() == {"A": "accepted", "B": "accepted"}


def test_while_a_row_cannot_be_told_from_others_nothing_is_withdrawn(inlet: Inlet) -> None:
    """A separator too many in a text: nobody knows which record the row is about."""
    inlet.send("municipal-csv", municipal(visit("A"), visit("B")))
    sent = inlet.send("municipal-csv", municipal(visit("A", updated=at(3)), visit("B", text="lätt; snart")))

    assert sent.states == ["done", "held"]
    assert "ragged-row" in sent.rules
    assert "snapshot-incomplete" in sent.rules
    assert inlet.statuses() == {"A": "accepted", "B": "accepted"}


def test_a_row_of_a_kind_we_do_not_know_has_its_key_where_all_have_it(inlet: Inlet) -> None:
    inlet.send("municipal-csv", municipal(visit("A"), visit("B"), visit("C")))
    sent = inlet.send("municipal-csv", municipal(visit("A", updated=at(3)), visit("B", record_type="BESÖK")))

    assert (sent.states, sent.rules) == (["done", "held"], ["unknown-record"])
    assert inlet.statuses() == {"A": "accepted", "B": "accepted", "C": "cancelled"}


def test_what_a_snapshot_withdraws_is_audited(inlet: Inlet) -> None:
    inlet.send("municipal-csv", municipal(visit("A"), visit("B")))
    inlet.now += timedelta(hours=1)
    inlet.send("municipal-csv", municipal(visit("A", updated=at(3))))
    withdrawn = next(task for task in inlet.resources("Task") if task["status"] == "cancelled")
    rows = inlet.read(lambda uow: uow.audit.latest(limit=100))

    assert [f"Task/{withdrawn['id']}"] in [named(row.event)[1:] for row in rows if row.recorded == inlet.now]


def named(event: dict[str, Any]) -> list[str]:
    return [entity["what"]["reference"] for entity in event["entity"] if "reference" in entity["what"]]


def test_the_next_whole_snapshot_withdraws_what_the_incomplete_one_could_not(inlet: Inlet) -> None:
    inlet.send("municipal-csv", municipal(visit("A"), visit("B"), visit("C")))
    inlet.send("municipal-csv", municipal(visit("A", updated=at(3)), visit("B", text="lätt; snart")))
    inlet.send("municipal-csv", municipal(visit("A", updated=at(4)), visit("B")))

    assert inlet.statuses() == {"A": "accepted", "B": "accepted", "C": "cancelled"}


def test_a_row_that_goes_away_while_no_other_changes_is_withdrawn_when_the_sender_says_the_time(inlet: Inlet) -> None:
    inlet.send("municipal-csv", municipal(visit("A"), visit("B")), as_of=NOW)
    inlet.send("municipal-csv", municipal(visit("A")), as_of=NOW + timedelta(hours=1))

    assert inlet.statuses() == {"A": "accepted", "B": "cancelled"}


def test_two_files_of_one_moment_hold_together_what_either_holds(inlet: Inlet) -> None:
    """Without a newer `updated_at` nothing says which of two files is the later one; withdrawing waits for the next."""
    inlet.send("municipal-csv", municipal(visit("A"), visit("B")))
    inlet.send("municipal-csv", municipal(visit("A")))
    assert inlet.statuses() == {"A": "accepted", "B": "accepted"}

    inlet.send("municipal-csv", municipal(visit("A", updated=at(3))))
    assert inlet.statuses() == {"A": "accepted", "B": "cancelled"}


Arrivals = Sequence[tuple[bytes, datetime | None]]
STORIES: dict[str, Arrivals] = {
    "gone, then back": [
        (municipal(visit("A", updated=at(1)), visit("B", updated=at(1))), None),
        (municipal(visit("A", updated=at(2))), None),
        (municipal(visit("A", updated=at(3)), visit("B", updated=at(1))), None),
    ],
    "changed, gone, told twice": [
        (municipal(visit("A", updated=at(1)), visit("B", updated=at(1))), None),
        (municipal(visit("A", updated=at(2)), visit("B", updated=at(2), status="PAGAENDE")), None),
        (municipal(visit("A", updated=at(3))), None),
        (municipal(visit("A", updated=at(3))), None),
    ],
    "two of one moment": [
        (municipal(visit("A", updated=at(1)), visit("B", updated=at(1))), None),
        (municipal(visit("A", updated=at(2)), visit("B", updated=at(1))), None),
        (municipal(visit("A", updated=at(2))), None),
        (municipal(visit("A", updated=at(3))), None),
    ],
    "two of one moment, the last": [
        (municipal(visit("A", updated=at(1)), visit("B", updated=at(1))), None),
        (municipal(visit("A", updated=at(2))), None),
        (municipal(visit("A", updated=at(2)), visit("B", updated=at(1))), None),
    ],
    "an unreadable row between": [
        (municipal(visit("A", updated=at(1)), visit("B", updated=at(1)), visit("C", updated=at(1))), None),
        (municipal(visit("A", updated=at(2)), visit("B", updated=at(1), text="a;b")), None),
        (municipal(visit("A", updated=at(3)), visit("B", updated=at(1))), None),
    ],
}


@pytest.fixture
def agreed_after(sqlite_template: Path, tmp_path: Path) -> Callable[[Arrivals], str]:
    """What is agreed when these messages have come in this order, in one and the same installation."""

    def run(arrivals: Arrivals) -> str:
        path = tmp_path / "order.db"
        path.write_bytes(sqlite_template.read_bytes())
        with Store.open(f"sqlite:///{path}", migrated=False) as store:
            store.write(lambda uow: uow.meta.put(NAMESPACE, b"n" * 16))
        inlet = Inlet.open(f"sqlite:///{path}")
        for n, (body, as_of) in enumerate(arrivals):
            inlet.now = NOW + timedelta(minutes=n)
            inlet.send("municipal-csv", body, as_of=as_of)
        found = sorted(str(plain(task)) for task in inlet.resources("Task"))
        assert inlet.rebuilt().different == []
        inlet.close()
        return "\n".join(found)

    return run


def plain(resource: dict[str, Any]) -> dict[str, Any]:
    meta = {name: value for name, value in resource["meta"].items() if name not in ("versionId", "lastUpdated")}
    return resource | {"meta": meta}


@pytest.mark.parametrize("story", STORIES)
def test_the_order_of_arrival_does_not_matter(agreed_after: Callable[[Arrivals], str], story: str) -> None:
    orders = list(permutations(STORIES[story]))
    chosen = Random(story).sample(orders, min(len(orders), 8))

    assert len({agreed_after(order) for order in chosen}) == 1
