"""Which slice an item belongs to: by value, pattern, existence, type or profile of what discriminators lead to.

https://hl7.org/fhir/R4/profiling.html#discriminator
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Protocol

from gateway.definitions import Definitions
from gateway.fhir import reference
from gateway.validation.spots import Frame, Members, Object, Primitive, Spot
from gateway.validation.tree import CORE, Node, Slicing, Tree, Use

DEEPEST: Final = 16
"""Levels below an item that are compared."""
REST: Final = re.compile(r"(?:.*/)?([A-Z][A-Za-z]+)/[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]{1,64})?")
BY_URL: Final = Slicing((("value", "url"),))
BY_TYPE: Final = Slicing((("type", "$this"),))
DEFAULT: Final = "@default"
"""The slice of what is of no other."""
STEP: Final = re.compile(r"\$this|extension\(\s*['\"]([^'\"]+)['\"]\s*\)|(resolve)\(\)|ofType\((\w+)\)|(\w+)(?:\[x\])?")


class Judge(Protocol):
    """What slicing asks of the validation around it."""

    members: Members

    def target(self, text: str, spot: Spot) -> Object | None:
        """The resource that a reference means."""

    def conforms(self, spot: Spot, profile: str) -> bool:
        """Whether a value meets a profile; not, where that is not known."""

    def profile(self, canonical: str) -> Tree | None:
        """A profile that is known."""

    def member(self, value: Any, value_set: str) -> bool | None:
        """Whether what is coded is of a value set."""


def slicing_of(node: Node) -> Slicing | None:
    """How an element is sliced; extensions are by url, and choices by type, where nothing is said."""
    if node.slicing is not None and node.slicing.discriminators:
        return node.slicing
    if not node.slices:
        return node.slicing
    rules, ordered = ("open", False) if node.slicing is None else (node.slicing.rules, node.slicing.ordered)
    if node.kinds == ("Extension",):
        return Slicing(BY_URL.discriminators, rules, ordered)
    if len(node.kinds) > 1:
        return Slicing(BY_TYPE.discriminators, rules, ordered)
    return node.slicing


class Undecided(Exception):
    """What a discriminator asks for is not held here, or cannot be read."""


def slice_of(item: Spot, node: Node, slicing: Slicing, judge: Judge) -> Node | None:
    """The first slice that an item is of. Undecided where it may be of one."""
    own = {name: one for name, one in node.slices.items() if name.rpartition("/")[2] != DEFAULT}
    verdicts = {name: _is_of(item, one, node, slicing, judge) for name, one in own.items()}
    found = next((own[name] for name, verdict in verdicts.items() if verdict), None)
    if found is None and None in verdicts.values():
        raise Undecided
    return found or next((one for name, one in node.slices.items() if name not in own), None)


def _is_of(item: Spot, slice: Node, around: Node, slicing: Slicing, judge: Judge) -> bool | None:
    """Whether an item is of a slice; None where it may be."""
    decided, undecided = False, not slicing.discriminators
    for kind, path in slicing.discriminators:
        steps = _steps(path)
        try:
            verdict = None if steps is None else _told(kind, steps, item, slice, around, judge)
        except Undecided:
            steps, verdict = None, None
        if verdict is False:
            return False
        undecided = undecided or steps is None
        decided = decided or verdict is True
    return True if decided and not undecided else None


def _told(
    kind: str, steps: Sequence[tuple[str, str]], item: Spot, slice: Node, around: Node, judge: Judge
) -> bool | None:
    """Whether an item is as a slice has it by one discriminator; None where the slice says nothing there."""
    if kind == "value" and steps == [("child", "url")] and item.type == "Extension":
        urls = [profile.partition("|")[0] for use in slice.types or () for profile in use.profiles]
        if urls:
            return item.value.get("url") in urls
    nodes = list(_nodes([slice], steps, judge)) or list(_nodes([around], steps, judge))
    if kind == "type" and steps and steps[-1][0] == "resolve":
        return _refers(nodes, list(_values([item], steps[:-1], judge)), judge)
    values = list(_values([item], steps, judge))
    if kind == "exists":
        return _exists(nodes, values)
    if kind == "type":
        codes = {use.code for node in nodes for use in node.types or ()}
        d = judge.members.d
        return None if not codes else any(is_one(d, one.type, code) for one in values for code in codes)
    if kind == "profile":
        profiles = [profile for node in nodes for use in node.types or () for profile in (*use.profiles, *use.targets)]
        if any(judge.conforms(one, profile) for one in values for profile in profiles):
            return True
        if not all(_is_known(one, judge) for one in profiles):
            raise Undecided
        return False if profiles else None
    verdicts = [verdict for node in nodes if (verdict := _matches(node, values, judge)) is not None]
    return None if not verdicts else all(verdicts)


def _refers(nodes: Sequence[Node], references: Sequence[Spot], judge: Judge) -> bool | None:
    """Whether one of the references is to a type, by what it leads to or by what it says."""
    codes = {use.code for node in nodes for use in node.types or ()}
    if not codes:
        return None
    for one in references:
        written = one.value.get("reference") if type(one.value) is dict else None
        target = judge.target(written, one) if type(written) is str else None
        kind = type_of(one.value) if target is None else target.get("resourceType")
        if kind is None:
            raise Undecided
        if any(is_one(judge.members.d, str(kind), code) for code in codes):
            return True
    return False


def _is_known(profile: str, judge: Judge) -> bool:
    return profile.removeprefix(CORE) in judge.members.d.types or judge.profile(profile) is not None


def type_of(value: Any) -> str | None:
    """The type that a reference names by its text or beside it."""
    if type(value) is not dict:
        return None
    written, named = value.get("reference"), value.get("type")
    if type(written) is str and (found := REST.fullmatch(written)):
        return found[1]
    if type(written) is str and (target := reference.parse(written)).type is not None:
        return target.type
    return named if type(named) is str else None


def _exists(nodes: Sequence[Node], values: Sequence[Spot]) -> bool | None:
    if any(node.max == 0 for node in nodes):
        return not values
    return bool(values) if any(node.min for node in nodes) else None


def is_one(d: Definitions, kind: str, code: str) -> bool:
    """Whether a type is the one that is named, or of its kind where that is abstract: a code is no string here."""
    if kind == code:
        return True
    return kind in d.types and code in d.types and d.types[code].abstract and d.is_a(kind, code)


def _matches(node: Node, values: Sequence[Spot], judge: Judge, deep: int = 0) -> bool | None:
    """Whether one of the values is as a node has it; None where it says nothing."""
    if deep > DEEPEST:  # Profiles of types that lead back to themselves say nothing more.
        return None
    verdicts: list[bool] = []
    raw = [raw_of(one) for one in values]
    if node.fixed is not None:
        verdicts.append(any(same(one, node.fixed) for one in raw))
    if node.pattern is not None:
        verdicts.append(any(fits(one, node.pattern) for one in raw))
    if node.binding is not None and node.binding[0] == "required" and not verdicts:
        members = {judge.member(one, node.binding[1]) for one in raw}
        if True not in members and None in members:
            raise Undecided
        verdicts.append(True in members)
    unknown = False
    for use in node.types or ():
        for profile in use.profiles:
            tree = judge.profile(profile)
            unknown = unknown or not _is_known(profile, judge)
            if tree is not None and (told := _below(tree.root, values, judge, deep)) is not None:
                verdicts.append(told)
    if not verdicts and (below := _below(node, values, judge, deep)) is not None:
        verdicts.append(below)
    if not verdicts and unknown:
        raise Undecided
    return None if not verdicts else all(verdicts)


def _below(node: Node, values: Sequence[Spot], judge: Judge, deep: int) -> bool | None:
    """Whether one of the values has all that a node says of what is below it."""
    told = [_has_all(node, [one], judge, deep) for one in values] or [_has_all(node, [], judge, deep)]
    return None if all(one is None for one in told) else True in told


def _has_all(node: Node, values: Sequence[Spot], judge: Judge, deep: int) -> bool | None:
    verdicts = [
        verdict
        for child in _with_slices(node.children.values())
        if (verdict := _matches(child, list(_values(values, [("child", child.name)], judge)), judge, deep + 1))
        is not None
    ]
    return None if not verdicts else all(verdicts)


def _with_slices(nodes: Iterable[Node]) -> Iterator[Node]:
    for node in nodes:
        yield node
        yield from (one for one in node.slices.values() if one.min)


def _steps(path: str) -> list[tuple[str, str]] | None:
    """The steps of a discriminator's path; None where it is not of the restricted kind."""
    steps: list[tuple[str, str]] = []
    at = 0
    while at < len(path):
        found = STEP.match(path, at)
        if found is None:
            return None
        url, resolve, kind, name = found.groups()
        if url:
            steps.append(("extension", url))
        elif resolve:
            steps.append(("resolve", ""))
        elif kind:
            steps.append(("type", kind))
        elif name:
            steps.append(("child", name))
        at = found.end()
        if at < len(path):
            if path[at] != ".":
                return None
            at += 1
    return steps


def _nodes(nodes: Iterable[Node], steps: Sequence[tuple[str, str]], judge: Judge) -> Iterator[Node]:
    """What the profile says at the end of the steps."""
    if not steps:
        yield from nodes
        return
    (what, name), rest = steps[0], steps[1:]
    found: list[Node] = []
    for node in nodes:
        if what == "child":
            found += _children(node, name, judge)
        elif what == "extension":
            for one in _children(node, "extension", judge):
                urls = {profile.partition("|")[0] for use in one.types or () for profile in use.profiles}
                url = one.children.get("url")
                if name in urls or (url is not None and url.fixed == name):
                    found.append(one)
        elif what == "type":
            found += [node, *(one for one in node.slices.values() if name in {use.code for use in one.types or ()})]
        else:
            found += _targets(node, judge, more=bool(rest))
    if found:
        yield from _nodes(found, rest, judge)


def _children(node: Node, name: str, judge: Judge, seen: frozenset[str] = frozenset()) -> list[Node]:
    child = node.children.get(name)
    if child is not None:
        return [child, *child.slices.values()]
    profiles = {profile for use in node.types or () for profile in use.profiles} - seen
    trees = [judge.profile(profile) for profile in sorted(profiles)]
    return [found for tree in trees if tree is not None for found in _children(tree.root, name, judge, seen | profiles)]


def _targets(node: Node, judge: Judge, *, more: bool) -> list[Node]:
    """What a reference leads to: the targets' profiles; or, at the end, a node that says which they are."""
    if not more:
        uses = [use for use in node.types or () if use.targets]
        made = Node(node.name, ("Resource",))
        made.types = tuple(
            use for one in uses for target in one.targets for use in [_use(target, judge)] if use is not None
        )
        return [made] if uses else []
    trees = [judge.profile(target) for use in node.types or () for target in use.targets]
    return [tree.root for tree in trees if tree is not None]


def _use(target: str, judge: Judge) -> Use | None:
    name = target.partition("|")[0].removeprefix(CORE)
    if name in judge.members.d.types:
        return Use(name)
    tree = judge.profile(target)
    return None if tree is None else Use(tree.type, (target,))


def _values(values: Iterable[Spot], steps: Sequence[tuple[str, str]], judge: Judge) -> Iterator[Spot]:
    """What the item has at the end of the steps."""
    if not steps:
        yield from values
        return
    (what, name), rest = steps[0], steps[1:]
    found: list[Spot] = []
    for one in values:
        if what == "child":
            found += [child for child in judge.members.children(one) if named(child) == name]
        elif what == "extension":
            below = judge.members.extensions(one) if type(one.value) is Primitive else judge.members.children(one)
            found += [child for child in below if child.type == "Extension" and child.value.get("url") == name]
        elif what == "type":
            found += [one] if one.type == name else []
        elif type(one.value) is dict and type(one.value.get("reference")) is str:
            target = judge.target(one.value["reference"], one)
            if target is None:
                raise Undecided
            found.append(at_root(target, one, judge.members))
    yield from _values(found, rest, judge)


def at_root(resource: Object, spot: Spot, members: Members) -> Spot:
    """A resource that is looked at because something refers to it, in the same Bundle or container."""
    root = members.root(resource, spot.path)
    held = spot.frame.root.get("contained")
    is_contained = type(held) is list and any(one is resource for one in held)
    root.frame = Frame(resource, spot.frame if is_contained else None, spot.frame.bundle, None)
    return root


def named(spot: Spot) -> str:
    """The name of a value's element, a choice without its type."""
    element = spot.element
    return "" if element is None else element.choice_of or element.name


def raw_of(spot: Spot) -> Any:
    return spot.value.value if type(spot.value) is Primitive else spot.value


def same(value: Any, fixed: Any) -> bool:
    return type(value) is type(fixed) and value == fixed if isinstance(fixed, bool | str) else bool(value == fixed)


def fits(value: Any, pattern: Any) -> bool:
    """Whether a value has at least what the pattern has: https://hl7.org/fhir/R4/elementdefinition-definitions.html"""
    if type(pattern) is dict:
        return type(value) is dict and all(name in value and fits(value[name], one) for name, one in pattern.items())
    if type(pattern) is list:
        return type(value) is list and all(any(fits(item, one) for item in value) for one in pattern)
    return same(value, pattern)
