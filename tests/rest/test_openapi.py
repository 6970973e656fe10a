"""The OpenAPI document is valid, and tells of what is served: no more, no less.

https://spec.openapis.org/oas/v3.1.1.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import orjson
import pytest
from openapi_spec_validator import validate

from gateway.app import Gateway, background, create_app, wire
from gateway.definitions import load
from gateway.rest.offers import PARAMETERS
from gateway.rest.openapi import OFFERED
from gateway.rest.schemas import schemas
from gateway.settings import Settings
from gateway.web import pages
from tests.rest.test_every_route_is_decided import routes

EXAMPLES = Path(__file__).parents[2].parent / "shared/data/r4/examples/json"
FAULTY = {"Questionnaire-qs1.json"}
"""An item with a required element missing, which the specification itself is wrong about."""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Nothing here touches the database: one is enough."""
    wired = wire(Settings(database_url=f"sqlite:///{tmp_path_factory.mktemp('openapi')}/test.db", worker=False))
    yield wired
    wired.close()


@pytest.fixture(scope="module")
def operator(gateway: Gateway) -> Iterator[httpx.Client]:
    with background(gateway) as base, httpx.Client(timeout=60, base_url=base) as client:
        yield client


def document(client: httpx.Client, resource_type: str | None = None) -> dict[str, Any]:
    answer = client.get("/openapi.json", params={"type": resource_type} if resource_type else {})
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


@pytest.mark.parametrize("resource_type", [None, "Task"])
def test_the_document_is_valid(operator: httpx.Client, resource_type: str | None) -> None:
    validate(document(operator, resource_type))


def test_every_route_is_in_it_and_every_path_in_it_is_served(operator: httpx.Client, gateway: Gateway) -> None:
    for_people = {(method, path) for method, path, *_ in pages.ROUTES}
    served = set(routes(create_app(gateway))) - for_people
    told = {(method.upper(), path) for path, methods in document(operator)["paths"].items() for method in methods}
    assert told == served


def test_no_offer_and_no_parameter_is_idle(gateway: Gateway) -> None:
    app = create_app(gateway)
    app.state.load()
    handlers = {handler for _, _, handler in app.state.described}
    assert set(OFFERED) == handlers
    of_paths = {"resource_type", "compartment", "id", "version_id", "request_id", "file", "source", "message"}
    assert {key for offer in OFFERED.values() for key in offer.takes} | of_paths == set(PARAMETERS)


def test_no_interaction_is_announced_twice(operator: httpx.Client) -> None:
    (rest,) = operator.get("/fhir/metadata").json()["rest"]
    for announced in (rest["interaction"], *(one["interaction"] for one in rest["resource"])):
        codes = [one["code"] for one in announced]
        assert len(codes) == len(set(codes)), codes


def test_a_types_document_has_its_paths_and_the_search_parameters_that_are_announced(operator: httpx.Client) -> None:
    made = document(operator, "Task")
    assert {"/fhir/Task", "/fhir/Task/{id}", "/fhir/Task/_search"} <= set(made["paths"])
    assert all("Task" in path for path in made["paths"])
    (task,) = (one for one in operator.get("/fhir/metadata").json()["rest"][0]["resource"] if one["type"] == "Task")
    announced = {one["name"] for one in task["searchParam"]}
    told = {one["name"] for one in made["paths"]["/fhir/Task"]["get"]["parameters"] if "name" in one}
    assert announced <= told
    fields = made["paths"]["/fhir/Task/_search"]["post"]["requestBody"]["content"]
    assert announced <= set(fields["application/x-www-form-urlencoded"]["schema"]["properties"])


def test_a_type_that_no_compartment_holds_is_not_searched_within_one(operator: httpx.Client) -> None:
    assert "/fhir/{compartment}/{id}/Organization" not in document(operator, "Organization")["paths"]
    within = document(operator, "ResearchSubject")["paths"]["/fhir/{compartment}/{id}/ResearchSubject"]
    assert within["get"]["parameters"][0]["schema"]["enum"] == ["Patient"]


def test_it_says_where_it_was_reached(operator: httpx.Client) -> None:
    assert document(operator)["servers"] == [{"url": str(operator.base_url).rstrip("/")}]


def test_a_type_that_is_none_is_refused(operator: httpx.Client) -> None:
    refused = operator.get("/openapi.json", params={"type": "Errand"})
    assert refused.status_code == 400
    assert refused.json()["issue"][0]["details"]["coding"][0]["code"] == "unknown-resource-type"


def test_the_bounds_of_a_page_of_a_history_are_told(operator: httpx.Client) -> None:
    schema = document(operator)["components"]["parameters"]["_count"]["schema"]
    for count, status in ((schema["minimum"], 200), (schema["maximum"], 200), (schema["maximum"] + 1, 400)):
        assert operator.get("/fhir/_history", params={"_count": count}).status_code == status


def test_the_parameters_of_operations_have_the_form_of_their_types(operator: httpx.Client) -> None:
    told = document(operator)["paths"]["/fhir/Patient/{id}/$who-does-what"]["get"]["parameters"]
    (at,) = (one for one in told if one.get("name") == "at")
    assert jsonschema_rs.Draft202012Validator(at["schema"]).is_valid("2026-03-01")
    assert not jsonschema_rs.Draft202012Validator(at["schema"]).is_valid("monday")


def test_pretty_is_true_or_false_as_it_is_told(operator: httpx.Client) -> None:
    told = document(operator)["components"]["parameters"]
    for value in ("true", "false", "", "null", "True"):
        known = value in told["_pretty"]["schema"]["enum"]
        assert operator.get("/fhir/metadata", params={"_pretty": value}).is_success is known
    for value in ("json", "xml", "", "yaml"):
        known = value in told["_format"]["schema"]["enum"]
        assert operator.get("/fhir/metadata", params={"_format": value}).is_success is known


def test_the_document_names_the_types_that_it_is_asked_by(operator: httpx.Client) -> None:
    (asked, _) = document(operator)["paths"]["/openapi.json"]["get"]["parameters"]
    assert asked["name"] == "type" and "Task" in asked["schema"]["enum"] and "" not in asked["schema"]["enum"]


@cache
def validator(resource_type: str) -> jsonschema_rs.Draft202012Validator:
    made = json.loads(orjson.dumps(schemas(load(), [resource_type])))  # As it is sent.
    return jsonschema_rs.Draft202012Validator(
        {"$ref": f"#/components/schemas/{resource_type}", "components": {"schemas": made}}
    )


@pytest.mark.parametrize(
    ("resource", "valid"),
    [
        ({"resourceType": "Patient"}, True),
        ({"resourceType": "Task"}, False),
        ({"resourceType": "Patient", "colour": "red"}, False),
        ({"resourceType": "Patient", "gender": "male"}, True),
        ({"resourceType": "Patient", "gender": "red"}, False),
        ({"resourceType": "Patient", "birthDate": "1912-12"}, True),
        ({"resourceType": "Patient", "birthDate": "1912-13"}, False),
        ({"resourceType": "Patient", "name": []}, False),
        ({"resourceType": "Patient", "name": [{}]}, False),
        ({"resourceType": "Patient", "name": [{"given": [None, "B"], "_given": [{"id": "a"}, None]}]}, True),
        ({"resourceType": "Basic", "code": {"text": ""}}, False),
        ({"resourceType": "Binary", "_contentType": {"extension": [{"url": "http://a.example"}]}}, True),
    ],
)
def test_a_schema_has_the_form_of_the_type(resource: dict[str, Any], valid: bool) -> None:
    assert validator(resource["resourceType"]).is_valid(resource) is valid


@pytest.mark.corpus
def test_the_official_examples_are_valid_by_the_schemas() -> None:
    if not EXAMPLES.is_dir():
        pytest.skip("the official examples are not here")
    wrong = set()
    for file in EXAMPLES.glob("*.json"):
        resource = json.loads(file.read_bytes())
        if "resourceType" in resource and not validator(resource["resourceType"]).is_valid(resource):
            wrong.add(file.name)
    assert wrong == FAULTY
