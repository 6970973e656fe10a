"""Searches as SQL: pages, what a chain may tell, indexes, and the date prefixes against their own words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from gateway.search import sql
from gateway.search.conditions import DateIs
from gateway.search.dates import HIGHEST, LOWEST
from gateway.search.match import date
from gateway.tables import resource, search_date
from tests.search.shelf import INDEX, Shelf


def patient(id: str, family: str | None = None, **more: object) -> dict[str, object]:
    return {"resourceType": "Patient", "id": id, **({"name": [{"family": family}]} if family else {}), **more}


def test_every_page_goes_on_where_the_last_one_ended() -> None:
    shelf = Shelf([patient(f"p{i}", family=chr(97 + i % 3) if i % 4 else None) for i in range(23)])
    whole = shelf.search("Patient?_sort=-family&_count=100")
    for size in (1, 2, 5, 22, 23):
        assert shelf.search(f"Patient?_sort=-family&_count={size}") == whole
    assert len(whole) == 23


def test_what_does_not_change_while_paging_appears_exactly_once() -> None:
    shelf = Shelf([patient(f"p{i:02}", family="x") for i in range(10)])
    query = shelf.query("Patient?_sort=family&_count=4")
    first, cursor = shelf.page(query)
    shelf.put(11, patient("earlier", family="a"))
    shelf.put(12, patient("later", family="z"))
    rest: list[str] = []
    while cursor is not None:
        found, cursor = shelf.page(query, cursor)
        rest += found
    assert [*first, *rest] == [*(f"p{i:02}" for i in range(10)), "later"]


def test_a_page_of_none_holds_nothing() -> None:
    assert Shelf([patient("a")]).page(Shelf([]).query("Patient?_count=0")) == ([], None)


def test_a_chain_does_not_tell_of_what_may_not_be_seen() -> None:
    observation = {"resourceType": "Observation", "id": "secret", "subject": {"reference": "Patient/a"}}
    observation["code"] = {"coding": [{"code": "hiv"}]}
    shelf = Shelf([patient("a", "Berg"), observation])
    visible = resource.c.id != "secret"
    for search in ("Patient?_has:Observation:patient:code=hiv", "Patient?_has:Observation:patient:code:not=x"):
        query = shelf.query(search)
        with shelf.engine.connect() as connection:
            assert len(connection.execute(sql.select(query)).all()) == 1
            assert connection.execute(sql.select(query, visible=visible)).all() == []
            assert connection.execute(sql.count(query, visible=visible)).scalar_one() == 0
    query = shelf.query("Observation?subject:Patient.family=berg")
    with shelf.engine.connect() as connection:
        assert connection.execute(sql.select(query, visible=resource.c.id != "a")).all() == []


@pytest.mark.parametrize(
    ("search", "index"),
    [
        ("Patient?identifier=urn:x|1", "search_token_code"),
        ("Encounter?subject=Patient/1", "search_reference_target_id"),
        ("Encounter?date=sa2026", "search_date_low"),
        ("Encounter?date=eb2026", "search_date_high"),
        ("Patient?family=as", "search_string_value"),
        ("ValueSet?url=http://x", "search_uri_value"),
        ("Observation?value-quantity=5", "search_quantity_low"),
        ("Observation?code:text=head", "search_string_value"),
        ("Patient?identifier:of-type=urn:x|MR|1", "search_token_code"),
        ("Encounter?class:below=IMP", "search_token_code"),
        ("Observation?component-code-value-quantity=8480-6$gt120", "search_token_code"),
        ("Procedure?location:below=42", "search_reference_target_id"),
        ("Medication?_contained=true&code=a&status=active", "search_token_code"),
        ("Medication?_contained=both&identifier=urn:x|1", "search_token_code"),
        ("MedicationRequest?medication.code=a", "search_reference_target_id"),
        ("QuestionnaireResponse?questionnaire.status=active", "search_uri_value"),
        ("Questionnaire?_has:QuestionnaireResponse:questionnaire:status=completed", "search_uri_value"),
        ("Location?near=58|12|5|km", "search_position_z"),
        ("Condition?_text=liver", "search_text_words VIRTUAL TABLE INDEX"),
    ],
)
def test_each_kind_of_criterion_is_answered_from_an_index(search: str, index: str) -> None:
    shelf = Shelf([])
    statement = sql.select(shelf.query(search)).compile(shelf.engine, compile_kwargs={"literal_binds": True})
    with shelf.engine.connect() as connection:
        plan = connection.execute(text(f"EXPLAIN QUERY PLAN {statement}".replace(":", "\\:")))
        steps = " ".join(row[-1] for row in plan)
    assert index in steps
    # A hierarchy is walked over the resources of its type; otherwise only those that a value finds are looked at.
    assert ("resource_type_changed" in steps) is (":below=42" in search)
    assert "SCAN search" not in steps.replace("SCAN search_text_words VIRTUAL TABLE INDEX", "")


EDGE = st.integers(0, 12)


@settings(max_examples=100, deadline=None)
@given(low=EDGE, length=EDGE, start=EDGE, stay=EDGE, open_start=st.booleans(), open_end=st.booleans())
def test_a_date_prefix_means_what_the_specification_says(
    low: int, length: int, start: int, stay: int, open_start: bool, open_end: bool
) -> None:
    """Both ranges as sets of moments on a short time line, with one far moment on either side for what is open."""
    line = set(range(-100, 100))
    search = set(range(low, low + length + 1))
    above = {moment for moment in line if moment > max(search)}
    below = {moment for moment in line if moment < min(search)}
    target = {moment for moment in line if (open_start or moment >= start) and (open_end or moment <= start + stay)}
    said = {
        "eq": target <= search,
        "ne": not target <= search,
        "gt": bool(above & target),
        "lt": bool(below & target),
        "ge": bool(above & target) or target <= search,
        "le": bool(below & target) or target <= search,
        "sa": not search & target and target <= above,
        "eb": not search & target and target <= below,
        "ap": bool(search & target),
    }
    row = (LOWEST if open_start else start, HIGHEST if open_end else start + stay + 1)
    for prefix, expected in said.items():
        assert _holds(DateIs(prefix, low, low + length + 1), row) == expected, prefix  # type: ignore[arg-type]


DATABASE = Shelf([]).engine


def _holds(condition: DateIs, row: tuple[int, int]) -> bool:
    low, high = search_date.c.low, search_date.c.high
    test = str(date(condition, low, high).compile(compile_kwargs={"literal_binds": True}))
    plain = test.replace("search_date.low", str(row[0])).replace("search_date.high", str(row[1]))
    with DATABASE.connect() as connection:
        return bool(connection.execute(text(f"SELECT {plain}")).scalar_one())


def test_approximately_is_a_tenth_of_the_time_between_then_and_now() -> None:
    now = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
    then = now - timedelta(days=100)
    shelf = Shelf(
        [
            {"resourceType": "Observation", "id": "near", "effectiveDateTime": (then - timedelta(days=9)).isoformat()},
            {"resourceType": "Observation", "id": "far", "effectiveDateTime": (then - timedelta(days=11)).isoformat()},
        ]
    )
    assert shelf.search(f"Observation?date=ap{then:%Y-%m-%dT%H:%M:%SZ}") == ["near"]


def test_an_index_that_was_given_bases_knows_its_own_urls() -> None:
    assert INDEX.place.bases == ("https://gateway.example/fhir/",)
