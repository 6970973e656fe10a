"""gql, the GraphQL client for Python, against the server at the address given, with the schema fetched first."""

from __future__ import annotations

import asyncio
import sys

import httpx
from gql import Client, gql
from gql.transport.exceptions import TransportQueryError
from gql.transport.httpx import HTTPXAsyncTransport

SYSTEM = "http://client.example/gql"
FHIR = {"content-type": "application/fhir+json"}


def stored(base: str) -> None:
    """A patient with three tasks of a unit, written as any FHIR client would."""
    unit = {"resourceType": "Organization", "id": "gql-unit", "name": "Unit"}
    patient = {
        "resourceType": "Patient",
        "id": "gql-patient",
        "identifier": [{"system": SYSTEM, "value": "1"}],
        "name": [{"use": "official", "family": "Tolvansson", "given": ["Tolvan"]}, {"use": "nickname", "text": "T"}],
    }
    tasks = [
        {
            "resourceType": "Task",
            "id": f"gql-task-{number}",
            "status": "accepted",
            "intent": "order",
            "for": {"reference": "Patient/gql-patient"},
            "owner": {"reference": "Organization/gql-unit"},
            "authoredOn": f"2026-01-0{number}",
        }
        for number in (1, 2, 3)
    ]
    for one in (unit, patient, *tasks):
        httpx.put(f"{base}/{one['resourceType']}/{one['id']}", json=one, headers=FHIR).raise_for_status()


async def main(base: str) -> None:
    stored(base)
    whole = Client(transport=HTTPXAsyncTransport(f"{base}/$graphql", timeout=240), fetch_schema_from_transport=True)
    async with whole as session:
        assert whole.schema is not None
        assert "TaskConnection" in whole.schema.type_map
        print("introspection")

        read = gql("""query Read($id: ID!) { Patient(id: $id) { id name(use: official) { family given }
            TaskList(_reference: patient, status: "accepted", _sort: "-authored-on") {
              id owner { resource { ... on Organization { name } } } } } }""")
        found = (await session.execute(read, variable_values={"id": "gql-patient"}))["Patient"]
        assert found["name"] == [{"family": "Tolvansson", "given": ["Tolvan"]}]
        assert [one["id"] for one in found["TaskList"]] == ["gql-task-3", "gql-task-2", "gql-task-1"]
        assert all(one["owner"]["resource"] == {"name": "Unit"} for one in found["TaskList"])
        print("read, variables, what refers to it, references")

        page = gql("""query Page($cursor: String) {
            TaskConnection(patient: "gql-patient", _count: 2, _sort: "authored-on", _cursor: $cursor) {
              count edges { resource { id } } next } }""")
        seen: list[str] = []
        cursor = None
        while True:
            tasks = (await session.execute(page, variable_values={"cursor": cursor}))["TaskConnection"]
            seen += [edge["resource"]["id"] for edge in tasks["edges"]]
            if (cursor := tasks["next"]) is None:
                break
        assert seen == ["gql-task-1", "gql-task-2", "gql-task-3"]
        assert tasks["count"] == 3
        print("search with paging")

        try:
            await session.execute(gql('{ Patient(id: "gql-nobody") { id } }'))
        except TransportQueryError as refused:
            assert refused.errors is not None
            outcome = refused.errors[0]["extensions"]["outcome"]
            assert (outcome["resourceType"], outcome["issue"][0]["code"]) == ("OperationOutcome", "not-found")
        else:
            raise AssertionError("there is nobody of this id")
        print("errors with an OperationOutcome")

    transport = HTTPXAsyncTransport(f"{base}/Patient/gql-patient/$graphql", timeout=240)
    async with Client(transport=transport) as session:
        shaped = await session.execute(gql("{ id name @flatten { family @singleton given } }"))
        assert shaped == {"id": "gql-patient", "family": "Tolvansson", "given": ["Tolvan"]}
        print("of one resource, flattened")


asyncio.run(main(sys.argv[1]))
