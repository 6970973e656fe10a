"""Units that close in golden histories: what is stored of their Tasks is what is answered, in any order of arrival."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from gateway.adapters.media import media_type
from gateway.coordination.heirs import passings_in
from gateway.fhir.json import dump
from gateway.ingest.rebuild import rebuild
from gateway.records import Resource
from tests.golden.histories import Opened, ask, directory_of_units, histories, opened, written
from tests.golden.test_watch import Watched

CLOSING = {one.name[:3]: one for one in histories() if one.name[:3] in ("016", "042", "043", "044")}
KÄLLDAL, BOKEDAL, TANUMSHEDE = "SE2321000131-T0420", "SE2321000131-T0425", "SE2321000131-T0400"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return directory_of_units(tmp_path_factory.mktemp("directory"))


@pytest.mark.parametrize("number", sorted(CLOSING))
def test_the_answers_are_the_same_once_the_heir_is_stored(number: str, directory: Path, tmp_path: Path) -> None:
    told = CLOSING[number]
    with opened(told, directory, tmp_path) as on:
        for _ in Watched(on, told).moments():
            pass
        for answer in told.answers:
            assert written(ask(on, told, answer.at, answer.known_at)) == written(answer.told), answer.at
        assert rebuild(on.gateway.store, on.ingest.recorder, lambda done, total: None).different == []


@pytest.mark.parametrize(
    ("number", "owners"),
    [
        ("016", [KÄLLDAL, BOKEDAL]),
        ("042", [KÄLLDAL, BOKEDAL, TANUMSHEDE]),
        ("043", [KÄLLDAL, BOKEDAL]),
        ("044", [KÄLLDAL, BOKEDAL]),
    ],
)
def test_every_order_of_arrival_leads_to_the_same_task(
    number: str, owners: Sequence[str], directory: Path, tmp_path: Path
) -> None:
    told = CLOSING[number]
    with opened(told, directory, tmp_path / "told") as on:
        for _ in Watched(on, told).moments():
            pass
        expected = list(tasks(on))
    assert [one["owner"]["identifier"]["value"] for one in expected] == [owners[-1]]
    line = [passing.heir_key.rpartition("|")[2] for passing, _ in passings_in(expected[0])]
    assert line == list(owners[1:])
    for seed in range(3):
        with opened(told, directory, tmp_path / f"order-{seed}") as on:
            watched, coming = Watched(on, told), list(told.deliveries)
            Random(seed).shuffle(coming)
            on.clock.now = told.end
            for one in coming:
                on.ingest.take(on.gateway.sources.get(one.source), one.path.read_bytes(), media_type(one.path))
                if seed:
                    watched.watch()  # What was not known yet is made up for.
            watched.watch()
            assert [dump(said(one)) for one in tasks(on)] == [dump(said(one)) for one in expected], seed


def test_a_directory_that_is_put_right_gives_it_back(directory: Path, tmp_path: Path) -> None:
    told = CLOSING["016"]
    with opened(told, directory, tmp_path) as on:
        watched = Watched(on, told)
        for _ in watched.moments():
            pass
        row = next(one for one in told.deliveries if one.source == "katalogen").path.read_text(encoding="utf-8")
        right = row.replace(f"2026-02-28;{BOKEDAL};2026-02-26T15", ";;2026-03-02T15")
        assert right != row
        on.clock.now = told.end + timedelta(days=2)
        on.ingest.take(on.gateway.sources.get("katalogen"), right.encode(), "text/csv")
        watched.watch()
        (task,) = tasks(on)
        assert (task["owner"]["identifier"]["value"], list(passings_in(task))) == (KÄLLDAL, [])
        assert rebuild(on.gateway.store, on.ingest.recorder, lambda done, total: None).different == []


def tasks(on: Opened) -> Iterator[Resource]:
    """The Tasks as they are stored."""
    stored = on.gateway.store.read(lambda uow: list(uow.resources.all(resource_type="Task")))
    return (one.resource() for one in stored)


def said(task: Resource) -> Resource:
    """What it says, whenever that came to be known."""
    return {name: value for name, value in task.items() if name != "meta"}
