"""`Prefer: respond-async`: kept, performed in the caller's name, answered to nobody else, once.

https://hl7.org/fhir/R4/async.html
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from gateway.access.caller import OPERATOR, Asking
from gateway.access.later import JOB, Asked
from gateway.app import Gateway, background, create_app, wire
from gateway.rest.later import Performer
from gateway.settings import Settings
from tests.rest.conftest import FHIR, REGION
from tests.rest.test_interactions import outcome

LATER = {"prefer": "respond-async"}


def answered(client: httpx.Client, accepted: httpx.Response) -> dict[str, Any]:
    """The one entry of the answer."""
    assert accepted.status_code == 202, accepted.text
    assert accepted.headers["preference-applied"] == "respond-async"
    for _ in range(300):
        status = client.get(accepted.headers["content-location"])
        if status.status_code != 202:
            break
        assert status.headers["retry-after"] and status.headers["x-progress"]
        time.sleep(0.05)
    assert status.status_code == 200, status.text
    bundle = status.json()
    assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "batch-response")
    (entry,) = bundle["entry"]
    assert isinstance(entry, dict)
    return entry


def test_a_search_is_answered_later_as_it_would_have_been(shared: httpx.Client) -> None:
    shared.put("/fhir/Organization/later", json={"resourceType": "Organization", "id": "later", "name": "Later"})
    search = "/fhir/Organization?_id=later&_elements=name"
    entry = answered(shared, shared.get(search, headers=LATER))

    assert entry["response"]["status"] == "200 OK"
    assert entry["resource"] == shared.get(search).json()
    form = shared.post(
        "/fhir/Organization/_search",
        content="_id=later",
        headers=LATER | {"content-type": "application/x-www-form-urlencoded"},
    )
    assert answered(shared, form)["resource"]["total"] == 1


def test_a_transaction_is_carried_out_later_and_once(shared: httpx.Client) -> None:
    entry = {
        "resource": {"resourceType": "Organization", "name": "Once"},
        "request": {"method": "POST", "url": "Organization"},
    }
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}
    done = answered(shared, shared.post("/fhir", json=bundle, headers=LATER))

    assert done["resource"]["type"] == "transaction-response"
    assert done["resource"]["entry"][0]["response"]["status"].startswith("201")
    assert shared.get("/fhir/Organization?name:exact=Once").json()["total"] == 1


def test_what_is_refused_is_refused_later(shared: httpx.Client) -> None:
    entry = answered(shared, shared.get("/fhir/Patient?colour=red", headers=LATER))

    assert entry["response"]["status"] == "400 Bad Request"
    assert entry["response"]["outcome"]["issue"][0]["details"]["coding"][0]["code"] == "unknown-search-parameter"
    assert "resource" not in entry


def test_the_answer_is_given_in_the_format_that_is_asked_for_then(shared: httpx.Client) -> None:
    accepted = shared.get("/fhir/Patient?_id=nobody&_format=xml", headers=LATER)
    assert "xml" in accepted.headers["content-type"]
    answered(shared, accepted)
    in_xml = shared.get(accepted.headers["content-location"], headers={"accept": "application/fhir+xml"})
    assert b"<Bundle " in in_xml.content


def test_other_preferences_are_kept(shared: httpx.Client) -> None:
    entry = answered(
        shared, shared.get("/fhir/Patient?colour=red", headers={"prefer": "respond-async, handling=lenient"})
    )
    assert entry["response"]["status"] == "200 OK"


def test_a_request_that_is_withdrawn_is_gone(shared: httpx.Client) -> None:
    accepted = shared.get("/fhir/_history?_count=1", headers=LATER)
    where = accepted.headers["content-location"]

    assert shared.delete(where).status_code == 202
    assert outcome(shared.get(where), 404)["details"]["coding"][0]["code"] == "request-unknown"
    assert outcome(shared.delete(where), 404)


def test_it_is_performed_in_the_name_of_who_asked_and_answered_to_nobody_else(
    operator: httpx.Client, client_of: Callable[..., httpx.Client]
) -> None:
    operator.put("/fhir/Patient/p", json={"resourceType": "Patient", "id": "p"})
    mine, others = client_of(REGION), client_of("SE2120001348-T0100")
    accepted = mine.get("/fhir/Patient?_id=p", headers=LATER)

    assert answered(mine, accepted)["resource"]["total"] == 0, "an organisation does not see more by waiting"
    assert outcome(others.get(accepted.headers["content-location"]), 404)
    assert outcome(operator.delete(accepted.headers["content-location"]), 404)
    assert answered(operator, operator.get("/fhir/Patient?_id=p", headers=LATER))["resource"]["total"] == 1


@pytest.fixture
def waiting(sqlite_url: str) -> Iterator[Gateway]:
    """A gateway whose server performs nothing."""
    wired = wire(Settings(database_url=sqlite_url, worker=False))
    yield wired
    wired.close()


def test_no_more_than_twenty_wait(waiting: Gateway) -> None:
    with background(waiting) as base, httpx.Client(timeout=60, base_url=base, headers=FHIR | LATER) as client:
        statuses = [client.get("/fhir/Patient").status_code for _ in range(21)]
        assert statuses == [202] * 20 + [429]
        where = client.get("/fhir/Patient", headers={"prefer": ""})
        assert where.status_code == 200


class Named:
    """A job that names a request."""

    def __init__(self, id: str) -> None:
        self.input = {"id": id}


def test_after_a_restart_reading_is_done_again_and_writing_is_not(waiting: Gateway) -> None:
    who = Asking(OPERATOR, "respond-async")
    headers = {"host": "127.0.0.1", "content-type": "application/fhir+json"}
    performer = Performer(create_app(waiting), waiting.door)
    read = waiting.door.defer(who, Asked("GET", "/fhir/Patient", "", headers))
    body = b'{"resourceType":"Bundle","type":"batch"}'
    write = waiting.door.defer(who, Asked("POST", "/fhir", "", headers, body))
    assert waiting.store.read(lambda uow: len(uow.jobs.of_kind(JOB))) == 2
    for id in (read, write):
        assert waiting.door.take(id) is not None, "a process takes it, and is killed"

    performer.perform(Named(read))
    performer.perform(Named(write))
    assert waiting.door.deferred(who, read).status == 200
    interrupted = waiting.door.deferred(who, write)
    assert interrupted.status == 503 and b'"interrupted"' in interrupted.body


def test_of_a_batch_is_told_how_far_it_is(waiting: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """The header is free text of less than 100 characters, and may be a percentage."""
    who = Asking(OPERATOR, "respond-async")
    entry = b'{"request":{"method":"GET","url":"Patient/none"}}'
    body = b'{"resourceType":"Bundle","type":"batch","entry":[' + b",".join([entry] * 4) + b"]}"
    headers = {"host": "127.0.0.1", "content-type": "application/fhir+json"}
    id = waiting.door.defer(who, Asked("POST", "/fhir", "", headers, body))
    told: list[str] = []
    with background(waiting) as base, httpx.Client(timeout=60, base_url=base) as client:
        tell = waiting.door.tell

        def and_look(id: str, percent: int) -> None:
            tell(id, percent)
            told.append(client.get(f"/fhir/_async/{id}").headers["x-progress"])

        monkeypatch.setattr(waiting.door, "tell", and_look)
        assert client.get(f"/fhir/_async/{id}").headers["x-progress"] == "waiting"
        Performer(create_app(waiting), waiting.door).perform(Named(id))
        assert told == ["25%", "50%", "75%"]
        assert client.get(f"/fhir/_async/{id}").status_code == 200
