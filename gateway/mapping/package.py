"""Mapping packages: manifest, maps and ConceptMaps of one kind of source, which turn its records into drafts.

`Package.apply` is pure: the same record of the same source gives the same drafts. DESIGN: docs/mapping.md.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any
from zoneinfo import ZoneInfo

from gateway import fhirpath, formats
from gateway.definitions import Definitions, load
from gateway.fhirpath import FHIRPathError
from gateway.formats import Format, Node, Record
from gateway.issues import Issue, Issues
from gateway.mapping import conceptmap, manifest, times
from gateway.mapping.compiler import CompiledMap, compile_map
from gateway.mapping.conceptmap import ConceptTable, Unmapped
from gateway.mapping.lexer import unescape
from gateway.mapping.library import Library
from gateway.mapping.manifest import Manifest, RecordSpec
from gateway.mapping.parser import parse
from gateway.mapping.problems import CompileError, Problem, Problems
from gateway.mapping.runtime import Entry, Run
from gateway.mapping.syntax import Map
from gateway.records import Draft, Resource, Source

_CONSTANT = re.compile(r"'(?:\\.|[^'\\])*'")
COMMON = "common"
HSA_ROOT = "urn:oid:1.2.752.129.2.1.4.1"


@dataclass(frozen=True, slots=True)
class Trace:
    """What a traced run noted, with the program that its numbers are of."""

    entries: list[Entry]
    compiled: CompiledMap
    target: Resource


@dataclass(slots=True)
class MapResult:
    """A record's drafts and what could not be done. Where `issues.bad`, the record is to be held."""

    drafts: list[Draft] = field(default_factory=list)
    issues: Issues = field(default_factory=Issues)
    key: str = ""
    trace: Trace | None = None
    logged: list[tuple[str, str]] = field(default_factory=list)
    """What maps wrote with `log`: (rule, text). It may hold patient data and goes to no log of ours."""


class Files:
    """A folder's texts, read once: names as people read them, in order."""

    def __init__(self, folder: Path, shown: str) -> None:
        self.folder = folder
        self.shown = shown

    @cached_property
    def texts(self) -> dict[str, str]:
        paths = [*self.folder.glob("map.yaml"), *self.folder.glob("*.fml"), *self.folder.glob("conceptmaps/*.json")]
        return {
            f"{self.shown}/{path.relative_to(self.folder).as_posix()}": path.read_text(encoding="utf-8")
            for path in sorted(paths)
        }

    def path(self, name: str) -> str:
        return str(self.folder / name.removeprefix(f"{self.shown}/"))

    @cached_property
    def parsed(self) -> tuple[list[Map], list[ConceptTable], list[Problem]]:
        """Maps and ConceptMaps, with the problems of reading them."""
        problems = Problems()
        maps: list[Map] = []
        tables: list[ConceptTable] = []
        for name, text in self.texts.items():
            if name.endswith(".fml"):
                maps.append(parse(text, name, problems, path=self.path(name)))
            elif name.endswith(".json"):
                try:
                    tables.append(conceptmap.read(text, name))
                except CompileError as error:
                    problems.found.extend(error.problems)
        return maps, tables, problems.found


class Package:
    """One folder of mappings. Maps are compiled when the first record needs them."""

    def __init__(self, files: Files, common: Files, definitions: Definitions) -> None:
        self.folder = files.folder
        self._own = files
        self._common = common
        self.definitions = definitions
        shown = f"{files.shown}/map.yaml"
        self.manifest: Manifest = manifest.read(files.texts.get("map.yaml") or files.texts[shown], shown, files.shown)
        self.id = self.manifest.id
        self.version = self.manifest.version
        self._compiled: dict[str, CompiledMap | CompileError] = {}
        self._lock = Lock()

    @cached_property
    def files(self) -> Mapping[str, str]:
        """Everything that decides what the package makes of a record, by name."""
        return {**self._common.texts, **self._own.texts}

    @cached_property
    def hash(self) -> str:
        """The content's hash: statements say by it which maps made them."""
        digest = hashlib.sha256()
        for name, text in sorted(self.files.items()):
            digest.update(f"{name}\0{len(text)}\0{text}".encode())
        return digest.hexdigest()

    @cached_property
    def format(self) -> Format:
        """How the source's messages are read."""
        return Format.of(self.manifest.model_dump(by_alias=True))

    @cached_property
    def library(self) -> Library:
        """The package's maps with those they may import; a CompileError where one cannot be read."""
        problems = Problems()
        maps: list[Map] = []
        tables: list[ConceptTable] = []
        for files in (self._common, self._own):
            found_maps, found_tables, found_problems = files.parsed
            maps += found_maps
            tables += [self._with_policy(table) for table in found_tables]
            problems.found += found_problems
        problems.stop()
        library = Library(maps, tables, problems)
        problems.stop()
        return library

    @cached_property
    def remarks(self) -> frozenset[str]:
        """What maps log word for word: it holds nothing of the record, so it is told as an issue."""
        queue = [rule for found in self.library.maps.values() for group in found.groups for rule in group.rules]
        remarks: set[str] = set()
        for rule in queue:
            queue += rule.rules
            logged = [source.log.text.strip() for source in rule.sources if source.log]
            remarks.update(unescape(text[1:-1]) for text in logged if _CONSTANT.fullmatch(text))
        return frozenset(remarks)

    @property
    def maps(self) -> list[Map]:
        """The package's own maps."""
        return self._own.parsed[0]

    @property
    def tables(self) -> list[ConceptTable]:
        """The package's own ConceptMaps."""
        return self._own.parsed[1]

    def _with_policy(self, table: ConceptTable) -> ConceptTable:
        """The table with the manifest's policy for codes that it does not name, unless it has its own."""
        policies = self.manifest.unmapped
        policy = policies.get(table.url) or policies.get(table.id) or policies.get("default", "report")
        if policy == "report" or table.unmapped:
            return table
        mode, _, code = policy.partition(":")
        return ConceptTable(table.url, table.id, table.file, table.rows, {"": Unmapped(mode, None, code or None)})

    def compiled(self, record: RecordSpec) -> CompiledMap:
        """The map of a kind of record; the same CompileError each time where it cannot be compiled."""
        found = self._compiled.get(record.name)
        if found is None:
            with self._lock:
                found = self._compiled.get(record.name)
                if found is None:
                    found = self._compiled[record.name] = self._compile(record)
        if isinstance(found, CompileError):
            raise found
        return found

    def _compile(self, record: RecordSpec) -> CompiledMap | CompileError:
        shown = f"{self._own.shown}/map.yaml"
        try:
            if record.map not in self.library.maps:
                known = ", ".join(found.url for found in self.maps)
                return CompileError(
                    [Problem(shown, 1, 1, f"record {record.name}: there is no map {record.map}", known)]
                )
            return compile_map(self.library, self.definitions, record.map, record.group)
        except CompileError as error:
            return error

    def replace_compiled(self, compiled: Mapping[str, CompiledMap]) -> None:
        """Take other maps for some kinds of record: for a copy of the package that tries what an alteration does."""
        self._compiled = {**self._compiled, **compiled}

    def check(self) -> None:
        """Compile everything; a CompileError with the problems of all maps and paths."""
        problems: dict[Problem, None] = {}
        for record in self.manifest.records:
            try:
                self.compiled(record)
            except CompileError as error:
                problems.update(dict.fromkeys(error.problems))
            try:
                self._paths(record)
            except FHIRPathError as error:
                text = f"record {record.name}: {error.text}"
                problems[Problem(f"{self._own.shown}/map.yaml", 1, 1, text)] = None
        if problems:
            raise CompileError(problems)

    @staticmethod
    def _paths(record: RecordSpec) -> dict[str, fhirpath.Path]:
        named = {
            "key": record.key,
            "as_of": record.as_of,
            "version": record.version,
            "party": record.party,
            "provider": record.provider,
        }
        return {name: fhirpath.compile(text) for name, text in named.items() if text}

    # Records

    def apply(
        self, record: Record, source: Source, received: datetime, *, body: bytes = b"", traced: bool = False
    ) -> MapResult:
        """The record's drafts. With the message's `body` issues say line and column of what they are about."""
        result = MapResult(issues=Issues(record.issues))
        spec = self.manifest.record(record.kind)
        if record.issues.bad or spec is None:
            return result
        reader = _Reader(self.format, record, source, body, result.issues)
        try:
            compiled = self.compiled(spec)
            paths = self._paths(spec)
        except (CompileError, FHIRPathError) as error:
            first = error.issues[0]
            text = f"The package's map cannot be compiled ({first.where}): {first.text} Mend it and replay."
            result.issues.error("processing", "map-invalid", text, reader.where(None))
            return result
        key = reader.text(paths.get("key"))
        hold = self.manifest.on_error.field == "hold"
        target, run = compiled.run(
            record.node,
            variables={"source": reader.source, "record": {"kind": record.kind, "key": key}},
            zone=reader.zone,
            seed=f"{source.id}|{key or record.span}",
            traced=traced,
            field="error" if hold else "warning",
        )
        self._tell(run, reader, result)
        result.logged = [(str(run.program.rules[run.program.sites[s].rule]), text) for s, _, text in run.logged]
        for rule, remark, where in dict.fromkeys(
            (run.program.rules[run.program.sites[site].rule], text, reader.where(node))
            for site, node, text in run.logged
            if text in self.remarks
        ):
            result.issues.warning("processing", rule.name or "remark", f"{remark} [{rule}]", where)
        result.drafts = list(self._drafts(target, reader, paths, received))
        result.key = key or _first_identifier(result.drafts)
        if traced:
            result.trace = Trace(run.trace, compiled, target)
        if result.issues.bad and self.manifest.on_error.record == "skip":
            result.issues = Issues(
                Issue("warning", i.code, i.rule, i.text, i.where) if i.severity == "error" else i for i in result.issues
            )
            result.drafts = []
        return result

    @staticmethod
    def _tell(run: Run, reader: _Reader, result: MapResult) -> None:
        for found in run.found:
            where = reader.where(found.at)
            text = found.text
            if found.site >= 0:
                text = f"{text} [{run.program.rules[run.program.sites[found.site].rule]}]"
            result.issues.add(Issue(found.severity, found.code, found.rule, text, where))

    def _drafts(
        self, target: Resource, reader: _Reader, paths: Mapping[str, fhirpath.Path], received: datetime
    ) -> Iterator[Draft]:
        entries = [
            (entry["resource"], entry.get("request", {}).get("method") == "DELETE")
            for entry in target.get("entry", ())
            if "resource" in entry
        ]
        if target.get("resourceType") != "Bundle":
            entries = [(target, False)]
        entries = [(resource, withdrawn) for resource, withdrawn in entries if len(resource) > 1]
        if not entries:
            return
        as_of = reader.moment(paths["as_of"]) if "as_of" in paths else None
        if as_of is None and "as_of" in paths:
            text = "The record does not say of when it is; the time of its arrival stands in. Ask the source for it."
            reader.issues.warning("required", "as-of-missing", text, reader.where(None))
        effective = as_of or received
        version = reader.text(paths.get("version"))
        party = reader.text(paths.get("party")) or str(reader.source["hsaId"])
        provider = reader.text(paths.get("provider")) or str(reader.source["controller"])
        for resource, withdrawn in entries:
            self._check_identifier(resource, reader)
            self._check_required(resource, reader)
            modified = resource.get("lastModified") if resource["resourceType"] == "Task" else None
            moment = times.instant(times.parts(modified), reader.zone, _nothing) if modified else effective
            yield Draft(resource, moment, version, party, provider, withdrawn)

    def _check_identifier(self, resource: Resource, reader: _Reader) -> None:
        type_name = str(resource["resourceType"])
        given = resource.get("identifier")
        first = given[0] if isinstance(given, list) and given else given
        if isinstance(first, dict) and first.get("system") and first.get("value"):
            return
        if type_name in self.definitions.types and "identifier" not in self.definitions.types[type_name].elements:
            return
        text = (
            f"The {type_name} of this record has no identifier with system and value, so nobody could find it again. "
            "Send the identifier; the record is held."
        )
        reader.issues.error("required", "draft-without-identifier", text, reader.where(None))

    def _check_required(self, resource: Resource, reader: _Reader) -> None:
        """A draft without what its type demands says nothing: a Task without status would be nobody's."""
        type_name = str(resource["resourceType"])
        known = self.definitions.types.get(type_name)
        for name, element in known.elements.items() if known else ():
            if element.min and element.choice_of is None and name not in resource:
                text = f"{type_name}.{name} must be said and could not be made from this record, which is held."
                reader.issues.error("required", "required-element-missing", text, reader.where(None))

    def snapshot_time(self, records: Iterable[Record], source: Source) -> datetime | None:
        """Of when a complete snapshot speaks, by the manifest's `snapshot.asOf`."""
        spec = self.manifest.snapshot
        if spec is None:
            return None
        latest = spec.as_of.startswith("max(") and spec.as_of.endswith(")")
        path = fhirpath.compile(spec.as_of[4:-1] if latest else spec.as_of)
        found: datetime | None = None
        for record in records:
            moment = _Reader(self.format, record, source, b"", Issues()).moment(path)
            if moment is not None and (found is None or moment > found):
                found = moment
            if found is not None and not latest:
                break
        return found


class _Reader:
    """A record's own facts: FHIRPaths on it, its places, what maps may know of its source."""

    def __init__(self, form: Format, record: Record, source: Source, body: bytes, issues: Issues) -> None:
        self.form = form
        self.record = record
        self.body = body
        self.issues = issues
        self.zone = ZoneInfo(source.timezone)
        self.source = {
            "id": source.id,
            "name": source.name,
            "hsaId": source.hsa_id,
            "controller": source.controller,
            "controllerName": source.controller_name,
            "role": source.role,
            "municipality": source.municipality,
            "timezone": source.timezone,
            "idSystem": f"{HSA_ROOT}#{source.hsa_id}",
        }

    def where(self, node: Any) -> str:
        """The place of a node: with the message at hand to line and column, else the record's."""
        if isinstance(node, Node) and self.body:
            return str(formats.position(self.form.kind, node, self.body))
        place = str(self.record.position)
        return f"{place}, {node.name}" if isinstance(node, Node) and node is not self.record.node else place

    def text(self, path: fhirpath.Path | None) -> str:
        if path is None:
            return ""
        environment = fhirpath.Environment(variables={"source": self.source, "record": {"kind": self.record.kind}})
        try:
            found = path(self.record.node, environment)
        except FHIRPathError as error:
            text = f"A path of the manifest could not be evaluated: {error.problems[0].text}"
            self.issues.error("processing", "expression-failed", text, self.where(None))
            return ""
        value = found[0] if found else None
        if isinstance(value, Node):  # with parts beside its value, as any field of HL7 v2 has
            value = value.value
        return "" if value is None else str(value).strip()

    def moment(self, path: fhirpath.Path) -> datetime | None:
        text = self.text(path)
        if not text:
            return None
        try:
            return times.instant(times.parts(text), self.zone, self._ambiguous)
        except times.Unfit as error:
            self.issues.warning(
                "value", "as-of-not-valid", f"The record's time is {error}. Mend it in the source.", self.where(None)
            )
            return None

    def _ambiguous(self) -> None:
        text = "The record's time is in the hour that occurs twice; the first was taken. Send times with their offset."
        self.issues.information("value", "ambiguous-hour", text, self.where(None))


def _nothing() -> None:
    """The map has marked the ambiguity where it made the time."""


def _first_identifier(drafts: list[Draft]) -> str:
    for draft in drafts:
        given = draft.resource.get("identifier")
        first = given[0] if isinstance(given, list) and given else given
        if isinstance(first, dict):
            return f"{first.get('system', '')}|{first.get('value', '')}"
    return ""


class Packages(Mapping[str, Package]):
    """All packages of a mappings folder, by id."""

    def __init__(self, packages: Iterable[Package]) -> None:
        self._by_id = {package.id: package for package in packages}

    @classmethod
    def load(cls, folder: Path, definitions: Definitions | None = None) -> Packages:
        """Read every package's manifest; maps are read when they are first used. CompileError with all problems."""
        common = Files(folder / COMMON, COMMON)
        packages: list[Package] = []
        problems: list[Problem] = []
        for path in sorted(folder.glob("*/map.yaml")):
            try:
                packages.append(Package(Files(path.parent, path.parent.name), common, definitions or load()))
            except CompileError as error:
                problems += error.problems
        if problems:
            raise CompileError(problems)
        return cls(packages)

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
