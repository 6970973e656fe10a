"""What is malformed is refused before anything is looked at: it says nothing of anybody, and is no access to record.

What is refused after something was looked at is recorded, with the person whom it is about.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import httpx
import pytest

from gateway.app import Gateway
from tests.rest.conftest import FHIR, as_organisation

HSA = "urn:oid:1.2.752.29.4.19"
PARTY, STRANGER = "SE2120001348-W700", "SE2120001348-W701"
JSON_PATCH = {"content-type": "application/json-patch+json"}
RESOURCE = {"resourceType": "Task", "status": "requested", "intent": "order"}


class Asked(NamedTuple):
    """A request about the person `{}`."""

    method: str
    path: str
    body: Any = None
    headers: Mapping[str, str] = MappingProxyType({})


def task(**more: Any) -> str:
    return json.dumps(RESOURCE | {"id": "of-{}", "for": {"reference": "Patient/{}"}} | more)


UNSEEN = {
    "a parameter that is none": Asked("GET", "Patient/{}?_summary=zz"),
    "a format that is not offered": Asked("GET", "Patient/{}", headers={"accept": "text/csv"}),
    "a search that is none": Asked("GET", "Task?subject=Patient/{}&authored-on=zz"),
    "a parameter that is not searched by": Asked("GET", "Patient?_id={}&colour=red"),
    "a time that is none": Asked("GET", "Patient/{}/$who-does-what?at=zz"),
    "a history since no time": Asked("GET", "Patient/{}/_history?_since=zz"),
    "no JSON": Asked("PUT", "Patient/{}", "{{"),
    "no media type": Asked("PUT", "Patient/{}", "x", {"content-type": "text/csv"}),
    "another id": Asked("PUT", "Task/of-{}", task(id="another")),
    "a status that is none": Asked("PUT", "Task/of-{}", task(status="zz")),
    "an element that is none": Asked("POST", "Task", task(colour="red")),
    "no version": Asked("DELETE", "Patient/{}", headers={"if-match": "zz"}),
    "no patch": Asked("PATCH", "Task/of-{}", '[{"op": "zz"}]', JSON_PATCH),
    "an operation without what it needs": Asked("POST", "Patient/$match", '{"resourceType": "Parameters"}'),
}
SEEN = {
    "version-differs": Asked("PUT", "Task/of-{}", task(), {"if-match": 'W/"99"'}),
    "patch-test-failed": Asked("PATCH", "Task/of-{}", '[{"op": "test", "path": "/status", "value": "x"}]', JSON_PATCH),
    "required-binding": Asked(
        "PATCH", "Task/of-{}", '[{"op": "replace", "path": "/status", "value": "x"}]', JSON_PATCH
    ),
}


@pytest.fixture(scope="module")
def there(shared: httpx.Client) -> str:
    """A person with a Task of the party's."""
    assert shared.put("/fhir/Patient/seen", json={"resourceType": "Patient", "id": "seen"}).status_code == 201
    owner = {"identifier": {"system": HSA, "value": PARTY}}
    made = json.loads(task(owner=owner).replace("{}", "seen"))
    assert shared.put("/fhir/Task/of-seen", json=made).status_code == 201
    return "seen"


@pytest.fixture(params=["operator", PARTY, STRANGER])
def caller(request: pytest.FixtureRequest, shared_address: str, shared_gateway: Gateway) -> Iterator[httpx.Client]:
    headers = FHIR if request.param == "operator" else as_organisation(shared_gateway, request.param)
    with httpx.Client(base_url=shared_address, headers=headers, timeout=60) as client:
        yield client


def ask(client: httpx.Client, asked: Asked, person: str) -> httpx.Response:
    content = None if asked.body is None else asked.body.replace("{}", person)
    path = f"/fhir/{asked.path.format(person)}"
    return client.request(asked.method, path, content=content, headers={"x-request-id": "same", **asked.headers})


def audited(gateway: Gateway) -> list[Any]:
    return list(gateway.store.read(lambda uow: uow.audit.latest(limit=100_000)))


@pytest.mark.parametrize("asked", UNSEEN.values(), ids=UNSEEN)
def test_what_is_malformed_is_answered_alike_whoever_is_there_and_recorded_of_nobody(
    caller: httpx.Client, shared_gateway: Gateway, there: str, asked: Asked
) -> None:
    before = len(audited(shared_gateway))
    answer, otherwise = ask(caller, asked, there), ask(caller, asked, "gone")
    assert answer.status_code in (400, 406, 415, 422), answer.text
    assert (answer.status_code, answer.text) == (otherwise.status_code, otherwise.text)
    assert len(audited(shared_gateway)) == before


@pytest.mark.parametrize(("rule", "asked"), SEEN.items(), ids=SEEN)
def test_what_is_refused_after_a_look_is_recorded_with_the_person(
    shared: httpx.Client, shared_gateway: Gateway, there: str, rule: str, asked: Asked
) -> None:
    """A test of a patch that does not hold says what a value is not; its event named nobody."""
    before = len(audited(shared_gateway))
    answer = ask(shared, asked, there)
    assert answer.json()["issue"][0]["details"]["coding"][0]["code"] == rule
    (row,) = audited(shared_gateway)[: len(audited(shared_gateway)) - before]
    assert (row.person, row.event["outcome"], row.event["outcomeDesc"]) == (there, "4", rule)
    assert "Patient/seen" in str(row.event["entity"])
