"""Paths over the nodes of source formats, and what the environment gives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from gateway.fhirpath import Environment, FHIRPathError, compile
from gateway.formats.node import Node


def leaf(name: str, value: Any) -> Node:
    return Node(name, value)


def tree(name: str, *kids: Node) -> Node:
    by_name: dict[str, list[Node]] = {}
    for kid in kids:
        by_name.setdefault(kid.name, []).append(kid)
    return Node(name, None, by_name)


CONTACT = tree(
    "careContact",
    tree("header", leaf("documentId", "d1"), leaf("authorTime", "20261122")),
    tree("body", leaf("status", "active"), tree("reason", leaf("code", "A")), tree("reason", leaf("code", "B"))),
)
PID = tree("ADT", tree("PID", tree("3", leaf("1", "191212121212")), tree("3", leaf("1", "x"))))


def test_a_path_leads_to_the_values_of_leaves() -> None:
    assert compile("header.documentId")(CONTACT) == ["d1"]
    assert compile("body.reason.code")(CONTACT) == ["A", "B"]
    assert compile("body.reason.where(code = 'B').code")(CONTACT) == ["B"]


def test_a_branch_comes_out_as_its_node() -> None:
    assert compile("body.reason.first()")(CONTACT) == [CONTACT.kids["body"][0].kids["reason"][0]]


def test_fields_that_are_numbers_stand_between_backquotes() -> None:
    assert compile("PID.`3`.`1`.first()")(PID) == ["191212121212"]


def test_functions_and_operators_work_on_the_values() -> None:
    assert compile("'id-' + header.documentId")(CONTACT) == ["id-d1"]
    assert compile("header.authorTime.substring(0, 4).toInteger() + 1")(CONTACT) == [2027]
    assert compile("body.status in ('active' | 'done')")(CONTACT) == [True]
    assert compile("body.nothing.exists()")(CONTACT) == [False]
    assert compile("body.children().count()")(CONTACT) == [3]
    assert compile("descendants().where(code = 'A').exists()")(CONTACT) == [True]
    assert compile("iif(body.status = 'active', 'in-progress', 'finished')")(CONTACT) == ["in-progress"]


def test_variables_may_be_nodes_json_or_values() -> None:
    variables = {
        "node": CONTACT,
        "json": {"hsaId": "SE1", "list": [1, 2]},
        "text": "x",
        "none": None,
        "many": ["a", "b"],
    }
    environment = Environment(variables=variables)
    expected = {
        "%node.header.documentId": ["d1"],
        "%json.hsaId": ["SE1"],
        "%json.list.count()": [2],
        "%text & '!'": ["x!"],
        "%none.exists()": [False],
        "%many.join('-')": ["a-b"],
        "%`text`": ["x"],
        "header.documentId & %json.hsaId": ["d1SE1"],
    }
    for expression, values in expected.items():
        assert compile(expression)(CONTACT, environment) == values


def test_the_clock_is_the_callers() -> None:
    moment = datetime(2026, 11, 22, 23, 30, 5, 678_901, tzinfo=timezone(timedelta(hours=1)))
    environment = Environment(now=moment)
    found = compile("now() | today() | timeOfDay()")({}, environment)
    assert [str(value) for value in found] == ["2026-11-22T23:30:05.678+01:00", "2026-11-22", "23:30:05.678"]
    assert [str(value) for value in compile("now()")({}, Environment(now=moment.astimezone(UTC)))] == [
        "2026-11-22T22:30:05.678Z"
    ]


def test_trace_goes_to_the_caller_and_changes_nothing() -> None:
    seen: list[tuple[str, list[Any]]] = []
    environment = Environment(trace=lambda name, values: seen.append((name, values)))
    path = compile("name.trace('names', family).given.trace('given').count()", "Patient")
    patient = {"resourceType": "Patient", "name": [{"family": "Ek", "given": ["Bo", "Al"]}]}
    assert path(patient, environment) == [2]
    assert path(patient) == [2]
    assert seen == [("names", ["Ek"]), ("given", ["Bo", "Al"])]


def test_resolve_asks_the_caller_and_looks_into_contained_resources() -> None:
    stored = {"Patient/1": {"resourceType": "Patient", "id": "1", "active": True}}
    encounter = {
        "resourceType": "Encounter",
        "contained": [{"resourceType": "Location", "id": "l", "name": "Ward"}],
        "subject": {"reference": "Patient/1"},
        "location": [{"location": {"reference": "#l"}}],
    }
    environment = Environment(resolve=stored.get)
    assert compile("subject.resolve().active", "Encounter")(encounter, environment) == [True]
    assert compile("subject.resolve()", "Encounter")(encounter) == []
    assert compile("location.location.resolve().name", "Encounter")(encounter) == ["Ward"]


def test_the_type_of_a_reference_is_told_without_resolving_it() -> None:
    path = compile("subject.where(resolve() is Patient).exists()", "Encounter")
    cases = {
        "Patient/1": True,
        "https://other.example/fhir/Patient/1/_history/2": True,
        "Group/1": False,
        "urn:uuid:1": False,
    }
    for reference, expected in cases.items():
        assert path({"resourceType": "Encounter", "subject": {"reference": reference}}) == [expected]
    assert path({"resourceType": "Encounter", "subject": {"type": "Patient", "identifier": {"value": "x"}}}) == [True]


def test_member_of_and_conforms_to_ask_the_caller() -> None:
    environment = Environment(
        member_of=lambda value, url: None if url == "unknown" else value == "male",
        conforms_to=lambda resource, url: url.endswith("good"),
    )
    patient = {"resourceType": "Patient", "gender": "male"}
    assert compile("gender.memberOf('http://vs')", "Patient")(patient, environment) == [True]
    assert compile("gender.memberOf('unknown')", "Patient")(patient, environment) == []
    assert compile("conformsTo('http://example.org/good')", "Patient")(patient, environment) == [True]
    with pytest.raises(FHIRPathError, match="profile"):
        compile("conformsTo('http://example.org/good')", "Patient")(patient)
