"""A gateway that starts with a package that has problems: it uses the others, and holds the messages of that one."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.app import Gateway, background, wire
from gateway.settings import Settings
from tests.ingest.maps import CLASS, STATUS, visits, write

SOURCES = """
[source.ward]
package = "visits"
name = "Ward"
hsa_id = "SE1-V"
controller = "SE1-C"
[source.home]
package = "calls"
name = "Home"
hsa_id = "SE1-H"
controller = "SE1-D"
"""
CANCELLED = "src -> enc.status = 'cancelled' \"status\";"
WRONG = {
    "a map that does not compile": ("src.state as v -> enc.stat = v;",),
    "a map that is not the language": ("src.state as v -> enc.status = ",),
    "a case that does not hold": (CANCELLED, CLASS),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two packages, of one make; `calls` has no case and no problem."""
    found = tmp_path / "mappings"
    write(found, case=True)
    calls = found / "calls"
    calls.mkdir()
    for name in ("map.yaml", "visits.fml"):
        text = (found / "visits" / name).read_text(encoding="utf-8")
        (calls / name).write_text(text.replace("id: visits", "id: calls"), encoding="utf-8")
    (tmp_path / "sources.toml").write_text(SOURCES, encoding="utf-8")
    return found


def started(folder: Path) -> Gateway:
    url = f"sqlite:///{folder.parent}/gateway.db"
    return wire(Settings(database_url=url, mappings=folder, sources=folder.parent / "sources.toml", worker=False))


@pytest.fixture
def gateways(folder: Path) -> Iterator[list[Gateway]]:
    running: list[Gateway] = []
    yield running
    for one in running:
        one.close()


def take(gateway: Gateway, source: str) -> tuple[str, list[str], str]:
    outcome = gateway.ingest.take(gateway.sources.get(source), visits(("1", "planned")), "application/json")
    entry = gateway.store.read(lambda uow: uow.inbox.entry(outcome.inbox_id))
    assert entry is not None
    return entry.state, [issue.rule for issue in entry.issues], outcome.inbox_id


@pytest.mark.parametrize("rules", WRONG.values(), ids=WRONG.keys())
def test_messages_of_a_package_with_problems_are_held_and_others_go_on(
    folder: Path, gateways: list[Gateway], rules: tuple[str, ...], logged: list[MutableMapping[str, Any]]
) -> None:
    write(folder, *rules)
    gateway = started(folder)
    gateways.append(gateway)

    assert take(gateway, "home")[:2] == ("done", [])
    state, found, held = take(gateway, "ward")
    assert (state, found) == ("held", ["package-refused"])
    told = [one for one in logged if one["event"] == "map-refused"]
    assert [one["package"] for one in told] == ["visits"]
    assert told[0]["problems"]

    write(folder, STATUS, CLASS)  # Mended, and started anew.
    gateway = started(folder)
    gateways.append(gateway)
    outcome = gateway.ingest.replay(held)
    assert (outcome.items, outcome.held) == (1, 0)


def test_a_manifest_that_cannot_be_read_keeps_only_its_own_package_out(folder: Path, gateways: list[Gateway]) -> None:
    (folder / "visits/map.yaml").write_text("id: [", encoding="utf-8")
    gateway = started(folder)
    gateways.append(gateway)
    assert take(gateway, "home")[:2] == ("done", [])
    assert take(gateway, "ward")[:2] == ("held", ["package-refused"])
    with background(gateway) as address, httpx.Client(timeout=60, base_url=address) as client:
        maps = {one["package"]: one.get("refused", False) for one in client.get("/ready").json()["maps"]}
    assert maps == {"visits": True, "calls": False}


def test_the_server_says_at_its_start_which_package_it_does_not_use(folder: Path, gateways: list[Gateway]) -> None:
    write(folder, CANCELLED, CLASS)
    gateway = started(folder)
    gateways.append(gateway)
    with background(gateway) as address, httpx.Client(timeout=60, base_url=address) as client:
        gateway.admission.look(gateway.packages.ids)  # It does so by itself; here it is waited for.
        maps = {one["package"]: one.get("refused", False) for one in client.get("/ready").json()["maps"]}
    assert maps == {"visits": True, "calls": False}
