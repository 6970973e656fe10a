"""A real server on a free port, on SQLite and on PostgreSQL alike, and a client for each kind of caller."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest

from gateway.access.caller import Caller
from gateway.app import Gateway, background, wire
from gateway.settings import Settings

FHIR = {"content-type": "application/fhir+json"}
REGION = "SE2321000131-T0000"


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
    with httpx.Client(base_url=address, headers=FHIR) as client:
        yield client


@pytest.fixture
def client_of(address: str, gateway: Gateway) -> Iterator[Callable[..., httpx.Client]]:
    """Makes a client that speaks for an organisation."""
    made: list[httpx.Client] = []

    def make(hsa_id: str, controller: str = "") -> httpx.Client:
        token = gateway.identities.token(Caller("organisation", hsa_id, hsa_id, controller or hsa_id))
        made.append(httpx.Client(base_url=address, headers=FHIR | {"authorization": f"Bearer {token}"}))
        return made[-1]

    yield make
    for client in made:
        client.close()
