"""How a function is described: what it takes, what it gives, and whether it works on one value or on a collection."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice, repeat
from typing import Any, Literal

from gateway.fhirpath.environment import Environment
from gateway.fhirpath.model import Model

Argument = Literal["value", "list", "each"]
"""`value`: one system value or None; `list`: a collection; `each`: a callable from (item, index) to a collection."""


MOST_STEPS = 1_000_000


class Run:
    """One evaluation: the caller's environment, the types, and the focus it began with."""

    __slots__ = ("env", "left", "model", "root", "tick")

    def __init__(self, env: Environment, model: Model, root: Any) -> None:
        self.env = env
        self.model = model
        self.root = root
        self.left = env.turns or repeat(None, MOST_STEPS)
        self.tick = self.left.__next__
        """To be called for each turn where turns may multiply: StopIteration ends the evaluation."""

    def spend(self, turns: int) -> None:
        """Many turns at once."""
        deque(islice(self.left, turns), maxlen=0)
        self.tick()


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the language.

    A `scalar` is called with one system value, never None, and gives one value or None; without input or one of its
    values the result is empty. Otherwise it is called with a collection and gives one.
    """

    name: str
    call: Callable[..., Any]
    scalar: bool
    args: tuple[Argument, ...]
    required: int
    result: str | None
    """The System type of the result where it is always the same."""
    single: bool
    run: bool
    """Whether the evaluation itself is passed first."""


FUNCTIONS: dict[str, Function] = {}


def scalar(
    name: str, *args: Argument, required: int | None = None, result: str | None = None
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A function of one value."""

    def register(call: Callable[..., Any]) -> Callable[..., Any]:
        least = len(args) if required is None else required
        FUNCTIONS[name] = Function(name, call, True, args, least, result, single=True, run=False)
        return call

    return register


def listed(
    name: str, *args: Argument, required: int | None = None, result: str | None = None, run: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A function of a collection that gives a collection, or with `result` one value of that type."""

    def register(call: Callable[..., Any]) -> Callable[..., Any]:
        least = len(args) if required is None else required
        FUNCTIONS[name] = Function(name, call, False, args, least, result, single=result is not None, run=run)
        return call

    return register
