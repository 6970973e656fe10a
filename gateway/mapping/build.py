"""Making and filling elements of the target: one or many, shared, first or last; what stays empty is taken away."""

from __future__ import annotations

from typing import Any

from gateway.formats import FhirType, Node
from gateway.mapping.convert import copied
from gateway.mapping.runtime import Run


class Leaf(dict[str, Any]):
    """A primitive that rules fill part by part: its `value`, `id` and `extension`, which JSON keeps in two places."""

    __slots__ = ()


def add(run: Run, owner: Any, key: str, item: Any) -> Any:
    """A new element in a list."""
    owner.setdefault(key, []).append(item)
    run.made.append((owner, key, item, True))
    return item


def only(run: Run, owner: Any, key: str) -> Any:
    """The one element there is, or a new one."""
    item = owner.get(key)
    if item is None:
        item = owner[key] = {}
        run.made.append((owner, key, item, False))
    return item


def resource(run: Run, owner: Any, key: str, type_name: str) -> Any:
    """The one resource there is, or a new one of this type."""
    item = owner.get(key)
    if item is None or item.get("resourceType") != type_name:
        item = owner[key] = {"resourceType": type_name}
        run.made.append((owner, key, item, False))
    return item


def make_as(run: Run, owner: Any, key: str, item: Any, mode: str, share: str | None) -> Any:
    """A list's element by target list mode: shared by name, re-used, put first or last."""
    if mode == "share":
        known = run.shared.get((id(owner), key, share or ""))
        if known is None:
            known = run.shared[(id(owner), key, share or "")] = add(run, owner, key, item)
        return known
    if mode in ("single", "collate") and owner.get(key):
        return owner[key][0]
    add(run, owner, key, item)
    arrange(run, owner[key], mode)
    return item


def leaf(run: Run, owner: Any, key: str, many: bool, mode: str | None = None, share: str | None = None) -> Any:
    """A primitive to be filled: a new one in a list, the one that is shared, or the one there is."""
    known = run.shared.get((id(owner), key, share)) if share else owner.get(key) if not many else None
    if known.__class__ is Leaf:
        return known
    item = Leaf() if known is None else Leaf(value=known)
    if many:
        owner.setdefault(key, []).append(item)
        if mode in ("first", "last"):
            arrange(run, owner[key], mode)
        if share:
            run.shared[(id(owner), key, share)] = item
    else:
        owner[key] = item
    run.made.append((owner, key, item, many))
    run.leaves.append((owner, key, item))
    return item


def beside(run: Run, owner: Any, key: str, node: Node, site: int, many: bool, traced: bool) -> None:
    """What a FHIR primitive that was copied has besides its value: its id and extensions."""
    if node.type.__class__ is not FhirType:
        return
    about = copied(run, node, "Element", site)
    if not about:
        return
    name = "_" + key
    if owner.__class__ is Leaf:
        if extensions := [*about.get("extension", ()), *owner.get("extension", ())]:
            about = {**about, "extension": extensions}
        owner.update(about)
    elif many:
        held = owner.setdefault(name, [])
        values = owner.setdefault(key, [])
        if node.value is None:
            values.append(None)
        held.extend([None] * (len(values) - 1 - len(held)))
        held.append(about)
        run.uneven.append((owner, key))
    else:
        owner[name] = about
    if traced:
        run.note((run.program.sites[site].rule, node, owner, name, None, about))


class PlainOwner(Exception):
    """A rule puts something into a text or a number."""


def arrange(run: Run, items: list[Any], mode: str) -> None:
    """Put what was just added first; what is to be last goes there when the run ends."""
    if mode == "first":
        items.insert(0, items.pop())
    elif mode == "last":
        run.last.append((items, items[-1]))


def loose(owner: Any, key: str, item: Any) -> None:
    """Into a structure without definition: a second value makes a list. PlainOwner."""
    if owner is None:  # It was left out, and what would be put into it with it.
        return
    if owner.__class__ is not dict:
        raise PlainOwner
    before = owner.get(key)
    if before is None:
        owner[key] = item
    elif before.__class__ is list:
        before.append(item)
    else:
        owner[key] = [before, item]


def again(run: Run, owner: Any, key: str, item: Any, site: int, at: Any) -> None:
    """An element that holds one value is given another: where no other rule writes it, the source repeats."""
    if owner[key] != item and site in run.program.alone:
        path = run.program.sites[site].path
        text = f"The source has several values for {path}, which holds one; the last was taken."
        run.report(run.field, "structure", "several-values", text, site, at)


def finish(run: Run) -> None:
    """Elements that nothing was put into are taken away again; those to be last are put there."""
    for items, item in run.last:
        index = next((i for i, other in enumerate(items) if other is item), None)
        if index is not None:
            items.append(items.pop(index))
    for owner, key, item, many in reversed(run.made):
        # An extension of which only the name is left says nothing, and must not stand.
        if item and not (key in ("extension", "modifierExtension") and item.keys() == {"url"}):
            continue
        if many:
            items = owner[key]
            for index in range(len(items) - 1, -1, -1):
                if items[index] is item:
                    del items[index]
                    break
            if not items:
                del owner[key]
        elif owner.get(key) is item:
            del owner[key]
    if run.leaves:
        _parted(run)
    for owner, key in run.uneven:
        _even(owner, key)


def _parted(run: Run) -> None:
    """Each primitive that was filled part by part, as JSON has it; the trace speaks of where its value lies now."""
    where = {id(item): (owner, key) for owner, key, item in run.leaves}
    for index, (rule, node, owner, key, row, item) in enumerate(run.trace):
        if key == "value" and id(owner) in where:
            run.trace[index] = (rule, node, *where[id(owner)], row, item)
    for owner, key in {(id(owner), key): (owner, key) for owner, key, _ in run.leaves}.values():
        held, name = owner.get(key), "_" + key
        if isinstance(held, list):
            about = owner.get(name) or []
            about += [None] * (len(held) - len(about))
            for index, item in enumerate(held):
                if item.__class__ is Leaf:
                    held[index] = item.pop("value", None)
                    about[index] = item or None
            owner[name] = about
            _even(owner, key)
        elif held.__class__ is Leaf:
            value = held.pop("value", None)
            if value is None:
                del owner[key]
            else:
                owner[key] = value
            if held:
                owner[name] = held


def _even(owner: Any, key: str) -> None:
    """Values and what is beside them, in two lists of one length, or in the one that says anything."""
    values, about = owner.get(key, []), owner.get("_" + key, [])
    about += [None] * (len(values) - len(about))
    if not any(part is not None for part in about):
        owner.pop("_" + key, None)
    if not any(value is not None for value in values):
        owner.pop(key, None)
