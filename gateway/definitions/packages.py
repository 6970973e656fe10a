"""FHIR packages: the resources of a `.tgz`, of a folder, or single files, as they were published.

https://confluence.hl7.org/display/FHIR/NPM+Package+Specification

Nothing is unpacked to disk. Number and size of the files are bounded, those that are passed over and an archive's own
headers among them.
"""

from __future__ import annotations

import gzip
import json
import re
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final

import orjson
import yaml

from gateway.definitions import fsh
from gateway.definitions.model import TypeDef
from gateway.errors import BadRequest

PROJECT: Final = "sushi-config.yaml"
MANIFEST: Final = "package.json"
NOT_RESOURCES: Final = frozenset((MANIFEST, ".index.json", ".index.db"))
MOST_FILES: Final = 50_000
MOST_BYTES: Final = 512 * 2**20
MOST_OF_HEADERS: Final = 2**16
"""Bytes that an archive says of one file: tarfile holds them whole."""
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,63}")
CORE: Final = re.compile(r"hl7\.fhir\.r4\.(?:core|expansions)|hl7\.fhir\.core")
"""What the gateway itself is made of."""


@dataclass(frozen=True, slots=True)
class FhirPackage:
    """A package: its name and version, what it depends on, and the bytes of its resources by file."""

    name: str
    version: str
    files: Mapping[str, bytes]
    title: str = ""
    canonical: str = ""
    dependencies: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    """What in its sources cannot be read."""

    @property
    def needed(self) -> dict[str, str]:
        """The packages that it depends on, besides R4 itself."""
        return {name: version for name, version in self.dependencies.items() if not CORE.fullmatch(name)}


def read(paths: Sequence[Path], types: Mapping[str, TypeDef]) -> FhirPackage:
    """The package of a `.tgz`, of a folder, of a project in FHIR Shorthand, or of single resources. BadRequest."""
    first = paths[0]
    try:
        if len(paths) == 1 and (first / PROJECT).is_file():
            return _of_project(first, types)
        if len(paths) == 1 and first.is_dir():
            files = dict(_of_folder(first))
        elif len(paths) == 1 and not first.name.endswith(".json"):
            files = dict(_of_archive(first))
        else:
            files = {path.name if path.name in NOT_RESOURCES else str(path): body for path, body in _bodies(paths)}
    except (OSError, tarfile.TarError, zlib.error, EOFError, ValueError, RecursionError) as error:
        raise BadRequest(
            f"The package cannot be read: {error}.", rule="package-unreadable", where=str(first)
        ) from error
    manifest = _object(files.get(MANIFEST, b"{}"), MANIFEST)
    stem = first.name.partition(".tgz")[0].removesuffix(".json")
    name = _name(_word(manifest.get("name")) or stem)
    return FhirPackage(
        name,
        _word(manifest.get("version")) or "0",
        {path: body for path, body in files.items() if path not in NOT_RESOURCES},
        _word(manifest.get("title")) or _word(manifest.get("description")) or name,
        _word(manifest.get("canonical")),
        _needed(manifest, MANIFEST),
    )


def _of_project(folder: Path, types: Mapping[str, TypeDef]) -> FhirPackage:
    """A project that publishes its sources: `sushi-config.yaml`, and `input/fsh`. BadRequest."""
    files = dict(_bodies([folder / PROJECT, *sorted((folder / "input/fsh").rglob("*.fsh"))]))
    try:
        config = yaml.safe_load(files.pop(folder / PROJECT))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise BadRequest("The project's configuration is no YAML.", rule="package-unreadable", where=PROJECT) from error
    canonical = _word(config.get("canonical")) if isinstance(config, dict) else ""
    if not canonical:
        raise BadRequest("The project's configuration names no canonical.", rule="package-unreadable", where=PROJECT)
    name, version = _name(_word(config.get("id")) or folder.name), _word(config.get("version")) or "0"
    texts, problems = {}, []
    for path, body in files.items():
        place = path.relative_to(folder / "input/fsh").as_posix()
        try:
            texts[place] = body.decode("utf-8-sig")
        except UnicodeDecodeError:
            problems.append(f"{place}: is not UTF-8")
    resources, unread = fsh.compiled(texts, canonical, version, types)
    return FhirPackage(
        name,
        version,
        {f"{one['resourceType']}-{one['id']}.json": _dumped(one) for one in resources},
        _word(config.get("title")) or folder.name,
        canonical,
        _needed(config, PROJECT),
        (*problems, *unread),
    )


def _word(value: Any) -> str:
    """A text or a number, as text; anything else says nothing."""
    return str(value) if isinstance(value, (str, int, float, date)) else ""


def _name(name: str) -> str:
    if not NAME.fullmatch(name):
        text = "A package's name has letters, digits, dots and hyphens."
        raise BadRequest(text, rule="package-name", where=name[:64])
    return name


def _needed(manifest: Mapping[str, Any], file: str) -> dict[str, str]:
    """What a package depends on; a version is given by itself, or within what else is said of it."""
    needed = manifest.get("dependencies") or {}
    if not isinstance(needed, dict):
        text = "The dependencies of a package are an object: names, each with a version."
        raise BadRequest(text, rule="package-unreadable", where=file)
    return {_word(one): _word(held.get("version") if isinstance(held, dict) else held) for one, held in needed.items()}


def _dumped(resource: dict[str, Any]) -> bytes:
    return orjson.dumps(resource, default=lambda number: orjson.Fragment(str(number)))


def _of_folder(folder: Path) -> Iterator[tuple[str, bytes]]:
    inner = folder / "package"
    top = inner if inner.is_dir() else folder
    yield from ((path.name, body) for path, body in _bodies(sorted(top.glob("*.json"))))


def _bodies(paths: Iterable[Path]) -> Iterator[tuple[Path, bytes]]:
    room = _Room()
    for path in paths:
        if not path.is_file():
            raise BadRequest("This is no file.", rule="package-unreadable", where=path.name)
        room.take(path.stat().st_size, path.name)
        yield path, path.read_bytes()


def _of_archive(path: Path) -> Iterator[tuple[str, bytes]]:
    """The files right under `package/`: those in other folders are examples and what tools need."""
    room = _Room()
    with _Unpacked(path) as unpacked, tarfile.open(mode="r|", fileobj=unpacked, errors="replace") as archive:
        for member in archive:
            room.take(abs(member.size), path.name)
            unpacked.allow(member.size)
            folder, _, name = member.name.removeprefix("./").partition("/")
            if folder != "package" or "/" in name or not name.endswith(".json") or not member.isfile():
                continue
            content = archive.extractfile(member)
            assert content is not None
            yield name, content.read()


class _Room:
    """Counts the files of a package and their bytes. BadRequest where they are too many."""

    def __init__(self) -> None:
        self._files, self._bytes = MOST_FILES, MOST_BYTES

    def take(self, size: int, where: str) -> None:
        self._files, self._bytes = self._files - 1, self._bytes - size
        if self._files < 0 or self._bytes < 0:
            raise _too_large(where)


class _Unpacked(gzip.GzipFile):
    """An archive as it is unpacked; between two files it may hold no more than what is said of one."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "rb")
        self._where, self._all, self._now = path.name, MOST_BYTES, MOST_OF_HEADERS

    def allow(self, size: int) -> None:
        """The file that comes next is so large."""
        self._now = size + MOST_OF_HEADERS

    def read(self, size: int | None = -1) -> bytes:
        block = super().read(size)
        self._all, self._now = self._all - len(block), self._now - len(block)
        if self._all < 0 or self._now < 0:
            raise _too_large(self._where)
        return block


def _too_large(where: str) -> BadRequest:
    text = f"A package has at most {MOST_FILES} files, {MOST_BYTES} bytes, and {MOST_OF_HEADERS} bytes about a file."
    return BadRequest(text, rule="package-too-large", where=where)


def _object(body: bytes, name: str) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise BadRequest("This is not JSON.", rule="package-unreadable", where=name) from None
    return found if isinstance(found, dict) else {}
