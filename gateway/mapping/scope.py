"""What a rule can see: variables by their FML names, and where the resolver is."""

from __future__ import annotations

import keyword
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.mapping import ir, syntax
from gateway.mapping.syntax import Group, Map


@dataclass(frozen=True, slots=True)
class Variable:
    code: str
    mode: str
    type: str | None
    shown: str = ""
    """Of a primitive: the element that it is, `Patient.birthDate`."""
    node: bool = False
    """Whether it can hold a node of the source and nothing else."""


Scope = Mapping[str, Variable]


@dataclass(slots=True)
class Place:
    """Where the resolver is: the map, the routine it fills, the rule."""

    map: Map
    routine: ir.Routine
    group: Group
    names: Counter[str]
    rule: int = 0
    depth: int = 0
    """How many rules stand around the one that is resolved."""

    def name(self, wanted: str) -> str:
        """A name in the code for an FML variable: itself where Python allows it, numbered where it is taken."""
        base = wanted if wanted.isidentifier() and not keyword.iskeyword(wanted) and wanted[0] != "_" else "v_"
        self.names[base] += 1
        return base if self.names[base] == 1 and base != "v_" else f"{base}_{self.names[base]}"

    def constant(self, name: str) -> syntax.Constant | None:
        """A constant of the map, by name."""
        return next((constant for constant in self.map.constants if constant.name == name), None)
