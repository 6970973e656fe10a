"""How much a query may ask for, told before it is begun: its size, its depth, its fields with all fragments.

https://owasp.org/www-project-api-security: what one short text can ask for has no bound of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from graphql import FieldNode, FragmentDefinitionNode, FragmentSpreadNode, InlineFragmentNode, SelectionSetNode

from gateway.errors import BadRequest


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may ask for."""

    characters: int = 100_000
    tokens: int = 5_000
    depth: int = 30
    fields: int = 5_000
    values: int = 200_000
    described: int = 1_000_000
    """Fields of the schema's own description: the whole of it, as tools ask for it, has some 620,000."""
    expression: int = 2_000
    """Characters of a FHIRPath."""
    turns: int = 1_000_000
    """Of all FHIRPaths together, where criteria lie within one another."""
    resources: int = 5_000
    searches: int = 100
    seconds: float = 20.0
    describing: float = 60.0
    """Seconds for the schema's own description: on a busy machine the whole of it takes longer than an answer may."""


LIMITS = Limits()


def bounded(selections: SelectionSetNode, fragments: Mapping[str, FragmentDefinitionNode], limits: Limits) -> None:
    """BadRequest where a query is deeper or larger than is answered. No fragment leads to itself: that is validated."""
    known: dict[str, tuple[int, int]] = {}

    def measure(selected: SelectionSetNode) -> tuple[int, int]:
        depth, fields = 0, 0
        for node in selected.selections:
            if isinstance(node, FragmentSpreadNode):
                name = node.name.value
                if name not in known:
                    known[name] = measure(fragments[name].selection_set)
                below, more = known[name]
            elif isinstance(node, InlineFragmentNode):
                below, more = measure(node.selection_set)
            else:
                assert isinstance(node, FieldNode)
                below, more = measure(node.selection_set) if node.selection_set is not None else (0, 0)
                below, more = below + 1, more + 1
            depth, fields = max(depth, below), fields + more
        return depth, fields

    depth, fields = measure(selections)
    if depth > limits.depth:
        text = f"The query is {depth} levels deep; at most {limits.depth} are answered."
        raise BadRequest(text, rule="query-too-deep", where="query")
    if fields > limits.fields:
        text = f"The query has {fields} fields with all its fragments; at most {limits.fields} are answered."
        raise BadRequest(text, rule="query-too-large", where="query")
