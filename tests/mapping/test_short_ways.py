"""The short ways of compiled maps give what the long ones give: plain values, bound arguments, groups given nodes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from unittest.mock import patch
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.definitions import load
from gateway.formats import FhirType, Node
from gateway.formats.fhir_nodes import FhirNode
from gateway.mapping import convert, ir, primitives, runtime
from gateway.mapping.runtime import Run
from gateway.mapping.transforms import TRANSFORMS
from tests.mapping.maps import told

WORDS = st.from_regex(r"[ \t]?[A-Za-z0-9:/.\-]{0,6} ?[a-z0-9]{0,3}\s?", fullmatch=True)
TEXTS = st.one_of(st.text(max_size=12), WORDS)
TIMES = st.sampled_from(["20250330023000", "20251026023000", "2025-03-10", "20251399"])
LEAVES = st.one_of(TEXTS, TIMES, st.sampled_from([None, True, 7]))
CALLS: list[tuple[str, list[Any], int]] = [
    ("toDateTime", [], 0),
    ("toDateTime", ["yyyyMMddHHmmss"], 0),
    ("toDate", ["yyyyMMdd"], 0),
    ("toTime", ["HHmm"], 0),
    ("append", [], 0),
    ("append", ["a", "b"], 1),
    ("id", ["urn:s"], 1),
    ("id", [""], 1),
    ("cc", ["urn:s"], 1),
    ("cc", [], 0),
    ("c", ["code", "shown"], 0),
    ("cp", ["phone"], 1),
    ("qty", ["kg"], 0),
    ("truncate", [3], 0),
    ("escape", ["html"], 0),
]


OF_FHIR = ["urn:uuid:a", "Patient/1", "true", "1.0", "2025-02-28T10:00:00Z", ""]
VALUES = st.one_of(WORDS, TIMES, st.sampled_from(OF_FHIR))
ANYTHING = st.one_of(VALUES, st.sampled_from([None, True, False, 0, -1, 7, Decimal("1.50"), Decimal(1)]))
NAMES = {
    "HumanName": ["use", "text", "family", "given", "period", "_family", "_given", "id", "extension", "unknown"],
    "Identifier": ["use", "type", "system", "value", "period", "assigner", "_value", "extension"],
    "Reference": ["reference", "type", "identifier", "display"],
    "Extension": ["url", "valueString", "valueInteger", "valueDate", "valueDateTime", "valueBoolean", "valuePeriod"],
    "Period": ["start", "end", "_start"],
    "Timing": ["event", "repeat", "code"],
    "Attachment": ["contentType", "size", "data", "creation"],
}
"""Of types that hold one another, names that they have and some that they do not."""


def parts(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    names = st.sampled_from(sorted({name for known in NAMES.values() for name in known}))
    return st.one_of(st.dictionaries(names, inner, max_size=4), st.lists(inner, max_size=3))


def run() -> Run:
    program = ir.Program(0, (), (), rules=[ir.RuleId("m", "g", "r", "f", 1, 1)], sites=[ir.Site(0, "Patient.x")])
    return Run(program, load(), zone=ZoneInfo("Europe/Stockholm"), variables={}, seed="")


def outcome(given: Run, found: Any) -> tuple[Any, list[tuple[str, str, Any]]]:
    return found, [(issue.rule, issue.text, issue.at) for issue in given.found]


@given(name=st.sampled_from(sorted(primitives.PLAIN)), text=TEXTS)
@example(name="string", text="")
@example(name="string", text=" a")
@example(name="uri", text="a\u00a0b")
@example(name="code", text="\u0085")
def test_what_is_plainly_of_a_type_is_converted_to_itself(name: str, text: str) -> None:
    if primitives.PLAIN[name](text):
        assert primitives.CONVERT[name](text, ZoneInfo("UTC"), lambda: None) == text


@settings(max_examples=80)
@given(name=st.sampled_from(sorted(primitives.CONVERT)), value=LEAVES)
def test_a_node_is_taken_as_any_value_is(name: str, value: Any) -> None:
    one, other, node = run(), run(), Node("a", value)
    assert outcome(one, convert.TAKE_NODE[name](one, node, 0)) == outcome(
        other, convert.TAKE[name](other, node, 0, node)
    )


@settings(max_examples=80)
@given(call=st.sampled_from(CALLS), value=LEAVES, as_node=st.booleans())
def test_a_transform_bound_to_its_constants_gives_what_it_gives(
    call: tuple[str, list[Any], int], value: Any, as_node: bool
) -> None:
    name, constants, place = call
    one, other, argument = run(), run(), Node("a", value) if as_node else value
    bound = runtime.bound(TRANSFORMS[name], constants, place)
    whole = (*constants[:place], argument, *constants[place:])
    expected = runtime.transform(other, TRANSFORMS[name], 0, argument, *whole)
    assert outcome(one, bound(one, argument, 0, argument)) == outcome(other, expected)


@st.composite
def fhir_parts(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    name = draw(st.sampled_from(sorted(NAMES)))
    values = st.recursive(ANYTHING, parts, max_leaves=6)
    return name, draw(st.dictionaries(st.sampled_from(NAMES[name]), values, min_size=1, max_size=5))


@settings(max_examples=80)
@given(part=fhir_parts())
@example(part=("HumanName", {"family": "A", "given": ["B", "C"], "period": {"start": "2020"}}))
@example(part=("Reference", {"reference": "urn:uuid:a"}))
@example(part=("Extension", {"url": "http://e", "valueBoolean": 1}))
@example(part=("Period", {"start": "2025-10-26T02:30:00"}))
@example(part=("Period", {"start": "2025-02-10T10:00:60Z", "end": "2025-02-10T10:00Z"}))
def test_a_part_is_copied_as_it_stands_exactly_where_the_long_way_gives_the_same(
    part: tuple[str, dict[str, Any]],
) -> None:
    name, raw = part
    origin = (None, None, {"urn:uuid:a": "Patient"})
    one, other = run(), run()
    found = convert.copied(one, FhirNode("a", raw, origin, FhirType(name)), name, 0)
    with patch("gateway.mapping.plainly.copy", return_value=None):
        expected = convert.copied(other, FhirNode("a", raw, origin, FhirType(name)), name, 0)
    assert repr(found) == repr(expected)
    assert [(issue.rule, issue.text) for issue in one.found] == [(issue.rule, issue.text) for issue in other.found]


def test_a_plain_part_is_not_taken_apart() -> None:
    raw = {"family": "A", "given": ["B"], "period": {"start": "2020-01-01"}}
    node = FhirNode("a", raw, (None, None, {}), FhirType("HumanName"))
    found = convert.copied(run(), node, "HumanName", 0)
    assert found == raw
    assert found is not raw
    assert found["period"] is not raw["period"]
    with pytest.raises(AttributeError):
        object.__getattribute__(node, "kids")  # Nobody asked for them.


@pytest.mark.parametrize("value", ["J", "N", "", "x y", None])
def test_a_group_does_the_same_with_a_node_and_with_what_an_expression_gives(value: str | None) -> None:
    group = """
    group Look(source s, target t) {
      s where (s = 'J') -> t.active = true;
      s where (s in ('J' | 'N')) -> t.gender = 'male';
      s -> t.language = ('v' & s);
    }"""
    source = {} if value is None else {"a": value}
    given_nodes = told("src.a as v then Look(v, tgt);", source, more=group)
    assert given_nodes == told("src.a as v then Look((v), tgt);", source, more=group)
    assert given_nodes == told("src.a as v, src where (v.exists()) then Look(v, tgt);", source, more=group)
    if value is not None:
        assert given_nodes[0].get("language") == "v" + value
