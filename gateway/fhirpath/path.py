"""A compiled FHIRPath expression, and how to get one.

https://hl7.org/fhirpath/N1/
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from decimal import DecimalException
from functools import lru_cache
from types import CodeType, FunctionType, TracebackType
from typing import Any

from gateway.definitions import Definitions, load
from gateway.fhirpath import values
from gateway.fhirpath.codegen import python as py
from gateway.fhirpath.codegen.compiler import Compiler
from gateway.fhirpath.codegen.runtime import RUNTIME, Extended
from gateway.fhirpath.codegen.writer import Form, Scope, Value
from gateway.fhirpath.environment import EMPTY, Environment
from gateway.fhirpath.errors import EvaluationError, FHIRPathError, Problem
from gateway.fhirpath.functions import Run
from gateway.fhirpath.functions.registry import MOST_STEPS
from gateway.fhirpath.model import Model, model_of
from gateway.fhirpath.parser import TOO_DEEP, parse
from gateway.fhirpath.syntax import Syntax, may_multiply
from gateway.fhirpath.values import Element, Items

_FILE = "<fhirpath>"
_NODE = "<node>"
_ANY = "<any>"


class Variant:
    """The code of an expression for one kind of focus."""

    __slots__ = ("form", "function", "plain", "type", "uses_run")

    def __init__(self, function: Callable[[Any, Any], Items], form: Form, type: str | None, uses_run: bool) -> None:
        self.function = function
        self.form = form
        self.type = type
        self.plain = form is Form.RAW or form is Form.SYS
        """Whether results are what the caller gets, without a look at each."""
        self.uses_run = uses_run


class Path:
    """An expression that can be called with a focus: FHIR JSON, a source node, or a single value.

    Elements of a resource come out as they stand in its JSON, leaves of a source tree as their value; what the
    expression computes comes out as bool, str, int, Decimal or as a Date, DateTime, Time, Quantity, whose `str()` is
    the literal. Code is compiled for each kind of focus when it is first met, and kept. Safe to share among threads.
    """

    __slots__ = ("_model", "_names", "_strict", "_variants", "context_type", "source", "syntax")

    def __init__(
        self, source: str, syntax: Syntax, model: Model, context_type: str | None, strict: bool, names: frozenset[str]
    ) -> None:
        self.source = source
        self.syntax = syntax
        self.context_type = context_type
        self._model = model
        self._strict = strict
        self._names = names
        self._variants: dict[str, Variant] = {}
        if context_type is not None:
            self._variant(context_type)

    def __call__(self, focus: Any, env: Environment = EMPTY) -> Items:
        """The values of the expression."""
        variant, found = self._evaluate(focus, env)
        return found if variant.plain else values.raw_all(found)

    def elements(self, focus: Any, env: Environment = EMPTY) -> Items:
        """The same with their types: an Element for what comes out of FHIR JSON, nodes as nodes."""
        variant, found = self._evaluate(focus, env)
        if variant.form is Form.RAW and variant.type is not None:
            return values.box_all(found, variant.type)
        return found

    def typed(self, focus: Any, env: Environment = EMPTY) -> tuple[Items, str | None]:
        """The values and the one FHIR type that they all have; or, with None, `elements`."""
        variant, found = self._evaluate(focus, env)
        return found, variant.type if variant.form is Form.RAW else None

    def code(self) -> tuple[Callable[[Any, Any], Items], str] | None:
        """The code for JSON of the context type, and the one FHIR type of what it finds; None where it is not plain.

        It is called with the focus and None. Where it raises something, `typed` says it properly.
        """
        if self.context_type is None:
            return None
        variant = self._variant(self.context_type)
        if variant.uses_run or variant.type is None or variant.form is not Form.RAW:
            return None
        return variant.function, variant.type

    def true(self, focus: Any, env: Environment = EMPTY) -> bool:
        """Whether the expression is true of the focus; nothing is not."""
        return self(focus, env) == [True]

    @property
    def result_type(self) -> str | None:
        """The one FHIR type that all results have, where the context type tells."""
        if self.context_type is None:
            return None
        variant = self._variant(self.context_type)
        return variant.type if variant.form is Form.RAW else None

    def prepare(self) -> None:
        """Write the code for nodes now: a function or type that there is not is told before anything is mapped."""
        self._variant(_NODE)

    def part(self, syntax: Syntax) -> Path:
        """An operand of this expression as an expression: to tell which of them made a condition false."""
        return Path(self.source, syntax, self._model, self.context_type, self._strict, self._names)

    def _evaluate(self, focus: Any, env: Environment) -> tuple[Variant, Items]:
        kind = self._kind(focus) if type(focus) is not dict else focus.get("resourceType", self.context_type) or _ANY
        variant = self._variants.get(kind) or self._variant(kind)
        try:
            if variant.uses_run:
                return variant, variant.function(focus, Run(env, self._model, focus))
            return variant, variant.function(focus, None)
        except Extended:
            boxed = self._variant(_ANY)
            return boxed, boxed.function(Element(focus, kind), Run(env, self._model, focus))
        except StopIteration as problem:
            text = f"The expression takes more than {MOST_STEPS} turns over this input."
            raise self._placed(problem, text, "Narrow what the inner criteria look at.") from None
        except EvaluationError as problem:
            raise self._placed(problem, problem.text, problem.hint) from None
        except (DecimalException, OverflowError) as problem:
            raise self._placed(problem, "A number is beyond what can be calculated with.", "") from None
        except (AttributeError, TypeError) as problem:
            text = "A value does not have the shape that its type prescribes."
            raise self._placed(problem, text, "Check the resource against its definition first.") from None

    def _kind(self, focus: Any) -> str:
        if hasattr(focus, "kids"):
            return _NODE
        return _ANY if focus is None or type(focus) is Element else self.context_type or _ANY

    def _placed(self, problem: Exception, text: str, hint: str) -> FHIRPathError:
        return FHIRPathError(self.source, [Problem(text, self._offset(problem.__traceback__), hint)])

    def _offset(self, trace: TracebackType | None) -> int:
        """Where in the expression the code stood: every instruction carries the place it was compiled from."""
        line = column = None
        while trace is not None:
            code = trace.tb_frame.f_code
            if code.co_filename == _FILE:
                position = list(code.co_positions())[trace.tb_lasti // 2]
                line, column = position[0], position[2]
            trace = trace.tb_next
        if line is None or column is None:
            return 0
        starts = [0, *(i + 1 for i, char in enumerate(self.source) if char == "\n")]
        return starts[min(line, len(starts)) - 1] + column

    def _variant(self, kind: str) -> Variant:
        if kind not in self._model.types and kind != _NODE:
            # Whatever a focus calls itself that is no type of R4 shares one code.
            kind = _ANY
        found = self._variants.get(kind)
        if found is None:
            try:
                found = self._compile(kind)
            except RecursionError:
                raise FHIRPathError(self.source, [TOO_DEEP]) from None
            self._variants[kind] = found
        return found

    def _compile(self, kind: str) -> Variant:
        typed = kind not in (_ANY, _NODE) and kind in self._model.types and not self._model.is_abstract(kind)
        if typed:
            found = self._write(Value(py.name("this"), Form.RAW, kind, known=True), boxed=False)
            if found is not None:
                return found
        form = Form.NODE if kind == _NODE else Form.ANY
        found = self._write(Value(py.name("this"), form, known=kind == _NODE), boxed=True)
        assert found is not None
        return found if kind == _NODE else _boxing(found, kind if typed else None)

    def _write(self, this: Value, *, boxed: bool) -> Variant | None:
        checked = this.type is not None and this.type == self.context_type
        strict = self._strict and checked
        compiler = Compiler(self._model, self.source, boxed=boxed, checked=checked, strict=strict, names=self._names)
        compiler.counted = may_multiply(self.syntax)
        value = compiler.value(self.syntax, Scope(this))
        if compiler.problems:
            raise FHIRPathError(self.source, compiler.problems)
        if compiler.needs_boxes and not boxed:
            return None
        with compiler.at(self.syntax):
            compiler.add(py.give(compiler.items(value).code))
            function = _made(compiler, self._model)
        return Variant(function, value.form, value.type, compiler.uses_run)

    def __repr__(self) -> str:
        return f"<Path {self.source}>"


def _boxing(variant: Variant, kind: str | None) -> Variant:
    """Code for items that know their type, called with JSON: of the type `kind`, or of the type that it says."""
    inner = variant.function

    def boxed(focus: Any, run: Any) -> Items:
        if type(focus) is dict and kind is not None:
            return inner(Element(focus, kind), run)
        return inner(values.element(focus), run)

    return Variant(boxed, variant.form, variant.type, variant.uses_run)


def _made(compiler: Compiler, model: Model) -> Callable[[Any, Any], Items]:
    """The compiler's statements as a Python function."""
    function = py.function("path", ["this", "run"], compiler.block)
    compiler.locate(function)
    module = compile(ast.Module([function], []), _FILE, "exec")
    code = next(const for const in module.co_consts if isinstance(const, CodeType))
    return FunctionType(code, {**RUNTIME, **compiler.constants, "M": model, "__builtins__": {}})


@lru_cache(maxsize=8192)
def _compiled(
    source: str, context_type: str | None, definitions: Definitions, strict: bool, names: frozenset[str]
) -> Path:
    return Path(source, parse(source), model_of(definitions), context_type, strict, names)


def compile_path(
    source: str,
    context_type: str | None = None,
    definitions: Definitions | None = None,
    *,
    strict: bool = False,
    names: Iterable[str] = (),
) -> Path:
    """Compile an expression, once for each combination of arguments.

    With `context_type` (`Patient`, `HumanName`, `Patient.contact`) elements are checked against the type. `strict`
    also refuses what can never be true: another type's name in front, a cast to what a choice cannot be. `names` are
    variables that an expression may begin with without `%`. Raises FHIRPathError.
    """
    return _compiled(source, context_type, definitions or load(), strict, frozenset(names))
