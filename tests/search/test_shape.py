"""Searches that differ by their values only have one shape, and so one statement."""

from __future__ import annotations

import pytest

from gateway.search.cursor import START, Cursor
from gateway.search.query import Query
from gateway.search.shape import MOST, VALUES, Shape, shape
from gateway.store import kept
from gateway.store.narrowing import SEEN
from tests.search.shelf import Shelf

SHELF = Shelf([])


def shaped(text: str, after: Cursor = START) -> tuple[Shape, dict[str, object]]:
    found = shape(SHELF.query(text), after)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Task?status=requested", "Task?status=completed"),
        ("Task?identifier=urn:a|1", "Task?identifier=urn:b|2"),
        ("Task?patient=Patient/1", "Task?patient=Patient/2"),
        ("Task?authored-on=ge2026-01-01", "Task?authored-on=ge2025-02"),
        ("Patient?name=Anna", "Patient?name=Bo"),
        ("Observation?value-quantity=gt5|http://unitsofmeasure.org|mg", "Observation?value-quantity=gt6.1|urn:x|g"),
        ("Task?patient:Patient.identifier=urn:a|1", "Task?patient:Patient.identifier=urn:b|2"),
        ("Patient?_has:Task:patient:status=requested", "Patient?_has:Task:patient:status=completed"),
        ("Task?_id=1", "Task?_id=2"),
        ("Task?status=a,b,c", "Task?status=d,e,f,g"),
    ],
)
def test_what_differs_by_values_has_one_shape(one: str, other: str) -> None:
    (first, values), (second, others) = shaped(one), shaped(other)
    assert first == second
    assert values.keys() == others.keys()
    assert values != others


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Task?status=requested", "Task?status:not=requested"),
        ("Task?authored-on=ge2026", "Task?authored-on=lt2026"),
        ("Task?identifier=urn:a|1", "Task?identifier=1"),
        ("Task?identifier=urn:a|1", "Task?identifier=|1"),
        ("Task?identifier=urn:a|1", "Task?identifier=urn:a|"),
        ("Task?status=requested", "Task?status=requested&_sort=authored-on"),
        ("Task?status=requested", "Task?status=requested&_count=7"),
        ("Task?status=a,b", "Task?status=a,b,c"),
        ("Task?status=requested", "Task?priority=requested"),
    ],
)
def test_what_asks_for_something_else_has_another(one: str, other: str) -> None:
    assert shaped(one)[0] != shaped(other)[0]


def test_a_page_behind_a_missing_key_has_another_shape_than_one_behind_a_value() -> None:
    text = "Task?_sort=authored-on"
    behind, missing = Cursor((5, "a"), 1), Cursor((None, "a"), 1)
    assert shaped(text, behind)[0] == shaped(text, Cursor((6, "b"), 2))[0]
    assert shaped(text, behind)[0] != shaped(text, missing)[0]
    assert shaped(text, behind)[0] != shaped(text)[0]


@pytest.mark.parametrize(
    "text",
    [
        "Patient?name:contains=nn",
        "ValueSet?url:above=http://a/b",
        "Location?near=58.4|13.8|10|km",
        f"Task?status={','.join(map(str, range(MOST + 1)))}",
    ],
)
def test_what_depends_on_how_a_value_reads_has_none(text: str) -> None:
    assert shape(SHELF.query(text), START) is None


def test_the_statement_of_a_shape_holds_no_value() -> None:
    query = SHELF.query("Task?identifier=urn:a|secret&patient:Patient.identifier=urn:b|hidden")
    found = shape(query, START)
    assert found is not None
    for dialect in ("sqlite", "postgresql"):
        statement = kept.page(found[0], dialect, narrowed=True, counted=True)
        told = (statement.sql, statement.constants)
        assert "secret" not in repr(told)
        assert "hidden" not in repr(told)
        assert "hidden" in statement.parameters(found[1] | dict.fromkeys((*kept.GIVEN, *SEEN), ()))


@pytest.mark.parametrize(
    "text", ["Task?code=urn:a|1,urn:a|2,urn:a|3", "Task?status=a,b", "Task?patient=Patient/1,Patient/2"]
)
def test_alternatives_are_one_look_up_however_many_they_are(text: str) -> None:
    statement = kept.page(shaped(text)[0], "postgresql", narrowed=False, counted=False).sql
    assert statement.count(".code IN (") + statement.count(".target_id IN (") == 1
    assert ".code = " not in statement


def test_what_is_kept_is_bounded() -> None:
    for each in (kept.page, kept.count, kept.included):
        assert each.cache_info().maxsize == kept.KEPT


def test_a_query_without_criteria_has_a_shape() -> None:
    assert shape(Query(("Task",)), START) is not None


def test_every_value_is_an_element_of_what_it_is_named_for() -> None:
    for one, names in VALUES.items():
        assert set(names) <= set(one.__dataclass_fields__)
