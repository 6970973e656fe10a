"""Values become what their element needs, or are left out with an issue that says where and never what."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.fhir.check import check
from gateway.formats import EXPLICIT_NULL, Node
from gateway.mapping.primitives import CONVERT
from gateway.mapping.times import Unfit
from tests.mapping.maps import DEFINITIONS, STOCKHOLM, made, mapped, told


@pytest.mark.parametrize(
    ("type_name", "value", "found"),
    [
        ("string", "  a b ", "a b"),
        ("string", "a\x00b\x1f", "ab"),
        ("string", "a\nb", "a\nb"),
        ("string", True, "true"),
        ("string", Decimal("1.50"), "1.50"),
        ("code", "a b", "a b"),
        ("id", "a-1.B", "a-1.B"),
        ("uri", " urn:oid:1.2 ", "urn:oid:1.2"),
        ("boolean", "TRUE", True),
        ("boolean", "0", False),
        ("boolean", False, False),
        ("integer", "-7", -7),
        ("integer", "+7", 7),
        ("positiveInt", 1, 1),
        ("unsignedInt", "0", 0),
        ("decimal", "1.50", Decimal("1.50")),
        ("decimal", 7, 7),
        ("date", "2026", "2026"),
        ("date", "2026-02", "2026-02"),
        ("date", "2026-02-03T10:11:12Z", "2026-02-03"),
        ("dateTime", "2026-02-03", "2026-02-03"),
        ("dateTime", "2026-02-03T10:11", "2026-02-03T10:11:00+01:00"),
        ("dateTime", "2026-07-03 10:11:12.125", "2026-07-03T10:11:12.125+02:00"),
        ("dateTime", "2026-07-03T10:11:12Z", "2026-07-03T10:11:12Z"),
        ("dateTime", "2026-07-03T10:11:12-05:00", "2026-07-03T10:11:12-05:00"),
        ("instant", "2026-07-03T10:11:12Z", "2026-07-03T10:11:12Z"),
        ("time", "1011", "10:11:00"),
        ("time", "10:11:12.5", "10:11:12.5"),
        ("base64Binary", "YWJj", "YWJj"),
    ],
)
def test_a_value_becomes(type_name: str, value: Any, found: Any) -> None:
    made = CONVERT[type_name](value, STOCKHOLM, lambda: None)
    assert made == found
    assert type(made) is type(found)


@pytest.mark.parametrize(
    ("type_name", "value"),
    [
        ("code", "a  b"), ("code", ""), ("id", "å"), ("id", "x" * 65), ("uri", "a b"), ("oid", "1.2.x"), ("uuid", "x"),
        ("boolean", "ja"), ("integer", "1.0"), ("integer", "2147483648"), ("integer", True), ("positiveInt", "0"),
        ("unsignedInt", "-1"), ("decimal", "1,5"), ("decimal", "NaN"), ("decimal", "1."), ("date", "20260203"),
        ("date", "2026-02-30"), ("date", "2026-13"), ("dateTime", "2026-02-03T24:00"), ("dateTime", "3 feb"),
        ("dateTime", "2026-03-29T02:30"), ("instant", "2026-02-03"), ("time", "25:00"), ("base64Binary", "a"),
        ("string", "x" * 1_048_577),
    ],
)  # fmt: skip
def test_a_value_is_refused_without_being_quoted(type_name: str, value: Any) -> None:
    with pytest.raises(Unfit) as raised:
        CONVERT[type_name](value, STOCKHOLM, lambda: None)
    assert len(str(value)) < 3 or str(value) not in str(raised.value)


@given(st.sampled_from(sorted(CONVERT)), st.one_of(st.text(max_size=30), st.integers(), st.booleans(), st.decimals()))
def test_what_is_not_refused_is_valid_for_its_type(type_name: str, value: Any) -> None:
    try:
        found = CONVERT[type_name](value, STOCKHOLM, lambda: None)
    except Unfit:
        return
    if type_name in ("xhtml", "oid", "uuid") or found == "":
        return
    key = next(e for e in DEFINITIONS.types["Extension"].elements.values() if e.choice_of and e.type == type_name)
    resource = {
        "resourceType": "Basic",
        "code": {"text": "x"},
        "extension": [{"url": "http://example.org/x", key.name: found}],
    }
    assert [issue.text for issue in check(resource, DEFINITIONS, base=None)] == []


def test_a_value_that_does_not_fit_is_left_out_and_told_with_its_place() -> None:
    found, run = mapped("src.b as v -> tgt.birthDate = v; src.a as v -> tgt.active = v;", {"b": "3 feb", "a": "true"})
    assert found == {"active": True}
    (issue,) = run.found
    assert (issue.severity, issue.code, issue.rule, issue.at.pos) == ("warning", "value", "value-not-valid", "/b[0]")
    assert "Patient.birthDate" in issue.text
    assert "3 feb" not in issue.text


@pytest.mark.parametrize(
    "rule",
    [
        "tgt.deceased = toDateTime(v)",
        "tgt.deceased = toDateTime(v, 'yyyyMMddHHmm')",
        "tgt.birthDate = toDate(v)",
        "tgt.birthDate = v",
    ],
)
def test_a_time_that_is_written_otherwise_is_told_with_what_reads_it(rule: str) -> None:
    found, run = mapped(f"src.b as v -> {rule};", {"b": "3/2/2026 14.30"})
    (issue,) = run.found
    assert found == {}
    assert f"{'toDateTime' if 'deceased' in rule else 'toDate'}(v, pattern)" in issue.text


def test_a_manifest_may_hold_the_record_for_it() -> None:
    _, run = mapped("src.b as v -> tgt.birthDate = v;", {"b": "x"}, field="error")
    assert run.found[0].severity == "error"


def test_a_code_that_a_required_binding_does_not_know_is_left_out() -> None:
    assert told("src.g as v -> tgt.gender = v;", {"g": "M"}) == ({}, ["code-not-in-value-set"])
    assert made("src.g as v -> tgt.gender = v;", {"g": "male"}) == {"gender": "male"}


def test_an_explicit_null_and_an_empty_text_say_nothing() -> None:
    for value in (EXPLICIT_NULL, "", "  ", None):
        assert made("src.v as v -> tgt.language = v;", Node("", None, {"v": [Node("v", value)]})) == {}


def test_an_element_with_parts_is_no_value() -> None:
    found, run = mapped("src.v as v -> tgt.language = v;", {"v": {"a": "x"}})
    assert (found, [issue.rule for issue in run.found]) == ({}, ["value-not-valid"])
    assert "name a part" in run.found[0].text


def test_an_element_with_a_value_and_attributes_is_its_value() -> None:
    part = Node("v", "sv", {"unit": [Node("unit", "x")]})
    assert made("src.v as v -> tgt.language = v;", Node("", None, {"v": [part]})) == {"language": "sv"}


def test_decimals_keep_their_digits() -> None:
    found = made("src.v as v -> tgt.extension as e, e.value = qty(v, 'mg');", {"v": "1.500"})
    assert str(found["extension"][0]["valueQuantity"]["value"]) == "1.500"


def test_ambiguous_hours_are_taken_first_and_marked() -> None:
    rules = "src.v as v -> tgt.deceased = toDateTime(v, 'yyyyMMddHHmmss');"
    found, run = mapped(rules, {"v": "20261025023000"})
    assert found == {"deceasedDateTime": "2026-10-25T02:30:00+02:00"}
    assert [(i.severity, i.rule, i.at.pos) for i in run.found] == [("information", "ambiguous-hour", "/v[0]")]


def test_hours_that_do_not_occur_and_days_of_no_calendar_are_left_out() -> None:
    rules = "src.v as v -> tgt.deceased = toDateTime(v, 'yyyyMMddHHmmss');"
    assert told(rules, {"v": "20260329023000"}) == ({}, ["value-not-valid"])
    assert told(rules, {"v": "20250231120000"}) == ({}, ["value-not-valid"])
