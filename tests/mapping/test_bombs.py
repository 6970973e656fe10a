"""What tries to leave the closed set of functions, or to take more than its share, is refused.

Each row is a try: an expression or a map that would reach Python, or that would take for ever or all memory.
"""

from __future__ import annotations

import json
from contextlib import suppress
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from bench.fhirpath import PATIENT
from gateway.fhirpath import Environment, FHIRPathError, compile
from gateway.mapping import CompileError
from tests.mapping import fuzz
from tests.mapping.maps import compiled, made, node, problems_of, text_of, told

ENVIRONMENT = Environment(variables={"name": "x"}, now=fuzz.NOW)
TEN = "(1|2|3|4|5|6|7|8|9|10)"


def refused(expression: str, focus: Any = None) -> str:
    with pytest.raises(FHIRPathError) as raised:
        compile(expression)(PATIENT if focus is None else focus, ENVIRONMENT)
    return raised.value.problems[0].text


@pytest.mark.parametrize(
    "expression",
    [
        "__import__('os')", "eval('1')", "exec('1')", "open('/etc/passwd')", "globals()", "getattr(name, 'x')",
        "name.format('{0.__class__}')", "name.__class__()", "lambda()", "print('x')", "type(1)", "vars()",
        "breakpoint()",
        "fn_trace('x')", "op_plus(1, 2)", "%`__builtins__`", "%__import__", "%run", "%M", "Element(1)",
        "'{0}'.format(1)", "name.__getattribute__('x')", "M.types()", "run.env()", "memoryview(1)", "os.system('x')",
    ],
)  # fmt: skip
def test_no_function_or_variable_of_python_is_within_reach(expression: str) -> None:
    text = refused(expression)
    assert "no function" in text or "no variable" in text or "takes" in text


@pytest.mark.parametrize(
    "expression",
    [
        "__class__", "__class__.__mro__", "name.__class__", "__dict__", "name.given.__len__",
        "`__init__`.`__globals__`",
        "$this.`__class__`.`__base__`", "value.__class__", "kids", "pos", "tb_frame", "gi_frame", "f_globals",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "focus", [PATIENT, node(fuzz.SOURCE), "text", Decimal(1)], ids=["JSON", "node", "str", "number"]
)
def test_an_attribute_of_python_is_an_element_that_is_not_there(expression: str, focus: Any) -> None:
    assert compile(expression)(focus, ENVIRONMENT) == []


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("'aaaa'.repeat($this & $this)", "does not come to an end"),
        ("'x'.repeat($this + 'y')", "does not come to an end"),
        ("(0).repeat(iif($this < 1000000, $this + 1, {}))", "does not come to an end"),
        ("(1|2).select(%resource.descendants()).select(%resource.descendants()).select(%resource.descendants())"
         ".select(%resource.descendants()).count()", "turns"),
        (f"{TEN}.select({TEN}.select({TEN}.select({TEN}.select({TEN}.select({TEN}.select({TEN})))))).count()", "turns"),
        ("'a'" + ".encode('hex')" * 60, "too long"),
        ("'a'" + ".select($this + $this)" * 60, "too long"),
        ("'a'" + ".replace('a', 'aaaaaaaaaa')" * 12, "too long"),
        ("'ab'" + (".toChars().join('" + "y" * 3000 + "')") * 3, "too long"),
        ("'" + "a" * 40 + "!'.replaceMatches('(a+)+$', 'b')", "for ever"),
        ("'a'.matches('" + "(" * 200 + ")" * 199 + "')", "regular expression"),
        ("'a'.matches('(?P<x>')", "regular expression"),
        ("'a'.matches('" + "a" * 2000 + "')", "too long"),
        ("(" * 300 + "1" + ")" * 300, "nested too deeply"),
        ("a." * 3000 + "b", "too many steps"),
        ("1 + " * 3000 + "1", "too many steps"),
        ("true and " * 3000 + "true", "too many steps"),
        ("name" + ".where(true)" * 400, "too many steps"),
        ("name.where(" * 300 + "true" + ")" * 300, "nested too deeply"),
    ],
)  # fmt: skip
def test_a_bomb_is_refused_before_it_goes_off(expression: str, text: str) -> None:
    assert text in refused(expression)


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("'" + "a" * 60 + "!'.matches('^(a+)+$')", [False]),
        ("'" + "a" * 60 + "!'.matches('^(a|a)*$')", [False]),
        ("'" + "a" * 60 + "!'.matchesFull('(.*a){20}')", [False]),
        ("99999999999999999999 * 99999999999999999999", []),
        ("9223372036854775807 + 1", []),
        ("9.power(99999).power(99999)", []),
        ("2.repeat($this * $this)", [4, 16, 256, 65536, 4294967296]),
        (f"{TEN}.aggregate($total * 99999999999, 1)", []),
        ("@9999-12-31 + 1 year", []),
        ("@2020-01-01 - 99999999999 days", []),
        ("1.lowBoundary(1000)", []),
        ("1 '((((((((Ym30)30)30)30)30)30)30)30' > 1 'm'", []),
        ("1 'Ym30.Ym30.Ym30.Ym30.Ym30.Ym30'.toQuantity('m180')", []),
        ("1 '" + "(" * 50 + "m" + ")" * 50 + "'.comparable(1 'm')", [False]),
        ("1 '" + "m." * 49 + "m'.comparable(1 'm')", [False]),
        ("99999999999999 'Np'.toQuantity('1')", []),
        ("99999999999999 '[pH]' > 1 'mol/L'", []),
    ],
)
def test_what_overflows_or_could_take_for_ever_has_an_answer(expression: str, found: list[Any]) -> None:
    assert compile(expression)(PATIENT, ENVIRONMENT) == found


VAST = ["1e999999999", "-1e999999999", "1e-999999999", "1e5000", "NaN", "Infinity"]


@pytest.mark.parametrize("amount", VAST)
@pytest.mark.parametrize(
    "text",
    [
        "value > 1 'kg'", "value + 1 'kg'", "value * 1 'kg'", "value ~ 1 'kg'", "value * value", "value + value",
        "-value", "value.toQuantity('kg')", "value.comparable(1 'kg')", "value.abs()", "value.lowBoundary()",
    ],
)  # fmt: skip
def test_an_amount_beyond_all_measure_ends_in_good_time(text: str, amount: str) -> None:
    focus = {"resourceType": "Observation", "valueQuantity": {"value": Decimal(amount), "code": "g"}}
    with suppress(FHIRPathError):
        compile(text)(focus, ENVIRONMENT)


@pytest.mark.parametrize("amount", VAST)
@pytest.mark.parametrize(
    "text",
    [
        "value.round(2)", "value.floor()", "value * value", "value + 1", "value.power(2)", "value div 1", "value mod 7",
        "value.toInteger()", "value.sqrt()", "value.exp()",
    ],
)  # fmt: skip
def test_a_number_beyond_all_measure_ends_in_good_time(text: str, amount: str) -> None:
    focus = {"resourceType": "Extension", "valueDecimal": Decimal(amount)}
    with suppress(FHIRPathError):
        compile(text, "Extension")(focus, ENVIRONMENT)


def test_many_items_are_counted_and_compared_in_good_time() -> None:
    many = {"resourceType": "Basic", "identifier": [{"value": str(number)} for number in range(20_000)]}
    assert compile("identifier.value.distinct().count()")(many) == [20_000]
    assert compile("identifier.value.intersect(identifier.value).count()")(many) == [20_000]
    assert compile("identifier.value.subsetOf(identifier.value)")(many) == [True]
    assert compile("identifier.value.exclude(identifier.value)")(many) == []
    assert compile("identifier.repeat($this).count()")(many) == [20_000]
    assert "too many items" in refused("identifier.distinct()", many)


@pytest.mark.parametrize(
    "rules",
    [
        "src -> tgt.language = eval('1');",
        "src -> tgt.language = __import__('os');",
        "src -> tgt.language = evaluate(src, __import__('os'));",
        "src -> tgt.language = append(src, __builtins__);",
        "src -> tgt.__class__ = 'x';",
        "src -> tgt.language = ('{0.__class__}'.format(1));",
        "src -> tgt.language = _kids(src, 'a');",
        "_R.program as p -> tgt.language = p;",
        "src -> tgt.language = translate(src, '../../secret');",
        "src -> tgt then _g0(_R, 0, src, tgt);",
    ],
)
def test_a_map_that_reaches_for_python_does_not_compile(rules: str) -> None:
    assert problems_of(text_of(rules))


@pytest.mark.parametrize("name", ["_R", "_D", "_kids", "_T", "None", "lambda", "__builtins__", "_g0", "print", "_Node"])
def test_a_variable_of_any_name_is_a_variable(name: str) -> None:
    """Names of the engine, of Python and of its keywords: in a map they name what the map says."""
    assert made(f"src.a as {name} -> tgt.language = {name};", {"a": "sv"}) == {"language": "sv"}


def test_an_attribute_of_a_node_is_no_element() -> None:
    assert made("src.kids as k -> tgt.language = k; src.__class__ as c -> tgt.language = c;", {"a": "x"}) == {}


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        ("src then {" * 300 + "src -> tgt.active = true;" + "};" * 300, "stand inside one another"),
        ("src where (" + "a." * 3000 + "b) -> tgt.active = true;", "too many steps"),
        ("src where (" + "(a = '1') and " * 3000 + "true) -> tgt.active = true;", "too many steps"),
        ("src -> tgt.language = (" + "(" * 300 + "'a'" + ")" * 300 + ");", "nested too deeply"),
    ],
)
def test_a_map_that_is_too_deep_is_told_so(rules: str, text: str) -> None:
    assert any(text in problem.text for problem in problems_of(text_of(rules)))


def test_a_default_cannot_name_what_it_stands_for() -> None:
    (found,) = problems_of(text_of("src.none default (%v & 'x') as v -> tgt.language = v;"))
    assert found.text == "there is no variable '%v'"


def test_a_variable_that_nobody_gives_does_not_compile() -> None:
    (found,) = problems_of(text_of("src.a as value where (%vaule = 1) -> tgt.language = value;"))
    assert (found.text, found.hint) == ("there is no variable '%vaule'", "did you mean 'value'?")
    assert made("src.a as v -> tgt.language = (defineVariable('w', 'sv').select(%w));", {"a": "x"}) == {
        "language": "sv"
    }


def test_groups_that_extend_one_another_are_told() -> None:
    more = """group A(source s, target t : Patient) extends B { }
    group B(source s, target t : Patient) extends A { }"""
    found = problems_of(text_of("src -> tgt then A(src, tgt);", more=more))
    assert {problem.text for problem in found} == {
        "'A' extends itself, by way of 'B'", "'B' extends itself, by way of 'A'",
    }  # fmt: skip


def test_an_expression_of_a_map_that_takes_too_long_costs_its_field() -> None:
    endless = f"{TEN}.select({TEN}.select({TEN}.select({TEN}.select({TEN}.select({TEN}.select({TEN})))))).count()"
    found, rules = told(f"src -> tgt.active = true, tgt.language = ({endless}.toString());", {"a": "x"})
    assert (found, rules) == ({"active": True}, ["expression-failed"])


def test_a_list_of_groups_that_is_too_long_is_a_compile_error_or_a_held_record() -> None:
    more = "".join(f"group E{n}(source s, target t : Patient) extends E{n + 1} {{ }}\n" for n in range(300))
    more += "group E300(source s, target t : Patient) { s -> t.active = true; }"
    try:
        program = compiled(text_of("src -> tgt then E0(src, tgt);", more=more))
    except CompileError:
        return
    assert [issue.rule for issue in program.run(node({"a": "x"}))[1].found] == ["map-too-costly"]


@pytest.mark.parametrize("kind", fuzz.KINDS)
def test_altered_input_gives_a_value_or_a_refusal(kind: str) -> None:
    """The seeded short form of `scripts/campaign fuzz-maps`."""
    for number in range(60):
        fuzz.KINDS[kind](Random(f"short/{number}/{kind}"))


def test_what_is_altered_is_not_always_refused() -> None:
    """Else the campaign would show little."""
    came = {kind: {fuzz.KINDS[kind](Random(f"short/{n}/{kind}")) for n in range(25)} for kind in fuzz.KINDS}
    assert {"a value", "ran", "read", "mapped"} <= set().union(*came.values())
    assert json.dumps(PATIENT, default=str)
