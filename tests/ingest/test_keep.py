"""Keep before acknowledge: what was answered with 202 is committed, whatever happens next; what was not, is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import httpx
import pytest

from gateway.access.caller import Caller
from gateway.app import Gateway, background, wire
from gateway.errors import Unavailable
from gateway.settings import Settings
from gateway.store import Store
from tests.ingest.samples import alarm, dispatch, municipal, visit

BODY = dispatch(alarm("1"), alarm("2"))
LIMIT = 100_000


@pytest.fixture
def gateway(database_url: str) -> Iterator[Gateway]:
    """One that keeps and does not work: whatever is there was committed before the answer."""
    wired = wire(Settings(database_url=database_url, worker=False, max_body=LIMIT))
    yield wired
    wired.close()


@pytest.fixture
def sender(gateway: Gateway) -> Iterator[httpx.Client]:
    with background(gateway) as address, httpx.Client(timeout=60, base_url=address) as client:
        yield client


def test_what_is_acknowledged_is_in_the_inbox_byte_for_byte(sender: httpx.Client, database_url: str) -> None:
    answer = sender.post("/ingest/dispatch-json", content=BODY, headers={"content-type": "application/json"})

    assert answer.status_code == 202
    told = answer.json()
    assert answer.headers["location"] == f"/ingest/dispatch-json/{told['id']}"
    with Store.open(database_url, migrated=False) as beside:
        entry, message = beside.read(lambda uow: (uow.inbox.entry(told["id"]), uow.inbox.get(told["id"])))
    assert entry is not None and message is not None
    assert message.body == BODY
    assert (entry.hash, entry.size) == (hashlib.sha256(BODY).hexdigest(), len(BODY))
    assert (entry.source, entry.media_type, entry.state) == ("dispatch-json", "application/json", "waiting")


def test_of_those_who_send_at_once_each_is_answered_for_his_own(gateway: Gateway, sender: httpx.Client) -> None:
    def send(n: int) -> tuple[int, str]:
        wrong = {"as-of": "9999-12-31"} if n % 5 == 0 else {}
        answer = sender.post("/ingest/dispatch-json", params=wrong, content=str(n).encode())
        return n, answer.json()["id"] if answer.status_code == 202 else str(answer.status_code)

    with ThreadPoolExecutor(8) as pool:
        told = dict(pool.map(send, range(40)))
    assert {n for n, id in told.items() if id == "400"} == set(range(0, 40, 5))
    kept = {n: id for n, id in told.items() if n % 5}
    found = {n: gateway.store.read(lambda uow, id=id: uow.inbox.get(id)) for n, id in kept.items()}
    assert {n: one.body for n, one in found.items() if one is not None} == {n: str(n).encode() for n in kept}
    assert len(gateway.store.read(lambda uow: uow.audit.latest())) == len(kept)


def test_the_sender_sees_what_became_of_it(gateway: Gateway, sender: httpx.Client) -> None:
    where = sender.post("/ingest/dispatch-json", content=BODY).headers["location"]
    assert sender.get(where).json()["state"] == "received"
    gateway.ingest.process_waiting()
    found = sender.get(where).json()

    assert (found["state"], found["held"]) == ("done", 0)
    assert [item["state"] for item in found["items"]] == ["done", "done"]
    assert sender.get(where.replace("dispatch-json", "advice-json")).status_code == 404


def test_what_cannot_be_kept_is_not_acknowledged(
    gateway: Gateway, sender: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise Unavailable("The database does not answer right now: try again.")

    with monkeypatch.context() as patched:
        patched.setattr(gateway.store, "write", away)
        refused = sender.post("/ingest/dispatch-json", content=BODY)

    assert refused.status_code == 503
    assert refused.json()["resourceType"] == "OperationOutcome"
    assert gateway.store.read(lambda uow: uow.inbox.entries()) == []


def test_a_body_over_the_limit_is_refused_and_one_at_the_limit_is_kept(sender: httpx.Client) -> None:
    assert sender.post("/ingest/dispatch-json", content=b" " * LIMIT).status_code == 202
    refused = sender.post("/ingest/dispatch-json", content=b" " * (LIMIT + 1))

    assert refused.status_code == 413
    assert str(LIMIT) in refused.json()["issue"][0]["details"]["text"]


def test_a_body_that_says_no_length_is_bounded_too(sender: httpx.Client) -> None:
    refused = sender.post("/ingest/dispatch-json", content=(b" " * 10_000 for _ in range(20)))
    assert refused.status_code == 413


def test_a_source_that_is_not_configured_is_not_found_and_nothing_is_kept(
    gateway: Gateway, sender: httpx.Client
) -> None:
    refused = sender.post("/ingest/nobody", content=BODY)

    assert refused.status_code == 404
    assert "dispatch-json" in refused.json()["issue"][0]["details"]["text"], "the operator is told which there are"
    assert gateway.store.read(lambda uow: uow.inbox.entries()) == []


def test_an_organisation_sends_as_its_own_source_and_as_no_other(gateway: Gateway, sender: httpx.Client) -> None:
    source = gateway.sources.get("dispatch-json")
    token = gateway.identities.token(Caller("organisation", source.hsa_id, source.name, source.controller))
    own = {"authorization": f"Bearer {token}"}

    assert sender.post("/ingest/dispatch-json", content=BODY, headers=own).status_code == 202
    refused = sender.post("/ingest/municipal-csv", content=BODY, headers=own)
    assert refused.status_code == 404
    assert "municipal-csv" not in refused.text.replace('"diagnostics":"municipal-csv"', "")


WRONG = ["yesterday", "2026-13-01", "", "2026-03-01T00:00:00+99:00", "0001-01-01", "9999-12-31"]


@pytest.mark.parametrize("as_of", WRONG)
def test_a_time_that_cannot_be_meant_is_refused(gateway: Gateway, sender: httpx.Client, as_of: str) -> None:
    """It would stand before or after every other snapshot for ever."""
    refused = sender.post("/ingest/municipal-csv", params={"as-of": as_of}, content=b"x")

    assert refused.status_code == 400
    assert refused.json()["issue"][0]["diagnostics"] == "as-of"
    assert gateway.store.read(lambda uow: uow.inbox.entries()) == []


@pytest.mark.parametrize("as_of", ["2026-03-01T06:00:00+01:00", "2026-03-01T06:00:00"])
def test_a_time_is_the_time_the_snapshot_speaks_of(gateway: Gateway, sender: httpx.Client, as_of: str) -> None:
    sender.post("/ingest/municipal-csv", params={"as-of": as_of}, content=municipal(visit("A")))
    gateway.ingest.process_waiting()

    (taken,) = gateway.store.read(lambda uow: uow.snapshots.of("municipal-csv", ""))
    assert taken.taken_at == datetime.fromisoformat("2026-03-01T05:00:00+00:00")


def test_keeping_needs_no_working_map(gateway: Gateway, sender: httpx.Client, tmp_path: Path) -> None:
    """Even bytes that nothing can read are kept: they are the sender's word."""
    kept = sender.post("/ingest/rivta-logistics", content=b"\x00\xff\xfe", headers={"content-type": "image/png"})
    assert kept.status_code == 202
