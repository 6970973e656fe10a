"""A gateway on each database, and one behind a real server."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from datetime import datetime
from typing import Any

import pytest
import structlog

from gateway.app import wire
from gateway.settings import Settings
from tests.ingest.inlet import NOW, Inlet


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[MutableMapping[str, Any]]]:
    """What is logged meanwhile, and not printed."""
    with structlog.testing.capture_logs() as entries:
        yield entries


@pytest.fixture
def inlet(database_url: str) -> Iterator[Inlet]:
    clock: list[datetime] = [NOW]
    gateway = wire(Settings(database_url=database_url), lambda: clock[0])
    yield Inlet(gateway, clock)
    gateway.close()
