"""$explain: where each value comes from, down to the byte, and to whom that is told."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from gateway.app import Gateway
from gateway.identity.systems import HSA_ID
from tests.rest.parties import CLINIC, HOME_CARE, STRANGER, WARD, Party, person, task

HEADER = (
    "person_id;person_id_type;municipality_code;unit_hsa_id;provider_hsa_id;record_type;local_id;legal_basis;"
    "service_code;text;scope;start;end;status;responsible_role;updated_at;protected"
)
ROW = (
    "194107142384;PNR;1435;SE2120001348-T0700;SE2120001348-T0000;INSATS;I-explain;HSL;HSJV;Såromläggning;;"
    "2026-03-01T00:00:00;;PAGAENDE;sjuksköterska;2026-03-10T09:00:00;N"
)


class Explained:
    """What `$explain` told of a resource."""

    def __init__(self, client: httpx.Client, reference: str) -> None:
        answer = client.get(f"/fhir/{reference}/$explain")
        assert answer.status_code == 200, answer.text
        self.parameters: list[dict[str, Any]] = answer.json()["parameter"]
        self.statements = [values(one["part"]) for one in self.parameters if one["name"] == "statement"]

    def element(self, path: str) -> dict[str, Any]:
        elements = (one["part"] for one in self.parameters if one["name"] == "element")
        [found] = [parts for parts in elements if values(parts)["path"] == path]
        origins = [values(one["part"]) for one in found if one["name"] == "origin"]
        return values(found) | {"origins": origins}


def values(parts: list[dict[str, Any]]) -> dict[str, Any]:
    named = ((part["name"], [value for name, value in part.items() if name.startswith("value")]) for part in parts)
    return {name: found[0] for name, found in named if found}


@pytest.fixture
def told(gateway: Gateway) -> bytes:
    """A row that a municipality sent, in its own encoding."""
    body = f"{HEADER}\n{ROW}\n".encode("cp1252")
    source = gateway.sources.get("municipal-csv")
    assert gateway.ingest.take(source, body, "text/csv").held == 0
    return body


def found(operator: httpx.Client, search: str) -> str:
    [entry] = operator.get(f"/fhir/{search}").json()["entry"]
    return f"{entry['resource']['resourceType']}/{entry['resource']['id']}"


def test_a_value_leads_to_its_cell_its_rule_and_its_row_of_the_code_table_for_who_may_know(
    operator: httpx.Client, client_of: Party, told: bytes
) -> None:
    explained = Explained(operator, found(operator, "Task?identifier=I-explain"))
    description = explained.element("Task.description")
    [origin] = description["origins"]
    assert (description["rule"], origin["place"], origin["text"]) == ("stated", "row 2, column text", "Såromläggning")
    assert told[origin["start"] : origin["end"]].decode("cp1252") == "Såromläggning"
    assert origin["map"].startswith("municipal-csv/MunicipalCsv.fml:")
    [status] = explained.element("Task.status")["origins"]
    assert (status["text"], status["conceptMap"].split()[0].rpartition("/")[2]) == ("PAGAENDE", "municipal-task-status")
    assert explained.element("Task.lastModified")["rule"] in ("stated", "life")
    [statement] = [one for one in explained.statements if one["id"] == origin["statement"]]
    assert (statement["source"], statement["outcome"], statement["item"]) == ("municipal-csv", "same", 0)
    assert explained.element("Task.for.reference")["rule"] == "known"
    assert explained.element("Task.meta.versionId")["rule"] == "version"

    stranger, unit = client_of(STRANGER), found(operator, f"Organization?identifier={HSA_ID}|SE2120001348-T0700")
    assert stranger.get(f"/fhir/{found(operator, 'Task?identifier=I-explain')}/$explain").status_code == 404
    for client, outcome in ((operator, "same"), (stranger, "not-shown")):
        of_unit = Explained(client, unit)
        assert {one["outcome"] for one in of_unit.statements} == {outcome}, "What is said of a person is his."
        assert all(("message" in one) == (outcome == "same") for one in of_unit.statements)
        assert bool(of_unit.element("Organization.identifier[0].value")["origins"]) == (outcome == "same")


@pytest.mark.parametrize("in_a_bundle", [False, True])
def test_what_was_written_stands_where_it_was_written(shared: httpx.Client, party: Party, *, in_a_bundle: bool) -> None:
    made = task(person(shared), description="Träning", priority="urgent")
    if in_a_bundle:
        entry = {"resource": made, "request": {"method": "POST", "url": "Task"}}
        other = {"resource": task(made["for"]["reference"], priority="stat"), "request": entry["request"]}
        body = json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": [other, entry]}, indent=2).encode()
        answer = party(WARD).post("/fhir", content=body)
        reference = answer.json()["entry"][1]["response"]["location"].split("/_history")[0].partition("/fhir/")[2]
    else:
        body = json.dumps(made, ensure_ascii=False, indent=2).encode()
        answer = party(WARD).post("/fhir/Task", content=body)
        reference = f"Task/{answer.json()['id']}"
    assert answer.is_success, answer.text
    explained = Explained(party(HOME_CARE), reference)
    priority = explained.element("Task.priority")
    [origin] = priority["origins"]
    assert (priority["rule"], origin["scope"]) == ("stated", "value")
    assert body[origin["start"] :].startswith(b'"priority": "urgent"')
    assert body.splitlines()[origin["line"] - 1][origin["column"] - 1 :].startswith(b'"priority"')
    [statement] = explained.statements
    assert (statement["outcome"], statement["source"]) == ("not-mapped", f"organisation:{WARD}")
    assert party(CLINIC).get(f"/fhir/{reference}/$explain").status_code == 404


def test_what_is_gone_is_not_explained_and_nothing_can_be_asked_besides(shared: httpx.Client) -> None:
    patient = person(shared)
    assert shared.get(f"/fhir/{patient}/$explain?at=2026").json()["issue"][0]["code"] == "invalid"
    assert shared.delete(f"/fhir/{patient}").is_success
    assert shared.get(f"/fhir/{patient}/$explain").status_code == 410
    assert shared.get("/fhir/Patient/nobody/$explain").status_code == 404
