"""StructureMap/$transform through the door: which map, with which maps and tables beside it, and what it makes.

A map is one that was sent, a stored StructureMap, or one of a mapping package that is in use. The content is the
caller's and nothing is kept, so whoever is known may ask; that he did is recorded. Time, steps, depth and sizes are
bounded.

https://hl7.org/fhir/R4/structuremap-operation-transform.html
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any
from zoneinfo import ZoneInfo

from gateway import formats
from gateway.access.caller import Asking
from gateway.access.conformance import Canonicals, of_version
from gateway.access.deadline import within
from gateway.access.decision import decide
from gateway.definitions import Definitions
from gateway.errors import BadRequest, NotFound, Unprocessable
from gateway.fhir.json import dump, parse_any
from gateway.formats import Kind, Node, Record, position
from gateway.issues import Issue, Issues
from gateway.mapping import CompiledMap, Library, Package, Problems, compile_map, conceptmap, logical
from gateway.mapping import content as contents
from gateway.mapping.cases import own_source
from gateway.mapping.conceptmap import ConceptTable
from gateway.mapping.debug import parameters
from gateway.mapping.facts import of_source
from gateway.mapping.logical import LogicalType
from gateway.mapping.parser import parse
from gateway.mapping.runtime import Run
from gateway.mapping.steps import Places, Steps, paths
from gateway.mapping.structuremap_reader import read as read_structure_map
from gateway.mapping.syntax import Map
from gateway.records import Resource

STRUCTURE_MAP = "StructureMap"
SECONDS = 10.0
MOST_TEXT = 1 << 20
"""Characters of all maps that are sent with a request."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A map that was sent: its text or its StructureMap, under the name that problems are told by."""

    file: str
    content: str | Resource


@dataclass(frozen=True, slots=True)
class Transform:
    """What is asked for. The map is the first of `maps`, else `id`, else `source`."""

    content: Resource | str
    id: str | None = None
    source: str | None = None
    maps: Sequence[Sent] = ()
    models: Sequence[Resource] = ()
    debug: bool = False


@dataclass(slots=True)
class _Runnable:
    """A compiled map with what it is run with."""

    compiled: CompiledMap
    library: Library
    url: str
    kind: Kind | None = None
    """What content that does not say its own media type is read as."""
    package: Package | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class _Ran:
    """What came of one record."""

    target: Resource
    run: Run


class Transforming(Canonicals):
    """transform."""

    def transform(self, asking: Asking, asked: Transform) -> Resource:
        """The result, or (`debug`) Parameters with the trace. BadRequest, NotFound, Gone, Unprocessable."""
        runnable = self._runnable(asking, asked)
        return within(SECONDS, lambda: self._transformed(runnable, asked))

    # The map

    def _runnable(self, asking: Asking, asked: Transform) -> _Runnable:
        if sum(len(one.content) for one in asked.maps if isinstance(one.content, str)) > MOST_TEXT:
            raise BadRequest(f"The maps are larger than {MOST_TEXT} characters.", rule="map-too-large")
        if asked.id is not None:
            found = self.by_id(asking, STRUCTURE_MAP, asked.id)
            sent = within(SECONDS, lambda: _read([Sent(f"StructureMap/{asked.id}", found), *asked.maps]))
            return self._runnable_of(asking, sent, asked.models)
        url, _, version = (asked.source or "").partition("|")
        sent = within(SECONDS, lambda: _read(asked.maps))
        named = [one for one in sent if url and one.url == url]
        if named or (sent and not url):
            self.audit(asking, decide(asking.caller, STRUCTURE_MAP, takes_part=None))
            main = (named or sent)[0]
            return self._runnable_of(asking, [main, *(one for one in sent if one is not main)], asked.models)
        if not url:
            text = "Name the map by source, or send it as sourceMap, srcMap or map."
            raise BadRequest(text, rule="parameter-missing", where="source")
        stored = self.stored(asking, STRUCTURE_MAP, url)
        self.audit(asking, decide(asking.caller, STRUCTURE_MAP, takes_part=None), *stored)
        resources = of_version([one.resource() for one in stored], version or None)
        if resources:
            first = within(SECONDS, lambda: _read([Sent(url, resources[0])]))
            return self._runnable_of(asking, [*first, *sent], asked.models)
        packaged = self._packaged_map(url, version)
        if packaged is None:
            text = "No StructureMap of this url, or of this version, is known here. Send it as sourceMap, or store it."
            raise NotFound(text, rule="map-unknown", where=url[:200])
        return packaged

    def _packaged_map(self, url: str, version: str) -> _Runnable | None:
        """A package's map: as its records are mapped, where it is the map of a kind of record."""
        for package in self._rooms.packages.values():
            if not any(url in text for text in package.files.values()) or url not in package.library.maps:
                continue
            said = package.library.maps[url].metadata.get("version")
            if version and version not in (package.version, said):
                continue
            spec = next((one for one in package.manifest.records if one.map == url), None)
            compiled = (
                package.compiled(spec) if spec else compile_map(package.library, self._rooms.definitions, url, None)
            )
            source = own_source(package)
            about = {"source": of_source(source), "record": {"kind": spec.name if spec else contents.CONTENT}}
            return _Runnable(compiled, package.library, url, package.format.kind, package if spec else None, about)
        return None

    def _runnable_of(self, asking: Asking, maps: Sequence[Map], models: Sequence[Resource]) -> _Runnable:
        """The first of some maps, with the others, what they import and the tables that they name."""
        every = [*maps, *self._imported_maps(asking, maps)]
        tables, types = _models(models)
        named = {table.url: table for table in (*self._named_tables(asking, every), *tables)}
        return within(SECONDS, lambda: _compiled(every, list(named.values()), types, self._rooms.definitions))

    def _imported_maps(self, asking: Asking, maps: Sequence[Map]) -> list[Map]:
        """What the maps import, directly and through others, of what is stored and of the packages in use."""
        known = {one.url for one in maps}
        found: list[Map] = []
        wanted = [imported.url for one in maps for imported in one.imports]
        while wanted:
            pattern = wanted.pop()
            for one in self._importable_maps(asking, pattern):
                if one.url not in known:
                    known.add(one.url)
                    found.append(one)
                    wanted += [imported.url for imported in one.imports]
        return found

    def _importable_maps(self, asking: Asking, pattern: str) -> Iterator[Map]:
        if "*" not in pattern:
            for one in self.stored(asking, STRUCTURE_MAP, pattern)[:1]:
                yield read_structure_map(one.resource(), pattern)
        for package in self._rooms.packages.values():
            if any(pattern.partition("*")[0] in text for text in package.files.values()):
                yield from (one for url, one in package.library.maps.items() if fnmatchcase(url, pattern))

    def _named_tables(self, asking: Asking, maps: Iterable[Map]) -> Iterator[ConceptTable]:
        """The ConceptMaps, packaged and stored, that a map's text names."""
        texts = [one.text.content for one in maps if "translate" in one.text.content]
        if not texts:
            return
        for one in (*self.packaged("conceptmaps"), *(one.resource() for one in self.stored(asking, "ConceptMap"))):
            names = [str(one[name]) for name in ("url", "id") if one.get(name)]
            if any(name in text for name in names for text in texts):
                yield conceptmap.read(dump(one).decode(), names[0])

    # The run

    def _transformed(self, runnable: _Runnable, asked: Transform) -> Resource:
        issues = Issues()
        steps = Steps(Places(runnable.library))
        body, kind, records = self._content_records(runnable, asked.content, issues)
        usable = [record for record in records if not record.issues.bad]
        issues.extend(issue for record in records for issue in record.issues)
        if not usable and not issues.bad:
            text = "The content holds nothing that this map maps."
            issues.error("not-found", "nothing-to-map", text)
        compiled = steps.of(runnable.compiled) if asked.debug else runnable.compiled
        ran = [self._mapped_record(compiled, runnable, record, traced=asked.debug) for record in usable]
        for one in ran:
            issues.extend(_of_run(one.run, kind, body))
        result = _joined([one.target for one in ran])
        if asked.debug:
            where = {id: path for record in usable for id, path in paths(record.node).items()}
            return parameters(
                result, steps, issues, main=runnable.url, where=where, whole=bool(usable) and not issues.bad
            )
        if issues.bad or result is None:
            raise Unprocessable(issues=list(issues))
        return result if result.get("resourceType") else _binary(result)

    def _mapped_record(self, compiled: CompiledMap, runnable: _Runnable, record: Record, *, traced: bool) -> _Ran:
        zone = ZoneInfo(own_source(runnable.package).timezone) if runnable.package else self._rooms.zone
        variables = dict(runnable.variables)
        if runnable.package:
            variables["record"] = {"kind": record.kind}
        return _Ran(*compiled.run(record.node, variables=variables, zone=zone, seed=str(record.span), traced=traced))

    def _content_records(
        self, runnable: _Runnable, content: Resource | str, issues: Issues
    ) -> tuple[bytes, Kind, list[Record]]:
        body, kind = _bytes(content)
        package = runnable.package
        if package is not None and (kind is None or package.format.kind in (kind, "fhir")):
            wanted = {spec.name for spec in package.manifest.records if spec.map == runnable.url}
            records = [one for one in formats.read(package.format, body, issues) if one.kind in wanted]
            return body, package.format.kind, records
        return contents.read(kind or runnable.kind or "json", body, self._rooms.definitions, issues)


def _bytes(content: Resource | str) -> tuple[bytes, Kind | None]:
    """The content's bytes, and what they are by their own account."""
    if isinstance(content, str):
        return content.encode(), "xml" if content.lstrip("\ufeff \t\r\n").startswith("<") else "fhir"
    if content.get("resourceType") != "Binary":
        return dump(content), "fhir"
    media_type = str(content.get("contentType", "")).partition(";")[0].strip().lower()
    kind = contents.KINDS.get(media_type)
    if kind is None and media_type not in ("", "application/octet-stream", "text/plain"):
        known = ", ".join(contents.KINDS)
        raise BadRequest(
            f"Content of this media type is not read. Types: {known}.",
            rule="content-not-read",
            expression="Binary.contentType",
        )
    try:
        return base64.b64decode(str(content.get("data", "")), validate=True), kind
    except (binascii.Error, ValueError):
        raise BadRequest("The data is no base64.", rule="content-malformed", expression="Binary.data") from None


def _read(maps: Sequence[Sent]) -> list[Map]:
    """The maps; a CompileError with the problems of all of them."""
    problems = Problems()
    read = [
        parse(one.content, one.file, problems)
        if isinstance(one.content, str)
        else read_structure_map(one.content, one.file)
        for one in maps
    ]
    problems.stop()
    return read


def _compiled(
    maps: Sequence[Map], tables: Sequence[ConceptTable], types: Mapping[str, LogicalType], definitions: Definitions
) -> _Runnable:
    problems = Problems()
    library = Library(maps, tables, problems, types)
    problems.stop()
    return _Runnable(compile_map(library, definitions, maps[0].url), library, maps[0].url)


def _models(models: Iterable[Resource]) -> tuple[list[ConceptTable], dict[str, LogicalType]]:
    tables: list[ConceptTable] = []
    types: dict[str, LogicalType] = {}
    for model in models:
        for one in _unbundled(model):
            file = str(one.get("url") or one.get("resourceType"))[:200]
            text = dump(one).decode()
            if one.get("resourceType") == "ConceptMap":
                tables.append(conceptmap.read(text, file))
            elif one.get("resourceType") == "StructureDefinition" and one.get("kind") == "logical":
                types.update(logical.read(text, file))
    return tables, types


def _unbundled(model: Resource) -> Iterator[Resource]:
    if model.get("resourceType") != "Bundle":
        yield model
        return
    for entry in model.get("entry", ()):
        if isinstance(entry, dict) and isinstance(entry.get("resource"), dict):
            yield entry["resource"]


def model_of(text: str) -> Resource:
    """A model that was sent as text. BadRequest."""
    found = parse_any(text.encode())
    if not isinstance(found, dict):
        raise BadRequest("A model is a resource.", rule="parameter-malformed", where="model")
    return found


def _joined(targets: Sequence[Resource]) -> Resource | None:
    """The results of several records as one Bundle."""
    if len(targets) <= 1:
        return targets[0] if targets else None
    if all(one.get("resourceType") == "Bundle" for one in targets):
        entries = [entry for one in targets for entry in one.get("entry", ())]
        return {**targets[0], **({"entry": entries} if entries else {})}
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in targets]}


def _binary(result: Resource) -> Resource:
    data = base64.b64encode(dump(result)).decode()
    return {"resourceType": "Binary", "contentType": "application/json", "data": data}


def _of_run(run: Run, kind: Kind, body: bytes) -> Iterator[Issue]:
    """What the run found: rule and map line in the text, the place in the content beside it, never a value."""
    for found in run.found:
        text = f"{found.text} [{run.rule_of(found.site)}]" if found.site >= 0 else found.text
        where = str(position(kind, found.at, body)) if isinstance(found.at, Node) else None
        yield Issue(found.severity, found.code, found.rule, text, where)
