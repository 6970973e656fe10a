"""Bad input, pushed to a real server: kept, told with its place and what to do, and nothing else is lost by it.

The messages are rows of tests/ingest/bad/*.toml.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog

from gateway.app import background, wire
from gateway.settings import Settings
from tests.conftest import emptied
from tests.ingest.bad_cases import GOOD, bad_messages
from tests.ingest.leaks import leaks

ALL = {bad.name: bad for bad in bad_messages()}
SECONDS = 60
Became = dict[str, dict[str, Any]]


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path
) -> Iterator[tuple[httpx.Client, list[MutableMapping[str, Any]]]]:
    """One for all of them, and its log."""
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("bad") / "bad.db"
        shutil.copy(sqlite_template, path)
        url = f"sqlite:///{path}"
    else:
        url = emptied(request.getfixturevalue("postgres_database"))
    gateway = wire(Settings(database_url=url, max_body=1_000_000))
    with (
        structlog.testing.capture_logs() as log,
        background(gateway) as address,
        httpx.Client(timeout=60, base_url=address) as client,
    ):
        yield client, log
    gateway.close()


@pytest.fixture(scope="module")
def became(server: tuple[httpx.Client, Any]) -> Became:
    """What became of each bad message, and of a good one of each package after them."""
    client, _ = server
    sent: dict[str, str] = {}
    for name, bad in ALL.items():
        answer = client.post(f"/ingest/{bad.package}", content=bad.body, headers={"content-type": bad.media_type})
        assert answer.status_code == 202, name
        sent[name] = answer.headers["location"]
    for package, path in GOOD.items():
        sent[package] = client.post(f"/ingest/{package}", content=path.read_bytes()).headers["location"]
    until = time.monotonic() + SECONDS
    found = {name: client.get(where).json() for name, where in sent.items()}
    while any(one["state"] == "received" for one in found.values()):
        assert time.monotonic() < until, "the bad messages are not worked through"
        time.sleep(0.05)
        found |= {name: client.get(sent[name]).json() for name, one in found.items() if one["state"] == "received"}
    return found


def issues(shown: dict[str, Any]) -> list[dict[str, Any]]:
    return [*shown["issues"], *(issue for item in shown["items"] for issue in item["issues"])]


@pytest.mark.parametrize("name", ALL)
def test_bad_input_is_kept_and_told_with_its_place(became: Became, name: str) -> None:
    shown, bad = became[name], ALL[name]
    said = [f"{i['severity']}: {i['rule']}" + (f" | {i['where']}" if "where" in i else "") for i in issues(shown)]

    assert shown["size"] == len(bad.body)
    assert {"state": shown["state"], "items": [item["state"] for item in shown["items"]], "issues": said} == (
        bad.expected
    )


def test_every_issue_says_what_to_do_and_names_nobody(became: Became) -> None:
    for name, shown in became.items():
        for issue in issues(shown):
            assert issue["text"].endswith((".", "?", "]")), (name, issue["text"])
            assert issue["rule"] != "unforeseen", name
        assert leaks(str(issues(shown))) == [], name


def test_what_holds_a_message_or_an_item_says_where(became: Became) -> None:
    for name, shown in became.items():
        for issue in issues(shown):
            assert "where" in issue or issue["rule"] in ("empty-message", "snapshot-incomplete"), (name, issue["rule"])


@pytest.mark.parametrize("package", GOOD)
def test_a_good_message_after_all_the_bad_ones_is_used(became: Became, package: str) -> None:
    shown = became[package]
    assert (shown["state"], shown["held"], issues(shown)) == ("done", 0, [])


def test_nothing_of_it_is_logged(server: tuple[httpx.Client, list[MutableMapping[str, Any]]], became: Became) -> None:
    _, log = server
    assert {entry["event"] for entry in log} <= {"message-worked"}
    assert leaks(str(log)) == []


@pytest.mark.parametrize("package", GOOD)
def test_a_message_over_the_limit_is_refused(server: tuple[httpx.Client, Any], package: str) -> None:
    client, _ = server
    refused = client.post(f"/ingest/{package}", content=GOOD[package].read_bytes() + b" " * 1_000_000)

    assert refused.status_code == 413
    assert leaks(refused.text) == []


@pytest.mark.parametrize("package", GOOD)
def test_every_package_has_bad_input_of_its_own(package: str) -> None:
    assert sum(bad.package == package for bad in ALL.values()) > 12
