"""The language: its grammar, operators and functions where HL7's suite is silent."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.fhirpath import FHIRPathError, Quantity, compile, parse


def of(expression: str, focus: Any = None) -> list[Any]:
    return compile(expression)({} if focus is None else focus)


@pytest.mark.parametrize("focus", ["text", Decimal("1.50"), True, {"resourceType": "Patient"}], ids=repr)
def test_a_constant_is_selected_for_a_focus_of_any_kind(focus: Any) -> None:
    assert of("select('a').distinct() = 'a'", focus) == [True]
    assert of("$this.select(1).first() + 1", focus) == [2]


def test_a_long_row_of_casts_is_written_once_each() -> None:
    assert of("a" + ".as(code)" * 60, {"resourceType": "Patient"}) == []
    assert of("name" + ".as(HumanName).where(true)" * 25, {"resourceType": "Patient", "name": [{}]}) == [{}]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("1 + 2 * 3", 7),
        ("-2.abs()", -2),
        ("(1 | 2 | 2).count()", 2),
        ("1.combine(1).distinct()", 1),
        ("5 mod 3", 2),
        ("-7 div 2", -3),
        ("7.5 mod 2", Decimal("1.5")),
        ("true xor true", False),
        ("'a' & {} & 'b'", "ab"),
        ("'abc'.substring(1, 1)", "b"),
        ("'b' in ('a' | 'b')", True),
        ("('a' | 'b') contains 'c'", False),
        ("'$1-$2'.length()", 5),
        ("'2026-11'.replaceMatches('(\\\\d+)-(\\\\d+)', '$2/$1')", "11/2026"),
        ("'a,b,,c'.split(',').count()", 4),
        ("(1 | 2 | 3).aggregate($this + $total, 10)", 16),
        ("(1 | 2 | 3).all($this > 0)", True),
        ("(3 | 1 | 2).sort().first()", 1),
        ("(10 | 20).select($index).last()", 1),
        ("1000.log(10)", 3),
        ("2.power(-1)", Decimal("0.5")),
        ("{}.exists() or true", True),
        ("iif(true, 'x')", "x"),
        ("'9'.toInteger() + 1", 10),
        ("true.toString()", "true"),
        ("1.0 = 1", True),
        ("(1 | 1.0).count()", 1),
        ("'A' ~ ' a '.trim()", True),
        ("@2026-11-22 < @2026-11-23", True),
        ("@2026-01-31 + 1 month", "2026-02-28"),
        ("@2024-02-29 + 1 year", "2025-02-28"),
        ("@2026 + 18 months", "2027"),
        ("@2026-03-01 - 24 hours", "2026-02-28"),
        ("@T23:30 + 45 minutes", "00:15"),
        ("@2026-11-22T10:00:00+01:00 = @2026-11-22T09:00:00Z", True),
        ("@2026-11-22T10:00:00+01:00 + 0.5 hours", "2026-11-22T10:00:00+01:00"),
        ("3 'min' > 100 's'", True),
        ("1 year = 12 months", True),
        ("(1 'm' + 10 'cm').toString()", "1.1 'm'"),
        ("'5 days'.toQuantity() = 5 days", True),
        ("`a b`", "quoted"),
        ("{}.count()", 0),
    ],
)
def test_an_expression_has_its_value(expression: str, value: Any) -> None:
    [found] = of(expression, {"a b": "quoted"})
    assert (str(found) if isinstance(value, str) else found) == value


@pytest.mark.parametrize(
    "expression",
    [
        "1 / 0",
        "{} = 1",
        "@2026 = @2026-11",
        "@2026-11-22T10:00:00 < @2026-11-22T10:00:00Z",
        "1 year = 1 'a'",
        "1 'm' > 1 's'",
        "'x'.toInteger()",
        "(-1).sqrt()",
        "'abc'.substring(5)",
        "'abc'.matches({})",
        "@9999-12-31 + 1 day",
        "3.lowBoundary(50)",
    ],
)
def test_what_has_no_answer_gives_nothing(expression: str) -> None:
    assert of(expression) == []


@pytest.mark.parametrize(
    ("expression", "offset", "text"),
    [
        ("1 +", 3, "found the end"),
        ("name.", 5, "Expected a name"),
        ("(1 | 2", 6, "Expected ')'"),
        ("name[0", 6, "Expected ']'"),
        ("a b", 2, "Unexpected 'b'"),
        ("'open", 0, "does not end"),
        ("1 /* open", 2, "does not end"),
        ("a # b", 2, "Unexpected character"),
        ("@2026-02-30", 0, "no such date"),
        ("'\\q'", 1, "Unknown escape"),
        ("nosuch()", 0, "no function nosuch()"),
        ("'a'.substring()", 4, "takes 1 to 2 arguments"),
        ("name.ofType('x')", 5, "the name of a type"),
        ("name is Patiend", 5, "no type Patiend"),
        ("$index", 0, "no meaning here"),
        ("a.div", 2, "Expected a name"),
    ],
)
def test_a_mistake_is_shown_where_it_is(expression: str, offset: int, text: str) -> None:
    with pytest.raises(FHIRPathError) as caught:
        of(expression)
    problem = caught.value.problems[0]
    assert text in problem.text
    assert problem.offset == offset
    shown = problem.show(expression).splitlines()
    assert shown[2].index("^") - 2 == offset


def test_a_caret_stands_below_its_line() -> None:
    with pytest.raises(FHIRPathError) as caught:
        parse("1 +\n  2 +\n  * 3")
    assert caught.value.text.splitlines()[:3] == ["line 3, column 3: Expected a value, found '*'.", "    * 3", "    ^"]


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("(1 | 2) + 1", "One value is needed"),
        ("1 + 'a'", "Integer + String is not defined"),
        ("1 < 'a'", "cannot be compared"),
        ("@2026-01-01 + 1 'mo'", "moved by units of time"),
        ("'a'.matches('(')", "not a regular expression"),
        ("(1 | 'a').allTrue()", "must be Boolean"),
        ("%nothing", "no variable %nothing"),
        ("now()", "no clock"),
        ("1.memberOf('http://x')", "no terminology"),
        ("'a'.skip('b')", "whole number"),
        ("(1 | 2).iif(true, 1)", "One value is needed"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(expression: str, text: str) -> None:
    with pytest.raises(FHIRPathError, match="line 1") as caught:
        of(expression)
    assert text in caught.value.problems[0].text


def test_an_expression_that_is_nested_too_deeply_is_refused() -> None:
    for expression in ("(" * 5000 + "1" + ")" * 5000, "-" * 5000 + "1", "a.where(" * 30 + "b" + ")" * 30):
        with pytest.raises(FHIRPathError):
            of(expression)


@given(st.text(max_size=40))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        parse(text)
    except FHIRPathError as error:
        assert all(0 <= problem.offset <= len(text) for problem in error.problems)


WORDS = st.sampled_from(
    [
        "name",
        "1",
        "2.5",
        "'x'",
        "@2026-11",
        "true",
        "{}",
        "$this",
        "%resource",
        "(",
        ")",
        "+",
        "-",
        "|",
        "=",
        "and",
        ".",
        "where(",
        "exists()",
        ".first()",
        "is String",
        "~",
        ">",
        "in",
        ".count()",
        "iif(",
        ",",
        "[0]",
        "10 'mg'",
    ]
)


@given(st.lists(WORDS, max_size=8))
def test_any_words_in_any_order_are_evaluated_or_refused(words: list[str]) -> None:
    """Typed and boxed code meet the same fate, and no error of Python's own comes through."""
    focus = {"resourceType": "Patient", "name": [{"family": "Ek", "given": ["Bo"]}]}
    results = []
    for context in ("Patient", None):
        try:
            results.append([str(value) for value in compile(" ".join(words), context)(focus)])
        except FHIRPathError:
            results.append(None)
    assert results[0] == results[1] or results[0] is None


JSON = st.recursive(
    st.one_of(st.booleans(), st.integers(-9, 9), st.text("ab", max_size=2)),
    lambda inner: st.dictionaries(st.sampled_from("abc"), st.one_of(inner, st.lists(inner, max_size=3)), max_size=3),
    max_leaves=8,
)


@given(st.lists(st.one_of(st.booleans(), st.integers(0, 3), st.sampled_from(["a", "b"])), max_size=6))
def test_a_union_holds_each_value_once(values: list[Any]) -> None:
    found = compile("a | {}")({"a": values})
    assert len(found) == len({(type(value), value) for value in values})
    assert compile("a.isDistinct()")({"a": values}) == [len(found) == len(values)]


@given(JSON)
def test_descendants_are_the_repeated_children(tree: Any) -> None:
    focus = {"a": tree}
    assert compile("descendants().count()")(focus)[0] >= compile("repeat(children()).count()")(focus)[0]


def test_a_quantity_knows_its_unit() -> None:
    assert of("(5 'mg').unit") == ["mg"]
    assert of("5 'mg'") == [Quantity(Decimal(5), "mg")]


def test_variables_of_one_another_do_not_grow_for_ever() -> None:
    doubled = "".join(f".defineVariable('v{n + 1}', %v{n}.combine(%v{n}))" for n in range(26))
    with pytest.raises(FHIRPathError, match="too long"):
        compile(f"defineVariable('v0', a){doubled}.select(%v26.count())")({"a": [1, 2]})
