"""The terminology over HTTP: lookup, subsumes, validate-code and expand, of what is shipped, kept and sent."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

GENDER = "http://hl7.org/fhir/administrative-gender"
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
WARDS = "http://example.org/wards"
SYSTEM: dict[str, Any] = {
    "resourceType": "CodeSystem",
    "id": "wards",
    "url": WARDS,
    "version": "2",
    "name": "Wards",
    "title": "Wards of a hospital",
    "status": "active",
    "caseSensitive": True,
    "content": "complete",
    "property": [{"code": "beds", "type": "integer"}, {"code": "notSelectable", "type": "boolean"}],
    "concept": [
        {
            "code": "med",
            "display": "Medicine",
            "property": [{"code": "notSelectable", "valueBoolean": True}],
            "concept": [
                {
                    "code": "card",
                    "display": "Cardiology",
                    "definition": "Hearts.",
                    "designation": [{"language": "sv", "value": "Hjärtkliniken"}],
                    "property": [{"code": "beds", "valueInteger": 24}],
                    "concept": [{"code": "ccu", "display": "Coronary care"}],
                },
                {"code": "old", "display": "Fever ward", "property": [{"code": "status", "valueCode": "retired"}]},
            ],
        },
        {"code": "surg", "display": "Surgery"},
    ],
}
HEARTS: dict[str, Any] = {
    "resourceType": "ValueSet",
    "id": "hearts",
    "url": "http://example.org/ValueSet/hearts",
    "status": "active",
    "compose": {
        "include": [
            {"system": WARDS, "filter": [{"property": "concept", "op": "is-a", "value": "card"}]},
            {"system": "http://example.org/elsewhere", "concept": [{"code": "x", "display": "The other house"}]},
        ]
    },
}


@pytest.fixture(scope="module")
def kept(standing: httpx.Client) -> httpx.Client:
    for one in (SYSTEM, HEARTS):
        path = f"/fhir/{one['resourceType']}/{one['id']}"
        assert standing.put(path, content=json.dumps(one)).status_code in (200, 201)
    return standing


def told(answer: httpx.Response) -> dict[str, Any]:
    """The plain parameters of an answer by name."""
    assert answer.status_code == 200, answer.text
    parameters = answer.json()["parameter"]
    return {
        one["name"]: next(value for key, value in one.items() if key.startswith("value"))
        for one in parameters
        if "part" not in one
    }


def parts(answer: httpx.Response, name: str) -> list[tuple[Any, ...]]:
    return [
        tuple(next(value for key, value in part.items() if key.startswith("value")) for part in one["part"])
        for one in answer.json()["parameter"]
        if one["name"] == name
    ]


def posted(**given: tuple[str, Any]) -> str:
    parameters = [{"name": name, key: value} for name, (key, value) in given.items()]
    return json.dumps({"resourceType": "Parameters", "parameter": parameters})


def rule(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["issue"][0]["details"]["coding"][0]["code"]


# --- $lookup


def test_a_code_of_r4_is_looked_up(kept: httpx.Client) -> None:
    answer = kept.get(f"/fhir/CodeSystem/$lookup?system={GENDER}&code=female")
    assert told(answer)["display"] == "Female"


def test_a_kept_code_tells_what_it_means_and_where_it_lies(kept: httpx.Client) -> None:
    answer = kept.get(f"/fhir/CodeSystem/$lookup?system={WARDS}&code=card")
    assert told(answer) == {"name": "Wards of a hospital", "version": "2", "display": "Cardiology"}
    assert parts(answer, "designation") == [("sv", "Hjärtkliniken")]
    assert parts(answer, "property") == [("definition", "Hearts."), ("parent", "med"), ("child", "ccu"), ("beds", 24)]


def test_a_code_is_called_by_its_name_in_a_language(kept: httpx.Client) -> None:
    answer = kept.get(f"/fhir/CodeSystem/$lookup?system={WARDS}&code=card&displayLanguage=sv-SE")
    assert told(answer)["display"] == "Hjärtkliniken"


def test_only_the_properties_that_are_asked_for_are_told(kept: httpx.Client) -> None:
    answer = kept.get(f"/fhir/CodeSystem/$lookup?system={WARDS}&code=card&property=beds&property=parent")
    assert parts(answer, "property") == [("parent", "med"), ("beds", 24)]
    assert parts(answer, "designation") == []
    swedish = kept.get(f"/fhir/CodeSystem/$lookup?system={WARDS}&code=card&property=lang.sv")
    assert parts(swedish, "designation") == [("sv", "Hjärtkliniken")]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (f"system={WARDS}&code=none", (404, "code-unknown")),
        ("system=http://example.org/none&code=a", (404, "code-system-unknown")),
        (f"system={WARDS}&version=1&code=card", (404, "code-system-unknown")),
        ("code=card", (400, "parameter-missing")),
        (f"system={WARDS}", (400, "parameter-missing")),
        (f"system={WARDS}&code=card&date=2020", (400, "parameter-not-offered")),
        (f"system={WARDS}&code=card&colour=red", (400, "unknown-parameter")),
    ],
)
def test_what_cannot_be_looked_up_is_refused(kept: httpx.Client, query: str, said: tuple[int, str]) -> None:
    assert rule(kept.get(f"/fhir/CodeSystem/$lookup?{query}")) == said


# --- $subsumes


@pytest.mark.parametrize(
    ("a", "b", "outcome"),
    [
        ("med", "ccu", "subsumes"),
        ("ccu", "med", "subsumed-by"),
        ("card", "card", "equivalent"),
        ("surg", "card", "not-subsumed"),
    ],
)
def test_two_codes_lie_to_one_another(kept: httpx.Client, a: str, b: str, outcome: str) -> None:
    by_get = kept.get(f"/fhir/CodeSystem/$subsumes?system={WARDS}&codeA={a}&codeB={b}")
    of_one = kept.get(f"/fhir/CodeSystem/wards/$subsumes?codeA={a}&codeB={b}")
    codings = {f"coding{n}": ("valueCoding", {"system": WARDS, "code": code}) for n, code in (("A", a), ("B", b))}
    by_post = kept.post("/fhir/CodeSystem/$subsumes", content=posted(**codings))
    assert [told(one) for one in (by_get, of_one, by_post)] == [{"outcome": outcome}] * 3


def test_codes_of_two_systems_are_not_compared(kept: httpx.Client) -> None:
    codings = {
        "codingA": ("valueCoding", {"system": WARDS, "code": "med"}),
        "codingB": ("valueCoding", {"system": GENDER, "code": "male"}),
    }
    assert rule(kept.post("/fhir/CodeSystem/$subsumes", content=posted(**codings))) == (400, "several-code-systems")


# --- $validate-code


@pytest.mark.parametrize(
    ("query", "result"),
    [
        (f"url={GENDER}&code=male", True),
        (f"url={GENDER}&code=male&display=male", True),
        (f"url={GENDER}&code=male&display=Man", False),
        (f"url={GENDER}&code=Male", False),
        (f"url={WARDS}&version=2&code=card&display=Hj%C3%A4rtkliniken", True),
        (f"url={WARDS}&code=med", True),
        (f"url={WARDS}&code=med&abstract=false", False),
    ],
)
def test_a_code_is_right_or_not_in_its_system(kept: httpx.Client, query: str, result: bool) -> None:
    answer = told(kept.get(f"/fhir/CodeSystem/$validate-code?{query}"))
    assert answer["result"] is result
    assert ("message" in answer) is not result


def test_a_code_in_the_wrong_case_is_told_the_right_one(kept: httpx.Client) -> None:
    assert "'male'" in told(kept.get(f"/fhir/CodeSystem/$validate-code?url={GENDER}&code=Male"))["message"]


def test_a_system_that_is_sent_goes_before_what_is_kept(kept: httpx.Client) -> None:
    sent = {**SYSTEM, "concept": [{"code": "new", "display": "New ward"}]}
    content = json.dumps(
        {
            "resourceType": "Parameters",
            "parameter": [{"name": "codeSystem", "resource": sent}, {"name": "code", "valueCode": "new"}],
        }
    )
    assert told(kept.post("/fhir/CodeSystem/$validate-code", content=content)) == {
        "result": True,
        "display": "New ward",
    }


@pytest.mark.parametrize(
    ("query", "result"),
    [
        (f"system={WARDS}&code=ccu", True),
        (f"system={WARDS}&code=surg", False),
        ("system=http://example.org/elsewhere&code=x", True),
        (f"system={GENDER}&code=ccu", False),
    ],
)
def test_a_code_is_in_a_value_set_or_not(kept: httpx.Client, query: str, result: bool) -> None:
    by_url = kept.get(f"/fhir/ValueSet/$validate-code?url={HEARTS['url']}&{query}")
    of_one = kept.get(f"/fhir/ValueSet/hearts/$validate-code?{query}")
    assert [told(one)["result"] for one in (by_url, of_one)] == [result, result]


def test_one_right_coding_makes_a_concept_right(kept: httpx.Client) -> None:
    concept = {"coding": [{"system": WARDS, "code": "surg"}, {"system": WARDS, "code": "ccu"}]}
    content = posted(url=("valueUri", HEARTS["url"]), codeableConcept=("valueCodeableConcept", concept))
    assert told(kept.post("/fhir/ValueSet/$validate-code", content=content))["result"] is True


def test_a_code_without_a_system_is_no_question(kept: httpx.Client) -> None:
    answer = kept.get(f"/fhir/ValueSet/$validate-code?url={HEARTS['url']}&code=ccu")
    assert rule(answer) == (400, "parameter-missing")


# --- $expand


def listed(answer: httpx.Response) -> list[tuple[str, str]]:
    assert answer.status_code == 200, answer.text
    return [(one["code"], one["display"]) for one in answer.json()["expansion"].get("contains", ())]


def test_a_value_set_is_expanded_with_the_names_of_its_codes(kept: httpx.Client) -> None:
    answer = kept.get(f"/fhir/ValueSet/$expand?url={HEARTS['url']}")
    assert listed(answer) == [("x", "The other house"), ("card", "Cardiology"), ("ccu", "Coronary care")]
    assert (answer.json()["url"], answer.json()["expansion"]["total"]) == (HEARTS["url"], 3)
    assert "compose" not in answer.json()
    assert listed(kept.get("/fhir/ValueSet/hearts/$expand")) == listed(answer)


def test_a_shipped_value_set_is_expanded_in_the_order_of_its_system(kept: httpx.Client) -> None:
    answer = kept.get("/fhir/ValueSet/$expand?url=http://hl7.org/fhir/ValueSet/administrative-gender")
    assert listed(answer) == [("male", "Male"), ("female", "Female"), ("other", "Other"), ("unknown", "Unknown")]


def test_codes_are_found_by_words_a_page_at_a_time(kept: httpx.Client) -> None:
    assert listed(kept.get(f"/fhir/ValueSet/$expand?url={HEARTS['url']}&filter=care%20cor")) == [
        ("ccu", "Coronary care")
    ]
    second = kept.get(f"/fhir/ValueSet/$expand?url={HEARTS['url']}&offset=1&count=1")
    assert (listed(second), second.json()["expansion"]["total"]) == ([("card", "Cardiology")], 3)
    assert listed(kept.get(f"/fhir/ValueSet/$expand?url={HEARTS['url']}&count=0")) == []


def test_what_is_abstract_or_retired_is_marked_and_can_be_left_out(kept: httpx.Client) -> None:
    value_set = {"resourceType": "ValueSet", "status": "active", "compose": {"include": [{"system": WARDS}]}}

    def sent(*more: dict[str, Any]) -> dict[str, Any]:
        parameters = [{"name": "valueSet", "resource": value_set}, *more]
        content = json.dumps({"resourceType": "Parameters", "parameter": parameters})
        found: dict[str, Any] = kept.post("/fhir/ValueSet/$expand", content=content).json()
        return {one["code"]: one for one in found["expansion"]["contains"]}

    every = sent({"name": "includeDesignations", "valueBoolean": True})
    assert list(every) == ["med", "card", "ccu", "old", "surg"]
    assert (every["med"]["abstract"], every["old"]["inactive"]) == (True, True)
    assert every["card"]["designation"] == [{"language": "sv", "value": "Hjärtkliniken"}]
    assert list(sent({"name": "activeOnly", "valueBoolean": True})) == ["med", "card", "ccu", "surg"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("url=http://example.org/none", (404, "value-set-unknown")),
        ("", (400, "parameter-missing")),
        ("url=http://hl7.org/fhir/ValueSet/administrative-gender&count=many", (400, "parameter-malformed")),
        ("url=http://hl7.org/fhir/ValueSet/administrative-gender&offset=-1", (400, "parameter-malformed")),
        ("context=http://a", (404, "context-unknown")),
        ("context=http://hl7.org/fhir/StructureDefinition/Patient%23Patient.birthDate", (404, "context-unknown")),
        ("url=http://hl7.org/fhir/ValueSet/administrative-gender&date=2020", (400, "parameter-not-offered")),
        (f"url={HEARTS['url']}&system-version={WARDS}|1", (422, "version-not-held")),
    ],
)
def test_what_cannot_be_expanded_is_refused(kept: httpx.Client, query: str, said: tuple[int, str]) -> None:
    assert rule(kept.get(f"/fhir/ValueSet/$expand?{query}")) == said


def test_a_value_set_of_codes_that_are_not_held_says_so(kept: httpx.Client) -> None:
    away = {"resourceType": "ValueSet", "status": "active", "compose": {"include": [{"system": "http://loinc.org"}]}}
    content = json.dumps({"resourceType": "Parameters", "parameter": [{"name": "valueSet", "resource": away}]})
    assert rule(kept.post("/fhir/ValueSet/$expand", content=content)) == (422, "value-set-not-expanded")


def test_the_operations_are_announced(kept: httpx.Client) -> None:
    resources = {one["type"]: one for one in kept.get("/fhir/metadata").json()["rest"][0]["resource"]}
    announced = {
        (name, one["name"]) for name in ("CodeSystem", "ValueSet") for one in resources[name].get("operation", ())
    }
    every = ("contradictions", "explain", "graphql", "meta", "meta-add", "meta-delete", "settle", "validate")
    of_every_type = {(name, code) for name in resources for code in every}
    assert announced - of_every_type == {
        ("CodeSystem", "lookup"),
        ("CodeSystem", "subsumes"),
        ("CodeSystem", "validate-code"),
        ("ValueSet", "expand"),
        ("ValueSet", "validate-code"),
    }


# --- versions, contexts, designations


@pytest.mark.parametrize(
    ("system", "code", "version"),
    [
        (GENDER, "male", "4.0.1"),
        (ACT, "IMP", "2018-08-12"),
        ("http://terminology.hl7.org/CodeSystem/v2-0131", "C", "2.9"),
    ],
)
def test_what_is_shipped_is_known_in_its_own_version(kept: httpx.Client, system: str, code: str, version: str) -> None:
    answer = kept.get(f"/fhir/CodeSystem/$lookup?system={system}&code={code}&version={version}")
    assert told(answer)["version"] == version
    assert rule(kept.get(f"/fhir/CodeSystem/$lookup?system={system}&code={code}&version=1")) == (
        404,
        "code-system-unknown",
    )


def test_an_expansion_says_by_which_versions_it_is(kept: httpx.Client) -> None:
    url = "http://terminology.hl7.org/ValueSet/v3-ActEncounterCode"
    answer = kept.get(f"/fhir/ValueSet/$expand?url={url}&valueSetVersion=2014-03-26&system-version={ACT}|2018-08-12")
    assert answer.status_code == 200, answer.text
    parameters = {one["name"]: one for one in answer.json()["expansion"]["parameter"]}
    assert parameters["version"]["valueUri"] == f"{ACT}|2018-08-12"


def test_an_element_leads_to_the_value_set_that_it_is_bound_to(kept: httpx.Client) -> None:
    context = "http://hl7.org/fhir/StructureDefinition/Patient%23Patient.contact.gender"
    answer = kept.get(f"/fhir/ValueSet/$expand?context={context}")
    assert {code for code, _ in listed(answer)} == {"male", "female", "other", "unknown"}
    valid = kept.get(f"/fhir/ValueSet/$validate-code?context={context}&system={GENDER}&code=male&systemVersion=4.0.1")
    assert told(valid)["result"] is True


def test_designations_are_given_of_the_languages_that_are_asked_for(kept: httpx.Client) -> None:
    def given(query: str) -> list[dict[str, Any]]:
        found = kept.get(f"/fhir/ValueSet/$expand?url={HEARTS['url']}&{query}").json()["expansion"]["contains"]
        return [one for entry in found for one in entry.get("designation", ())]

    assert [one["value"] for one in given("designation=sv")] == ["Hjärtkliniken"]
    assert given("designation=fi") == []
    assert given("") == []
