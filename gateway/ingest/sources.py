"""Source instances: which provider's system speaks, by which mapping package.

Configured in TOML, a table for each (`[source.tanum-hemsjukvard]`, fields as in `gateway.records.Source`). Without a
configuration each mapping package has one instance, whose id is the package's name.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from gateway.coordination.shared import COMMANDS
from gateway.coordination.statements import GATEWAY_SOURCE, OPERATOR_SOURCE
from gateway.errors import NotFound
from gateway.records import Source

FIELDS = {field.name: field for field in dataclasses.fields(Source)}
REQUIRED = ("package", "name", "hsa_id", "controller")


class SourcesError(ValueError):
    """The sources' configuration cannot be used; every problem of it is listed."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class Sources:
    """The configured instances by id, in the order they were written."""

    def __init__(self, sources: Iterable[Source]) -> None:
        self._by_id: Mapping[str, Source] = MappingProxyType({source.id: source for source in sources})

    def __iter__(self) -> Iterator[Source]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)

    def __contains__(self, source_id: str) -> bool:
        return source_id in self._by_id

    def get(self, source_id: str) -> Source:
        try:
            return self._by_id[source_id]
        except KeyError:
            known = ", ".join(self._by_id) or "none"
            raise NotFound(
                f"No source instance has this id. Configured: {known}.", rule="unknown-source", where=source_id[:64]
            ) from None


def read(path: Path, packages: Iterable[str]) -> Sources:
    """The instances of a configuration file; SourcesError lists everything that is wrong with it."""
    known = set(packages)
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8")).get("source", {})
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise SourcesError([f"{path}: {error}"]) from error
    problems: list[str] = []
    sources: list[Source] = []
    for source_id, table in tables.items():
        found = [*_own(source_id), *_problems(table, known)]
        problems += [f"{path}: source.{source_id}: {problem}" for problem in found]
        if not found:
            sources.append(Source(id=source_id, **table))
    if problems:
        raise SourcesError(problems)
    return Sources(sources)


def _own(source_id: str) -> Iterable[str]:
    """What is said under these ids is the gateway's, or a command of the operator or an organisation, and no fact."""
    if source_id in (OPERATOR_SOURCE, GATEWAY_SOURCE) or source_id.startswith(COMMANDS):
        yield f"the id is kept for the gateway: choose another than {OPERATOR_SOURCE}, {GATEWAY_SOURCE} and {COMMANDS}…"


def _problems(table: dict[str, Any], packages: set[str]) -> Iterable[str]:
    for name in REQUIRED:
        if not table.get(name):
            yield f"{name} is missing"
    for name in table:
        if name not in FIELDS or name == "id":
            yield f"{name} is not a field of a source; fields: {', '.join(FIELDS)}"
    if (package := table.get("package")) and package not in packages:
        yield f"package {package!r} does not exist; packages: {', '.join(sorted(packages))}"


def defaults(instances: Mapping[str, Mapping[str, Any]]) -> Sources:
    """One instance for each package, as its manifest describes it."""
    return Sources(
        Source(id=package, package=package, **{"name": package, "hsa_id": "", "controller": ""} | dict(instance))
        for package, instance in sorted(instances.items())
    )
