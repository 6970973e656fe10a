"""Which elements a change touches, and whether the caller's role may: C-18, C-19, and the lists that only grow, C-20.

https://hl7.org/fhir/R4/task-definitions.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.coordination.heirs import PASSED_ON
from gateway.coordination.negotiation.circumstances import Move
from gateway.coordination.negotiation.conditions import CONDITIONS, Change
from gateway.coordination.negotiation.profile import Grant
from gateway.coordination.negotiation.roles import Named
from gateway.coordination.tasks import ARRIVING, HISTORY
from gateway.coordination.values import same_key
from gateway.definitions import CANONICAL
from gateway.records import Resource

_DERIVED = frozenset({HISTORY, ARRIVING, PASSED_ON, f"{CANONICAL}/StructureDefinition/derived"})
"""Extensions that the gateway writes itself: who sends back what he read has not changed them."""
_REFERENCE = frozenset({"reference", "type", "identifier", "display", "id", "extension"})
ANY = "*"
LABELS = "meta.security"

Fault = tuple[str, str, str]
"""A path, the text's code and the requirement."""


def faults(change: Change) -> Iterator[Fault]:
    """What the caller may not change as he would, in the order of the paths."""
    rules = change.profile.elements
    for path in changed(change):
        root = path.partition(".")[0]
        if root in rules.immutable:
            yield path, "task-element-immutable", "C-19"
        elif (refused := _refused(change, path)) is not None:
            condition = CONDITIONS.get(refused)
            yield path, f"task-unless-{refused}" if condition else refused, condition.rule if condition else "C-18"
        elif root in rules.append_only and change.circumstances.move is not Move.CORRECTION and _lost(change, root):
            yield path, "task-entry-removed", "C-20"


def changed(change: Change) -> list[str]:
    """The paths of what differs, the parts of an object each by itself; the status is the tables' business."""
    unwatched = change.profile.elements.unwatched
    before, after = change.before, change.after
    found = set()
    for key in {*before, *after}:
        root = key.removeprefix("_")
        if root in unwatched or root == "status":
            continue
        one, other = before.get(key), after.get(key)
        if root in ("extension", "modifierExtension"):
            one, other = _own(one), _own(other)
        if not alike(one, other, change.circumstances.named):
            parts = _parts(one, other, change.circumstances.named) if key == root else set()
            found |= {f"{root}.{part}" for part in parts} or {root}
    if labels(after) - labels(before):  # What is left out of them stays, as long as others state it.
        found.add(LABELS)
    return sorted(found)


def labels(task: Resource) -> set[tuple[Any, Any]]:
    """The security labels: they decide who may see a Task at all."""
    return {(one.get("system"), one.get("code")) for one in task.get("meta", {}).get("security", ())}


def alike(one: Any, other: Any, named: Named) -> bool:
    """Whether two values say the same: a Reference by what it refers to, a time by its moment, the rest as written.

    A Reference may lose what is redundant in it; what is added to it must name the same.
    """
    if one == other:
        return True
    if isinstance(one, str) and isinstance(other, str):
        return same_key(one) == same_key(other)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(alike(a, b, named) for a, b in zip(one, other, strict=True))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        if _refers(one) and _refers(other):
            return _same_target(one, other, named)
        return one.keys() == other.keys() and all(alike(one[key], other[key], named) for key in one)
    return False


def _refused(change: Change, path: str) -> str | None:
    """None where a grant covers the path; else the condition that is not met, or the code of the plain refusal."""
    unmet = None
    for grant in change.profile.elements.grants:
        if grant.move is not change.circumstances.move or grant.role not in (None, *change.roles):
            continue
        everything = set() if path == LABELS else {ANY}
        if not (grant.elements & {path, path.partition(".")[0], *everything}):
            continue
        if (name := _unmet(change, grant)) is None:
            return None
        unmet = name if grant.elements != {ANY} else unmet
    return unmet or "task-element-not-yours"


def _unmet(change: Change, grant: Grant) -> str | None:
    if grant.when and not CONDITIONS[grant.when].holds(change):
        return grant.when
    if grant.unless and CONDITIONS[grant.unless].holds(change):
        return grant.unless
    return None


def _lost(change: Change, root: str) -> bool:
    """Whether an earlier entry of a list is gone, or says something else: but for a note that the caller wrote."""
    left = list(change.after.get(root, ()))
    named = change.circumstances.named
    for entry in change.before.get(root, ()):
        place = next((n for n, one in enumerate(left) if alike(entry, one, named)), None)
        if place is not None:
            del left[place]
        elif named(entry.get("authorReference")) not in change.circumstances.organisations:
            return True
    return False


def _parts(one: Any, other: Any, named: Named) -> set[str]:
    """The parts that differ of what is one object, and no Reference."""
    if not all(value is None or (isinstance(value, Mapping) and not _refers(value)) for value in (one, other)):
        return set()
    a, b = one or {}, other or {}
    return {key.removeprefix("_") for key in {*a, *b} if not alike(a.get(key), b.get(key), named)}


def _own(extensions: Any) -> list[Any]:
    return [one for one in extensions or () if one.get("url") not in _DERIVED]


def _refers(value: Mapping[str, Any]) -> bool:
    return value.keys() <= _REFERENCE and ("reference" in value or isinstance(value.get("identifier"), Mapping))


def _same_target(one: Mapping[str, Any], other: Mapping[str, Any], named: Named) -> bool:
    was, becomes = named(one), named(other)
    both_named = was is not None and was == becomes
    shared = False
    for part in ("reference", "identifier"):
        if part in one and part in other:
            if one[part] != other[part] and not both_named:
                return False
            shared = True
        elif part in other and not both_named:
            return False
    return shared or both_named
