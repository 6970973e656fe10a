"""Mapping packages: manifest, maps and ConceptMaps of one kind of source, which turn its records into drafts.

`Package.apply` is pure: the same record of the same source gives the same drafts. Guide: docs/mapping.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, cached_property
from pathlib import Path
from threading import Lock
from typing import Any

from gateway import fhirpath, formats
from gateway.definitions import Definitions, load, shipped
from gateway.fhirpath import FHIRPathError
from gateway.formats import UNKNOWN_RECORD, Format, Node, Record
from gateway.issues import Issue, Issues
from gateway.mapping import facts as record_facts
from gateway.mapping import levels, quick
from gateway.mapping import manifest as manifests
from gateway.mapping.compiler import CompiledMap, compile_map
from gateway.mapping.conceptmap import ConceptTable, Row, Unmapped
from gateway.mapping.drafts import Drafting, drop_hollow_extensions, first_identifier
from gateway.mapping.facts import Facts, Paths
from gateway.mapping.files import Files, content_hash
from gateway.mapping.library import Library
from gateway.mapping.logical import LogicalType
from gateway.mapping.manifest import Manifest, RecordSpec
from gateway.mapping.problems import CompileError, Problem, Problems
from gateway.mapping.runtime import Entry, Found, Run
from gateway.mapping.syntax import Map
from gateway.records import Draft, Resource, Source

COMMON = "common"


@dataclass(frozen=True, slots=True)
class Trace:
    """What a traced run noted, with the program that its numbers are of."""

    entries: list[Entry]
    compiled: CompiledMap
    target: Resource
    found: tuple[Found, ...] = ()
    """What went wrong, with the site where it did."""
    rows: tuple[Row, ...] = ()
    """Every row of a ConceptMap that was found, those that map to nothing too."""


@dataclass(frozen=True, slots=True)
class Miss:
    """A code that no row of a ConceptMap names. It may be what the source should not have put there."""

    table: str
    system: str | None
    code: str
    rule: str
    node: Node | None


@dataclass(slots=True)
class MapResult:
    """A record's drafts and what could not be done. Where `issues.bad`, the record is to be held."""

    drafts: list[Draft] = field(default_factory=list)
    issues: Issues = field(default_factory=Issues)
    key: str = ""
    trace: Trace | None = None
    logged: list[tuple[str, str]] = field(default_factory=list)
    """What maps wrote with `log (expression)`: (rule, text). It may hold patient data and goes to no log of ours."""
    missed: list[Miss] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A kind of record, ready to be mapped."""

    compiled: CompiledMap
    paths: Paths


class Package:
    """One folder of mappings. Maps are compiled when the first record needs them."""

    def __init__(self, own: Files, common: Files, definitions: Definitions) -> None:
        self.folder = own.folder
        self._own = own
        self._common = common
        self.definitions = definitions
        self.manifest: Manifest = manifests.read(own.texts[own.manifest], own.manifest, own.folder.name)
        self.id = self.manifest.id
        self.version = self.manifest.version
        self._specs = {record.name: record for record in self.manifest.records}
        self._prepared: dict[str, _Prepared | CompileError] = {}
        self._lock = Lock()
        self._drafting = Drafting(definitions)

    @cached_property
    def files(self) -> Mapping[str, str]:
        """Everything that decides what the package makes of a record, by name."""
        return {**self._common.texts, **self._own.texts}

    @cached_property
    def hash(self) -> str:
        """The content's hash: statements say by it which maps made them."""
        return content_hash(self.files)

    @cached_property
    def format(self) -> Format:
        """How the source's messages are read."""
        return Format.of(self.manifest.model_dump(by_alias=True))

    @property
    def own_files(self) -> Mapping[str, str]:
        """The package's own manifest, maps, ConceptMaps and models, by name."""
        return self._own.texts

    def edited(self, texts: Mapping[str, str]) -> Package:
        """The package as it would be with other texts for some of its own files. CompileError for a broken manifest."""
        return Package(self._own.edited(texts), self._common, self.definitions)

    @property
    def maps(self) -> list[Map]:
        """The package's own maps."""
        return self._own.parsed[0]

    @property
    def tables(self) -> list[ConceptTable]:
        """The package's own ConceptMaps."""
        return self._own.parsed[1]

    @cached_property
    def library(self) -> Library:
        """The package's maps with those they may import; a CompileError where one cannot be read."""
        problems = Problems()
        maps: list[Map] = []
        tables: list[ConceptTable] = []
        models: dict[str, LogicalType] = {}
        for files in (self._common, self._own):
            found_maps, found_tables, found_problems = files.parsed
            maps += found_maps
            tables += [self._with_policy(table) for table in found_tables]
            found_models, model_problems = files.models
            models.update(found_models)
            problems.found += [*found_problems, *model_problems]
        problems.stop()
        library = Library(maps, tables, problems, models)
        problems.stop()
        return library

    def _with_policy(self, table: ConceptTable) -> ConceptTable:
        """The table with the manifest's policy for codes that it does not name, unless it has its own."""
        policies = self.manifest.unmapped
        policy = policies.get(table.url) or policies.get(table.id) or policies.get("default", "report")
        if policy == "report" or table.unmapped:
            return table
        mode, _, code = policy.partition(":")
        return ConceptTable(table.url, table.id, table.file, table.rows, {"": Unmapped(mode, None, code or None)})

    # Compiling

    def compiled(self, record: RecordSpec) -> CompiledMap:
        """The map of a kind of record; a CompileError where it cannot be compiled."""
        return self._ready(record).compiled

    def _ready(self, record: RecordSpec) -> _Prepared:
        found = self._prepared.get(record.name)
        if found is None:
            with self._lock:
                found = self._prepared.get(record.name)
                if found is None:
                    found = self._prepared[record.name] = self._prepare(record)
        if isinstance(found, CompileError):
            raise found
        return found

    def _prepare(self, record: RecordSpec) -> _Prepared | CompileError:
        """What is wrong with a map is kept as well: it is said for each record, not looked for again."""
        shown = self._own.manifest
        try:
            if record.map not in self.library.maps:
                known = ", ".join(found.url for found in self.maps)
                text = f"record {record.name}: there is no map {record.map}"
                return CompileError([Problem(shown, 1, 1, text, f"maps of the package: {known}")])
            compiled = compile_map(self.library, self.definitions, record.map, record.group)
            return _Prepared(compiled, record_facts.paths(record))
        except CompileError as error:
            return error
        except FHIRPathError as error:
            return CompileError([Problem(shown, 1, 1, f"record {record.name}: {error.text}")])

    def with_compiled(self, compiled: Mapping[str, CompiledMap]) -> Package:
        """A copy with other maps for some kinds of record: to try what an alteration does."""
        other = copy(self)
        other._prepared = dict(self._prepared)
        for name, found in compiled.items():
            other._prepared[name] = _Prepared(found, self._ready(self._specs[name]).paths)
        return other

    def check(self) -> None:
        """Compile everything; a CompileError with the problems of all maps and paths."""
        problems: dict[Problem, None] = {}
        for record in self.manifest.records:
            try:
                self._ready(record)
            except CompileError as error:
                problems.update(dict.fromkeys(error.problems))
        if not problems and self.manifest.on_error.rules:
            programs = [self._ready(record).compiled.program for record in self.manifest.records]
            problems.update(dict.fromkeys(levels.unknown(self.manifest.on_error, programs, self._own.manifest)))
        if problems:
            raise CompileError(problems)

    # Records

    def apply(
        self, record: Record, source: Source, received: datetime, *, body: bytes = b"", traced: bool = False
    ) -> MapResult:
        """The record's drafts. With the message's `body` issues say line and column of what they are about."""
        result = MapResult(issues=Issues(record.issues))
        spec = self._specs.get(record.kind)
        if record.issues.bad or spec is None:
            result.key = self._key_of_any_kind(record, source)
            return result
        try:
            ready = self._ready(spec)
        except CompileError as error:
            first = error.issues[0]
            said = first.text if first.text.endswith("?") else f"{first.text}."
            text = f"The package's map cannot be compiled ({first.where}): {said} Mend it and replay."
            result.issues.error("processing", "map-invalid", text, str(record.position))
            return result
        facts = Facts(self.format, record, source, body, result.issues, ready.paths)
        facts.needed()
        key = facts.text("key")
        target, run = ready.compiled.run(
            record.node,
            variables=facts.variables,
            zone=facts.zone,
            seed=f"{source.id}|{key or record.span}",
            traced=traced,
            now=received,
            field="error" if self.manifest.on_error.field == "hold" else "warning",
        )
        if run.found:
            result.issues.extend(dict.fromkeys(_told(run, facts)))
            drop_hollow_extensions(target)
        result.logged = [(str(run.rule_of(site)), text) for site, text in run.logged]
        result.missed = [
            Miss(table, system, code, str(run.rule_of(site)), at if isinstance(at, Node) else None)
            for table, system, code, site, at in run.missed
        ]
        result.drafts = list(self._drafting.drafts(target, facts, received))
        result.key = key or first_identifier(result.drafts)
        if not key and spec.key and result.key:
            facts.keyless(spec.key)
        if traced:
            result.trace = Trace(run.trace, ready.compiled, target, tuple(run.found), tuple(run.rows))
        policy = self.manifest.on_error
        if result.issues and (policy.rules or (policy.record == "skip" and result.issues.bad)):
            issues, passed_over = levels.weighed(result.issues, policy)
            result.issues = Issues(issues)
            if passed_over:
                result.drafts = []
        return result

    def stops(self, result: MapResult) -> bool:
        """Whether what came of a record ends the batch."""
        return result.issues.bad and levels.stops(result.issues, self.manifest.on_error)

    def each(
        self, body: bytes, source: Source, received: datetime, issues: Issues, *, traced: bool = False
    ) -> Iterator[tuple[Record, MapResult]]:
        """A message's records with what comes of them, to its end or to where the batch stops."""
        for record in formats.read(self.format, body, issues):
            result = self.apply(record, source, received, body=body, traced=traced)
            yield record, result
            if self.stops(result):
                issues.add(levels.stopped(str(record.position)))
                return

    def _key_of_any_kind(self, record: Record, source: Source) -> str:
        """The key of a record of no known kind, where all kinds have their key in one place: it is there, all the same.

        A record that is wrong in another way may have its values in the wrong places.
        """
        paths = {spec.key for spec in self.manifest.records}
        wrong = {issue.rule for issue in record.issues if issue.severity in ("fatal", "error")}
        path = paths.pop() if len(paths) == 1 else None
        if path is None or wrong != {UNKNOWN_RECORD}:
            return ""
        compiled = {"key": quick.function(fhirpath.compile(path))}
        return Facts(self.format, record, source, b"", Issues(), compiled).text("key")

    def snapshot_time(self, records: Iterable[Record], source: Source) -> datetime | None:
        """Of when a complete snapshot speaks, by the manifest's `snapshot.asOf`."""
        spec = self.manifest.snapshot
        if spec is None:
            return None
        latest = spec.as_of.startswith("max(") and spec.as_of.endswith(")")
        path = quick.function(fhirpath.compile(spec.as_of[4:-1] if latest else spec.as_of))
        found: datetime | None = None
        for record in records:
            moment = Facts(self.format, record, source, b"", Issues(), {"as_of": path}).moment()
            if moment is not None and (found is None or moment > found):
                found = moment
            if found is not None and not latest:
                break
        return found


def _told(run: Run, facts: Facts) -> Iterator[Issue]:
    """What the run found, with its rule and its place in the message."""
    for found in run.found:
        text = f"{found.text} [{run.rule_of(found.site)}]" if found.site >= 0 else found.text
        yield Issue(found.severity, found.code, found.rule, text, facts.where(found.at))


class Packages(Mapping[str, Package]):
    """All packages of a mappings folder, by id. Who holds a package keeps it when another version takes its place."""

    def __init__(self, packages: Iterable[Package], folder: Path | None = None) -> None:
        self.folder = folder
        self._by_id = {package.id: package for package in packages}

    @classmethod
    def load(
        cls, folder: Path, definitions: Definitions | None = None, broken: dict[str, tuple[str, ...]] | None = None
    ) -> Packages:
        """Read every package's manifest; maps are read when they are first used. CompileError with all problems.

        Given `broken`, a package that cannot be read is told there, by its folder's name, and the others are read.
        """
        common = Files(folder / COMMON)
        packages: list[Package] = []
        problems: list[Problem] = []
        for path in sorted(folder.glob("*/map.yaml")):
            try:
                packages.append(Package(Files(path.parent), common, definitions or load()))
            except CompileError as error:
                problems += error.problems
                if broken is not None:
                    broken[path.parent.name] = tuple(str(one).partition("\n")[0] for one in error.problems)
        if problems and broken is None:
            raise CompileError(problems)
        return cls(packages, folder)

    @classmethod
    def shipped(cls) -> Packages:
        """Those that come with the gateway, which are read and compiled once in a process."""
        return cls(_shipped().values(), shipped.folder("mappings"))

    def take(self, package: Package) -> None:
        """Use this version from now on; at once, and as a whole."""
        self._by_id = {**self._by_id, package.id: package}

    def __getitem__(self, package_id: str) -> Package:
        return self._by_id[package_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_id)

    def __len__(self) -> int:
        return len(self._by_id)

    @property
    def ids(self) -> list[str]:
        return list(self._by_id)

    @property
    def instances(self) -> dict[str, dict[str, Any]]:
        """The source instance that each package describes, for an installation without configured sources."""
        return {
            package.id: package.manifest.instance.model_dump() if package.manifest.instance else {}
            for package in self._by_id.values()
        }


@cache
def _shipped() -> Packages:
    return Packages.load(shipped.folder("mappings"))
