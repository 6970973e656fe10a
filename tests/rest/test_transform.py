"""StructureMap/$transform: a map that is sent, stored or packaged, over HTTP, in both formats, with its trace."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.access.deadline import within
from gateway.app import Gateway
from gateway.errors import Unprocessable
from tests.rest.conftest import as_organisation

ROOT = Path(__file__).parents[2]
URL = "http://example.org/StructureMap/names"
MAP = f"""/// url = '{URL}'
/// name = 'names'
group Main(source src : Patient, target tgt : Person) {{
  src.name as n -> tgt.name as m then Name(n, m) "names";
  src.birthDate -> tgt.birthDate "born";
}}

group Name(source n, target m) {{
  n.family as f where (f != '') -> m.family = f "family";
}}
"""
PATIENT = {"resourceType": "Patient", "birthDate": "1974-12-25", "name": [{"family": "A"}, {"family": "B"}]}
PERSON = {"resourceType": "Person", "name": [{"family": "A"}, {"family": "B"}], "birthDate": "1974-12-25"}
DIRECTORY = "https://samverka.example/fhir/StructureMap/DirectoryCsv"

Post = Callable[..., httpx.Response]


def parameters(**given: Any) -> dict[str, Any]:
    def one(name: str, value: Any) -> dict[str, Any]:
        if isinstance(value, bool):
            return {"name": name, "valueBoolean": value}
        return {"name": name, **({"valueString": value} if isinstance(value, str) else {"resource": value})}

    made = [
        one(name, item) for name, value in given.items() for item in (value if isinstance(value, list) else [value])
    ]
    return {"resourceType": "Parameters", "parameter": made}


def binary(body: bytes, media_type: str) -> dict[str, Any]:
    return {"resourceType": "Binary", "contentType": media_type, "data": base64.b64encode(body).decode()}


@pytest.fixture(scope="module")
def post(standing: httpx.Client) -> Post:
    def send(body: Any, path: str = "StructureMap/$transform", **more: Any) -> httpx.Response:
        return standing.post(f"/fhir/{path}", content=json.dumps(body), **more)

    return send


@pytest.mark.parametrize(
    "given",
    [
        {"srcMap": MAP, "content": PATIENT},
        {"map": MAP, "resource": json.dumps(PATIENT)},
        {"srcMap": MAP, "content": binary(json.dumps(PATIENT).encode(), "application/fhir+json")},
        {
            "source": URL,
            "srcMap": ["/// url = 'http://example.org/other'\ngroup A(source s, target t) {}", MAP],
            "content": PATIENT,
        },
    ],
    ids=["the guide's parameters", "FHIRPath Lab's", "a Binary", "the one that is named"],
)
def test_a_map_that_is_sent_maps_what_is_sent(post: Post, given: dict[str, Any]) -> None:
    answer = post(parameters(**given))
    assert (answer.status_code, answer.json()) == (200, PERSON)


def test_content_and_result_may_be_xml(standing: httpx.Client, post: Post) -> None:
    assert post({"resourceType": "StructureMap", "id": "names", **stored()}, path="StructureMap").status_code == 201
    xml = "<Patient xmlns='http://hl7.org/fhir'><name><family value='A'/></name></Patient>"
    answer = standing.post(
        f"/fhir/StructureMap/$transform?source={URL}", content=xml, headers={"content-type": "application/fhir+xml"}
    )
    assert answer.status_code == 200
    assert (
        answer.text.partition("?>")[2]
        == '<Person xmlns="http://hl7.org/fhir"><name><family value="A"/></name></Person>'
    )


def stored() -> dict[str, Any]:
    from gateway.mapping import Problems, parse
    from gateway.mapping.structuremap import structure_map

    return structure_map(parse(MAP, "names.fml", Problems()))


def test_a_stored_map_is_run_by_its_url_and_by_its_id(standing: httpx.Client, post: Post) -> None:
    kept = standing.put("/fhir/StructureMap/names", content=json.dumps({**stored(), "id": "names"}))
    assert kept.status_code == 201

    assert post(PATIENT, path=f"StructureMap/$transform?source={URL}").json() == PERSON
    assert post(PATIENT, path="StructureMap/names/$transform").json() == PERSON
    assert post(PATIENT, path="StructureMap/none/$transform").status_code == 404
    standing.delete("/fhir/StructureMap/names")
    assert post(PATIENT, path="StructureMap/names/$transform").status_code == 410


def test_a_packages_map_reads_content_as_the_packages_messages_are_read(post: Post) -> None:
    body = (ROOT / "mappings/directory-csv/cases/units/source.csv").read_bytes()
    answer = post(parameters(source=DIRECTORY, content=binary(body, "text/csv")))
    expected = json.loads((ROOT / "mappings/directory-csv/cases/units/expected.json").read_text())

    assert answer.status_code == 200
    made = [entry["resource"]["identifier"] for entry in answer.json()["entry"]]
    assert made == [draft["identifier"] for draft in expected["drafts"]]


def test_a_map_may_import_those_of_the_packages(post: Post) -> None:
    imports = "imports 'https://samverka.example/fhir/StructureMap/common-*'\n"
    answer = post(parameters(srcMap=MAP.replace("group Main", f"{imports}group Main", 1), content=PATIENT))
    assert (answer.status_code, answer.json()) == (200, PERSON)


def test_what_is_no_resource_comes_in_a_binary(post: Post) -> None:
    other = "/// url = 'http://example.org/o'\ngroup A(source src, target tgt) { src.birthDate as b -> tgt.born = b; }"
    answer = post(parameters(srcMap=other, content=PATIENT)).json()
    assert (answer["resourceType"], json.loads(base64.b64decode(answer["data"]))) == ("Binary", {"born": "1974-12-25"})


def test_a_map_that_does_not_compile_says_where(post: Post) -> None:
    body = parameters(srcMap=MAP.replace("tgt.birthDate", "tgt.born"), content=PATIENT)
    body["parameter"][0]["extension"] = [
        {"url": "http://hl7.org/fhir/StructureDefinition/operationoutcome-file", "valueString": "names.fml"}
    ]
    answer = post(body)
    (issue,) = answer.json()["issue"]
    assert answer.status_code == 422
    assert issue["diagnostics"].startswith("names.fml:5:")
    assert "no element 'born'" in issue["details"]["text"]


def test_content_that_does_not_meet_the_map_is_refused_without_its_values(post: Post) -> None:
    answer = post(parameters(srcMap=MAP.replace("src.birthDate ->", "src.birthDate check (false) ->"), content=PATIENT))
    assert answer.status_code == 422
    assert "check-failed" in answer.text
    assert "1974" not in answer.text


@pytest.mark.parametrize(
    ("body", "status", "rule"),
    [
        (parameters(srcMap=MAP), 400, "parameter-missing"),
        (parameters(content=PATIENT), 400, "parameter-missing"),
        (parameters(srcMap=MAP, content=[PATIENT, PATIENT]), 400, "parameter-repeated"),
        (parameters(srcMap=MAP, content=PATIENT, colour="red"), 400, "unknown-parameter"),
        (parameters(source="http://example.org/none", content=PATIENT), 404, "map-unknown"),
        (parameters(source=f"{DIRECTORY}|99", content=PATIENT), 404, "map-unknown"),
        (parameters(srcMap=MAP, content=binary(b"x", "image/png")), 400, "content-not-read"),
        (parameters(srcMap=MAP, content={"resourceType": "Binary", "data": "%"}), 400, "content-malformed"),
        (parameters(srcMap=MAP, resource="{"), 422, None),
        (parameters(srcMap=MAP, content="text"), 422, None),
        (parameters(sourceMap={"resourceType": "StructureMap", "group": 7}, content=PATIENT), 422, None),
        (parameters(srcMap=MAP, model="[]", content=PATIENT), 400, "parameter-malformed"),
        (parameters(srcMap="x" * 1_100_000, content=PATIENT), 413, "body-too-large"),
    ],
)
def test_what_cannot_be_done_is_refused(post: Post, body: dict[str, Any], status: int, rule: str | None) -> None:
    answer = post(body)
    assert (answer.status_code, answer.json()["resourceType"]) == (status, "OperationOutcome")
    assert rule is None or answer.json()["issue"][0]["details"]["coding"][0]["code"] == rule


def test_an_organisation_may_transform_and_a_stranger_may_not(
    standing: httpx.Client, standing_gateway: Gateway
) -> None:
    body = json.dumps(parameters(srcMap=MAP, content=PATIENT))
    organisation, stranger = as_organisation(standing_gateway, "SE2321000131-E1"), {"authorization": "Bearer none"}
    assert standing.post("/fhir/StructureMap/$transform", content=body, headers=organisation).json() == PERSON
    assert standing.post("/fhir/StructureMap/$transform", content=body, headers=stranger).status_code == 401


def test_it_is_announced_and_recorded(standing: httpx.Client, post: Post, standing_gateway: Gateway) -> None:
    found = next(
        one for one in standing.get("/fhir/metadata").json()["rest"][0]["resource"] if one["type"] == "StructureMap"
    )
    assert "transform" in {one["name"] for one in found["operation"]}
    post(parameters(srcMap=MAP, content=PATIENT))
    (event, *_) = standing_gateway.store.read(lambda uow: uow.audit.latest(limit=1))
    assert event.event["subtype"][0]["code"] == "transform"


# --- the trace -----------------------------------------------------------------------------------------------------


def traced(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200
    return {one["name"]: one for one in answer.json()["parameter"]}


def facts(part: dict[str, Any]) -> dict[str, Any]:
    ours = "https://samverka.example/fhir/StructureDefinition/trace-"
    found = {one["url"].removeprefix(ours): one for one in part["extension"] if one["url"].startswith(ours)}
    return {
        "phase": part["name"],
        "position": found["position"]["valueString"],
        "depth": found["depth"]["valueInteger"],
    }


def test_a_trace_tells_each_group_rule_and_target_in_order(post: Post) -> None:
    found = traced(post(parameters(srcMap=MAP, content=PATIENT), path="StructureMap/$transform?debug=true"))
    assert found["return"]["resource"] == PERSON
    assert json.loads(found["result"]["valueString"]) == PERSON
    assert found["traceStatus"]["valueCode"] == "complete"
    assert found["parameters"]["part"][0]["name"] == "evaluator"
    told = [facts(part) for part in found["trace"]["part"]]
    first = "StructureMap.group[0].rule[0]"
    inner = "StructureMap.group[1]"
    assert [(one["phase"], one["position"], one["depth"]) for one in told[:9]] == [
        ("enter", "StructureMap.group[0]", 0),
        ("enter", first, 1),
        ("step", f"{first}.target[0]", 2),
        ("enter", inner, 2),
        ("enter", f"{inner}.rule[0]", 3),
        ("step", f"{inner}.rule[0].target[0]", 4),
        ("exit", f"{inner}.rule[0]", 3),
        ("exit", inner, 2),
        ("exit", first, 1),
    ]
    assert told[-1] == {"phase": "exit", "position": "StructureMap.group[0]", "depth": 0}


def test_a_step_has_its_place_in_the_text_and_its_variables(post: Post) -> None:
    text = "// åäö 🙂\n" + MAP  # Editors count in units of UTF-16.
    found = traced(post(parameters(map=text, resource=json.dumps(PATIENT), debug=True)))
    step = next(p for p in found["trace"]["part"] if p["name"] == "step" and "family" in p["valueString"])
    extensions = {one["url"].rpartition("/")[2]: one for one in step["extension"]}
    start, end = map(int, extensions["Cursor"]["valueString"].split(" - "))
    assert text.encode("utf-16-le")[2 * start : 2 * end].decode("utf-16-le").startswith("m.family = f")

    variables = {}
    for one in step["extension"]:
        if one["url"].endswith("/Variable"):
            parts = {part["url"].rpartition("/")[2]: part["valueString"] for part in one["extension"]}
            name = parts.get("name-INPUT") or parts.get("name-OUTPUT")
            variables[name] = ("name-INPUT" in parts, parts.get("path"), json.loads(parts["json-value"]))
    assert variables["f"] == (True, "Patient.name[0].family[0]", "A")
    assert variables["m"] == (False, None, {"family": "A"})


def test_a_run_that_is_stopped_says_so_and_leaves_what_was_entered_open(post: Post) -> None:
    text = MAP.replace("src.birthDate ->", "src.birthDate as b check (false) ->")
    found = traced(post(parameters(srcMap=text, content=PATIENT, debug=True)))
    assert found["traceStatus"]["valueCode"] == "stopped"
    assert any(issue["severity"] == "error" for issue in found["outcome"]["resource"]["issue"])
    phases = [part["name"] for part in found["trace"]["part"]]
    assert phases.count("enter") > phases.count("exit")


def test_a_long_trace_is_cut_and_says_so(post: Post) -> None:
    many = PATIENT | {"name": [{"family": str(n)} for n in range(900)]}
    found = traced(post(parameters(srcMap=MAP, content=many, debug=True)))
    assert found["traceStatus"]["valueCode"] == "truncated"
    assert len(found["return"]["resource"]["name"]) == 900


# --- time ----------------------------------------------------------------------------------------------------------


def test_work_that_never_ends_is_ended() -> None:
    def forever() -> None:
        while True:
            try:
                time.sleep(0)
            except Exception:
                continue

    with pytest.raises(Unprocessable, match="seconds"):
        within(0.2, forever)
    assert within(5, lambda: 7) == 7
