"""The pipeline on each database."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
import structlog

from tests.ingest.inlet import Inlet


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[MutableMapping[str, Any]]]:
    """What is logged meanwhile, and not printed."""
    with structlog.testing.capture_logs() as entries:
        yield entries


@pytest.fixture
def inlet(database_url: str) -> Iterator[Inlet]:
    opened = Inlet.open(database_url)
    yield opened
    opened.close()
