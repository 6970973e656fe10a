"""A gateway that watches its mappings: what comes after a change is mapped by it, and what is stated says so."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from gateway.app import background, wire
from gateway.settings import Settings
from tests.ingest.maps import CLASS, STATUS, URL, visits, write

PATIENCE = 60.0
CANCELLED = "src -> enc.status = 'cancelled' \"status\";"


def until(found: Callable[[], Any]) -> Any:
    """What is found, as soon as it is."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if value := found():
            return value
        time.sleep(0.05)
    raise AssertionError("it did not come")


def test_a_running_gateway_takes_what_passes_and_tells_what_does_not(tmp_path: Path) -> None:
    folder = tmp_path / "mappings"
    write(folder, case=True)
    url = f"sqlite:///{tmp_path}/test.db"
    wired = wire(Settings(database_url=url, mappings=folder, watch_mappings=True))
    with background(wired) as address, httpx.Client(timeout=60, base_url=address) as client:

        def used() -> dict[str, Any]:
            return next(one for one in client.get("/ready").json()["maps"] if one["package"] == "visits")

        def send(id: str) -> Any:
            kept = client.post("/ingest/visits", content=visits((id, "planned"))).json()["id"]
            return until(lambda: (e := wired.store.read(lambda u: u.inbox.entry(kept))) and e.state == "done" and e)

        first = used()
        assert send("1").map_hash == first["hash"]

        write(folder, STATUS, CLASS, version="2")
        second = until(lambda: (now := used())["version"] == "2" and now)
        assert send("2").map_hash == second["hash"] != first["hash"]

        write(folder, CANCELLED, CLASS, version="3")  # Its case says otherwise.
        until(lambda: used().get("refused"))
        assert used()["hash"] == second["hash"]
        assert send("3").map_hash == second["hash"]

    statements = wired.store.read(lambda uow: list(uow.statements.all()))
    archived = {one.hash: one for one in wired.store.read(lambda uow: uow.maps.all())}
    told = [(one.body["identifier"][0]["value"], archived[one.map_hash or ""].version) for one in statements]
    assert told == [("1", "1"), ("2", "2"), ("3", "2")]
    assert all(URL in archived[one.map_hash or ""].files["visits/visits.fml"] for one in statements)
    wired.close()
