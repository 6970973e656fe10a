"""$graphql over HTTP: what is read, searched and followed, in which shape, and what is refused."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from functools import partial
from threading import current_thread
from typing import Any

import httpx
import pytest
from graphql import GraphQLObjectType, GraphQLSchema, validate_schema
from sqlalchemy import Connection, event

from gateway.access.graphs import _kept, _schema
from gateway.app import Gateway
from gateway.definitions import load
from gateway.fhirpath import Environment
from gateway.graphql.bounds import Limits
from gateway.graphql.execution import Asked, answer
from gateway.graphql.schema import schema
from gateway.search.query import served
from gateway.store import searching
from gateway.store.failures import driver_errors

JSON = {"content-type": "application/json"}
RESOURCES: tuple[dict[str, Any], ...] = (
    {"resourceType": "Organization", "id": "ward", "name": "Ward", "identifier": [{"system": "urn:w", "value": "1"}]},
    {
        "resourceType": "Patient",
        "id": "tolvan",
        "active": True,
        "name": [
            {"use": "official", "family": "Tolvansson", "given": ["Tolvan", "Lars"]},
            {"use": "nickname", "given": ["Tolle"]},
        ],
        "_birthDate": {"extension": [{"url": "urn:unknown", "valueCode": "asked"}]},
        "telecom": [{"system": "phone", "value": "1", "rank": 1}, {"system": "email", "value": "2", "rank": 2}],
        "managingOrganization": {"type": "Organization", "identifier": {"system": "urn:w", "value": "1"}},
        "generalPractitioner": [{"reference": "Practitioner/gone"}, {"display": "Somebody"}],
    },
    *(
        {
            "resourceType": "Observation",
            "id": f"weight-{number}",
            "status": "final" if number else "amended",
            "code": {"text": "weight"},
            "subject": {"reference": "Patient/tolvan"},
            "effectiveDateTime": f"2026-01-0{number + 1}",
            "contained": [{"resourceType": "Practitioner", "id": "nurse", "name": [{"family": "Night"}]}],
            "performer": [{"reference": "#nurse"}],
        }
        for number in range(3)
    ),
)


@pytest.fixture
def there(operator: httpx.Client) -> httpx.Client:
    for one in RESOURCES:
        assert operator.put(f"/fhir/{one['resourceType']}/{one['id']}", content=json.dumps(one)).is_success
    return operator


def asked(client: httpx.Client, query: str, at: str = "", **variables: Any) -> dict[str, Any]:
    body = json.dumps({"query": query, "variables": variables})
    answer = client.post(f"/fhir/{at}$graphql", content=body, headers=JSON)
    assert answer.headers["content-type"] == "application/json"
    told: dict[str, Any] = answer.json()
    return told


def data(client: httpx.Client, query: str, at: str = "", **variables: Any) -> Any:
    told = asked(client, query, at, **variables)
    assert "errors" not in told, told
    return told["data"]


def rules(told: dict[str, Any]) -> list[str]:
    issues = [one["extensions"]["outcome"]["issue"][0] for one in told["errors"]]
    return [one["details"]["coding"][0]["code"] for one in issues]


def test_elements_are_fields_and_references_are_followed(there: httpx.Client) -> None:
    query = """{ Patient(id: "tolvan") { resourceType active birthDate _birthDate { extension { valueCode } }
        managingOrganization { resource { id ... on Organization { name } } }
        generalPractitioner { reference resource(optional: true) { id } }
        of: managingOrganization { resource(type: Location) { id } } } }"""
    assert data(there, query)["Patient"] == {
        "resourceType": "Patient",
        "active": True,
        "birthDate": None,
        "_birthDate": {"extension": [{"valueCode": "asked"}]},
        "managingOrganization": {"resource": {"id": "ward", "name": "Ward"}},
        "generalPractitioner": [
            {"reference": "Practitioner/gone", "resource": None},
            {"reference": None, "resource": None},
        ],
        "of": {"resource": None},
    }
    lost = asked(there, "{ generalPractitioner { resource { id } } }", "Patient/tolvan/")
    assert rules(lost) == ["reference-unresolved", "reference-unresolved"]
    assert lost["data"] == {"generalPractitioner": [{"resource": None}, {"resource": None}]}
    contained = '{ Observation(id: "weight-1") { performer { resource { ... on Practitioner { name { family } } } } } }'
    night = {"resource": {"name": [{"family": "Night"}]}}
    assert data(there, contained)["Observation"] == {"performer": [night]}


def test_lists_are_searched_from_all_and_from_what_is_referred_to(there: httpx.Client) -> None:
    found = data(there, '{ ObservationList(status: "final", _sort: "-date", _count: 1) { id } }')
    assert found == {"ObservationList": [{"id": "weight-2"}]}
    offset = data(there, '{ ObservationList(_sort: "date", _count: 2, _offset: 1) { id } }')["ObservationList"]
    assert [one["id"] for one in offset] == ["weight-1", "weight-2"]
    query = "query Of($status: String) { ObservationList(_reference: subject, status: $status) { id } }"
    assert data(there, query, "Patient/tolvan/", status="amended") == {"ObservationList": [{"id": "weight-0"}]}
    chosen = "{ ObservationList(fhirpath: \"id = 'weight-1'\") { id } }"
    assert data(there, chosen) == {"ObservationList": [{"id": "weight-1"}]}


def test_a_connection_is_gone_through_by_its_cursors(there: httpx.Client) -> None:
    query = """query Page($cursor: String) { ObservationConnection(_sort: "date", _count: 2, _cursor: $cursor)
        { count pagesize edges { mode resource { id } } first previous next last } }"""
    first = data(there, query)["ObservationConnection"]
    assert (first["count"], first["pagesize"], first["previous"]) == (3, 2, None)
    assert first["edges"] == [{"mode": "match", "resource": {"id": f"weight-{number}"}} for number in (0, 1)]
    second = data(there, query, cursor=first["next"])["ObservationConnection"]
    assert [one["resource"]["id"] for one in second["edges"]] == ["weight-2"]
    assert second["next"] is None
    assert data(there, query, cursor=second["previous"])["ObservationConnection"]["edges"] == first["edges"]
    assert rules(asked(there, query, cursor="none")) == ["page-link"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("name(use: official) { family }", {"name": [{"family": "Tolvansson"}]}),
        ('name(fhirpath: "family.exists().not()") { given }', {"name": [{"given": ["Tolle"]}]}),
        ("telecom(rank: 2) { value }", {"telecom": [{"value": "2"}]}),
        ("telecom(_offset: 1, _count: 1) { value }", {"telecom": [{"value": "2"}]}),
        ("name @first { given @first }", {"name": {"given": "Tolvan"}}),
        ("name @flatten { given family }", {"given": ["Tolvan", "Lars", "Tolle"], "family": ["Tolvansson"]}),
        ("name @flatten { family @singleton }", {"family": "Tolvansson"}),
        (
            'name @slice(path: "use") { given }',
            {"name.official": [{"given": ["Tolvan", "Lars"]}], "name.nickname": [{"given": ["Tolle"]}]},
        ),
        (
            'name @slice(path: "$index") @flatten { given @first }',
            {"given.0": ["Tolvan"], "given.1": ["Tolle"]},
        ),
        ("id @skip(if: true) active @include(if: true)", {"active": True}),
        ("... on Patient { ...names } } fragment names on Patient { active", {"active": True}),
        ('__type(name: "HumanName") { name }', {"__type": {"name": "HumanName"}}),
    ],
)
def test_lists_are_navigated_and_answers_shaped(shared: httpx.Client, query: str, expected: dict[str, Any]) -> None:
    assert shared.put("/fhir/Patient/tolvan", content=json.dumps(RESOURCES[1])).is_success
    assert data(shared, f"{{ {query} }}", "Patient/tolvan/") == expected


def test_a_query_comes_in_an_address_as_it_is_and_in_parameters(shared: httpx.Client) -> None:
    query = '{ OrganizationList(name: "none of this name") { id } }'
    expected = {"data": {"OrganizationList": []}}
    assert shared.get("/fhir/$graphql", params={"query": query}).json() == expected
    plain = shared.post("/fhir/$graphql", content=query, headers={"content-type": "application/graphql"})
    assert plain.json() == expected
    given = {"resourceType": "Parameters", "parameter": [{"name": "query", "valueString": query}]}
    assert shared.post("/fhir/$graphql", content=json.dumps(given)).json() == expected
    named = {"query": f"query A {query} query B {{ PatientList(_count: 0) {{ id }} }}", "operationName": "B"}
    answer = shared.post("/fhir/$graphql", content=json.dumps(named), headers=JSON)
    assert answer.json() == {"data": {"PatientList": []}}
    own = shared.get("/fhir/$graphql", params={"query": query}, headers={"accept": "application/graphql-response+json"})
    assert own.headers["content-type"] == "application/graphql-response+json"


@pytest.mark.parametrize(
    ("query", "rule"),
    [
        ("{ PatientList { ids } }", "query-invalid"),
        ("{ PatientList(colour: 1) { id } }", "query-invalid"),
        ("{ PatientList {", "query-invalid"),
        ("mutation { PatientList { id } }", "query-only"),
        ("query A { PatientList { id } } query B { PatientList { id } }", "operation-unknown"),
        ("{ PatientList { ...a } } fragment a on Patient { ...a }", "query-invalid"),
        ("{ PatientList { " + "extension { " * 40 + "url" + " }" * 42, "query-too-deep"),
        ("{ PatientList { " + "id " * 6_000 + "} }", "query-invalid"),
        ("{ " + "a { " * 2_400, "query-invalid"),
        ("{ PatientList { id } }" + " " * 100_000, "query-too-large"),
        ("{ __schema { types { " + "fields { type { " * 4 + "name" + " } }" * 4 + " } } }", "query-invalid"),
    ],
)
def test_a_query_that_cannot_be_answered_is_refused(shared: httpx.Client, query: str, rule: str) -> None:
    answer = shared.post("/fhir/$graphql", content=json.dumps({"query": query}), headers=JSON)
    assert answer.status_code == 400
    told = answer.json()
    assert "data" not in told and rules(told)[0] == rule, told


def test_fragments_that_multiply_are_counted_before_they_are_answered(shared: httpx.Client) -> None:
    fragments = [f"fragment f{n} on Patient {{ a{n}: id ...f{n + 1} b{n}: id ...f{n + 1} }}" for n in range(25)]
    query = "{ PatientList { ...f0 } } " + " ".join(fragments) + " fragment f25 on Patient { id }"
    assert rules(asked(shared, query)) == ["query-too-large"]


def test_an_answer_that_would_be_too_large_is_ended(shared: httpx.Client) -> None:
    many = " ".join(f"a{n}: PatientList(_count: 1) {{ id }}" for n in range(101))
    told = asked(shared, f"{{ {many} }}")
    assert (rules(told), told["data"]) == (["query-too-costly"], None)


@pytest.mark.parametrize(
    ("query", "refused"),
    [
        ("{ __schema { types { name } } }", False),
        ("{ " + " ".join(f"a{n}: __schema {{ types {{ name }} }}" for n in range(30)) + " }", True),
        ("{ " + "...all " * 3 + '} fragment all on Query { b: __type(name: "Query") { fields { name } } }', False),
        ("{ ...all } fragment all on Query { __schema { types { fields { type { fields { name } } } } } }", True),
    ],
    ids=["once", "by-aliases", "merged", "by-a-fragment"],
)
def test_a_description_of_the_schema_has_a_bound_of_its_own(query: str, refused: bool) -> None:
    definitions = load()
    limits = Limits(described=20_000, values=0)
    told = answer(_schema(definitions), definitions, None, Asked(query), Environment(), limits)
    assert (rules({"errors": told.errors}) == ["query-too-costly"]) is refused
    assert (told.data is None) is refused


def test_the_expressions_of_a_query_share_their_turns(there: httpx.Client) -> None:
    costly = "given.count()"
    for _ in range(6):  # Six names each time: more than 6 ** 6 = 46,656 turns.
        costly = f"%resource.given.combine(%resource.given).combine(%resource.given).select({costly})"
    once = 'a: name(_count: 1) @slice(path: "COSTLY.count()") { family }'.replace("COSTLY", costly)
    assert "errors" not in asked(there, f"{{ {once} }}", "Patient/tolvan/")
    many = " ".join(once.replace("a:", f"a{n}:") for n in range(25))
    assert rules(asked(there, f"{{ {many} }}", "Patient/tolvan/")) == ["query-too-costly"]
    long = 'name(fhirpath: "true' + " and true" * 300 + '") { family }'
    assert rules(asked(there, f"{{ {long} }}", "Patient/tolvan/")) == ["expression-too-long"]


def test_a_description_that_was_refused_is_not_kept(shared: httpx.Client) -> None:
    before = _kept.cache_info().currsize
    assert rules(asked(shared, "{ __schema { nothing } }")) == ["query-invalid"]
    assert _kept.cache_info().currsize == before


def test_parts_that_fail_leave_the_others(shared: httpx.Client) -> None:
    told = asked(shared, '{ Patient(id: "nobody") { id } Group(id: "none") { id } CodeSystemList(_count: 1) { id } }')
    assert rules(told) == ["resource-unknown", "resource-unknown"]
    assert [one["path"] for one in told["errors"]] == [["Patient"], ["Group"]]
    assert told["data"]["Patient"] is None and "CodeSystemList" in told["data"]
    assert rules(asked(shared, '{ PatientList(birthdate: "noon") { id } }')) == ["malformed-search-value"]
    assert shared.get("/fhir/Patient/nobody/$graphql", params={"query": "{ id }"}).status_code == 404
    assert shared.get("/fhir/$graphql").status_code == 400
    assert shared.post("/fhir/$graphql", content="[]", headers=JSON).status_code == 400
    assert shared.post("/fhir/$graphql", content="x", headers={"content-type": "text/plain"}).status_code == 415


def test_what_a_query_reached_is_in_the_audit_trail(there: httpx.Client, gateway: Gateway) -> None:
    data(there, '{ Patient(id: "tolvan") { managingOrganization { resource { id } } } }')
    (latest, *_) = gateway.store.read(lambda uow: uow.audit.latest(limit=2))
    assert "graphql" in str(latest)


def test_one_level_is_read_at_once(there: httpx.Client, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search, and one read of all that it refers to: whether SQLAlchemy sends them, or the driver what is kept."""
    reads: list[str] = []

    def sent(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        reads.extend([statement] * ("body" in statement))

    def kept(connection: Connection, statement: str) -> AbstractContextManager[None]:
        sent(None, None, statement)
        return driver_errors(connection, statement)

    def cost(query: str) -> int:
        reads.clear()
        data(there, query)
        return len(reads)

    one = "{ ObservationList(_count: 1) { subject { resource { ... on Patient { id } } } } }"
    engine = gateway.store._database.reader
    monkeypatch.setattr(searching, "driver_errors", kept)
    event.listen(engine, "before_cursor_execute", sent)
    try:
        assert cost(one) == cost(one.replace("_count: 1", "_count: 3")) == 2, reads
    finally:
        event.remove(engine, "before_cursor_execute", sent)


def test_a_query_needs_one_connection(there: httpx.Client, gateway: Gateway) -> None:
    held: list[int] = []
    engines = {gateway.store._database.reader, gateway.store._database.glance}
    out: set[int] = set()

    def taken(connection: object, *_: object) -> None:
        if current_thread().name in ("jobs", "ingest-worker"):  # They look for work meanwhile.
            return
        out.add(id(connection))
        held.append(len(out))

    def back(connection: object, *_: object) -> None:
        out.discard(id(connection))  # What an earlier request took may come back late.

    there.put(
        "/fhir/ValueSet/weights",
        json={
            "resourceType": "ValueSet",
            "id": "weights",
            "status": "active",
            "url": "urn:test:weights",
            "compose": {"include": [{"system": "urn:test", "concept": [{"code": "weight"}]}]},
        },
    )
    gateway.known.look()  # Once a second somebody looks for definitions, who takes one more.
    for engine in engines:
        event.listen(engine, "checkout", taken)
        event.listen(engine, "checkin", back)
    try:
        found = data(there, '{ ObservationList(_filter: "code in \\"urn:test:weights\\"") { id } }')
    finally:
        for engine in engines:
            event.remove(engine, "checkout", taken)
            event.remove(engine, "checkin", back)
    assert (found, max(held)) == ({"ObservationList": []}, 1)


def test_the_schema_is_valid() -> None:
    definitions = load()
    written = schema(definitions, partial(served, definitions))
    assert validate_schema(GraphQLSchema(**{**written.to_kwargs(), "assume_valid": False})) == []
    patient = written.type_map["Patient"]
    assert isinstance(patient, GraphQLObjectType)
    assert {"TaskList", "TaskConnection", "_birthDate", "name"} <= set(patient.fields)
