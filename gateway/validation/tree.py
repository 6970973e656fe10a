"""A profile as a tree: what it asks of each element beyond what R4 does, laid over what its base profile asks.

https://hl7.org/fhir/R4/profiling.html, https://hl7.org/fhir/R4/elementdefinition.html

A differential is enough, and a snapshot is too. What only repeats R4 itself is left out: the structural check has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.definitions import Definitions, ElementDef
from gateway.records import Resource

CORE: Final = "http://hl7.org/fhir/StructureDefinition/"
LIMIT: Final = CORE + "elementdefinition-maxValueSet"
ADDITIONAL: Final = ("http://hl7.org/fhir/tools/StructureDefinition/additional-binding", CORE + "additional-binding")
STRENGTHS: Final = {"required": "required", "maximum": "maximum", "extensible": "extensible"}
"""The purposes of an additional binding that ask something of a value, and how strongly."""
ANY: Final = 1_000_000_000
"""No upper limit."""
SYSTEM_TYPE: Final = "http://hl7.org/fhirpath/System."
SEGMENT: Final = re.compile(r"(?P<name>[^.:]+)(?::(?P<slice>[^.]+))?")
MOST_ELEMENTS: Final = 20_000
DEEPEST: Final = 60
"""Steps of an element's path, and slices within one another."""


@dataclass(frozen=True, slots=True)
class Use:
    """A type that an element may have, with the profiles of it, or of what it refers to, that it is held to."""

    code: str
    profiles: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    aggregation: tuple[str, ...] = ()
    """How a reference may be made; in any way, where nothing is said."""
    versioning: str = "either"


@dataclass(frozen=True, slots=True)
class Slicing:
    """How the items of an element are told apart: pairs of a discriminator's type and path, and the rules."""

    discriminators: tuple[tuple[str, str], ...]
    rules: str = "open"
    ordered: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """An invariant of a profile."""

    key: str
    severity: str
    human: str
    expression: str


@dataclass(slots=True)
class Node:
    """An element, or a slice of one. None and empty are: nothing more is asked."""

    name: str
    kinds: tuple[str, ...]
    """The types that it can have by R4, as keys of the definitions."""
    slice: str | None = None
    min: int | None = None
    max: int | None = None
    types: tuple[Use, ...] | None = None
    fixed: Any = None
    beside: Any = None
    """What stands beside a fixed primitive: its id and extensions."""
    pattern: Any = None
    binding: tuple[str, str] | None = None
    limit: str | None = None
    """The value set beyond which no code is allowed, however weak the binding is."""
    also: tuple[tuple[str, str], ...] = ()
    """Bindings beside the binding, each with its strength."""
    max_length: int | None = None
    low: tuple[str, Any] | None = None
    high: tuple[str, Any] | None = None
    rules: list[Rule] = field(default_factory=list)
    slicing: Slicing | None = None
    children: dict[str, Node] = field(default_factory=dict)
    slices: dict[str, Node] = field(default_factory=dict)

    def copy(self) -> Node:
        """The same by itself, all below it too."""
        return Node(
            self.name,
            self.kinds,
            self.slice,
            self.min,
            self.max,
            self.types,
            self.fixed,
            self.beside,
            self.pattern,
            self.binding,
            self.limit,
            self.also,
            self.max_length,
            self.low,
            self.high,
            list(self.rules),
            self.slicing,
            {name: node.copy() for name, node in self.children.items()},
            {name: node.copy() for name, node in self.slices.items()},
        )


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """A profile: of which type, and its root. `faults` are what it says that cannot be understood."""

    url: str
    type: str
    root: Node
    source: Mapping[str, Any]
    faults: tuple[str, ...] = ()
    bases: frozenset[str] = frozenset()
    """The urls of the profiles that it stands on."""

    def of_kind(self, kind: str) -> Node | None:
        """The node of a backbone's own path: what an element that is defined by reference to it is held to."""
        node: Node | None = self.root
        for name in kind.split(".")[1:]:
            node = None if node is None else node.children.get(name)
        return node


def tree(structure: Resource, elements: Sequence[Mapping[str, Any]], base: Tree | None, d: Definitions) -> Tree:
    """The tree of a StructureDefinition from its elements, over the root of its base where that is a profile."""
    kind = str(structure.get("type", ""))
    root = base.root.copy() if base is not None else Node(kind, (kind,))
    writer = _Writer(root, d)
    for element in elements[:MOST_ELEMENTS]:
        writer.add(element)
    bases = frozenset() if base is None else base.bases | {base.url}
    return Tree(str(structure.get("url", "")), kind, root, structure, tuple(writer.faults), bases)


class _Writer:
    """Lays elements over a tree, one after the other."""

    def __init__(self, root: Node, d: Definitions) -> None:
        self._root = root
        self._d = d
        self._last: dict[str, Node] = {}
        """By path, the node that was written last: where paths alone say what an element belongs to."""
        self.faults: list[str] = []

    def add(self, element: Mapping[str, Any]) -> None:
        path = str(element.get("path", ""))
        if path.count(".") > DEEPEST or str(element.get("sliceName", "")).count("/") > DEEPEST:
            self.faults.append(path[:200])
            return
        node = self._at(path, element.get("id"), element.get("sliceName"))
        if node is None:
            self.faults.append(path)
            return
        for known in [one for one in self._last if one.startswith(path + ".")]:
            del self._last[known]
        self._last[path] = node
        self._fill(node, element)

    def _at(self, path: str, id: Any, slice: Any) -> Node | None:
        segments = [one.groupdict() for one in SEGMENT.finditer(id)] if isinstance(id, str) else []
        if segments and [one["name"] for one in segments] == path.split("."):
            node = self._root
            for one in segments[1:]:
                found = self._child(node, one["name"])
                if found is None:
                    return None
                node = found if one["slice"] is None else _slice(found, one["slice"])
            return node
        above, _, name = path.rpartition(".")
        if not above:
            return self._root
        around = self._last.get(above) or self._at(above, None, None)
        found = None if around is None else self._child(around, name)
        if found is None or not isinstance(slice, str) or found.slice is not None:
            return found
        return _slice(found, slice)

    def _child(self, node: Node, name: str) -> Node | None:
        """The node of an element by its name in a path: `code`, `value[x]`, or `valueQuantity` for one of its types."""
        short = name.removesuffix("[x]")
        for kind in _kinds(node):
            if name == "value" and kind in self._d.types and self._d.types[kind].kind == "primitive":
                return node.children.setdefault(name, Node(name, (kind,)))
            defined = [one for one in _elements(self._d, kind) if short in (one.choice_of, one.name)]
            if not defined:
                continue
            group = defined[0].choice_of
            if group is None or group == short:
                kinds = tuple(one.type for one in defined)
                return node.children.setdefault(short, Node(short, kinds))
            around = node.children.get(group) or self._child(node, group + "[x]")
            assert around is not None
            return _slice(around, short, Use(defined[0].type))
        return None

    def _fill(self, node: Node, element: Mapping[str, Any]) -> None:
        base = self._base(node, str(element.get("path", "")))
        low, high = element.get("min"), element.get("max")
        if isinstance(low, int) and (node.slice is not None or node.min is not None or base is None or low > base.min):
            node.min = low
        if isinstance(high, str):
            limit = int(high) if high.isascii() and high.isdigit() and len(high) < 10 else ANY
            most = ANY if base is None or base.max is None else base.max
            if limit < most or (node.slice is not None and limit < ANY) or node.max is not None:
                node.max = limit
        for key, value in element.items():
            if key.startswith("fixed"):
                node.fixed = value
            elif key.startswith("_fixed"):
                node.beside = value
            elif key.startswith("pattern"):
                node.pattern = value
            elif key.startswith("minValue"):
                node.low = _typed(key, "minValue"), value
            elif key.startswith("maxValue"):
                node.high = _typed(key, "maxValue"), value
        if isinstance(element.get("maxLength"), int):
            node.max_length = element["maxLength"]
        if isinstance(element.get("type"), list):
            node.types = self._types(node, element["type"], base)
        if isinstance(binding := element.get("binding"), dict) and isinstance(binding.get("valueSet"), str):
            found = (str(binding.get("strength")), binding["valueSet"])
            if base is None or base.binding != (found[0], found[1].partition("|")[0]):
                node.binding = found
            node.limit = _limit(binding) or node.limit
            node.also = tuple(_additional(binding)) or node.also
        if isinstance(slicing := element.get("slicing"), dict):
            node.slicing = _slicing(slicing)
        self._rules(node, element.get("constraint"))

    def _base(self, node: Node, path: str) -> ElementDef | None:
        """The element as R4 has it; none for the root."""
        above, _, name = path.rpartition(".")
        around = self._last.get(above) or (self._root if above and "." not in above else None)
        for kind in _kinds(around) if around is not None else ():
            for one in _elements(self._d, kind):
                if name.removesuffix("[x]") in (one.choice_of, one.name):
                    return one
        return None

    def _types(self, node: Node, given: list[Any], base: ElementDef | None) -> tuple[Use, ...] | None:
        uses = tuple(
            Use(
                _code(one),
                tuple(map(str, one.get("profile", ()))),
                tuple(map(str, one.get("targetProfile", ()))),
                tuple(map(str, one.get("aggregation", ()))),
                str(one.get("versioning", "either")),
            )
            for one in given
            if isinstance(one, dict)
        )
        if any(one.code.startswith(SYSTEM_TYPE) for one in uses):
            return None
        if base is None or any(one.profiles for one in uses) or base.choice_of is not None:
            return uses or None
        if base.type == "Resource":
            return None if any(one.code == "Resource" for one in uses) else uses
        targets = {target.removeprefix(CORE) for one in uses for target in one.targets}
        made = any(one.aggregation or one.versioning != "either" for one in uses)
        return uses if made or (targets and targets != set(base.targets)) else None

    def _rules(self, node: Node, given: Any) -> None:
        known = {rule.key for kind in node.kinds if kind in self._d.invariants for rule in self._d.invariants[kind]}
        for one in given if isinstance(given, list) else ():
            if isinstance(one, dict) and isinstance(one.get("expression"), str) and one.get("key") not in known:
                rule = Rule(str(one.get("key")), str(one.get("severity")), str(one.get("human", "")), one["expression"])
                node.rules = [kept for kept in node.rules if kept.key != rule.key] + [rule]


def _kinds(node: Node) -> Iterator[str]:
    """The types that a node's children are looked for in: those it is narrowed to, else all it can have."""
    for use in node.types or ():
        yield use.code if use.code in node.kinds or not node.kinds[0].count(".") else node.kinds[0]
    yield from node.kinds


def _elements(d: Definitions, kind: str) -> Iterator[ElementDef]:
    definition = d.types.get(kind)
    if definition is not None:
        yield from definition.elements.values()


def _slice(node: Node, name: str, use: Use | None = None) -> Node:
    """A slice, or a slice of a slice (`a/b`), made where there is none."""
    around = node
    for length in range(name.count("/") + 1):
        part = "/".join(name.split("/")[: length + 1])
        found = around.slices.get(part)
        if found is None:
            found = around.slices[part] = Node(node.name, node.kinds, part)
            if use is None and part.startswith(node.name):  # `valueQuantity` of `value[x]`
                rest = part[len(node.name) :]
                use = next((Use(kind) for kind in node.kinds if kind.lower() == rest.lower()), None)
                use = use if len(node.kinds) > 1 else None
            if use is not None:
                found.types = (use,)
        around = found
    return around


def _slicing(given: Mapping[str, Any]) -> Slicing:
    listed = given.get("discriminator")
    pairs = tuple(
        (str(one.get("type")), str(one.get("path")))
        for one in (listed if isinstance(listed, list) else ())
        if isinstance(one, dict)
    )
    return Slicing(pairs, str(given.get("rules", "open")), given.get("ordered") is True)


def _code(use: Mapping[str, Any]) -> str:
    return str(use.get("code", "")).removeprefix(CORE)


def _typed(key: str, prefix: str) -> str:
    rest = key[len(prefix) :]
    return rest[:1].lower() + rest[1:]


def _additional(binding: Resource) -> Iterator[tuple[str, str]]:
    """Those that hold for every value; in which context a binding with a `usage` does is not known here."""
    for one in _extensions(binding):
        if one.get("url") in ADDITIONAL:
            parts = {str(part.get("url")): part for part in _extensions(one)}
            purpose, url = parts.get("purpose", {}).get("valueCode"), parts.get("valueSet", {}).get("valueCanonical")
            every = "usage" not in parts and parts.get("any", {}).get("valueBoolean") is not True
            if every and purpose in STRENGTHS and type(url) is str:
                yield STRENGTHS[purpose], url


def _extensions(holder: Mapping[str, Any]) -> list[dict[str, Any]]:
    held = holder.get("extension")
    return [one for one in held if type(one) is dict] if type(held) is list else []


def _limit(binding: Resource) -> str | None:
    for one in _extensions(binding):
        if one.get("url") == LIMIT:
            found = one.get("valueCanonical", one.get("valueUri"))
            return found if type(found) is str else None
    return None
