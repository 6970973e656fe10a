"""Reading a search: strict by default, and every refusal says what to do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.definitions import load
from gateway.errors import BadRequest
from gateway.search.query import Limits, Query
from gateway.search.query import parse as parse_at
from gateway.search.values import alternatives, split, unescaped

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def parse(resource_type: str, params: Sequence[tuple[str, str]], **more: Any) -> Query:
    return parse_at(resource_type, params, load(), now=NOW, **more)


def refused(resource_type: str, *params: tuple[str, str]) -> BadRequest:
    with pytest.raises(BadRequest) as caught:
        parse(resource_type, params)
    return caught.value


def test_an_unknown_parameter_is_refused_with_those_that_are_known() -> None:
    error = refused("Patient", ("famly", "Berg"))
    assert "famly" in error.text
    assert "Did you mean family" in error.text
    assert "birthdate" in error.text
    assert error.issues[0].where == "famly"


@pytest.mark.parametrize(
    ("resource_type", "name", "value", "says"),
    [
        ("Task", "status", "foo", "There are: accepted, cancelled,"),
        ("Task", "status", "requested,foo", "There are: accepted, cancelled,"),
        ("Task", "status:not", "foo", "http://hl7.org/fhir/ValueSet/task-status"),
        ("Task", "status", "Requested", "requested"),
        ("Task", "status", "urn:other|requested", "Before the bar stands http://hl7.org/fhir/task-status."),
        ("Patient", "address-use", "hom", "home"),
        ("SearchParameter", "base", "Tusk", "The nearest are: Task"),
        ("", "status", "foo", "encounter-status"),
    ],
)
def test_a_code_that_no_resource_can_have_finds_nothing_with_a_hint(
    resource_type: str, name: str, value: str, says: str
) -> None:
    """https://hl7.org/fhir/R4/search.html#errors has it looked for all the same."""
    types = () if resource_type else (("_type", "Task,Encounter"),)
    query = parse(resource_type, [*types, (name, value)])
    (issue,) = query.ignored
    assert (issue.severity, issue.code, issue.where) == ("warning", "code-invalid", name)
    assert says in issue.text
    assert "foo" not in issue.text
    assert query.criteria
    assert (name, value) in query.used


@pytest.mark.parametrize(
    ("resource_type", "name", "value"),
    [
        ("Task", "status", "requested,http://hl7.org/fhir/task-status|draft,http://hl7.org/fhir/task-status|"),
        ("Task", "status:text", "foo"),
        ("Task", "status:missing", "true"),
        ("Task", "code", "foo"),  # An example binding.
        ("Task", "identifier", "foo"),
        ("Encounter", "class", "foo"),  # Extensible: other codes are allowed.
        ("Patient", "language", "x-own"),
        ("CapabilityStatement", "format", "text/x-own"),  # A grammar, and no list.
        ("Task", "based-on:CarePlan.status", "foo"),  # Further along it is not told.
    ],
)
def test_what_a_resource_may_have_is_looked_for_without_a_hint(resource_type: str, name: str, value: str) -> None:
    assert parse(resource_type, [(name, value)]).ignored == ()


def test_all_that_is_wrong_is_said_at_once() -> None:
    error = refused("Patient", ("shoe-size", "42"), ("birthdate", "soon"), ("_count", "many"))
    assert [issue.rule for issue in error.issues] == [
        "unknown-search-parameter",
        "malformed-search-value",
        "malformed-search-value",
    ]


def test_a_refusal_never_quotes_the_value() -> None:
    error = refused("Patient", ("birthdate", "191212121212"))
    assert "191212121212" not in str(error.issues)


def test_a_lenient_search_leaves_out_what_it_does_not_know_and_says_so() -> None:
    params = [("shoe-size", "42"), ("family", "Berg"), ("_sort", "nothing")]
    query = parse("Patient", params, lenient=True)
    assert query.used == (("family", "Berg"),)
    assert [issue.where for issue in query.ignored] == ["shoe-size", "_sort"]
    assert {issue.severity for issue in query.ignored} == {"warning"}


def test_a_lenient_search_still_refuses_what_it_knows_and_cannot_read() -> None:
    with pytest.raises(BadRequest):
        parse("Patient", [("birthdate", "soon")], lenient=True)


def test_a_count_above_the_limit_is_the_limit() -> None:
    assert parse("Patient", [("_count", "100000")], limits=Limits(most=200)).count == 200


def test_format_and_pretty_are_not_part_of_a_search() -> None:
    assert parse("Patient", [("_format", "json"), ("_pretty", "true")]).used == ()


def test_too_many_alternatives_are_refused() -> None:
    assert refused("Patient", ("_id", ",".join("x" * 1001))).issues[0].rule == "malformed-search-value"


def test_too_many_parameters_are_refused() -> None:
    assert refused("Patient", *[("_id", "x")] * 101).issues[0].rule == "too-many-parameters"


@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=5))
def test_what_was_escaped_comes_back(parts: list[str]) -> None:
    escaped = ["".join(f"\\{char}" if char in "\\,|$" else char for char in part) for part in parts]
    assert [unescaped(part) for part in alternatives(",".join(escaped))] == parts


@given(st.text(max_size=40))
def test_splitting_loses_nothing(text: str) -> None:
    assert "|".join(split(text, "|")) == text


@given(name=st.text(max_size=20), value=st.text(max_size=20), kind=st.sampled_from(["Patient", "Task", "Observation"]))
def test_any_parameter_is_understood_or_refused(name: str, value: str, kind: str) -> None:
    try:
        parse(kind, [(name, value)])
    except BadRequest as error:
        assert error.issues


CODES = sorted(load().search_parameters("Observation"))


@given(
    name=st.sampled_from(CODES),
    modifier=st.sampled_from(["", ":missing", ":not", ":exact", ":identifier", ":Patient", ".name", ":above"]),
    value=st.one_of(st.text(max_size=12), st.from_regex(r"[a-z]{2}[0-9.|,:TZ+-]{1,20}", fullmatch=True)),
)
def test_any_value_of_a_known_parameter_is_understood_or_refused(name: str, modifier: str, value: str) -> None:
    try:
        parse("Observation", [(name + modifier, value)])
    except BadRequest as error:
        assert error.issues
