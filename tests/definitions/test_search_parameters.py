"""Search parameters, by resource type."""

import pytest

from gateway.definitions import load
from gateway.definitions.searchparameters import narrowed

TASK_OWNER_UNIT = {
    "resourceType": "SearchParameter",
    "id": "owner-unit",
    "url": "https://samverka.example/fhir/SearchParameter/owner-unit",
    "name": "OwnerUnit",
    "status": "active",
    "description": "The unit that owns the task.",
    "code": "owner-unit",
    "base": ["Task"],
    "type": "token",
    "expression": "Task.owner.identifier",
}


def test_a_type_can_be_searched_by_its_own_and_its_bases_parameters() -> None:
    parameters = load().search_parameters("Task")
    assert parameters["owner"].expression == "Task.owner"
    assert parameters["_lastUpdated"].type == "date"
    assert parameters["_text"].expression == ""
    assert "birthdate" not in parameters


def test_a_parameter_shared_by_many_types_is_narrowed_to_each() -> None:
    d = load()
    assert d.search_parameters("Condition")["patient"].expression == "Condition.subject.where(resolve() is Patient)"
    assert d.search_parameters("Encounter")["date"].expression == "Encounter.period"
    assert len(d.search_parameter("http://hl7.org/fhir/SearchParameter/clinical-date").base) > 10


@pytest.mark.parametrize(
    ("expression", "resource_type", "expected"),
    [
        ("Patient.name", "Patient", "Patient.name"),
        ("A.x | B.y | (B.z as Quantity)", "B", "B.y | (B.z as Quantity)"),
        ("(A.x | A.y) | B.z", "A", "(A.x | A.y)"),
        ("A.x.where(a = '|' or b) | B.y", "A", "A.x.where(a = '|' or b)"),
        ("name | alias", "Organization", "name | alias"),
    ],
)
def test_narrowing_keeps_the_alternatives_that_start_at_the_type(
    expression: str, resource_type: str, expected: str
) -> None:
    assert narrowed(expression, resource_type) == expected


def test_the_examples_of_the_package_shadow_nothing() -> None:
    assert load().search_parameters("Condition")["subject"].url.endswith("/Condition-subject")
    assert load().search_parameters("Patient")["_id"].url.endswith("/Resource-id")


def test_composites_name_their_components() -> None:
    d = load()
    composite = d.search_parameters("Observation")["code-value-quantity"]
    assert composite.type == "composite"
    assert all(d.search_parameter(url) is not None for url, _ in composite.components)


def test_ordered_parameters_can_be_compared_and_each_type_has_its_modifiers() -> None:
    task = load().search_parameters("Task")
    assert "ge" in task["authored-on"].comparators
    assert task["status"].comparators == ()
    assert "not" in task["status"].modifiers


def test_an_uploaded_parameter_makes_the_next_snapshot_and_leaves_the_first() -> None:
    first = load()
    second = first.with_resources([TASK_OWNER_UNIT])
    assert second.number == first.number + 1
    assert second.search_parameters("Task")["owner-unit"].expression == "Task.owner.identifier"
    assert "owner-unit" not in first.search_parameters("Task")
