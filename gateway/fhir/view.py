"""Parts of a resource: what `_summary` and `_elements` leave of it, as its definition marks the elements.

https://hl7.org/fhir/R4/search.html#summary and https://hl7.org/fhir/R4/search.html#elements

What is left is a resource that can be read: elements that are required stay, and so do those that change the meaning
of others whatever their name. It is tagged SUBSETTED, so that nobody writes it back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

from gateway.definitions import Definitions, ElementDef
from gateway.errors import BadRequest
from gateway.records import Resource

Summary = Literal["true", "text", "data", "count", "false"]
Tree = dict[str, "Tree"]
"""Elements by FHIRPath name, and what is wanted of each: all of it where nothing is said."""
Narrowed = Callable[[Resource, str, Definitions], Resource]
"""What is left of an object of a type."""
SUBSETTED: Final = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "SUBSETTED",
    "display": "subsetted",
}
KEPT: Final = frozenset({"resourceType", "id", "meta", "implicitRules", "modifierExtension"})
"""What no view leaves out: who the resource is, and what may turn its meaning round."""
MOST_ELEMENTS: Final = 200


@dataclass(frozen=True, slots=True)
class View:
    """What is to be seen; `named` are elements of whatever type, `typed` those of one type."""

    summary: Summary = "false"
    named: Tree = field(default_factory=dict)
    typed: Mapping[str, Tree] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        return self.summary == "false" and not self.named and not self.typed

    def of(self, resource: Resource, d: Definitions, *, by_name: bool = True) -> Resource:
        """What is seen of a resource. `by_name`: elements that are named without a type count for it too."""
        kind = resource["resourceType"]
        wanted = _joined(self.named if by_name else {}, self.typed.get(kind, {}))
        if self.summary == "false" and not wanted:
            return resource
        shown = SUMMARIES[self.summary](resource, d)
        if wanted:
            shown = _named(shown, kind, wanted, d)
        return _tagged(shown)

    def of_entries(self, bundle: Resource, d: Definitions) -> Resource:
        """The same for each resource of a searchset or history; what is included is seen by its own type's names."""
        if "entry" not in bundle:
            return bundle
        return bundle | {"entry": [self._entry(entry, d) for entry in bundle["entry"]]}

    def _entry(self, entry: Resource, d: Definitions) -> Resource:
        mode = entry.get("search", {}).get("mode", "match")
        if "resource" not in entry or mode == "outcome":
            return entry
        return entry | {"resource": self.of(entry["resource"], d, by_name=mode == "match")}


WHOLE: Final = View()


def view(params: list[tuple[str, str]], d: Definitions, *, lenient: bool = False) -> View:
    """The view that the parameters `_summary` and `_elements` ask for; BadRequest where they cannot."""
    summary: Summary = "false"
    names: list[str] = []
    for name, value in params:
        if name == "_summary":
            summary = _summary(value)
        elif name == "_elements":
            names += [one.strip() for one in value.split(",") if one.strip()]
    if len(names) > MOST_ELEMENTS:
        raise BadRequest(f"_elements names at most {MOST_ELEMENTS} elements.", rule="too-many-elements")
    named: Tree = {}
    typed: dict[str, Tree] = {}
    for path in names:
        first, *rest = path.split(".")
        if first in d.types and d.types[first].kind == "resource":
            if rest and _known(first, rest, d):
                _plant(typed.setdefault(first, {}), rest)
            elif not lenient:
                raise _unknown(path)
        else:
            _plant(named, [first, *rest])
    return View(summary, named, typed)


def _summary(value: str) -> Summary:
    for known in get_args(Summary):
        if value == known:
            return known  # type: ignore[no-any-return]
    raise BadRequest(f"_summary is one of {', '.join(get_args(Summary))}.", rule="malformed-value", where="_summary")


def _known(kind: str, path: list[str], d: Definitions) -> bool:
    """Whether a type has an element at that path."""
    for step in path:
        definition = d.types.get(kind)
        if definition is None:
            return False
        key = next(iter(definition.choices[step].values())) if step in definition.choices else step
        if key not in definition.elements:
            return False
        kind = definition.elements[key].type
    return True


def check_names(wanted: View, kind: str, d: Definitions) -> None:
    """BadRequest unless the elements named without a type are elements of that one."""
    for path in _paths(wanted.named):
        if not _known(kind, path, d):
            raise _unknown(".".join(path))


def _paths(tree: Tree) -> list[list[str]]:
    return [[name, *rest] for name, inner in tree.items() for rest in (_paths(inner) or [[]])]


def _unknown(path: str) -> BadRequest:
    text = "_elements names elements that the type has, such as name or Patient.name.family."
    return BadRequest(text, rule="unknown-element", where=path[:64])


def _plant(tree: Tree, path: list[str]) -> None:
    """Add a path; who asks for an element and for a part of it asks for all of it."""
    first, *rest = path
    if not rest:
        tree[first] = {}
    elif first not in tree:
        tree[first] = {}
        _plant(tree[first], rest)
    elif tree[first]:
        _plant(tree[first], rest)


def _joined(one: Tree, other: Tree) -> Tree:
    """The elements of both, and of each all where one of them wants all."""
    both = {name: _joined(one[name], other[name]) if one[name] and other[name] else {} for name in one.keys() & other}
    return one | other | both


# --- by the marks of the definition --------------------------------------------------------------------------------


def _marked(resource: Resource, d: Definitions) -> Resource:
    """The elements that are marked as summary, at every depth, and those that are required where they stand."""
    return _object(resource, resource["resourceType"], d)


def _object(value: Resource, kind: str, d: Definitions) -> Resource:
    elements = d.types[kind].elements
    shown: Resource = {}
    for key, item in value.items():
        element = elements.get(key.removeprefix("_"))
        if element is None:
            shown[key] = item
        elif element.is_summary or element.min > 0 or key in KEPT:
            shown[key] = item if key[0] == "_" else _inner(item, element, d, _object)
    return shown


def _text(resource: Resource, d: Definitions) -> Resource:
    """Narrative, id, meta and what is required at the top."""
    elements = d.types[resource["resourceType"]].elements
    return {
        key: item
        for key, item in resource.items()
        if key in KEPT or key == "text" or ((element := elements.get(key.removeprefix("_"))) and element.min > 0)
    }


def _data(resource: Resource, d: Definitions) -> Resource:
    """All but the narrative."""
    return {key: item for key, item in resource.items() if key != "text"}


def _all(resource: Resource, d: Definitions) -> Resource:
    return resource


SUMMARIES: Final[Mapping[Summary, Callable[[Resource, Definitions], Resource]]] = {
    "true": _marked,
    "text": _text,
    "data": _data,
    "count": _all,
    "false": _all,
}


# --- by name -------------------------------------------------------------------------------------------------------


def _named(value: Resource, kind: str, wanted: Tree, d: Definitions) -> Resource:
    """The elements that are named, and those that are required beside them."""
    elements = d.types[kind].elements
    shown: Resource = {}
    for key, item in value.items():
        name = key.removeprefix("_")
        element = elements.get(name)
        step = name if element is None or element.choice_of is None else element.choice_of
        inner = wanted.get(step, wanted.get(name))
        if inner and element is not None and key[0] != "_":
            shown[key] = _inner(item, element, d, _narrowing(inner))
        elif inner is not None or key in KEPT or (element is not None and element.min > 0):
            shown[key] = item
    return shown


def _narrowing(wanted: Tree) -> Narrowed:
    return lambda value, kind, d: _named(value, kind, wanted, d)


def _inner(item: Any, element: ElementDef, d: Definitions, narrowed: Narrowed) -> Any:
    """An item, or each of a list, narrowed where it is an object; an extension is one whole."""
    if element.type == "Extension":
        return item
    if type(item) is list:
        return [_inner(one, element, d, narrowed) for one in item]
    if type(item) is not dict:
        return item
    return narrowed(item, str(item.get("resourceType", element.type)), d)


def _tagged(resource: Resource) -> Resource:
    meta = resource.get("meta", {})
    tags = meta.get("tag", [])
    if not any(tag.get("code") == SUBSETTED["code"] and tag.get("system") == SUBSETTED["system"] for tag in tags):
        meta = meta | {"tag": [*tags, SUBSETTED]}
    shown = {"resourceType": resource["resourceType"]}
    if "id" in resource:
        shown["id"] = resource["id"]
    return shown | {"meta": meta} | {name: value for name, value in resource.items() if name != "meta"}
