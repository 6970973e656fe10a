"""Whatever is validated, there is an answer; and what is accepted stays so when it is written and read again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.definitions import load
from gateway.fhir.json import dump, parse
from tests.validation.conftest import Validate
from tests.validation.test_cases import FAMILIES

D = load()
NAMES = sorted({name for kind in ("Patient", "Observation", "Bundle", "Extension") for name in D.types[kind].elements})
TYPES = ("Patient", "Observation", "Bundle", "Questionnaire", "StructureDefinition", "Parameters")
leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.decimals(-5, 5, places=1).map(Decimal),
    st.sampled_from(
        ("final", "urn:uuid:x", "#a", "Patient/1", "http://hl7.org/fhir/StructureDefinition/bp", "2020-01", "")
    ),
    st.text(max_size=5),
)
names = st.one_of(
    st.sampled_from(NAMES),
    st.sampled_from(("resource", "reference", "url", "coding", "code", "system", "fullUrl", "valueQuantity", "meta")),
)
json_values = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(names, inner, max_size=4),
        st.dictionaries(names, inner, max_size=4).map(lambda one: {"resourceType": "Patient", **one}),
    ),
    max_leaves=12,
)
resources = st.builds(
    lambda kind, more: {"resourceType": kind, **more},
    st.sampled_from(TYPES),
    st.dictionaries(names, json_values, max_size=6),
)
PROFILES = ("http://hl7.org/fhir/StructureDefinition/bp", "http://hl7.org/fhir/StructureDefinition/nowhere")


@settings(max_examples=60, deadline=None)
@given(resources)
def test_any_json_has_an_answer(validating: Validate, resource: dict[str, Any]) -> None:
    for issue in validating(resource, profiles=PROFILES):
        json.dumps(issue.to_fhir())


JUNK = (None, 1, "", "x", "9" * 5_000, [], ["x"], [None], {}, {"x": 1}, [{"x": []}])


@pytest.mark.parametrize("family", ["published", "questionnaires"])
def test_a_definition_has_an_answer_whatever_stands_in_any_of_its_places(validating: Validate, family: str) -> None:
    """One place of one case after another holds each kind of junk."""
    of_type = {
        one["resource"]["resourceType"]: one["resource"] for one in FAMILIES[family]["cases"] if "resource" in one
    }
    for resource in of_type.values():
        for holder, name in spots(resource := deepcopy(resource)):
            was = holder[name]
            for junk in JUNK:
                holder[name] = deepcopy(junk)
                for issue in validating(resource):
                    json.dumps(issue.to_fhir())
            holder[name] = was


def spots(value: Any) -> Iterator[tuple[Any, Any]]:
    """Each place below a value but those that say of what type a resource is: what holds it, and its name there."""
    for name, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
        if name != "resourceType":
            yield value, name
        if isinstance(inner, dict | list):
            yield from spots(inner)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(("active", "birthDate", "gender", "deceasedBoolean")), leaves, max_size=4))
def test_what_is_accepted_stays_accepted(validating: Validate, more: dict[str, Any]) -> None:
    resource = {"resourceType": "Patient", **more}
    assert validating(parse(dump(resource))) == validating(resource)


links = st.sampled_from(("a", "b", "c"))
values = st.fixed_dictionaries(
    {}, optional={"valueBoolean": leaves, "valueInteger": leaves, "valueCoding": json_values}
)


def items(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Questions and answers in one: what is not of the one is of the other."""
    condition = st.fixed_dictionaries(
        {"question": links, "operator": st.sampled_from(("exists", "=", "!=", ">", "<=", "x"))},
        optional={"answerBoolean": leaves, "answerInteger": leaves, "answerCoding": json_values},
    )
    parts = {
        "type": st.sampled_from(("group", "display", "boolean", "integer", "choice", "open-choice", "quantity")),
        "required": leaves,
        "repeats": leaves,
        "enableWhen": st.lists(condition, max_size=2),
        "answerOption": st.lists(values, max_size=2),
        "answer": st.lists(values | inner.map(lambda below: {"item": below}), max_size=2),
        "item": inner,
    }
    return st.lists(st.fixed_dictionaries({"linkId": links | leaves}, optional=parts), max_size=3)


@settings(max_examples=100, deadline=None)
@given(*2 * [st.recursive(st.just([]), items, max_leaves=6)])
def test_any_answers_to_any_questions_have_an_answer(validating: Validate, asked: Any, given: Any) -> None:
    questionnaire = {"resourceType": "Questionnaire", "id": "q", "status": "active", "item": asked}
    response = {"resourceType": "QuestionnaireResponse", "status": "completed", "questionnaire": "#q", "item": given}
    for issue in validating({**response, "contained": [questionnaire]}):
        json.dumps(issue.to_fhir())
