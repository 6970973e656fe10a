"""A map that does too much, or has a fault, holds its record and nothing else; threads do not disturb one another."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import FrameType
from typing import Any
from unittest.mock import patch

import pytest

from gateway.formats import Node
from gateway.mapping.compiler import CompiledMap
from gateway.mapping.runtime import Run
from tests.mapping.maps import STOCKHOLM, compiled, mapped, node, text_of, told

FREE = """map "http://example.org/free" = Free
uses "http://example.org/A" alias A as source
uses "http://example.org/B" alias B as target
group G(source src : A, target tgt : B) {
  src.a as v -> tgt.name = ('Eva') as n, n.family = v "r";
}"""
"""Between types that nobody defines."""


def test_a_group_that_calls_itself_for_ever_holds_the_record() -> None:
    more = "group Loop(source s, target t) { s -> t then Loop(s, t); }"
    assert told("src -> tgt then Loop(src, tgt);", {}, more=more)[1] == ["map-too-costly"]


def test_a_group_that_doubles_itself_holds_the_record() -> None:
    more = "group Loop(source s, target t) { s -> t then Loop(s, t), Loop(s, t); }"
    assert told("src -> tgt then Loop(src, tgt);", {}, more=more, steps=5000)[1] == ["map-too-costly"]


def test_combinations_without_end_hold_the_record() -> None:
    source = {"a": ["x"] * 100}
    rules = "src.a as a, src.a as b, src.a as c -> tgt.name as n, n.given = a;"
    assert told(rules, source, steps=10_000)[1] == ["map-too-costly"]


def test_what_is_put_into_a_value_that_was_left_out_is_left_out_with_it() -> None:
    rules = "src.a as v -> tgt.name = ('HumanName') as n, n.family = v, tgt.id = v;"
    assert told(rules, {"a": "x"}) == ({"id": "x"}, ["value-not-valid"])


def test_what_is_put_into_a_plain_value_holds_the_record() -> None:
    _, run = compiled(FREE).run(node({"a": "x"}))
    assert [one.rule for one in run.found] == ["plain-value-filled"]


def test_a_fault_of_the_engine_names_the_map_line_and_no_values() -> None:
    with patch("gateway.mapping.transforms.as_text", side_effect=ZeroDivisionError("secret")):
        _, run = mapped("src.id as v -> tgt.active = true;\nsrc.a as v -> tgt.language = append(v, v);", {"a": "x"})
    (issue,) = run.found
    assert (issue.severity, issue.rule) == ("error", "map-failed")
    assert "example.fml:6 (ZeroDivisionError)" in issue.text
    assert "secret" not in issue.text


def test_tracebacks_show_the_maps_own_line() -> None:
    program = compiled(text_of("src.a as v -> tgt.active = true;\n// why\nsrc.a as v -> tgt.language = append(v, v);"))
    run = Run(program.program, program.definitions, zone=STOCKHOLM, variables={}, seed="")
    with (
        patch("gateway.mapping.transforms.as_text", side_effect=ZeroDivisionError),
        pytest.raises(ZeroDivisionError) as raised,
    ):
        program.variant(traced=False).entry(run, 0, node({"a": "x"}), {})
    assert [frame.lineno for frame in traceback.extract_tb(raised.tb) if frame.filename == "example.fml"] == [7]


def test_compiled_maps_have_no_builtins_in_reach() -> None:
    program = compiled(text_of("src.a as v -> tgt.active = v;"))
    assert program.variant(traced=False).entry.__globals__["__builtins__"] == {}


def test_both_variants_make_the_same_and_only_one_notes_it() -> None:
    program = compiled(text_of('src.name as n -> tgt.name as t then { n.family -> t.family "family"; };'))
    source = node({"name": [{"family": "A"}, {"family": "B"}]})
    plain, quiet = program.run(source)
    traced, told_ = program.run(source, traced=True)
    assert plain == traced
    assert quiet.trace == []
    names = [program.program.rules[entry[0]].name for entry in told_.trace]
    assert names == ["", "family", "", "family"]


def test_one_compiled_map_serves_many_threads() -> None:
    program = compiled(
        text_of("src.a as v where (v != 'no') -> tgt.name as n, n.given = v, n.text = (src.a.first() & '!');")
    )

    def one(number: int) -> bool:
        found, run = program.run(node({"a": [str(number), "no"]}), traced=bool(number % 2))
        return found["name"] == [{"given": [str(number)], "text": f"{number}!"}] and not run.found

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(one, range(400)))


def test_mapping_changes_nothing_of_its_source() -> None:
    source = node({"name": [{"family": "A", "given": ["B"]}]})

    def shape(one: Node) -> object:
        return one.name, one.value, [(name, [shape(kid) for kid in kids]) for name, kids in one.kids.items()]

    before = shape(source)
    program: CompiledMap = compiled(text_of("src.name -> tgt.name; src.name as n -> tgt.contact as c, c.name = n;"))
    first, _ = program.run(source)
    assert shape(source) == before
    assert program.run(source)[0] == first


def test_line_coverage_and_debuggers_see_the_maps_lines() -> None:
    program = compiled(
        text_of("src.a as v -> tgt.active = v;\nsrc.b as v ->\n  tgt.language = v;\nsrc.c as v -> tgt.gender = v;")
    )
    seen: set[int] = set()

    def watch(frame: FrameType, event: str, _: object) -> Callable[..., Any]:
        if frame.f_code.co_filename == "example.fml" and event == "line":
            seen.add(frame.f_lineno)
        return watch

    before = sys.gettrace()
    sys.settrace(watch)
    try:
        program.run(node({"a": True, "b": "sv"}))
    finally:
        sys.settrace(before)
    assert seen == {4, 5, 6, 7, 8}
