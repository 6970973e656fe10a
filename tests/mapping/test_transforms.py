"""Transforms: what each makes of its arguments, and that nothing comes of nothing."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from gateway.mapping.conceptmap import ConceptTable, Row
from tests.mapping.maps import DEFINITIONS, compiled, made, mapped, node, table, text_of, told

EXTENSION = "src.v as v -> tgt.extension as e, e.url = 'u', e.value = {};"


@pytest.mark.parametrize(
    ("transform", "value", "found"),
    [
        ("truncate(v, 3)", "abcdef", {"valueString": "abc"}),
        ("append(v, '-', src.w, v)", "a", {"valueString": "a-a"}),
        ("escape(v, 'html', 'text')", "a &amp; b", {"valueString": "a & b"}),
        ("escape(v, 'text', 'xml')", "a & b", {"valueString": "a &amp; b"}),
        ("cast(v, 'decimal')", "1.50", {"valueDecimal": Decimal("1.50")}),
        ("cast(v, 'integer')", "7", {"valueInteger": 7}),
        ("toDateTime(v, 'yyyyMMddHHmmss')", "20260102030405", {"valueDateTime": "2026-01-02T03:04:05+01:00"}),
        ("toDateTime(v, 'dd/MM/yyyy HH:mm')", "02/07/2026 03:04", {"valueDateTime": "2026-07-02T03:04:00+02:00"}),
        ("toDateTime(v)", "20260102", {"valueDateTime": "2026-01-02"}),
        ("toDate(v, 'yyyyMMdd')", "20260102", {"valueDate": "2026-01-02"}),
        ("toDate(v)", "20260102030405", {"valueDate": "2026-01-02"}),
        ("toTime(v, 'HHmm')", "0304", {"valueTime": "03:04:00"}),
        ("unixToDateTime(v)", "0", {"valueDateTime": "1970-01-01T00:00:00+00:00"}),
        ("unixToDateTime(v, '+10:00')", "3600", {"valueDateTime": "1970-01-01T11:00:00+10:00"}),
        ("unixToDate(v)", "86400", {"valueDate": "1970-01-02"}),
        ("c('s', v)", "a", {"valueCoding": {"system": "s", "code": "a"}}),
        ("c('s', v, 'A')", "a", {"valueCoding": {"system": "s", "code": "a", "display": "A"}}),
        ("cc('s', v)", "a", {"valueCodeableConcept": {"coding": [{"system": "s", "code": "a"}]}}),
        ("cc(v)", "a", {"valueCodeableConcept": {"text": "a"}}),
        ("id('s', v)", "1", {"valueIdentifier": {"system": "s", "value": "1"}}),
        ("cp(v)", "0525-123", {"valueContactPoint": {"system": "phone", "value": "0525-123"}}),
        ("cp(v)", "a@b.se", {"valueContactPoint": {"system": "email", "value": "a@b.se"}}),
        ("cp('fax', v)", "1", {"valueContactPoint": {"system": "fax", "value": "1"}}),
        ("qty(v)", "<5.50 mg", {"valueQuantity": {"value": Decimal("5.50"), "comparator": "<", "unit": "mg"}}),
        ("qty(v, 'U', 's', 'c')", "5", {"valueQuantity": {"value": 5, "unit": "U", "system": "s", "code": "c"}}),
    ],
)  # fmt: skip
def test_a_transform_gives(transform: str, value: str, found: dict[str, Any]) -> None:
    assert made(EXTENSION.format(transform), {"v": value}) == {"extension": [{"url": "u", **found}]}


@pytest.mark.parametrize(
    "transform", ["truncate(w, 3)", "cc('s', w)", "c('s', w)", "id('s', w)", "cp(w)", "qty(w, 'mg')", "append(w)"]
)
def test_nothing_comes_of_nothing(transform: str) -> None:
    rules = "src -> (src.missing) as w then { src.v as v -> tgt.extension as e, e.value = %s; };"
    assert made(rules % transform, {"v": "x"}) == {}


def test_an_identifier_may_have_a_type() -> None:
    found = made("src.v as v -> tgt.identifier = id('s', v, 'MR');", {"v": "1"})
    assert found["identifier"][0]["type"]["coding"][0]["code"] == "MR"


def test_evaluate_looks_from_its_first_argument() -> None:
    source = {"name": {"given": ["A", "B"], "family": "C"}}
    rules = "src.name as v -> tgt.name as n, n.text = evaluate(v, given.last() & family), n.given = evaluate(v, given);"
    assert made(rules, source) == {"name": [{"text": "BC", "given": ["A", "B"]}]}


def test_reference_names_a_resource_of_source_or_target() -> None:
    rules = "src -> tgt.generalPractitioner as r, r.reference = reference(src);"
    assert made(rules, {"resourceType": "Practitioner", "id": "7"}) == {
        "generalPractitioner": [{"reference": "Practitioner/7"}]
    }
    assert made(rules, {"id": "7"}) == {}


def test_uuids_are_the_same_for_the_same_record_and_differ_within_it() -> None:
    rules = "src.a as v -> tgt.identifier as i, i.value = uuid();"
    first = made(rules, {"a": ["1", "2"]}, seed="source|record-1")
    again = made(rules, {"a": ["1", "2"]}, seed="source|record-1")
    other = made(rules, {"a": ["1", "2"]}, seed="source|record-2")
    assert first == again
    values = [i["value"] for found in (first, other) for i in found["identifier"]]
    assert len(set(values)) == 4


def test_facts_of_the_source_are_at_hand() -> None:
    variables = {"source": {"idSystem": "urn:x#1"}, "record": {"kind": "visit"}}
    rules = "src.v as v -> tgt.identifier = id(%source.idSystem, v), tgt.language = (%record.kind);"
    assert made(rules, {"v": "1"}, variables=variables) == {
        "identifier": [{"system": "urn:x#1", "value": "1"}],
        "language": "visit",
    }


# Translation

KINDS = table("http://example.org/ConceptMap/kinds", {"M": "male", "K": "female"})
CODING = {"system": "http://example.org/target", "code": "male", "display": "Male"}
TRANSLATE = "src.v as v -> tgt.gender = translate(v, '{}', 'code');"


@pytest.mark.parametrize(
    "name", ["http://example.org/ConceptMap/kinds", "#kinds", "http://example.org/ConceptMap/kinds|1.0"]
)
def test_a_table_is_named_by_url_or_by_id(name: str) -> None:
    assert made(TRANSLATE.format(name), {"v": "K"}, tables=[KINDS]) == {"gender": "female"}


def test_a_table_stands_in_the_map_too() -> None:
    header = 'conceptmap "#own" { prefix s = "http://s" prefix t = "http://t" s:K - t:female }'
    assert made(TRANSLATE.format("#own"), {"v": "K"}, header=header) == {"gender": "female"}


@pytest.mark.parametrize(
    ("output", "target", "found"),
    [
        ("code", "language", "male"),
        ("system", "implicitRules", "http://example.org/target"),
        ("display", "language", "Male"),
        ("CodeableConcept", "maritalStatus", {"coding": [CODING]}),
    ],
)  # fmt: skip
def test_a_translation_gives_the_part_that_is_asked_for(output: str, target: str, found: Any) -> None:
    rules = f"src.v as v -> tgt.{target} = translate(v, '#kinds', '{output}');"
    assert made(rules, {"v": "M"}, tables=[KINDS]) == {target: found}


@pytest.mark.parametrize(
    "coded",
    [
        {"code": "M", "codeSystem": "http://example.org/source"},
        {"code": "M", "system": "http://example.org/source"},
        {"coding": [{"code": "x", "system": "y"}, {"code": "M", "system": "http://example.org/source"}]},
        {"code": "M"},
    ],
)
def test_what_is_translated_may_be_a_coded_element(coded: dict[str, Any]) -> None:
    assert made(TRANSLATE.format("#kinds"), {"v": coded}, tables=[KINDS]) == {"gender": "male"}


def test_a_code_of_another_system_is_no_match() -> None:
    found, issues = told(TRANSLATE.format("#kinds"), {"v": {"code": "M", "codeSystem": "1.2.3"}}, tables=[KINDS])
    assert (found, issues) == ({}, ["unmapped-code"])


def test_an_oid_is_the_same_system_with_and_without_urn() -> None:
    oid = table("http://example.org/ConceptMap/kinds", {"M": "male"}, source="urn:oid:1.2.3")
    assert made(TRANSLATE.format("#kinds"), {"v": {"code": "M", "codeSystem": "1.2.3"}}, tables=[oid]) == {
        "gender": "male"
    }


def test_a_miss_is_told_with_its_place_and_code() -> None:
    _, run = mapped(TRANSLATE.format("#kinds"), {"v": "X"}, tables=[KINDS])
    (issue,) = run.found
    assert (issue.severity, issue.rule, issue.at.pos) == ("warning", "unmapped-code", "/v[0]")
    assert "'X'" in issue.text
    assert "http://example.org/ConceptMap/kinds" in issue.text


@pytest.mark.parametrize("value", ["191212121212", "two words", "x" * 40])
def test_a_miss_does_not_quote_what_may_be_about_a_person(value: str) -> None:
    _, run = mapped(TRANSLATE.format("#kinds"), {"v": value}, tables=[KINDS])
    assert value not in run.found[0].text


def test_unmapped_codes_may_be_fixed_or_come_through() -> None:
    fixed = table("http://example.org/ConceptMap/kinds", {"M": "male"}, unmapped={"mode": "fixed", "code": "unknown"})
    assert made(TRANSLATE.format("#kinds"), {"v": "X"}, tables=[fixed]) == {"gender": "unknown"}
    through = table("http://example.org/ConceptMap/kinds", {"M": "male"}, unmapped={"mode": "provided"})
    assert made(TRANSLATE.format("#kinds"), {"v": "other"}, tables=[through]) == {"gender": "other"}
    assert told(TRANSLATE.format("#kinds"), {"v": "X"}, tables=[through]) == ({}, ["code-not-in-value-set"])


def test_a_row_without_target_gives_nothing_and_is_no_miss() -> None:
    none = {"code": "N", "target": [{"equivalence": "unmatched"}]}
    known = table("http://example.org/ConceptMap/kinds", {"M": "male"})
    known["group"][0]["element"].append(none)
    assert made(TRANSLATE.format("#kinds"), {"v": "N"}, tables=[known]) == {}


def test_r5_relationships_are_read_as_well() -> None:
    known = table("http://example.org/ConceptMap/kinds", {})
    known["group"][0]["element"] = [{"code": "M", "target": [{"code": "male", "relationship": "equivalent"}]}]
    assert made(TRANSLATE.format("#kinds"), {"v": "M"}, tables=[known]) == {"gender": "male"}


def test_the_row_that_translated_is_in_the_trace() -> None:
    program = compiled(text_of(TRANSLATE.format("#kinds")), tables=[KINDS])
    _, run = program.run(node({"v": "K"}), traced=True)
    (entry,) = run.trace
    assert entry[4] is not None
    assert (entry[4].number, entry[4].code) == (2, "K")


def test_every_transform_has_types_that_the_definitions_know() -> None:
    from gateway.mapping.transforms import TRANSFORMS

    assert {t.type for t in TRANSFORMS.values()} <= set(DEFINITIONS.types)


@pytest.mark.parametrize(
    ("code", "quoted"),
    [("M", True), ("MK", True), ("K", True), ("Tolvan", False), ("TOLVAN", False), ("m", False), ("12", False)],
)
def test_a_code_is_quoted_only_where_it_is_like_the_tables_own(code: str, quoted: bool) -> None:
    """A name that stands where a code should is not told."""
    rows = [Row("u", n, "", one, None, one, None) for n, one in enumerate(("M", "F"), 1)]
    assert ConceptTable("u", "u", "u.json", rows, {}).like(code) is quoted


def test_a_length_that_is_no_number_costs_its_field_only() -> None:
    found, rules = told(EXTENSION.format("truncate(v, src.w)"), {"v": "abc", "w": "x"})
    assert "map-failed" not in rules
    assert rules
    assert "valueString" not in str(found)
