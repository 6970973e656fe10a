"""What directives make of an answer: levels left out, single values, names with what an expression says of each.

https://hl7.org/fhir/R4/graphql.html#flatten
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from graphql import FieldNode, FragmentDefinitionNode, FragmentSpreadNode, InlineFragmentNode, SelectionSetNode

Path = tuple[str | int, ...]
Slices = Mapping[Path, Sequence[str]]
"""By where a list stands in the answer: what its expression says of each value."""
SHAPING: Final = frozenset({"flatten", "singleton", "first", "slice"})


def directives(node: FieldNode) -> set[str]:
    return {one.name.value for one in node.directives}


def shaped(
    data: Mapping[str, Any],
    selections: SelectionSetNode,
    fragments: Mapping[str, FragmentDefinitionNode],
    slices: Slices,
) -> dict[str, Any]:
    """The answer as the directives of what was selected want it."""
    return _Shape(fragments, slices).object(data, [selections], ())


class _Shape:
    def __init__(self, fragments: Mapping[str, FragmentDefinitionNode], slices: Slices) -> None:
        self._fragments, self._slices = fragments, slices

    def object(self, value: Mapping[str, Any], selected: Iterable[SelectionSetNode], path: Path) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key, nodes in self._fields(selected).items():
            if key in value:  # Others are of another type, or skipped.
                self._field(made, key, nodes, value[key], (*path, key))
        return made

    def _fields(self, selected: Iterable[SelectionSetNode]) -> dict[str, list[FieldNode]]:
        found: dict[str, list[FieldNode]] = {}
        for node in self._nodes(selected):
            found.setdefault(node.alias.value if node.alias else node.name.value, []).append(node)
        return found

    def _nodes(self, selected: Iterable[SelectionSetNode]) -> Iterator[FieldNode]:
        for some in selected:
            for node in some.selections:
                if isinstance(node, FieldNode):
                    yield node
                elif isinstance(node, InlineFragmentNode):
                    yield from self._nodes([node.selection_set])
                elif isinstance(node, FragmentSpreadNode):
                    yield from self._nodes([self._fragments[node.name.value].selection_set])

    def _field(self, made: dict[str, Any], key: str, nodes: list[FieldNode], value: Any, path: Path) -> None:
        wanted = {name for node in nodes for name in directives(node)}
        is_list = isinstance(value, list)
        items = [(item, (*path, place)) for place, item in enumerate(value)] if is_list else [(value, path)]
        names = self._slices.get(path, ()) if "slice" in wanted else ()
        if "first" in wanted:
            items, is_list = (items[:1] or [(None, path)]), False
        below = [node.selection_set for node in nodes if node.selection_set is not None]
        for place, (item, at) in enumerate(items):
            inner = self.object(item, below, at) if below and isinstance(item, Mapping) else item
            behind = f".{names[place]}" if place < len(names) else ""
            if "flatten" not in wanted:
                _put(made, key + behind, inner, repeats=is_list, single="singleton" in wanted)
            elif isinstance(inner, dict):
                single = self._single(below)
                for name, child in inner.items():
                    _put(made, name + behind, child, repeats=is_list, single=name.partition(".")[0] in single)
        if not items and "flatten" not in wanted:
            made.setdefault(key, None if "singleton" in wanted else [])

    def _single(self, selected: Iterable[SelectionSetNode]) -> set[str]:
        """The names below that are single values, wherever they come to stand."""
        fields = self._fields(selected)
        return {key for key, nodes in fields.items() if any(directives(node) & {"singleton"} for node in nodes)}


def _put(made: dict[str, Any], key: str, value: Any, *, repeats: bool, single: bool) -> None:
    """A value under its name: of what repeats all of them, in one list."""
    if single:
        found = next(iter(value), None) if isinstance(value, list) else value
        if made.get(key) is None:
            made[key] = found
    elif repeats:
        there = made.setdefault(key, [])
        if isinstance(there, list):
            there.extend(value if isinstance(value, list) else [] if value is None else [value])
    elif isinstance(made.get(key), list) and isinstance(value, list):
        made[key].extend(value)
    else:
        made[key] = value
