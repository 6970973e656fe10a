"""Altered messages, pushed at a real server: never a 500, never lost, never unforeseen, and nobody is named.

The long form is `scripts/campaign fuzz` (docs/campaigns.md).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from random import Random

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from gateway.app import Gateway, background, wire
from gateway.settings import Settings
from tests.conftest import emptied
from tests.ingest.bad_cases import GOOD
from tests.ingest.campaigns.fuzz import faults
from tests.ingest.leaks import leaks
from tests.ingest.mutations import mutated, names


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path
) -> Iterator[tuple[Gateway, httpx.Client]]:
    """A server that keeps; these tests work what it has kept."""
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("fuzz") / "fuzz.db"
        shutil.copy(sqlite_template, path)
        url = f"sqlite:///{path}"
    else:
        url = emptied(request.getfixturevalue("postgres_database"))
    gateway = wire(Settings(database_url=url, worker=False))
    with background(gateway) as address, httpx.Client(timeout=60, base_url=address) as client:
        yield gateway, client
    gateway.close()


@pytest.mark.parametrize("package", GOOD)
@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(random=st.randoms(use_true_random=False))
def test_an_altered_message_is_kept_worked_and_told(
    site: tuple[Gateway, httpx.Client], package: str, random: Random
) -> None:
    gateway, client = site
    body = mutated(package, random)
    with capture_logs() as log:
        answer = client.post(f"/ingest/{package}", content=body)
        assert answer.status_code == 202
        gateway.ingest.process(answer.json()["id"])
        shown = client.get(answer.headers["location"])

    assert shown.status_code == 200
    assert list(faults(shown.json(), body)) == []
    assert [entry["event"] for entry in log] == ["message-worked"]
    assert leaks(str(log), names()) == []


def test_what_is_stored_after_all_of_them_is_the_fold_of_what_was_said(site: tuple[Gateway, httpx.Client]) -> None:
    gateway, _ = site

    assert gateway.rebuild(lambda *_: None).different == []
    assert gateway.store.read(lambda uow: uow.audit.verify()) == []
