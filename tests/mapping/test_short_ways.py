"""The short ways of compiled maps give what the long ones give: plain values, bound arguments, groups given nodes."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.definitions import load
from gateway.formats import Node
from gateway.mapping import convert, ir, primitives, runtime
from gateway.mapping.runtime import Run
from gateway.mapping.transforms import TRANSFORMS
from tests.mapping.maps import told

TEXTS = st.one_of(st.text(max_size=12), st.from_regex(r"[ \t]?[A-Za-z0-9:/.\-]{0,6} ?[a-z0-9]{0,3}\s?", fullmatch=True))
LEAVES = st.one_of(
    TEXTS, st.sampled_from([None, True, 7, "20250329023000", "20251026023000", "2025-03-10", "20251399"])
)
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


@settings(max_examples=300)
@given(name=st.sampled_from(sorted(primitives.CONVERT)), value=LEAVES)
def test_a_node_is_taken_as_any_value_is(name: str, value: Any) -> None:
    one, other, node = run(), run(), Node("a", value)
    assert outcome(one, convert.TAKE_NODE[name](one, node, 0)) == outcome(
        other, convert.TAKE[name](other, node, 0, node)
    )


@settings(max_examples=300)
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
