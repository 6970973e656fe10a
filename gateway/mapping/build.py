"""Making and filling elements of the target: one or many, shared, first or last; what stays empty is taken away."""

from __future__ import annotations

from typing import Any

from gateway.mapping.runtime import Run


def make(run: Run, owner: Any, key: str, *, many: bool, resource: str | None = None) -> Any:
    """A new element in a list, or the one element there is."""
    if many:
        item: dict[str, Any] = {"resourceType": resource} if resource else {}
        owner.setdefault(key, []).append(item)
        run.made.append((owner, key, item, True))
        return item
    item = owner.get(key)
    if item is None or (resource and item.get("resourceType") != resource):
        item = owner[key] = {"resourceType": resource} if resource else {}
        run.made.append((owner, key, item, False))
    return item


def make_as(run: Run, owner: Any, key: str, mode: str, share: str | None, resource: str | None = None) -> Any:
    """A list's element by target list mode: shared by name, re-used, put first or last."""
    if mode == "share":
        known = run.shared.get((id(owner), key, share or ""))
        if known is None:
            known = run.shared[(id(owner), key, share or "")] = make(run, owner, key, many=True, resource=resource)
        return known
    if mode in ("single", "collate") and owner.get(key):
        return owner[key][0]
    item = make(run, owner, key, many=True, resource=resource)
    arrange(run, owner[key], mode)
    return item


def arrange(run: Run, items: list[Any], mode: str) -> None:
    """Put what was just added first; what is to be last goes there when the run ends."""
    if mode == "first":
        items.insert(0, items.pop())
    elif mode == "last":
        run.last.append((items, items[-1]))


def loose(owner: Any, key: str, item: Any) -> None:
    """Into a structure without definition: a second value makes a list."""
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
