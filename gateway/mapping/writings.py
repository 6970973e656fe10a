"""Which rules of a program write an element: every way from the entry group to a rule that could fill it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gateway.definitions import Definitions
from gateway.errors import NotFound
from gateway.mapping import ir
from gateway.mapping.probe import Stack, key
from gateway.mapping.problems import did_you_mean

Keys = tuple[str, ...]
"""The path of an element: its resource's type, then the names in JSON."""


@dataclass(frozen=True, slots=True)
class Asked:
    """An element that somebody asks for: its type, and the JSON names that each of its steps can have."""

    type: str
    steps: tuple[frozenset[str], ...]

    def __contains__(self, keys: Keys) -> bool:
        """Whether this is the element, a part of it, or an element around it."""
        return keys[0] == self.type and all(name in step for name, step in zip(keys[1:], self.steps, strict=False))

    def around(self, keys: Keys) -> bool:
        """Whether it is an element around the one that is asked for."""
        return len(keys) - 1 < len(self.steps)


@dataclass(frozen=True, slots=True)
class Writing:
    """A target that could fill the element, with the rules around it, outermost first, and the ways to them."""

    chain: tuple[tuple[Stack, ir.Rule], ...]
    target: ir.Target
    keys: Keys


def asked(path: str, definitions: Definitions) -> Asked:
    """The element of a path such as `Encounter.period.end`; indices are passed over. NotFound with what is meant."""
    first, *names = [part.partition("[")[0] for part in path.strip().split(".")]
    known = definitions.types.get(first)
    if known is None or known.kind != "resource" or not names:
        resources = [name for name, one in definitions.types.items() if one.kind == "resource"]
        hint = did_you_mean(first, resources) if known is None else "write Type.element"
        raise NotFound(
            f"'{path}' names no element of a resource: {hint or 'write Type.element'}", rule="unknown-element"
        )
    steps: list[frozenset[str]] = []
    for name in names:
        choices = known.choices.get(name) if known else None
        element = known.elements.get(name) if known else None
        if known is not None and choices is None and element is None:
            hint = did_you_mean(name, [*known.elements, *known.choices]) or f"there are {', '.join(known.elements)}"
            raise NotFound(f"{known.name} has no element '{name}': {hint}", rule="unknown-element")
        steps.append(frozenset((name, *(choices or {}).values())))
        known = definitions.types.get(element.type or "") if element else None
    return Asked(first, tuple(steps))


def writings(program: ir.Program, wanted: Asked) -> Iterator[Writing]:
    """Every rule that could fill the element, in the order in which rules run."""
    routine = program.routines[program.entry]
    given = {
        name: (type_name or "",)
        for name, mode, type_name in zip(routine.parameters, program.modes, program.types, strict=True)
        if mode == "target"
    }
    yield from _Walk(program, wanted).rules(routine.rules, given, (), ())


class _Walk:
    """Follows targets through rules and groups, by the paths of what they are bound to."""

    def __init__(self, program: ir.Program, wanted: Asked) -> None:
        self.program = program
        self.wanted = wanted

    def rules(
        self,
        rules: Sequence[ir.Rule],
        outer: Mapping[str, Keys],
        stack: Stack,
        chain: tuple[tuple[Stack, ir.Rule], ...],
    ) -> Iterator[Writing]:
        bound = dict(outer)
        for rule in rules:
            here = (*chain, (stack, rule))
            for target in rule.targets:
                keys = self._keys(target, bound)
                if keys is None:
                    continue
                if target.variable:
                    bound[target.variable] = keys
                writes = not isinstance(target.value, ir.Make) and len(keys) > 1 and keys in self.wanted
                if writes and not (self.wanted.around(keys) and isinstance(target.value, ir.Constant)):
                    yield Writing(here, target, keys)
            for call in rule.calls:
                if key(call) not in stack:
                    yield from self._called(call, bound, stack, here)
            yield from self.rules(rule.rules, bound, stack, here)

    def _called(
        self, call: ir.Invoke, bound: Mapping[str, Keys], stack: Stack, chain: tuple[tuple[Stack, ir.Rule], ...]
    ) -> Iterator[Writing]:
        routine = self.program.routines[call.routine]
        given = {
            name: bound[argument.name]
            for name, argument in zip(routine.parameters, call.arguments, strict=True)
            if isinstance(argument, ir.Variable) and argument.name in bound
        }
        yield from self.rules(routine.rules, given, (*stack, key(call)), chain)

    @staticmethod
    def _keys(target: ir.Target, bound: Mapping[str, Keys]) -> Keys | None:
        """What a target is bound to: a resource of its own, or an element of what it stands in."""
        value = target.value
        if isinstance(value, ir.Make) and value.type and (value.resource or target.context is None):
            return (value.type,)
        if target.context is None or target.context not in bound:
            return None
        return (*bound[target.context], *(element.key for element in target.path))
