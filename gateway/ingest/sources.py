"""Source instances: which provider's system speaks, by which mapping package.

Configured in TOML, a table for each (`[source.tanum-hemsjukvard]`, fields as in `gateway.records.Source`). Without a
configuration each mapping package has one instance, whose id is the package's name.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args
from zoneinfo import ZoneInfo

from gateway.coordination.shared import COMMANDS
from gateway.coordination.statements import GATEWAY_SOURCE, OPERATOR_SOURCE
from gateway.errors import NotFound
from gateway.records import CareRole, Delivery, Source

REQUIRED = ("package", "name", "hsa_id", "controller")

Value = tuple[Callable[[Any], bool], str]
"""What a field may hold, and how that is said."""


def _one_of(*words: str) -> Value:
    return (lambda value: value in words), f"is one of {', '.join(words)}"


def _number(least: int, most: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and least <= value <= most


def _is_zone(value: Any) -> bool:
    try:
        ZoneInfo(value)
    except (OSError, TypeError, ValueError, KeyError):  # Its errors are any of these, by what is asked for.
        return False
    return True


_TEXT: Value = (lambda value: isinstance(value, str)), "is text, in quotes"
_HSA_ID: Value = (
    (lambda value: isinstance(value, str) and not re.search(r"\s", value)),
    "is an HSA-id: text in quotes, without blanks",
)
VALUES: Mapping[str, Value] = {
    **dict.fromkeys(("package", "name", "controller_name", "scope", "municipality", "watch", "mllp_host"), _TEXT),
    **dict.fromkeys(("hsa_id", "controller"), _HSA_ID),
    "role": _one_of(*get_args(CareRole)),
    "timezone": (_is_zone, "is a zone of the tz database, such as Europe/Stockholm"),
    "delivery": _one_of(*get_args(Delivery)),
    "cadence": (_number(1, 10**9), "is a whole number of seconds, above 0 and without quotes"),
    "mllp_port": (_number(1, 65535), "is a port: a whole number from 1 to 65535, without quotes"),
}
ALONE: Mapping[tuple[str, ...], str] = {
    ("mllp_port", "mllp_host"): "every source has a port of its own, by which its messages are known",
    ("watch",): "every source has a folder of its own, by which its files are known",
}
"""The fields by which a message is known to be of a source: two with the same would take each other's."""


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
    tables = _tables(path)
    problems: list[str] = []
    sources: list[Source] = []
    for source_id, table in tables.items():
        found = [*_own(source_id), *_problems(table, known)]
        problems += [f"{path}: source.{source_id}: {problem}" for problem in found]
        if not found:
            sources.append(Source(id=source_id, **table))
    problems += [f"{path}: {problem}" for problem in _shared(sources)]
    if problems:
        raise SourcesError(problems)
    return Sources(sources)


def _tables(path: Path) -> dict[str, Any]:
    """The sources' tables by id. What stands beside them is refused: it would be a source that is never heard."""
    try:
        read = tomllib.loads(path.read_text(encoding="utf-8-sig"))  # Some editors begin a file with a mark.
    except FileNotFoundError:
        raise SourcesError([f"{path}: there is no such file"]) from None
    except OSError as error:
        raise SourcesError([f"{path}: cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise SourcesError([f"{path}: is not written in UTF-8 (byte {error.start}): save it so"]) from error
    except tomllib.TOMLDecodeError as error:
        raise SourcesError([f"{path}: {error}"]) from error
    problems = [f"{path}: {name}: a source is a table [source.ID]" for name in read if name != "source"]
    tables: Any = read.get("source", {})
    if not isinstance(tables, dict):
        problems.append(f"{path}: source: a source is a table [source.ID], in single brackets and with its id")
    if problems:
        raise SourcesError(problems)
    return dict(tables)


def _shared(sources: Iterable[Source]) -> Iterator[str]:
    """What two sources have that only one can."""
    first: dict[tuple[object, ...], str] = {}
    for source in sources:
        for names, why in ALONE.items():
            values = tuple(getattr(source, name) for name in names)
            if values[0] and (other := first.setdefault((names, *values), source.id)) != source.id:
                yield f"source.{source.id}: {names[0]} is that of source.{other} too; {why}"


def _own(source_id: str) -> Iterable[str]:
    """What is said under these ids is the gateway's, or a command of the operator or an organisation, and no fact."""
    if source_id in (OPERATOR_SOURCE, GATEWAY_SOURCE) or source_id.startswith(COMMANDS):
        yield f"the id is kept for the gateway: choose another than {OPERATOR_SOURCE}, {GATEWAY_SOURCE} and {COMMANDS}…"


def _problems(table: Any, packages: set[str]) -> Iterable[str]:
    if not isinstance(table, dict):
        yield "a source is a table [source.ID]: this field stands outside of one"
        return
    for name in REQUIRED:
        if not table.get(name):
            yield f"{name} is missing"
    for name, value in table.items():
        if name not in VALUES:
            yield f"{name} is not a field of a source; fields: {', '.join(VALUES)}"
        elif not VALUES[name][0](value):
            yield f"{name} {VALUES[name][1]}"
    if isinstance(package := table.get("package"), str) and package and package not in packages:
        yield f"package {package!r} does not exist; packages: {', '.join(sorted(packages))}"


def defaults(instances: Mapping[str, Mapping[str, Any]]) -> Sources:
    """One instance for each package, as its manifest describes it."""
    return Sources(
        Source(id=package, package=package, **{"name": package, "hsa_id": "", "controller": ""} | dict(instance))
        for package, instance in sorted(instances.items())
    )
