"""Paths over FHIR JSON: choices, extensions beside primitives, types, and what comes out."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

from gateway.fhirpath import Date, Element, Environment, FHIRPathError, Quantity, compile

PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "p",
    "active": True,
    "birthDate": "1950-09-07",
    "_birthDate": {"extension": [{"url": "http://example.org/time", "valueDateTime": "1950-09-07T10:00:00Z"}]},
    "_gender": {"extension": [{"url": "http://example.org/absent", "valueCode": "masked"}]},
    "name": [
        {"use": "official", "family": "Berg", "given": ["Eva", "Lo"]},
        {"family": "Ek", "given": [None, "Bo"], "_given": [{"extension": [{"url": "http://example.org/x"}]}, None]},
    ],
    "deceasedDateTime": "2026-01-01",
    "contact": [{"name": {"family": "Al"}}],
}
OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation",
    "id": "o",
    "valueQuantity": {"value": Decimal("5.40"), "unit": "gram", "system": "http://unitsofmeasure.org", "code": "g"},
    "subject": {"reference": "Patient/p"},
    "component": [{"valueString": "x"}, {"valueQuantity": {"value": 1, "code": "g"}}],
}
BUNDLE = {"resourceType": "Bundle", "entry": [{"resource": PATIENT}, {"resource": OBSERVATION}, {"fullUrl": "urn:x"}]}


def of(expression: str, focus: Any = PATIENT, context: str | None = None) -> list[Any]:
    kind = context or (focus["resourceType"] if isinstance(focus, dict) and "resourceType" in focus else None)
    return compile(expression, kind)(focus)


def test_elements_come_out_as_they_stand_in_the_json() -> None:
    assert of("birthDate") == ["1950-09-07"]
    assert of("name.first()") == [PATIENT["name"][0]]
    assert of("value.value", OBSERVATION) == [Decimal("5.40")]


def test_what_is_computed_is_a_system_value_that_prints_as_its_literal() -> None:
    [later] = of("birthDate + 1 month")
    assert isinstance(later, Date)
    assert str(later) == "1950-10-07"
    [double] = of("value * 2", OBSERVATION)
    assert isinstance(double, Quantity)
    assert str(double) == "10.80 'g'"


def test_a_choice_is_found_by_its_short_name() -> None:
    assert of("value.unit", OBSERVATION) == ["gram"]
    assert of("(value as Quantity).code", OBSERVATION) == ["g"]
    assert of("component.value.ofType(string)", OBSERVATION) == ["x"]
    assert of("deceased") == ["2026-01-01"]
    assert of("deceased is dateTime") == [True]
    assert of("deceased.ofType(boolean)") == []


def test_a_choice_by_its_json_name_is_refused_with_the_right_one() -> None:
    with pytest.raises(FHIRPathError, match="short name: value"):
        compile("Observation.valueQuantity", "Observation")


def test_a_primitive_that_has_only_an_extension_is_there_and_has_no_value() -> None:
    assert of("gender.exists()") == [True]
    assert of("gender.hasValue()") == [False]
    assert of("gender.extension.value") == ["masked"]
    assert of("gender") == []
    assert of("name[1].given.count()") == [2]
    assert of("name.given.where(hasValue())") == ["Eva", "Lo", "Bo"]


def test_the_extension_of_a_primitive_is_found_through_filters() -> None:
    assert of("birthDate.where($this = @1950-09-07).extension('http://example.org/time').value.exists()") == [True]
    assert of("(birthDate | deceased).extension.url") == ["http://example.org/time"]
    assert of("iif(active, birthDate, gender).extension.url") == ["http://example.org/time"]
    assert of("descendants().where(url = 'http://example.org/absent').value") == ["masked"]


def test_resources_within_resources_say_their_own_type() -> None:
    assert of("Bundle.entry.resource.ofType(Patient).name.family", BUNDLE) == ["Berg", "Ek"]
    assert of("entry.resource.where($this is Observation).value.unit", BUNDLE) == ["gram"]
    assert of("entry.resource.id", BUNDLE) == ["p", "o"]


def test_a_data_type_can_be_the_focus() -> None:
    assert of("given.first()", PATIENT["name"][0], "HumanName") == ["Eva"]
    assert of("name.family", PATIENT["contact"][0], "Patient.contact") == ["Al"]
    assert of("$this > 3", 5, "integer") == [True]
    assert of("$this.length()", "abc") == [3]


def test_without_a_context_type_the_resource_decides() -> None:
    path = compile("id | status")
    assert path(PATIENT) == ["p"]
    assert path(OBSERVATION) == ["o"]
    assert path.result_type is None
    assert compile("Patient.name", "Patient").result_type == "HumanName"


def test_elements_come_with_their_types() -> None:
    [element] = compile("birthDate", "Patient").elements(PATIENT)
    assert (element.type, element.value) == ("date", "1950-09-07")
    [element] = compile("value", "Observation").elements(OBSERVATION)
    assert element.type == "Quantity"
    assert "5.40" not in repr(element)


def test_an_unknown_element_is_refused_with_its_place_and_what_may_be_meant() -> None:
    with pytest.raises(FHIRPathError) as caught:
        compile("Patient.name.familly.length() + Patient.nam", "Patient")
    assert [problem.offset for problem in caught.value.problems] == [13, 40]
    assert "Did you mean family" in caught.value.text
    assert caught.value.issues[1].where == "line 1, column 41"


def test_another_types_path_finds_nothing_unless_strict() -> None:
    assert of("Encounter.period") == []
    with pytest.raises(FHIRPathError, match="This is a Patient"):
        compile("Encounter.period", "Patient", strict=True)


def test_an_evaluation_that_fails_says_where_and_quotes_no_value() -> None:
    with pytest.raises(FHIRPathError) as caught:
        of("name.first().given.single()\n  .upper() & 'x'")
    assert caught.value.issues[0].where == "line 1, column 20"
    assert "Eva" not in str(caught.value)


def test_json_of_the_wrong_shape_is_an_error_of_the_expression_not_a_crash() -> None:
    with pytest.raises(FHIRPathError, match="shape"):
        of("name.given", {"resourceType": "Patient", "name": ["Eva"]})


def test_nothing_is_changed() -> None:
    before = copy.deepcopy(PATIENT)
    for expression in (
        "name.given",
        "descendants()",
        "name.sort(-family)",
        "(name | contact).repeat(name)",
        "children()",
    ):
        compile(expression, "Patient")(PATIENT)
    assert before == PATIENT


def test_results_are_lists_of_the_callers_own() -> None:
    of("name.given").append("x")
    of("name").clear()
    assert of("name.given.count()") == [4]
    assert len(PATIENT["name"]) == 2


def test_one_path_serves_many_threads() -> None:
    path = compile("name.where(use = 'official').given.first() & birthDate.toString()")
    patients = [PATIENT | {"birthDate": f"19{n:02}-01-01"} for n in range(50)]
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(path, patients * 10))
    assert found == [[f"Eva19{n:02}-01-01"] for n in range(50)] * 10


def test_a_variable_may_be_named_without_a_percent_sign_when_the_caller_says_so() -> None:
    path = compile("src.name.family & '-' & %other", names=["src"])
    variables = {"src": {"name": {"family": "Berg"}}, "other": "x"}
    assert path({}, Environment(variables=variables)) == ["Berg-x"]


def test_a_long_path_does_not_exceed_what_python_can_nest() -> None:
    item: dict[str, Any] = {"linkId": "last"}
    for _ in range(30):
        item = {"linkId": "x", "item": [item]}
    questionnaire = {"resourceType": "Questionnaire", "item": [item]}
    assert of("item" + ".item" * 30 + ".linkId", questionnaire) == ["last"]


def test_an_element_as_focus_is_taken_at_its_word() -> None:
    assert compile("$this + 1 day")(Element("2026-01-01", "date")) == [Date((2026, 1, 2))]


def test_a_resource_type_that_does_not_exist_has_no_elements() -> None:
    path = compile("a.b")
    assert [path({"resourceType": f"X{n}", "a": {"b": n}}) for n in range(3)] == [[], [], []]
    assert path({"a": {"b": 1}}) == [1]
