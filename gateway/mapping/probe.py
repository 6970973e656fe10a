"""A variant of a map's code that notes every rule it comes to: what was asked for, what was there, what was refused.

The traced variant knows what was written. Why something was not is told by what is noted here.
"""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.mapping import ir
from gateway.mapping import python as py
from gateway.mapping.compiler import CompiledMap
from gateway.mapping.emit import Emitter, emit

Stack = tuple[int, ...]
"""The invocations that lead to a group, outermost first, each by `key`."""
Point = tuple[Stack, int]
"""A source clause, by the way to it and its site."""


def key(call: ir.Invoke) -> int:
    """An invocation as a stack names it; the program keeps it alive."""
    return id(call)


@dataclass(frozen=True, slots=True)
class Refused:
    """What a condition was not true of: the node, and the variables it speaks of."""

    node: Any
    variables: tuple[tuple[str, Any], ...]


@dataclass(slots=True)
class Probe:
    """What one run came to."""

    asked: dict[Point, list[Any]] = field(default_factory=lambda: defaultdict(list))
    """The nodes that a source clause was looked for in."""
    met: Counter[Point] = field(default_factory=Counter)
    """How often a source clause gave something that its condition let through."""
    refused: dict[Point, list[Refused]] = field(default_factory=lambda: defaultdict(list))
    _stack: list[int] = field(default_factory=list)
    _here: Stack = ()

    def _ask(self, site: int, node: Any) -> None:
        self.asked[(self._here, site)].append(node)

    def _meet(self, site: int) -> None:
        self.met[(self._here, site)] += 1

    def _judge(self, site: int, node: Any, variables: Sequence[tuple[str, Any]], held: bool) -> bool:
        if not held:
            self.refused[(self._here, site)].append(Refused(node, tuple(variables)))
        return held

    def _enter(self, call: int) -> None:
        self._stack.append(call)
        self._here = tuple(self._stack)

    def _leave(self) -> None:
        self._stack.pop()
        self._here = tuple(self._stack)

    def of(self, compiled: CompiledMap) -> CompiledMap:
        """The map, whose traced variant tells this probe what it comes to."""
        names = ("_ask", "_meet", "_judge", "_enter", "_leave")
        helpers = {f"_probe{name}": getattr(self, name) for name in names}
        return compiled.traced_by(emit(compiled.program, traced=True, emitter=_Probing, helpers=helpers))


class _Probing(Emitter):
    """Code that tells before each source clause, at each condition and behind both."""

    def source(self, source: ir.Source, body: list[ast.stmt], *, by_step: bool) -> list[ast.stmt]:
        site = py.const(source.site)
        at = py.name(source.context) if source.context else py.const(None)
        met = self.placed([py.effect(py.call("_probe_meet", site))], source.span)
        return [py.effect(py.call("_probe_ask", site, at)), *super().source(source, [*met, *body], by_step=by_step)]

    def condition(self, read: ir.Read, focus: str, site: int) -> ast.expr:
        bound = [py.tuple_of(py.const(name), py.name(code)) for name, code in read.variables]
        held = super().condition(read, focus, site)
        return py.call("_probe_judge", py.const(site), py.name(focus), py.tuple_of(*bound), held)

    def invoke(self, call: ir.Invoke, rule: ir.Rule, last: str) -> ast.stmt:
        made = super().invoke(call, rule, last)
        assert isinstance(made, ast.Expr)
        return py.effect(py.tuple_of(py.call("_probe_enter", py.const(key(call))), made.value, py.call("_probe_leave")))
