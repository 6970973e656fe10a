"""Patient/$ihe-pix: the profile's answers, 200, 400, 403 and 404 (coordination C-71)."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from gateway.app import Gateway
from tests.rest.conftest import REGION, as_organisation

PNR = "http://electronichealth.se/identifier/personnummer"
SAM = "http://electronichealth.se/identifier/samordningsnummer"
RED, BLUE = "urn:oid:1.2.3.1", "urn:oid:1.2.3.2"


def identified(id: str, *identifiers: tuple[str, str]) -> dict[str, Any]:
    named = [{"system": system, "value": value} for system, value in identifiers]
    return {"resourceType": "Patient", "id": id, "identifier": named}


@pytest.fixture(scope="module")
def alice(standing: httpx.Client) -> httpx.Client:
    for one in (
        identified("alice", (PNR, "191212121212"), (RED, "RED-1"), (BLUE, "BLUE-1"), (BLUE, "BLUE-2")),
        identified("other", (RED, "RED-2")),
    ):
        assert standing.put(f"/fhir/Patient/{one['id']}", content=json.dumps(one)).is_success
    return standing


def told(answer: httpx.Response) -> tuple[set[str], set[str]]:
    """The identifiers and the Patients that are told."""
    assert answer.status_code == 200, answer.text
    parameters = answer.json().get("parameter", ())
    values = {one["valueIdentifier"]["value"] for one in parameters if one["name"] == "targetIdentifier"}
    return values, {one["valueReference"]["reference"] for one in parameters if one["name"] == "targetId"}


def asked(client: httpx.Client, source: str, *targets: str) -> httpx.Response:
    return client.get("/fhir/Patient/$ihe-pix", params={"sourceIdentifier": source, "targetSystem": list(targets)})


def test_an_identifier_leads_to_the_others_and_to_the_patient(alice: httpx.Client) -> None:
    assert told(asked(alice, f"{RED}|RED-1")) == ({"191212121212", "BLUE-1", "BLUE-2"}, {"Patient/alice"})
    assert told(asked(alice, f"{RED}|RED-1", BLUE)) == ({"BLUE-1", "BLUE-2"}, set())
    assert told(asked(alice, f"{RED}|RED-1", PNR, BLUE))[0] == {"191212121212", "BLUE-1", "BLUE-2"}
    # Known domains without a value for this person are no error.
    assert told(asked(alice, f"{RED}|RED-2", BLUE)) == (set(), set())
    assert told(asked(alice, f"{RED}|RED-2", SAM)) == (set(), set())
    # A national number in another spelling is the same number, and is not told back.
    assert told(asked(alice, "urn:oid:1.2.752.129.2.1.3.1|19121212-1212"))[0] == {"RED-1", "BLUE-1", "BLUE-2"}


def test_a_patient_of_this_server_is_an_identifier_too(alice: httpx.Client) -> None:
    base = f"{alice.base_url}".rstrip("/") + "/fhir"
    values, patients = told(asked(alice, f"{base}|Patient/alice"))
    assert (values, patients) == ({"191212121212", "RED-1", "BLUE-1", "BLUE-2"}, set())
    assert told(asked(alice, f"{RED}|RED-1", base)) == (set(), {"Patient/alice"})
    assert asked(alice, f"{base}|Patient/nobody").status_code == 404


def test_it_is_asked_by_parameters_too(alice: httpx.Client) -> None:
    source = {"name": "sourceIdentifier", "valueIdentifier": {"system": RED, "value": "RED-1"}}
    target = {"name": "targetSystem", "valueUri": BLUE}
    body = json.dumps({"resourceType": "Parameters", "parameter": [source, target]})
    assert told(alice.post("/fhir/Patient/$ihe-pix", content=body)) == ({"BLUE-1", "BLUE-2"}, set())
    xml = alice.get(f"/fhir/Patient/$ihe-pix?sourceIdentifier={RED}|RED-1&_format=xml")
    assert xml.headers["content-type"].startswith("application/fhir+xml") and "BLUE-2" in xml.text


@pytest.mark.parametrize(
    ("source", "target", "status", "code", "words"),
    [
        (f"{RED}|NONE", None, 404, "not-found", "sourceIdentifier Patient Identifier not found"),
        (f"{PNR}|194107142384", None, 404, "not-found", "sourceIdentifier Patient Identifier not found"),
        ("urn:oid:9.9|1", None, 400, "code-invalid", "sourceIdentifier Assigning Authority not found"),
        (f"{RED}|RED-1", "urn:oid:9.9", 403, "code-invalid", "targetSystem not found"),
    ],
)
def test_refusals_are_those_of_the_profile(
    alice: httpx.Client, source: str, target: str | None, status: int, code: str, words: str
) -> None:
    answer = asked(alice, source, *([target] if target else []))
    (issue,) = answer.json()["issue"]
    assert (answer.status_code, issue["code"], issue["diagnostics"]) == (status, code, words)


def test_others_are_told_of_nobody(alice: httpx.Client, standing_gateway: Gateway) -> None:
    with httpx.Client(base_url=alice.base_url, headers=as_organisation(standing_gateway, REGION)) as stranger:
        assert asked(stranger, f"{PNR}|191212121212").status_code == 404
        assert asked(stranger, f"{RED}|RED-1").status_code == 400  # Not even the domain is known to him.


@pytest.mark.parametrize("query", ["", "?sourceIdentifier=1", "?sourceIdentifier=a|1&sourceIdentifier=a|2", "?x=1"])
def test_what_names_no_identifier_is_refused(shared: httpx.Client, query: str) -> None:
    assert shared.get(f"/fhir/Patient/$ihe-pix{query}").status_code == 400
