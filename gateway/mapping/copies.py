"""What a rule copied whole: each value in it comes from the same place within the source's node.

A trace notes that a structure was copied, not every leaf of it; who asks for an explanation asks for the leaves.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from gateway import formats
from gateway.formats import Node
from gateway.mapping.explain import Explained, places_of
from gateway.mapping.package import Package, Trace
from gateway.records import Resource

Leaf = tuple[str, Node, Any]


def copied(
    trace: Trace, drafts: list[Resource], package: Package, body: bytes, told: Collection[tuple[int, str]]
) -> Iterator[Explained]:
    """The leaves of what was copied that `told` (draft and path) does not explain already, as they still are."""
    places = places_of(drafts)
    rules = trace.compiled.program.rules
    known = set(told)
    # The rule that copied the finer structure explains better than the one that copied all around it.
    for rule, node, _, _, row, item in reversed(trace.entries):
        if not isinstance(item, dict) or not isinstance(node, Node) or not node.kids or id(item) not in places:
            continue
        number, start = places[id(item)]
        for path, leaf, value in _leaves(item, node, start):
            if (number, path) not in known:
                known.add((number, path))
                place = formats.position(package.format.kind, leaf, body)
                yield Explained(number, path, rules[rule], place, leaf.name, row, value)


def _leaves(held: dict[str, Any], node: Node, path: str) -> Iterator[Leaf]:
    for key, value in held.items():
        nodes = node.kids.get(key, [])
        here = f"{path}.{key}"
        if isinstance(value, list):  # What was added to it comes after what was copied.
            for index, (item, one) in enumerate(zip(value, nodes, strict=False)):
                yield from _leaf(item, one, f"{here}[{index}]")
        elif len(nodes) == 1:
            yield from _leaf(value, nodes[0], here)


def _leaf(value: Any, node: Node, path: str) -> Iterator[Leaf]:
    if isinstance(value, dict):
        yield from _leaves(value, node, path)
    elif node.value is not None and str(value) == str(node.value):
        yield path, node, value
