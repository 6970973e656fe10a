"""A changed package is taken into use as a whole once it compiles and its cases hold; else the one in use stays."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import pytest

from gateway import definitions
from gateway.ingest.reload import Reload
from gateway.ingest.sources import defaults
from gateway.mapping import Packages
from tests.ingest.inlet import Inlet
from tests.ingest.maps import CLASS, STATUS, visits, write

Logged = list[MutableMapping[str, Any]]
CANCELLED = "src -> enc.status = 'cancelled' \"status\";"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "mappings"


def watched(folder: Path) -> tuple[Packages, Reload]:
    packages = write(folder, case=True)
    return packages, Reload(packages, folder, definitions.load())


def test_a_version_whose_cases_hold_is_taken(folder: Path, logged: Logged) -> None:
    packages, reload = watched(folder)
    before = packages["visits"]
    write(folder, version="2")

    assert [one.passed for one in reload.look()] == [True]
    assert (before.version, packages["visits"].version) == ("1", "2")
    taken = next(one for one in logged if one["event"] == "map-taken")
    assert (taken["package"], taken["version"], taken["was"]) == ("visits", "2", before.hash)
    assert reload.look() == []


@pytest.mark.parametrize(
    ("rules", "problem"),
    [
        ((CANCELLED, CLASS), "case visits/planned fails at drafts[0].status"),
        (("src.state as v -> enc.stat = v;",), "visits/visits.fml:5:"),
        (("src.state as v -> enc.status = ",), "visits/visits.fml:"),
    ],
    ids=["another outcome", "no such element", "not the language"],
)
def test_a_version_that_fails_is_told_and_the_one_in_use_stays(
    folder: Path, logged: Logged, rules: tuple[str, ...], problem: str
) -> None:
    packages, reload = watched(folder)
    before = packages["visits"]
    write(folder, *rules)
    reload.look()

    assert packages["visits"] is before
    assert reload.refused["visits"].problems[0].startswith(problem)
    told = [one for one in logged if one["event"] == "map-refused"]
    assert len(told) == 1
    assert "planned" not in str(told[0]["problems"]).replace("visits/planned", "")

    write(folder, STATUS, CLASS)  # Mended again.
    reload.look()
    assert reload.refused == {}


def test_a_manifest_that_cannot_be_read_changes_nothing(folder: Path) -> None:
    packages, reload = watched(folder)
    before = packages["visits"]
    (folder / "visits/map.yaml").write_text("id: [")
    reload.look()

    assert packages["visits"] is before
    assert "visits/map.yaml" in reload.refused["visits"].problems[0]


def test_a_package_without_cases_is_not_taken(folder: Path) -> None:
    packages = write(folder)
    reload = Reload(packages, folder, definitions.load())
    write(folder, version="2")
    reload.look()

    assert packages["visits"].version == "1"
    assert "has no case" in reload.refused["visits"].problems[0]


def test_a_folder_that_is_gone_leaves_the_package_in_use(folder: Path) -> None:
    packages, reload = watched(folder)
    (folder / "visits/map.yaml").rename(folder / "visits/other.yaml")
    reload.look()

    assert packages["visits"].version == "1"
    assert reload.refused["visits"].problems == ("the folder of visits is gone",)


def test_what_is_used_is_what_was_there_at_the_start(folder: Path) -> None:
    """Maps in common are read when they are first needed: by then they may be others."""
    (folder / "common").mkdir(parents=True)
    shared = folder / "common/shared.fml"
    shared.write_text("/// url = 'http://example.org/StructureMap/common'\ngroup A(source s, target t) {}\n")
    packages, _ = watched(folder)
    shared.write_text("no map")

    packages["visits"].check()


def test_items_under_way_end_on_the_version_they_were_begun_with(inlet: Inlet, folder: Path) -> None:
    packages, reload = watched(folder)
    inlet.ingest._packages = packages
    inlet.ingest._sources = inlet.sources = defaults(packages.instances)
    kept = inlet.keep("visits", visits(("1", "planned"), ("2", "planned")))
    first = packages["visits"].hash
    claimed = inlet.ingest._write(lambda uow: uow.inbox.claim(kept, "me", lease=inlet.ingest._lease))
    assert claimed is not None
    entries = inlet.ingest._entries(claimed, set())
    begun = next(entries)
    write(folder, version="2")
    reload.look()

    assert packages["visits"].hash != first
    assert {one.work.package.hash for one in (begun, *entries) if one.work} == {first}
    after = inlet.send("visits", visits(("3", "planned")))
    assert after.entry.map_hash == packages["visits"].hash


def test_several_processes_each_take_it_for_themselves(folder: Path) -> None:
    packages, reload = watched(folder)
    others = Packages.load(folder)
    beside = Reload(others, folder, definitions.load())
    write(folder, version="2")
    reload.look()
    assert (packages["visits"].version, others["visits"].version) == ("2", "1")

    beside.look()
    assert packages["visits"].hash == others["visits"].hash


def test_a_change_is_noticed_by_itself(folder: Path) -> None:
    packages, reload = watched(folder)

    async def run() -> None:
        async with reload.watching(look=0.3), asyncio.timeout(30):
            write(folder, version="2")
            while packages["visits"].version != "2":
                await asyncio.sleep(0.05)

    asyncio.run(run())
