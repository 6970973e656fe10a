"""What another version of a package would make of the same messages: what changes, how often, and where for example.

Drafts are paired by type and first identifier, issues by rule and place. Values are withheld unless they are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway import formats
from gateway.definitions import Definitions, load
from gateway.formats import Record
from gateway.issues import Issues
from gateway.mapping.cases import flat_json
from gateway.mapping.files import Files
from gateway.mapping.package import COMMON, MapResult, Package
from gateway.mapping.unread import Message
from gateway.records import Draft


@dataclass(slots=True)
class Change:
    """One sort of change, over all messages."""

    kind: str
    """`changed`, `added`, `removed` of an element; `draft-added`, `draft-removed`; `issue-added`, `issue-removed`;
    `held`, `released` of a record."""
    path: str
    """The element without its indices, the draft's type, or the issue's rule."""
    count: int
    example: str
    values: tuple[str, str] | None = None
    """Before and after in the example, where values are asked for."""

    def to_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {"kind": self.kind, "path": self.path, "count": self.count, "example": self.example}
        if self.values:
            found["before"], found["after"] = self.values
        return found


@dataclass(slots=True)
class Comparison:
    """Both versions over the same records."""

    records: int = 0
    differing: int = 0
    drafts: dict[str, dict[str, int]] = field(default_factory=dict)
    """By resource type, how many drafts are `added`, `changed` and `removed`."""
    changes: dict[tuple[str, str], Change] = field(default_factory=dict)

    @property
    def sorted(self) -> list[Change]:
        return sorted(self.changes.values(), key=lambda change: (-change.count, change.path, change.kind))

    def count(self, kind: str, how: str) -> None:
        counts = self.drafts.setdefault(kind, dict.fromkeys(("added", "changed", "removed"), 0))
        counts[how] += 1

    def note(self, kind: str, path: str, example: str, values: tuple[str, str] | None) -> None:
        known = self.changes.get((kind, path))
        if known is None:
            self.changes[(kind, path)] = Change(kind, path, 1, example, values)
        else:
            known.count += 1


def package_in(folder: Path, definitions: Definitions | None = None) -> Package:
    """The package in a folder, with the maps in common that lie beside it."""
    return Package(Files(folder), Files(folder.parent / COMMON), definitions or load())


Finish = Callable[[Record, MapResult], object]


def _as_mapped(_: Record, result: MapResult) -> MapResult:
    return result


def compare(
    old: Package,
    new: Package,
    messages: Iterable[Message],
    *,
    values: bool = False,
    found: Comparison | None = None,
    finish: Finish = _as_mapped,
) -> Comparison:
    """What `new` would make of the messages otherwise than `old`.

    `found` is counted on; `finish` does to a result what is done to it behind the maps.
    """
    found = Comparison() if found is None else found
    for message in messages:
        results = [dict(_results(package, message, finish)) for package in (old, new)]
        for span in dict.fromkeys((*results[0], *results[1])):
            before, after = (result.get(span) for result in results)
            record, _ = before or after or (None, None)
            found.records += 1
            place = f"{message.name}: {record.position if record else ''}"
            pair = (before[1] if before else MapResult(), after[1] if after else MapResult())
            changes = list(_changes(*pair))
            found.differing += bool(changes)
            for kind, how in _drafts(*pair):
                found.count(kind, how)
            for kind, path, was, is_now in changes:
                shown = (flat_json(was), flat_json(is_now)) if values else None
                found.note(kind, path, place, shown)
    return found


def _results(
    package: Package, message: Message, finish: Finish
) -> Iterator[tuple[tuple[int, int], tuple[Record, MapResult]]]:
    for record in formats.read(package.format, message.body, Issues()):
        result = package.apply(record, message.source, message.received, body=message.body)
        finish(record, result)
        yield record.span, (record, result)


Found = tuple[str, str, Any, Any]


def _usable(result: MapResult) -> list[Draft]:
    """What is stated: of a record that is held, nothing."""
    return [] if result.issues.bad else result.drafts


def _drafts(before: MapResult, after: MapResult) -> Iterator[tuple[str, str]]:
    """The type of each draft that comes, goes or changes, as far as it is stated at all."""
    old, new = _by_identifier(_usable(before)), _by_identifier(_usable(after))
    for key in dict.fromkeys((*old, *new)):
        if key not in new:
            yield key[0], "removed"
        elif key not in old:
            yield key[0], "added"
        elif old[key] != new[key]:
            yield key[0], "changed"


def _changes(before: MapResult, after: MapResult) -> Iterator[Found]:
    if before.issues.bad != after.issues.bad:
        yield ("held" if after.issues.bad else "released"), "record", None, None
    old, new = _by_identifier(before.drafts), _by_identifier(after.drafts)
    for key in dict.fromkeys((*old, *new)):
        if key not in new:
            yield "draft-removed", key[0], None, None
        elif key not in old:
            yield "draft-added", key[0], None, None
        else:
            yield from differing(old[key].resource, new[key].resource, key[0])
            for fact in ("effective", "version", "party", "provider", "withdrawn"):
                was, is_now = getattr(old[key], fact), getattr(new[key], fact)
                if was != is_now:
                    yield "changed", f"{key[0]} ({fact})", str(was), str(is_now)
    issues = [{(issue.rule, issue.severity, issue.where): issue for issue in one.issues} for one in (before, after)]
    for one in issues[0].keys() - issues[1].keys():
        yield "issue-removed", one[0], None, None
    for one in issues[1].keys() - issues[0].keys():
        yield "issue-added", one[0], None, None


def _by_identifier(drafts: Iterable[Draft]) -> dict[tuple[str, str, int], Draft]:
    found: dict[tuple[str, str, int], Draft] = {}
    for draft in drafts:
        identifiers = draft.resource.get("identifier") or [{}]
        first = identifiers[0] if isinstance(identifiers, list) else identifiers
        name = f"{first.get('system', '')}|{first.get('value', '')}"
        number = 0
        while (draft.resource["resourceType"], name, number) in found:
            number += 1
        found[(draft.resource["resourceType"], name, number)] = draft
    return found


def differing(before: Any, after: Any, path: str) -> Iterator[Found]:
    """Each leaf that differs, by its path without indices."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys((*before, *after)):
            yield from _one(before.get(key), after.get(key), f"{path}.{key}")
    elif isinstance(before, list) and isinstance(after, list):
        for index in range(max(len(before), len(after))):
            yield from _one(
                before[index] if index < len(before) else None, after[index] if index < len(after) else None, path
            )
    elif before != after or isinstance(before, bool) != isinstance(after, bool):
        yield "changed", path, before, after


def _one(before: Any, after: Any, path: str) -> Iterator[Found]:
    if before is None or after is None:
        yield ("added" if before is None else "removed"), path, before, after
    else:
        yield from differing(before, after, path)
