"""How an answer is shown: `_summary`, `_elements`, HEAD, Prefer, formats, CORS, and what an address allows.

https://hl7.org/fhir/R4/http.html and https://hl7.org/fhir/R4/search.html#summary
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from shutil import copy
from typing import Any

import httpx
import pytest

from gateway.app import background, wire
from gateway.settings import Settings
from tests.rest.conftest import FHIR
from tests.rest.test_interactions import outcome

SUBSETTED = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue|SUBSETTED"
DIV = '<div xmlns="http://www.w3.org/1999/xhtml">x</div>'


@pytest.fixture(scope="module")
def observation(shared: httpx.Client) -> str:
    """The address of an Observation of a Patient, in a series of its own."""
    shared.put(
        "/fhir/Patient/viewed",
        json={
            "resourceType": "Patient",
            "id": "viewed",
            "text": {"status": "generated", "div": DIV},
            "name": [{"family": "F", "given": ["G"]}],
            "contact": [{"gender": "male"}],
        },
    )
    body = {
        "resourceType": "Observation",
        "id": "viewed",
        "text": {"status": "generated", "div": DIV},
        "identifier": [{"system": "urn:views", "value": "1"}],
        "status": "final",
        "code": {"text": "c", "coding": [{"code": "a"}]},
        "subject": {"reference": "Patient/viewed"},
        "valueQuantity": {"value": 1, "unit": "g"},
        "note": [{"text": "n"}],
        "modifierExtension": [{"url": "urn:m", "valueCode": "x"}],
    }
    assert shared.put("/fhir/Observation/viewed", json=body).is_success
    return "/fhir/Observation/viewed"


def names(resource: dict[str, Any]) -> set[str]:
    """The elements of a resource but type, id and meta; it must say whether it is whole."""
    rest = set(resource) - {"resourceType", "id", "meta"}
    tags = [f"{tag['system']}|{tag['code']}" for tag in resource["meta"].get("tag", ())]
    assert tags in ([], [SUBSETTED])
    return rest | ({"SUBSETTED"} if tags else set())


ALL = {"text", "identifier", "status", "code", "subject", "valueQuantity", "note", "modifierExtension"}


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("_summary=false", ALL),
        ("_summary=true", ALL - {"text", "note"} | {"SUBSETTED"}),
        ("_summary=text", {"text", "status", "code", "modifierExtension", "SUBSETTED"}),
        ("_summary=data", ALL - {"text"} | {"SUBSETTED"}),
        ("_elements=note", {"note", "status", "code", "modifierExtension", "SUBSETTED"}),
        ("_elements=note,identifier", {"note", "identifier", "status", "code", "modifierExtension", "SUBSETTED"}),
        ("_elements=value", {"valueQuantity", "status", "code", "modifierExtension", "SUBSETTED"}),
        ("_elements=Observation.note", {"note", "status", "code", "modifierExtension", "SUBSETTED"}),
        ("_elements=Patient.name", ALL),
    ],
)
def test_a_view_leaves_what_is_asked_for_and_required(
    shared: httpx.Client, observation: str, query: str, left: set[str]
) -> None:
    read = shared.get(f"{observation}?{query}")
    assert names(read.json()) == left
    version = read.headers["etag"][3:-1]
    assert shared.get(f"{observation}/_history/{version}?{query}").json() == read.json()
    for bundle in (f"/fhir/Observation?_id=viewed&{query}", f"{observation}/_history?{query}"):
        (entry,) = shared.get(bundle).json()["entry"]
        assert entry["resource"] == read.json()


def test_a_view_goes_below_an_element_that_is_named_with_a_path(shared: httpx.Client, observation: str) -> None:
    read = shared.get("/fhir/Patient/viewed?_elements=name.given").json()
    assert read["name"] == [{"given": ["G"]}]
    assert shared.get("/fhir/Patient/viewed?_elements=name.given,name").json()["name"] == [
        {"family": "F", "given": ["G"]}
    ]


def test_what_is_included_is_whole_unless_its_own_type_is_named(shared: httpx.Client, observation: str) -> None:
    search = "/fhir/Observation?_id=viewed&_include=Observation:subject&_elements="
    first = {one["resource"]["resourceType"]: one["resource"] for one in shared.get(f"{search}note").json()["entry"]}
    assert {"name", "contact"} <= names(first["Patient"]) and "subject" not in first["Observation"]
    second = {
        one["resource"]["resourceType"]: one["resource"]
        for one in shared.get(f"{search}note,Patient.name").json()["entry"]
    }
    assert names(second["Patient"]) == {"name", "SUBSETTED"}


def test_links_to_further_pages_keep_the_view(shared: httpx.Client, observation: str) -> None:
    shared.put("/fhir/Observation/viewed-2", json=shared.get(observation).json() | {"id": "viewed-2"})
    page = shared.get("/fhir/Observation?identifier=urn:views|&_count=1&_elements=note").json()
    seen = 0
    while True:
        assert all("subject" not in one["resource"] for one in page["entry"])
        seen += len(page["entry"])
        following = [link["url"] for link in page["link"] if link["relation"] == "next"]
        if not following:
            break
        page = shared.get(following[0]).json()
    assert seen == 2


@pytest.mark.parametrize(
    ("address", "rule"),
    [
        ("/fhir/Observation/viewed?_summary=some", "malformed-value"),
        ("/fhir/Observation/viewed?_summary=count", "summary"),
        ("/fhir/Observation/viewed?_elements=shoes", "unknown-element"),
        ("/fhir/Observation/viewed?_elements=code.shoes", "unknown-element"),
        ("/fhir/Observation?_elements=Patient.shoes", "unknown-element"),
    ],
)
def test_a_view_that_cannot_be_given_is_refused(
    shared: httpx.Client, observation: str, address: str, rule: str
) -> None:
    refused = shared.get(address, headers={"accept": "application/fhir+xml"})
    assert refused.status_code == 400 and f'code value="{rule}"' in refused.text
    lenient = shared.get("/fhir/Observation/viewed?_elements=shoes", headers={"prefer": "handling=lenient"})
    assert lenient.status_code == 200


def test_head_is_answered_as_get_without_a_body(shared: httpx.Client, observation: str) -> None:
    for address in (observation, "/fhir/Observation?_id=viewed", "/fhir/metadata", f"{observation}/_history"):
        head, get = shared.head(address), shared.get(address)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers.get("etag") == get.headers.get("etag")
        assert head.headers["content-type"] == get.headers["content-type"]
    assert shared.head("/fhir/Observation/nothing").status_code == 404


def test_a_write_is_answered_as_the_client_prefers(shared: httpx.Client) -> None:
    body = {"resourceType": "Organization", "name": "Fotvården"}
    for wanted in ("minimal", "representation", "OperationOutcome"):
        made = shared.post("/fhir/Organization", json=body, headers={"prefer": f"handling=strict, return={wanted}"})
        assert made.status_code == 201 and made.headers["location"] and made.headers["etag"]
        assert "last-modified" in made.headers
        if wanted == "minimal":
            assert made.content == b""
        else:
            kind = "Organization" if wanted == "representation" else wanted
            assert made.json()["resourceType"] == kind
        if wanted != "representation":
            assert made.headers["preference-applied"] == f"return={wanted}"
    where = "/fhir/Organization/" + made.headers["location"].split("/")[-3]
    deleted = shared.delete(where, headers={"prefer": "return=OperationOutcome"})
    assert deleted.status_code == 200 and outcome(deleted, 200)["severity"] == "information"


@pytest.mark.parametrize("given", ["json", "application/json", "text/json", "application/fhir+json", "*/*"])
def test_json_is_known_by_each_of_its_names(shared: httpx.Client, given: str) -> None:
    assert (
        shared.get("/fhir/metadata", headers={"accept": given})
        .headers["content-type"]
        .startswith("application/fhir+json")
    )


@pytest.mark.parametrize(
    ("method", "address", "allowed"),
    [
        ("POST", "/fhir/Patient/x", "DELETE, GET, HEAD, PATCH, PUT"),
        ("DELETE", "/fhir/Patient/x/_history", "GET, HEAD"),
        ("PUT", "/fhir/Patient/_history", "GET, HEAD"),
        ("POST", "/fhir/metadata", "GET, HEAD"),
        ("DELETE", "/fhir/_history", "GET, HEAD"),
        ("GET", "/fhir/Patient/_search", "POST"),
        ("GET", "/fhir/_search", "POST"),
        ("POST", "/fhir/Patient/x/$who-does-what", "GET, HEAD"),
        ("PUT", "/fhir/ConceptMap/$translate", "GET, HEAD, POST"),
        ("PUT", "/fhir", "GET, HEAD, POST"),
    ],
)
def test_an_address_says_what_it_allows(shared: httpx.Client, method: str, address: str, allowed: str) -> None:
    refused = shared.request(method, address)
    assert outcome(refused, 405)["code"] == "not-supported"
    assert refused.headers["allow"] == allowed


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    "address", ["$x", "Patient/$x", "Patient/p/$x", "Task/$who-does-what", "Patient/p/_history/$x"]
)
def test_an_operation_that_there_is_not_is_not_found(shared: httpx.Client, method: str, address: str) -> None:
    refused = shared.request(method, f"/fhir/{address}")
    assert outcome(refused, 404)["details"]["coding"][0]["code"] == "unknown-operation"


@pytest.fixture(scope="module")
def guarded(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A server that is open to one origin and demands If-Match."""
    path = tmp_path_factory.mktemp("guarded") / "guarded.db"
    copy(sqlite_template, path)
    settings = Settings(
        database_url=f"sqlite:///{path}", cors_origins="https://app.example", require_if_match=True, worker=False
    )
    wired = wire(settings)
    with background(wired) as base, httpx.Client(timeout=60, base_url=base, headers=FHIR) as client:
        yield client
    wired.close()


def test_a_change_without_if_match_is_refused_where_the_setting_says_so(guarded: httpx.Client) -> None:
    body = {"resourceType": "Organization", "id": "o", "name": "A"}
    made = guarded.put("/fhir/Organization/o", json=body)
    assert made.status_code == 201, "what is not there has no version to be named"
    change = [{"op": "replace", "path": "/name", "value": "C"}]

    assert outcome(guarded.put("/fhir/Organization/o", json=body | {"name": "B"}), 428)["code"] == "required"
    assert outcome(guarded.patch("/fhir/Organization/o", json=change, headers=JSON_PATCH), 428)
    assert outcome(guarded.delete("/fhir/Organization/o"), 428)
    etag = {"if-match": made.headers["etag"]}
    assert guarded.patch("/fhir/Organization/o", json=change, headers=JSON_PATCH | etag).status_code == 200
    assert guarded.get("/fhir/metadata").json()["rest"][0]["resource"][0]["versioning"] == "versioned-update"


JSON_PATCH = {"content-type": "application/json-patch+json"}


def test_pages_of_a_configured_origin_may_call_the_api_and_read_its_headers(guarded: httpx.Client) -> None:
    asked = {
        "origin": "https://app.example",
        "access-control-request-method": "PATCH",
        "access-control-request-headers": "authorization, if-match, prefer",
    }
    preflight = guarded.options("/fhir/Patient/x", headers=asked)
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == "https://app.example"
    assert "PATCH" in preflight.headers["access-control-allow-methods"]
    assert "access-control-allow-credentials" not in preflight.headers
    answer = guarded.get("/fhir/metadata", headers={"origin": "https://app.example"})
    exposed = answer.headers["access-control-expose-headers"].lower()
    assert all(name in exposed for name in ("etag", "location", "content-location", "last-modified", "x-progress"))


def test_other_origins_and_other_addresses_stay_closed(guarded: httpx.Client, shared: httpx.Client) -> None:
    other = {"origin": "https://other.example", "access-control-request-method": "GET"}
    assert "access-control-allow-origin" not in guarded.options("/fhir/Patient/x", headers=other).headers
    assert (
        "access-control-allow-origin" not in guarded.get("/health", headers={"origin": "https://app.example"}).headers
    )
    assert "access-control-allow-origin" not in shared.get("/fhir/metadata", headers=other).headers
