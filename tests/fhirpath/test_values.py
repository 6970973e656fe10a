"""Dates of partial precision, quantities, units and regular expressions, held against Python's own."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.definitions import load
from gateway.fhirpath import regex, temporal, ucum
from gateway.fhirpath.automaton import Automaton
from gateway.fhirpath.errors import EvaluationError
from gateway.fhirpath.quantity import Quantity, compare, equivalent
from gateway.fhirpath.temporal import Date, DateTime, Time

DATES = st.dates(date(1900, 1, 1), date(2100, 1, 1))
MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)).map(lambda m: m.replace(microsecond=0))  # noqa: DTZ001
OFFSETS = st.sampled_from(["", "Z", "+01:00", "-05:30", "+14:00"])


@given(MOMENTS, OFFSETS, st.sampled_from([4, 7, 10, 13, 16, 19]))
def test_a_moment_prints_as_it_was_read(moment: datetime, offset: str, length: int) -> None:
    text = moment.isoformat()[:length] + (offset if length > 10 else "")
    parsed = DateTime.parse(text)
    assert parsed is not None
    assert str(parsed) == text


@given(DATES, DATES)
def test_days_compare_as_they_do_in_python(a: date, b: date) -> None:
    left, right = Date.parse(a.isoformat()), Date.parse(b.isoformat())
    assert left is not None
    assert right is not None
    assert temporal.compare(left, right) == (a > b) - (a < b)


@given(MOMENTS, OFFSETS, MOMENTS, OFFSETS, st.sampled_from([4, 7, 10, 16, 19]), st.sampled_from([4, 7, 10, 16, 19]))
def test_comparison_is_the_same_from_both_sides(
    a: datetime, zone_a: str, b: datetime, zone_b: str, length_a: int, length_b: int
) -> None:
    left = DateTime.parse(a.isoformat()[:length_a] + (zone_a if length_a > 10 else ""))
    right = DateTime.parse(b.isoformat()[:length_b] + (zone_b if length_b > 10 else ""))
    assert left is not None
    assert right is not None
    forth, back = temporal.compare(left, right), temporal.compare(right, left)
    assert (forth is None and back is None) or (forth is not None and back == -forth)
    if forth == -1:
        assert left.low < right.high + 26 * temporal.HOUR


@given(DATES, st.integers(-20000, 20000))
def test_days_are_added_as_python_adds_them(day: date, number: int) -> None:
    expected = day + timedelta(days=number)
    value = Date.parse(day.isoformat())
    assert value is not None
    assert str(temporal.add(value, Decimal(number), "day")) == expected.isoformat()


@given(DATES, st.integers(0, 600))
def test_months_there_and_back_stay_within_the_month(day: date, months: int) -> None:
    value = Date.parse(day.isoformat())
    assert value is not None
    there = temporal.add(value, Decimal(months), "month")
    assert there is not None
    back = temporal.add(there, Decimal(-months), "month")
    assert back is not None
    assert back.parts[:2] == value.parts[:2]
    assert back.parts[2] <= value.parts[2]


@given(DATES, st.sampled_from([4, 7, 10]))
def test_a_value_lies_between_its_boundaries(day: date, length: int) -> None:
    value = Date.parse(day.isoformat()[:length])
    assert value is not None
    low, high = temporal.boundary(value, None, high=False), temporal.boundary(value, None, high=True)
    assert low is not None
    assert high is not None
    assert low.low == value.low
    assert high.high == value.high


@pytest.mark.parametrize("text", ["2026-02-29", "2026-13", "0000", "2026-1-1", "26-01-01", "2026-01-01T", ""])
def test_what_is_no_date_is_none(text: str) -> None:
    assert Date.parse(text) is None


@pytest.mark.parametrize("text", ["24:00", "10:60", "1:00", "10:00:61", "10:00Z"])
def test_what_is_no_time_is_none(text: str) -> None:
    assert Time.parse(text) is None


@pytest.mark.parametrize(
    ("code", "factor", "dimensions"),
    [
        ("mg", Fraction(1, 1000), "g"),
        ("mg/dL", Fraction(10), "g.m-3"),
        ("mm[Hg]", Fraction(133322), "g.m-1.s-2"),
        ("kg/m2", Fraction(1000), "g.m-2"),
        ("10*3/uL", Fraction(10) ** 12, "m-3"),
        ("{beats}/min", Fraction(1, 60), "s-1"),
        ("wk", Fraction(604800), "s"),
        ("[iU]/L", Fraction(1000), "[iU].m-3"),
        ("1", Fraction(1), "1"),
        ("%", Fraction(1, 100), "1"),
        ("/min", Fraction(1, 60), "s-1"),
        ("(mg/L)2", Fraction(1), "g2.m-6"),
        ("mmol/L", Fraction(602214076 * 10**15), "m-3"),
    ],
)
def test_a_ucum_code_is_a_factor_and_dimensions(code: str, factor: Fraction, dimensions: str) -> None:
    found = ucum.unit(code)
    assert found is not None
    assert (found.factor, ucum.canonical(found.dimensions)) == (factor, dimensions)


@pytest.mark.parametrize("code", ["foo", "mg//", "(", "m^2", "kkg", "mg/", "m" * 101, "m99999", "[unclosed"])
def test_what_is_no_ucum_code_is_none(code: str) -> None:
    assert ucum.unit(code) is None


def test_every_unit_of_the_tables_can_be_read() -> None:
    for code in ucum.codes():
        assert ucum.unit(code) is not None, code


def test_every_common_unit_can_be_read() -> None:
    common = load().codes("http://hl7.org/fhir/ValueSet/ucum-common")
    assert common is not None
    assert len(common) > 1300
    assert [code for _, code in common if ucum.unit(code) is None] == []


@given(
    st.sampled_from(["Cel", "mCel", "[degF]", "[degRe]", "[pH]", "dB", "B[SPL]", "Np", "bit_s", "[hp'_C]"]),
    st.integers(0, 90),
)
def test_a_number_on_a_scale_of_its_own_comes_back(code: str, number: int) -> None:
    found = ucum.unit(code)
    assert found is not None
    amount = found.amount(Fraction(number))
    assert amount is not None
    back = found.value(amount)
    assert back is not None
    assert abs(back - number) < Fraction(1, 10**20)


@pytest.mark.parametrize(("code", "value"), [("[pH]", 10**9), ("bit_s", 10**9), ("Np", -(10**9)), ("[hp'_Q]", 10**6)])
def test_what_a_logarithm_does_not_reach_is_none(code: str, value: int) -> None:
    found = ucum.unit(code)
    assert found is not None
    assert found.amount(Fraction(value)) is None


@pytest.mark.parametrize("code", ["Cel/min", "Cel2", "K.Cel", "5.[pH]", "dB-1"])
def test_a_unit_on_a_scale_of_its_own_is_not_multiplied(code: str) -> None:
    assert ucum.unit(code) is None


@given(st.text("mgLslk/.*10-2(){}[]%a", max_size=12))
def test_any_text_is_a_unit_or_not(code: str) -> None:
    ucum.unit(code)


AMOUNTS = st.decimals(-1000, 1000, places=2)


@given(AMOUNTS, AMOUNTS)
def test_the_same_amount_in_other_units_compares_alike(a: Decimal, b: Decimal) -> None:
    order = (a > b) - (a < b)
    assert compare(Quantity(a, "g"), Quantity(b * 1000, "mg")) == order
    assert compare(Quantity(a, "week", calendar=True), Quantity(b * 7, "d")) == order


@given(AMOUNTS)
def test_an_amount_is_equivalent_to_itself_in_other_units(a: Decimal) -> None:
    assert equivalent(Quantity(a, "kg"), Quantity(a * 1000, "g"))


PATTERNS = st.sampled_from(
    [
        r"(a+)+b",
        r"(a|aa)+$",
        r"^(x*)*y",
        r"(\.(0|[1-9]\d*))+",
        r"a{2,3}b?c*",
        r"\bab\b",
        r"^(ab|cd)*$",
        r"[^a-c]+x",
        r"\w+\s\w+",
        r"(a?){3}a{3}",
        r"(ab?){1,3}?c",
        r"\D\W\S",
        r"\Aa|b\Z",
        r"$",
        r".\B.",
        r"(\d{4})(-\d\d){0,2}",
    ]
)


@given(PATTERNS, st.text("abcdxy01. \n-", max_size=12))
def test_the_automaton_finds_what_python_finds(pattern: str, text: str) -> None:
    automaton = Automaton(pattern)
    assert automaton.matches(text, whole=False) == (re.search(pattern, text, re.DOTALL) is not None)
    assert automaton.matches(text, whole=True) == (re.fullmatch(pattern, text, re.DOTALL) is not None)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"(a+)+b", "a" * 3000),
        (r"(a|a)*b", "a" * 3000),
        (r"(a?){30}a{30}", "a" * 29),
        ("a?" * 40 + "a" * 40, "a" * 39),
        (r"(a|b|ab){20}c", "ab" * 30),
        (r"a*a*a*a*a*b", "a" * 3000),
        (r"^(([a-z])+.)+[A-Z]([a-z])+$", "a" * 3000),
    ],
)
def test_no_expression_takes_for_ever(pattern: str, text: str) -> None:
    begun = time.process_time()
    assert regex.search(pattern, text) is False
    assert time.process_time() - begun < 20  # Backtracking would take years.


@pytest.mark.parametrize("pattern", [r"(?=(a+)+)b", r"(a+)+\1", r"((?i:a+))+b", r"(a+)++b", "x" * 1001, "("])
def test_what_cannot_be_bounded_is_refused(pattern: str) -> None:
    with pytest.raises(EvaluationError):
        regex.search(pattern, "a" * 50)


def test_an_ambiguous_replacement_is_refused() -> None:
    with pytest.raises(EvaluationError, match="for ever"):
        regex.replace(r"(a+)+b", "a" * 50, "x")


@given(st.from_regex(r"[a-c.*+?()|]{1,8}", fullmatch=True), st.text("abc", max_size=6))
def test_any_expression_matches_as_in_python_or_is_refused(pattern: str, text: str) -> None:
    try:
        compiled = re.compile(pattern, re.DOTALL)
    except re.error:
        assume(False)
    with suppress(EvaluationError):
        assert regex.search(pattern, text) == (compiled.search(text) is not None)
