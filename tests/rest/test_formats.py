"""JSON or XML: every answer in the format that is asked for, every body in the one that it says it is in.

https://hl7.org/fhir/R4/http.html#mime-type
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from starlette.requests import Request

from gateway.app import Gateway
from gateway.definitions import load
from gateway.errors import NotAcceptable
from gateway.fhir import xml
from gateway.fhir.check import check
from gateway.rest.format import negotiate, shown

XML = "application/fhir+xml"
JSON = "application/fhir+json"
PERSON = "http://electronichealth.se/identifier/personnummer"
OBSERVATION = b"""<?xml version="1.0" encoding="UTF-8"?>
<Observation xmlns="http://hl7.org/fhir">
  <!-- of a test person -->
  <status value="final"/>
  <code><text value="x"/></code>
  <valueQuantity><value value="1.50"/></valueQuantity>
</Observation>
"""


def read(answer: httpx.Response, status: int = 200) -> dict[str, Any]:
    """The sound resource that an XML answer holds."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].partition(";")[0] == XML
    resource = xml.parse(answer.content, load())
    assert check(resource, load()) == []
    return resource


@pytest.fixture(scope="module")
def patient(standing: httpx.Client) -> str:
    resource = {"resourceType": "Patient", "id": "p", "identifier": [{"system": PERSON, "value": "191212121212"}]}
    assert standing.put("/fhir/Patient/p", json=resource).status_code == 201
    return "p"


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (XML, XML),
        ("application/xml", XML),
        ("text/xml; charset=utf-8", XML),
        (f"{XML}; fhirVersion=4.0", XML),
        ("*/*", JSON),
        ("application/*", JSON),
        (f"*/*, {XML}", XML),
        (f"{JSON}, {XML}", JSON),
        (f"{XML}, {JSON}", XML),
        (f"{JSON};q=0.5, {XML};q=0.9", XML),
        (f"{XML};q=0.2, */*;q=0.8", JSON),
        (f"{JSON};q=0, */*", XML),
        (f"{XML};q=1.0, {JSON};q=1.0, application/xml+fhir;q=0.9", XML),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", JSON),
    ],
)
def test_the_answer_has_the_format_that_is_wanted_most(accept: str, media_type: str) -> None:
    assert settled(accept=accept) == media_type


@pytest.mark.parametrize(
    "accept", ["text/turtle", f"{XML};q=0", f"{XML};q=x", f"{JSON}; fhirVersion=5.0", "image/*, application/pdf"]
)
def test_a_format_that_is_not_served_is_refused_in_json(accept: str) -> None:
    with pytest.raises(NotAcceptable):
        settled(accept=accept)
    assert shown(asked(accept=accept)).media_type == JSON


@pytest.mark.parametrize("name", ["xml", "text/xml", "application/xml", XML, "application%2Ffhir%2Bxml"])
def test_format_in_the_address_has_the_word(name: str) -> None:
    assert settled(f"_format={name}", accept=JSON) == XML


def test_who_says_nothing_of_it_is_answered_as_he_sent() -> None:
    assert settled() == JSON
    assert settled(content_type=XML) == XML
    assert settled(content_type=XML, accept="*/*") == XML
    assert settled(content_type=XML, accept=JSON) == JSON


def asked(query: str = "", **headers: str) -> Request:
    lines = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "headers": lines, "query_string": query.encode()})


def settled(query: str = "", **headers: str) -> str:
    request = asked(query, **headers)
    negotiate(request)
    return shown(request).media_type


def test_every_kind_of_answer_is_given_in_xml(standing: httpx.Client, patient: str) -> None:
    wanted = {"accept": XML}

    one = standing.get(f"/fhir/Patient/{patient}").json()
    version = one["meta"]["versionId"]
    answer = standing.get(f"/fhir/Patient/{patient}", headers=wanted)
    assert read(answer) == one
    assert answer.headers["content-type"] == f"{XML}; fhirVersion=4.0"
    assert answer.headers["vary"] == "Accept"
    assert read(standing.get(f"/fhir/Patient/{patient}/_history/{version}", headers=wanted)) == one
    for path in ("Patient/p/_history", "Patient?_id=p", "Patient?colour=red", "metadata"):
        prefer = {"prefer": "handling=lenient"}
        in_json = standing.get(f"/fhir/{path}", headers=prefer).json()
        assert read(standing.get(f"/fhir/{path}", headers=wanted | prefer)) == in_json
    assert read(standing.get("/fhir/Patient/p/$who-does-what", headers=wanted))["type"] == "document"


def test_every_refusal_is_given_in_xml(standing: httpx.Client) -> None:
    wanted = {"accept": XML}
    refusals = [
        (standing.get("/fhir/Patient/none", headers=wanted), 404, "resource-unknown"),
        (standing.get("/fhir/Patient?colour=red", headers=wanted), 400, "unknown-search-parameter"),
        (standing.get("/fhir/Patient/1/$nonsense?_format=xml"), 404, "unknown-operation"),
        (standing.delete("/fhir/Patient/1/_history/1", headers=wanted), 405, "method-not-allowed"),
        (standing.get("/fhir/Task", headers=wanted | {"authorization": "Bearer x"}), 401, "token-unknown"),
    ]
    for answer, status, rule in refusals:
        assert read(answer, status)["issue"][0]["details"]["coding"][0]["code"] == rule


def test_what_is_created_in_xml_is_read_in_both_formats_with_its_digits(
    operator: httpx.Client, gateway: Gateway
) -> None:
    made = operator.post("/fhir/Observation", content=OBSERVATION, headers={"content-type": XML})

    created = read(made, 201)
    assert b'<value value="1.50"/>' in made.content
    answer = operator.get(made.headers["location"])
    assert b'"value":1.50}' in answer.content
    assert answer.json()["id"] == created["id"]
    # What is kept is what came.
    (entry,) = gateway.store.read(lambda uow: uow.inbox.entries())
    kept = gateway.store.read(lambda uow: uow.inbox.get(entry.id))
    assert kept is not None
    assert (kept.media_type, kept.body) == (XML, OBSERVATION)


def test_an_update_in_xml_is_answered_in_the_format_that_is_asked_for(standing: httpx.Client) -> None:
    body = OBSERVATION.replace(b"<status", b'<id value="o"/><status')
    sent = {"content-type": "application/xml"}

    assert read(standing.put("/fhir/Observation/o", content=body, headers=sent), 201)["id"] == "o"
    again = standing.put("/fhir/Observation/o", content=body, headers=sent | {"accept": JSON})
    assert again.status_code == 200
    assert again.json()["id"] == "o"


def test_a_body_in_xml_is_refused_with_line_and_path(standing: httpx.Client) -> None:
    sent = {"content-type": XML, "accept": JSON}

    body = b'<Patient xmlns="http://hl7.org/fhir">\n<nmae/></Patient>'
    issue = standing.post("/fhir/Patient", content=body, headers=sent).json()["issue"][0]
    assert issue["diagnostics"] == "line 2, column 1"
    assert issue["expression"] == ["Patient"]
    body = b'<Patient xmlns="http://hl7.org/fhir"><gender value="x"/></Patient>'
    refused = standing.post("/fhir/Patient", content=body, headers=sent)
    assert refused.status_code == 422
    assert refused.json()["issue"][0]["expression"] == ["Patient.gender"]
    doctype = b'<!DOCTYPE a [<!ENTITY b "c">]><Patient xmlns="http://hl7.org/fhir"/>'
    assert standing.post("/fhir/Patient", content=doctype, headers=sent).status_code == 400
    assert standing.post("/fhir/Task", content=OBSERVATION, headers=sent).status_code == 400


def test_a_body_of_another_version_or_format_is_refused(standing: httpx.Client) -> None:
    for content_type in ("text/turtle", f"{XML}; fhirVersion=3.0", ""):
        answer = standing.post("/fhir/Observation", content=OBSERVATION, headers={"content-type": content_type})
        assert answer.status_code == 415, content_type


def test_pretty_xml_is_indented(standing: httpx.Client, patient: str) -> None:
    answer = standing.get(f"/fhir/Patient/{patient}?_format=xml&_pretty=true")

    assert b'\n  <id value="p"/>\n' in answer.content
    assert read(answer) == standing.get(f"/fhir/Patient/{patient}").json()


def test_the_links_of_a_search_lead_to_pages_in_the_same_format(standing: httpx.Client) -> None:
    for n in range(3):
        assert standing.put(f"/fhir/Basic/b{n}", json=BASIC | {"id": f"b{n}"}).status_code == 201

    page = read(standing.get("/fhir/Basic?_count=1&_format=xml"))
    for _ in range(2):
        links = {link["relation"]: link["url"] for link in page["link"]}
        assert parse_qs(urlsplit(links["self"]).query)["_format"] == ["xml"]
        page = read(standing.get(links["next"]))
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert read(standing.post("/fhir/Basic/_search", content=b"_format=xml&_id=b1", headers=form))["total"] == 1


BASIC = {"resourceType": "Basic", "code": {"text": "x"}}


def test_metadata_lists_both_formats(standing: httpx.Client) -> None:
    assert {JSON, XML} <= set(read(standing.get("/fhir/metadata?_format=xml"))["format"])


@pytest.mark.parametrize("media_type", ["application/fhir+json", "application/fhir+xml"])
@pytest.mark.parametrize(
    "path", ["/fhir/%01%1b", "/fhir/Patient?%08=x", "/fhir/Patient/_history?_elements=%14", "/fhir/Patient/%EF%BF%BF"]
)
def test_a_refusal_holds_no_character_that_fhir_has_not(standing: httpx.Client, path: str, media_type: str) -> None:
    refused = standing.get(path, headers={"accept": media_type})
    assert refused.status_code in (400, 404), refused.text
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", refused.text)
    if media_type.endswith("json"):
        assert not re.search(r"\\u00[01]", refused.text)
