"""MLLP and watched folders, as configured for a source, on a running gateway: from the wire to the agreed resource."""

from __future__ import annotations

import gc
import socket
import time
import weakref
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gateway.app import background, wire
from gateway.settings import Settings

ROOT = Path(__file__).parents[1]
ADT = (ROOT / "mappings/hl7v2-adt/cases/admission/source.hl7").read_bytes()
CSV = next((ROOT / "mappings/directory-csv/cases").glob("*/source.csv")).read_bytes()
BOUND = 15.0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@pytest.fixture
def configured(tmp_path: Path) -> Iterator[tuple[str, int, Path]]:
    """A gateway with an MLLP source and a watched folder: its address, the MLLP port, the folder."""
    port, folder = free_port(), tmp_path / "drop"
    sources = tmp_path / "sources.toml"
    sources.write_text(
        f"""
        [source.pas]
        package = "hl7v2-adt"
        name = "PAS"
        hsa_id = "SE2321000131-T9001"
        controller = "SE2321000131-T0000"
        mllp_port = {port}

        [source.units]
        package = "directory-csv"
        name = "Katalogen"
        hsa_id = "SE2321000131-T9000"
        controller = "SE2321000131-T0000"
        delivery = "snapshot"
        scope = "units"
        watch = "{folder}"
        """
    )
    gateway = wire(Settings(database_url=f"sqlite:///{tmp_path}/t.db", sources=sources))
    with background(gateway) as address:
        yield address, port, folder
    gateway.close()


def wait_for(address: str, query: str) -> int:
    """The total of a search, as soon as it is not 0."""
    until = time.monotonic() + BOUND
    while time.monotonic() < until:
        total: int = httpx.get(f"{address}/fhir/{query}").json()["total"]
        if total:
            return total
        time.sleep(0.05)
    return 0


def test_a_message_over_mllp_is_acknowledged_and_becomes_an_encounter(configured: tuple[str, int, Path]) -> None:
    address, port, _ = configured

    with socket.create_connection(("127.0.0.1", port), timeout=BOUND) as connection:
        connection.sendall(b"\x0b" + ADT + b"\x1c\r")
        answer = b""
        while b"\x1c\r" not in answer:
            answer += connection.recv(4096)
    assert b"MSA|AA|" in answer
    assert wait_for(address, "Encounter") >= 1


def test_an_mllp_port_is_not_opened_on_the_gateways_address_by_itself(tmp_path: Path) -> None:
    port, sources = free_port(), tmp_path / "sources.toml"
    sources.write_text(
        f"""
        [source.pas]
        package = "hl7v2-adt"
        name = "PAS"
        hsa_id = "SE2321000131-T9001"
        controller = "SE2321000131-T0000"
        mllp_port = {port}
        """
    )
    # An address of this machine that is none of those where nobody needs a token.
    settings = Settings(database_url=f"sqlite:///{tmp_path}/t.db", sources=sources, host="127.0.0.2", demo_network=True)
    gateway = wire(settings)
    with background(gateway):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", port), timeout=BOUND)
        socket.create_connection(("127.0.0.1", port), timeout=BOUND).close()
    gateway.close()


def test_a_file_dropped_in_a_watched_folder_is_taken_and_moved(configured: tuple[str, int, Path]) -> None:
    address, _, folder = configured

    partial = folder / "units.csv.part"
    partial.write_bytes(CSV)
    partial.rename(folder / "units.csv")
    assert wait_for(address, "Organization") > 0
    until = time.monotonic() + BOUND
    while (folder / "units.csv").exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert not (folder / "units.csv").exists()
    assert [path.suffix for path in (folder / "done").iterdir()] == [".csv"]


def test_a_gateway_that_has_served_and_is_closed_leaves_nothing_behind(sqlite_url: str) -> None:
    gateway = wire(Settings(database_url=sqlite_url))
    with background(gateway) as base:
        assert httpx.get(f"{base}/ready").status_code == 200
    gateway.close()
    left = weakref.ref(gateway.store)
    del gateway
    gc.collect()
    assert left() is None
