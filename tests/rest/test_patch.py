"""patch over HTTP in each of R4's languages, with its conditions and refusals.

https://hl7.org/fhir/R4/http.html#patch
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.rest.conftest import REGION
from tests.rest.test_interactions import PATIENT, outcome

JSON_PATCH = "application/json-patch+json"
XML_PATCH = "application/xml-patch+xml"
FEMALE: dict[str, tuple[str, str]] = {
    "JSON Patch": (JSON_PATCH, '[{"op": "add", "path": "/gender", "value": "female"}]'),
    "XML Patch": (
        XML_PATCH,
        """<diff xmlns="http://hl7.org/fhir"><add sel="Patient/birthDate" pos="before"><gender value="female"/></add>
        </diff>""",
    ),
    "FHIRPath Patch in JSON": (
        "application/fhir+json",
        """{"resourceType": "Parameters", "parameter": [{"name": "operation", "part": [
            {"name": "type", "valueCode": "add"}, {"name": "path", "valueString": "Patient"},
            {"name": "name", "valueString": "gender"}, {"name": "value", "valueCode": "female"}]}]}""",
    ),
    "FHIRPath Patch in XML": (
        "application/fhir+xml",
        """<Parameters xmlns="http://hl7.org/fhir"><parameter><name value="operation"/>
        <part><name value="type"/><valueCode value="add"/></part>
        <part><name value="path"/><valueString value="Patient"/></part>
        <part><name value="name"/><valueString value="gender"/></part>
        <part><name value="value"/><valueCode value="female"/></part></parameter></Parameters>""",
    ),
}


def made(client: httpx.Client, resource: dict[str, Any] = PATIENT) -> tuple[str, str]:
    """The address and ETag of a new resource."""
    answer = client.post(f"/fhir/{resource['resourceType']}", json=resource)
    assert answer.status_code == 201, answer.text
    return f"/fhir/{resource['resourceType']}/{answer.json()['id']}", answer.headers["etag"]


def patched(client: httpx.Client, address: str, media_type: str, body: str, **headers: str) -> httpx.Response:
    return client.patch(address, content=body, headers={"content-type": media_type, "accept": "*/*"} | headers)


@pytest.mark.parametrize("language", FEMALE)
def test_a_patch_makes_a_version(shared: httpx.Client, language: str) -> None:
    address, etag = made(shared)
    answer = patched(shared, address, *FEMALE[language])

    assert answer.status_code == 200, answer.text
    assert answer.headers["etag"] not in ("", etag)
    assert answer.headers["location"].endswith(f"{address}/_history/{answer.headers['etag'][3:-1]}")
    assert ("xml" in answer.headers["content-type"]) == ("XML" in language), "answered in the kind that was sent"
    read = shared.get(address).json()
    assert read["gender"] == "female"
    assert {name: read[name] for name in PATIENT} == PATIENT
    assert len(shared.get(f"{address}/_history").json()["entry"]) == 2


def test_a_patch_that_changes_nothing_makes_no_version(shared: httpx.Client) -> None:
    address, etag = made(shared)
    answer = patched(shared, address, JSON_PATCH, '[{"op": "test", "path": "/birthDate", "value": "1912-12-12"}]')

    assert (answer.status_code, answer.headers["etag"]) == (200, etag)


def test_a_patch_is_done_only_to_the_version_that_is_named(shared: httpx.Client) -> None:
    address, etag = made(shared)

    assert outcome(patched(shared, address, *FEMALE["JSON Patch"], **{"if-match": 'W/"other"'}), 412)
    assert patched(shared, address, *FEMALE["JSON Patch"], **{"if-match": etag}).status_code == 200
    assert outcome(patched(shared, address, *FEMALE["JSON Patch"], **{"if-match": etag}), 412)


@pytest.mark.parametrize(
    ("media_type", "body", "status", "rule"),
    [
        (JSON_PATCH, '[{"op": "test", "path": "/birthDate", "value": "1"}]', 409, "patch-test-failed"),
        (JSON_PATCH, '[{"op": "replace", "path": "/gender", "value": "male"}]', 422, "patch-inapplicable"),
        (JSON_PATCH, '[{"op": "add", "path": "/gender", "value": "blue"}]', 422, "required-binding"),
        (JSON_PATCH, '[{"op": "add", "path": "/colour", "value": "blue"}]', 422, "unknown-element"),
        (JSON_PATCH, '[{"op": "add", "path": "/birthDate", "value": 6.30}]', 422, "primitive-format"),
        (JSON_PATCH, '[{"op": "replace", "path": "/id", "value": "other"}]', 422, "patch-identity"),
        (JSON_PATCH, '{"op": "remove"}', 400, "patch-malformed"),
        (JSON_PATCH, "[", 400, "json-syntax"),
        (XML_PATCH, "<diff><remove sel='f:Patient/f:gender'/></diff>", 422, "patch-inapplicable"),
        (
            JSON_PATCH,
            json.dumps(
                [
                    {
                        "op": "add",
                        "path": "/text",
                        "value": {
                            "status": "generated",
                            "div": '<div xmlns="http://www.w3.org/1999/xhtml"><script>x</script></div>',
                        },
                    }
                ]
            ),
            422,
            "txt-1",
        ),
        ("application/fhir+json", json.dumps(PATIENT), 400, "patch-malformed"),
        ("text/plain", "x", 415, "media-type"),
        ("application/merge-patch+json", "{}", 415, "media-type"),
    ],
)
def test_a_patch_that_cannot_be_done_is_refused_and_changes_nothing(
    shared: httpx.Client, media_type: str, body: str, status: int, rule: str
) -> None:
    address, etag = made(shared)

    refused = patched(shared, address, media_type, body, accept="application/fhir+json")
    assert outcome(refused, status)["details"]["coding"][0]["code"] == rule
    assert shared.get(address).headers["etag"] == etag


def test_what_is_not_there_or_deleted_is_not_patched(shared: httpx.Client) -> None:
    address, _ = made(shared)
    shared.delete(address)

    assert outcome(patched(shared, address, *FEMALE["JSON Patch"]), 410)
    assert outcome(patched(shared, "/fhir/Patient/nobody", *FEMALE["JSON Patch"]), 404)
    assert outcome(patched(shared, "/fhir/Nonsense/1", *FEMALE["JSON Patch"]), 404)


def test_who_has_no_part_in_the_care_patches_as_if_nothing_were_there(
    operator: httpx.Client, client_of: Callable[..., httpx.Client]
) -> None:
    address, etag = made(operator)
    stranger = client_of(REGION)

    assert outcome(patched(stranger, address, *FEMALE["JSON Patch"]), 404)
    assert outcome(patched(stranger, address, JSON_PATCH, '[{"op": "test", "path": "/id", "value": "x"}]'), 404)
    assert operator.get(address).headers["etag"] == etag


def test_decimals_keep_their_digits_through_a_patch(shared: httpx.Client) -> None:
    body = b'{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":1.50}}'
    address = f"/fhir/Observation/{shared.post('/fhir/Observation', content=body).json()['id']}"
    for media_type, change in (
        (JSON_PATCH, '[{"op": "add", "path": "/referenceRange", "value": [{"low": {"value": 6.300}}]}]'),
        (XML_PATCH, "<diff><replace sel='f:Observation/f:status/@value'>amended</replace></diff>"),
    ):
        assert patched(shared, address, media_type, change).status_code == 200
    assert b'"value":1.50}' in shared.get(address).content
    assert b'"value":6.300}' in shared.get(address).content
