"""Every value of every resource of a history, led back to where it comes from: what cannot be is told."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from gateway.records import Resource
from gateway.store import UnitOfWork
from tests.golden.histories import ASKING, Opened, directory_of_units, histories, opened, tell
from tests.ingest.campaigns.report import Report
from tests.ingest.campaigns.state import State

WRITTEN = "not-mapped"
"""What a party wrote over REST is its own word, by no map: who says it is told."""
SAME = frozenset({"same", "absent"})
"""A message that is mapped again gives the same statement, or is the snapshot that no longer held the record."""


def unexplained(on: Opened, *, directory: bool = False) -> Iterator[str]:
    """The values that lead to nothing; of the directory of units only if that is asked for."""
    for kind, id in on.gateway.store.read(lambda uow: list(_served(uow, directory))):
        found = on.gateway.door.explain(ASKING, kind, id)
        said = list(_named(found, "statement"))
        written = {one["id"] for one in said if one["outcome"] == WRITTEN}
        for outcome in (one["outcome"] for one in said):
            if outcome not in SAME | {WRITTEN}:
                yield f"{kind}: a statement's record gives {outcome}"
        told = {part["path"] for part in _named(found, "element")}
        yield from (f"{path}: is not told" for path in _paths(_resource(on, kind, id), kind) if path not in told)
        for element in (one for one in found["parameter"] if one["name"] == "element"):
            if fault := _fault(element["part"], written):
                yield f"{_values(element['part'])['path']}: {fault}"


def _fault(parts: list[Resource], written: Collection[str]) -> str:
    told, origins = _values(parts), [one["part"] for one in parts if one["name"] == "origin"]
    if told["rule"] == "unexplained" or "statement" not in told:
        return f"by {told['rule']}, from no statement"
    if told["rule"] != "stated" or told["statement"] in written:
        return ""
    first = _values(origins[0]) if origins else {}
    if first.get("statement") != told["statement"]:
        return "not said where the statement that counts got it"
    if "map" not in first:
        return "written by no rule of a map"
    placed = {"place", "start", "end"} <= first.keys() and first["end"] > first["start"]
    return "" if placed else "stands nowhere in the message"


def _served(uow: UnitOfWork, directory: bool) -> Iterator[tuple[str, str]]:
    for one in uow.resources.all():
        if not one.deleted and (directory or one.person is not None):
            yield one.resource_type, one.id


def _resource(on: Opened, kind: str, id: str) -> Resource:
    stored = on.gateway.store.read(lambda uow: uow.resources.read(kind, id))
    assert stored is not None
    return stored.resource()


def _paths(value: Any, path: str) -> Iterator[str]:
    """Every value of a resource that holds no other, by its path."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if children is None:
        yield path
        return
    for name, child in children:
        if name != "resourceType":
            yield from _paths(child, f"{path}.{name}" if isinstance(value, dict) else f"{path}[{name}]")


def _named(found: Resource, name: str) -> Iterator[dict[str, Any]]:
    return (_values(one["part"]) for one in found["parameter"] if one["name"] == name)


def _values(parts: list[Resource]) -> dict[str, Any]:
    """The first value of each name."""
    found: dict[str, Any] = {}
    for part in parts:
        value = next((value for name, value in part.items() if name.startswith("value")), None)
        found.setdefault(part["name"], value)
    return found


def campaign(*, state: State, say: Callable[[str], None]) -> Report:
    """Every history; those that the state holds are done."""
    report, done = Report(), state.said.setdefault("done", {})
    with TemporaryDirectory() as folder:
        directory = directory_of_units(Path(folder))
        for history in histories():
            if history.name in done:
                continue
            with opened(history, directory, Path(folder) / history.name) as on:
                tell(on, history)
                on.clock.now = history.end
                served = len(on.gateway.store.read(lambda uow: list(_served(uow, True))))
                done[history.name] = [served, sorted(set(unexplained(on, directory=not done)))]
            state.save()
            say(f"{history.name}: {served} resources" + (", WRONG" if done[history.name][1] else ""))
    report.wrong += [f"{name}, {one}" for name, (_, wrong) in done.items() for one in wrong]
    report.lines += [f"{len(done)} golden histories: each value of each resource leads to where it comes from"]
    return report
