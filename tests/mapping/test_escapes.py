"""No text of a map or an expression becomes a name of the code that is made of it: only a value, to the letter.

The code is caught where Python is given it to run, and every name that it loads, stores or asks an attribute by is
looked at.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType, FunctionType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.fhirpath import compile
from gateway.fhirpath.codegen import runtime
from gateway.mapping import emit
from tests.mapping.maps import compiled, made, node, text_of

HOSTILE = [
    "__class__", "__globals__", "__builtins__", "__import__", "f_globals", "gi_frame", "__subclasses__", "mro", "os",
    "eval", "exec", "_R.program", "x'); import os; ('", 'x"""\n__import__("os")\n"""', "a\\", "a\\'b", "a\nb",
    "a\u2028b",
    "\u00aa__class__", "＿＿class＿＿",
    "ｅval", "𝖾𝗏𝖺𝗅", "{0.__class__}", "%(x)s", "${os}", "\u202e", "None", "lambda", "é",
]  # fmt: skip
CAUGHT: list[CodeType] = []
LISTENING: list[bool] = []


def _hear(event: str, args: tuple[object, ...]) -> None:
    if LISTENING and event == "exec" and isinstance(args[0], CodeType):
        CAUGHT.append(args[0])


sys.addaudithook(_hear)


@contextmanager
def caught() -> Iterator[list[CodeType]]:
    """The code that is run meanwhile and comes from no file of Python."""
    CAUGHT.clear()
    LISTENING.append(True)
    try:
        yield CAUGHT
    finally:
        LISTENING.clear()


def names(code: CodeType) -> set[str]:
    """Every name of a code object and of those within it."""
    found = {*code.co_names, *code.co_varnames, *code.co_freevars, *code.co_cellvars}
    for const in code.co_consts:
        if isinstance(const, CodeType):
            found |= names(const)
    return found


def escaped(text: str, quote: str) -> str:
    """As FHIRPath and the mapping language write it: https://hl7.org/fhirpath/N1/#string"""
    units = text.encode("utf-16-be")
    plain = [int.from_bytes(units[place : place + 2]) for place in range(0, len(units), 2)]
    shown = [chr(one) if 31 < one < 127 and chr(one) not in f"\\{quote}" else f"\\u{one:04x}" for one in plain]
    return quote + "".join(shown) + quote


def literal(text: str) -> str:
    return escaped(text, "'")


def quoted(name: str) -> str:
    return escaped(name, "`")


def is_ours(name: str) -> bool:
    return not name.startswith("__") and name not in HOSTILE


# What is of Python and stands in generated code: none of it reaches anything else.
HARMLESS = {"len", "str", "dict", "list", "bool", "int", "isinstance", "type", "tuple", "min", "max", "id"}


@pytest.mark.parametrize("word", HOSTILE)
def test_a_word_of_a_map_is_a_value_of_its_code(word: str) -> None:
    rules = f"""src -> tgt.name as name then {{
        src -> name.family = {literal(word)} "one";
        src where ($this.{quoted(word)}.exists()) -> name.use = 'old' "two";
        src -> name.text = ({literal(word)} & %src.{quoted(word)}) "three";
    }} "name";"""
    with caught() as code:
        program = compiled(text_of(rules))
        found = made(rules, {"a": "x"})
        program.run(node({"a": "x"}), traced=True)
    ours = [one for one in code if one.co_filename.endswith((".fml", ".yaml"))]
    assert ours, "nothing was caught: the code of a map is run in another way now"
    loaded = set().union(*(names(one) for one in ours))
    assert {name for name in loaded if not is_ours(name)} == set()
    assert loaded & set(vars(builtins)) <= HARMLESS
    assert found == {"name": [{"family": word, "text": word}]}


@pytest.mark.parametrize("word", HOSTILE)
def test_a_word_of_an_expression_is_a_value_of_its_code(word: str) -> None:
    focus = {"resourceType": "Patient", "language": word}
    path = compile(f"language = {literal(word)} and {quoted(word)}.empty() and {literal(word)} in language")
    assert path(focus) == [True]
    functions = list(_functions(path))
    assert functions, "the code of a path is kept in another way now"
    loaded = set().union(*(names(function.__code__) for function in functions))
    assert {name for name in loaded if not is_ours(name)} == set()
    assert {name for name in loaded if name in vars(builtins)} <= HARMLESS
    assert all(function.__globals__["__builtins__"] == {} for function in functions)


def _functions(path: object) -> Iterator[FunctionType]:
    for variant in path._variants.values():  # type: ignore[attr-defined]
        stack: list[Callable[..., object]] = [variant.function]
        while stack:
            function = stack.pop()
            if isinstance(function, FunctionType):
                if "M" in function.__globals__:
                    yield function
                stack += [cell.cell_contents for cell in function.__closure__ or () if callable(cell.cell_contents)]


def test_what_generated_code_may_call_is_no_builtin_and_no_module() -> None:
    tables = {**runtime.RUNTIME, **emit._HELPERS}
    modules = ("os", "sys", "subprocess", "importlib")
    assert {name for name, value in tables.items() if getattr(value, "__module__", "") in modules} == set()
    dangerous = [eval, exec, open, __import__, getattr, setattr, delattr, globals, locals, vars, input, breakpoint]
    assert {name for name, value in tables.items() if any(value is one for one in dangerous)} == set()


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_any_text_in_quotes_comes_out_as_it_is(text: str) -> None:
    assert compile(literal(text))({}) == [text]


@given(st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=12))
def test_any_text_in_a_map_comes_out_as_it_is(text: str) -> None:
    assert made(f'src -> tgt.name as n, n.family = {literal(text)} "rule";', {"a": "x"}) == {"name": [{"family": text}]}
