"""A real server on a free port, on SQLite and on PostgreSQL alike, and a client for each kind of caller."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from gateway.access.caller import Caller
from gateway.app import Gateway, background, wire
from gateway.settings import Settings

FHIR = {"content-type": "application/fhir+json"}
REGION = "SE2321000131-T0000"


def as_organisation(gateway: Gateway, hsa_id: str, controller: str = "") -> dict[str, str]:
    """The headers with which a unit of a care provider asks."""
    token = gateway.identities.token(Caller("organisation", hsa_id, hsa_id, controller or hsa_id))
    return FHIR | {"authorization": f"Bearer {token}"}


@pytest.fixture(scope="session")
def shared_gateway(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    path = tmp_path_factory.mktemp("shared") / "shared.db"
    shutil.copy(sqlite_template, path)
    wired = wire(Settings(database_url=f"sqlite:///{path}", max_body=20_000_000))
    yield wired
    wired.close()


@pytest.fixture(scope="session")
def shared_address(shared_gateway: Gateway) -> Iterator[str]:
    """A server for tests that leave one another alone: each uses resources of its own."""
    with background(shared_gateway) as base:
        yield base


@pytest.fixture(scope="session")
def shared(shared_address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=shared_address, headers=FHIR, timeout=60) as client:
        yield client


@pytest.fixture(scope="session")
def party(shared_address: str, shared_gateway: Gateway) -> Iterator[Callable[[str, str], httpx.Client]]:
    """The client of a unit and its care provider, at the shared server."""
    made: dict[tuple[str, str], httpx.Client] = {}

    def client(hsa_id: str, controller: str = "") -> httpx.Client:
        if (hsa_id, controller) not in made:
            headers = as_organisation(shared_gateway, hsa_id, controller)
            made[hsa_id, controller] = httpx.Client(timeout=60, base_url=shared_address, headers=headers)
        return made[hsa_id, controller]

    yield client
    for one in made.values():
        one.close()


@pytest.fixture(scope="module")
def standing_gateway(standing_url: str) -> Iterator[Gateway]:
    wired = wire(Settings(database_url=standing_url, max_body=1_000_000))
    yield wired
    wired.close()


@pytest.fixture(scope="module")
def standing_address(standing_gateway: Gateway) -> Iterator[str]:
    with background(standing_gateway) as base:
        yield base


@pytest.fixture(scope="module")
def standing(standing_address: str) -> Iterator[httpx.Client]:
    """The operator at a server on each database that a module's tests share: they ask, or write what is their own."""
    with httpx.Client(timeout=60, base_url=standing_address, headers=FHIR) as client:
        yield client


@pytest.fixture
def gateway(database_url: str) -> Iterator[Gateway]:
    wired = wire(Settings(database_url=database_url, max_body=1_000_000))
    yield wired
    wired.close()


@pytest.fixture
def address(gateway: Gateway) -> Iterator[str]:
    with background(gateway) as base:
        yield base


@pytest.fixture
def operator(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(timeout=60, base_url=address, headers=FHIR) as client:
        yield client


@pytest.fixture
def client_of(address: str, gateway: Gateway) -> Iterator[Callable[..., httpx.Client]]:
    """Makes a client that speaks for an organisation."""
    made: list[httpx.Client] = []

    def make(hsa_id: str, controller: str = "") -> httpx.Client:
        headers = as_organisation(gateway, hsa_id, controller)
        made.append(httpx.Client(timeout=60, base_url=address, headers=headers))
        return made[-1]

    yield make
    for client in made:
        client.close()
