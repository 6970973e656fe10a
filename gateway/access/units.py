"""What a part of a bulk import asks for, unit by unit: a line or an entry by itself, or a transaction as a whole.

A resource is written under its own id, as an update does. A Bundle that is a file, or that stands on a line without an
id of its own, is what its type says: a transaction is done as a whole, the entries of a batch each by itself, and of a
collection or a search's results the resources are written. Any other Bundle is a resource like others.

https://hl7.org/fhir/R4/bundle.html, https://hl7.org/fhir/uv/bulkdata/STU2/export.html#bulk-data-output-file-request
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlsplit

from gateway import patch
from gateway.access.checked import checked, unconditional
from gateway.access.commands import Command, Create, Delete, Matching, Patch, Update, matching, versions
from gateway.access.reading import Rooms
from gateway.errors import BadRequest, GatewayError, Unprocessable
from gateway.fhir import json
from gateway.fhir.bulk import Part
from gateway.fhir.entries import Entry, patch_in, read, within
from gateway.fhir.links import Kind, renamed
from gateway.fhir.primitives import ID
from gateway.fhir.view import SUBSETTED
from gateway.issues import Issue
from gateway.records import Resource

MOST_ENTRIES: Final = 100_000
"""Of one Bundle; its bytes are limited too."""
LISTED: Final = ("collection", "searchset")
PERFORMED: Final = ("transaction", "batch")
HAS_REQUEST: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_LINE: Final = re.compile(r"line 1\b")


@dataclass(frozen=True, slots=True)
class Unit:
    """One line or entry, `seq` from 0: its commands, or why there are none. Without either there is nothing to do.

    `entries`: its commands are done together, and these are where they come from.
    """

    seq: int
    kind: str = ""
    commands: tuple[Command, ...] = ()
    issues: tuple[Issue, ...] = ()
    entries: tuple[Entry, ...] | None = None
    span: tuple[int, int] | None = None
    """Its bytes in the part."""

    @property
    def thing(self) -> tuple[str, str] | None:
        """The resource that its only command is about, where it says so."""
        if self.entries is not None or not self.commands:
            return None
        command = self.commands[0]
        target = None if isinstance(command, Create) else command.target
        return (command.resource_type, target) if isinstance(target, str) else None


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the parts of one file. `kind`: the type that its resources must have; empty where any may come."""

    rooms: Rooms
    base: str
    kind: str = ""

    def units(self, part: Part) -> tuple[int, Callable[[int], Iterator[Unit]]]:
        """How many units a part has; and, from one of them on, each as it is read."""
        if part.first:
            return part.count, lambda start: self._lines(part, start)
        try:
            document = json.parse(part.body)
        except GatewayError as error:
            wrong = Unit(0, issues=error.issues)
            return 1, lambda start: iter([wrong][start:])
        entries = document.get("entry", [])
        kind = document.get("type") if document.get("resourceType") == "Bundle" else None
        if kind in ("batch", *LISTED) and type(entries) is list:
            return len(entries), lambda start: self._entries(document, start)
        return 1, lambda start: iter([self._resource(0, document, alone=True)][start:])

    def _lines(self, part: Part, start: int) -> Iterator[Unit]:
        lines = part.lines
        end = sum(map(len, lines[:start])) + start - 1
        for seq, line in enumerate(lines[start:], start):
            begin, end = end + 1, end + 1 + len(line)
            if not line.strip():
                yield Unit(seq)
                continue
            number = f"line {part.first + seq}"
            try:
                unit = self._resource(seq, json.parse(line), alone=False, asks=_may_ask(line))
            except GatewayError as error:
                unit = Unit(seq, issues=error.issues)
            issues = tuple(_placed(one, number) for one in unit.issues)
            yield replace(unit, issues=issues, span=(begin, end))

    def _resource(self, seq: int, resource: Resource, *, alone: bool, asks: bool = True) -> Unit:
        """A document (`alone`), or what stands on a line; `asks`: a reference in it may be a search."""
        kind = resource.get("resourceType")
        try:
            if kind == "Bundle" and (alone or "id" not in resource) and resource.get("type") in (*PERFORMED, *LISTED):
                return self._together(seq, resource)
            return Unit(seq, str(kind)[:64], (self._update(resource, asks=asks),))
        except GatewayError as error:
            return Unit(seq, str(kind)[:64], issues=error.issues)

    def _together(self, seq: int, bundle: Resource) -> Unit:
        """A Bundle as one unit: what it asks for is done together."""
        if bundle["type"] in LISTED:
            entries = []
            for _, entry in self._listed(bundle, 0):
                if isinstance(entry, GatewayError):  # All of it or nothing: it is one line.
                    raise entry
                entries += [] if entry is None else [entry]
            commands: list[Command] = [self._of_entry(one, self._put) for one in entries]
        else:
            asked = [(one, self._of_entry(one, self._command)) for one in self._read(bundle)]
            entries = [one for one, command in asked if command is not None]
            commands = [command for _, command in asked if command is not None]
        return Unit(seq, "Bundle", tuple(commands), entries=tuple(entries))

    def _entries(self, bundle: Resource, start: int) -> Iterator[Unit]:
        """The entries of a Bundle, each by itself."""
        if bundle["type"] in LISTED:
            yield from (self._unit(seq, entry, self._put) for seq, entry in self._listed(bundle, start))
            return
        try:
            entries = self._read(bundle)
        except GatewayError as error:  # What a Bundle asks for cannot be told: of none of its entries.
            yield from (Unit(seq, issues=error.issues) for seq in range(start, len(bundle["entry"])))
            return
        yield from (self._unit(seq, one, self._command) for seq, one in enumerate(entries[start:], start))

    def _unit(self, seq: int, entry: Entry | GatewayError | None, command: Callable[[Entry], Command | None]) -> Unit:
        if isinstance(entry, GatewayError):
            return Unit(seq, issues=entry.issues)
        kind = str((entry.resource or {}).get("resourceType", ""))[:64] if entry else ""
        try:
            made = None if entry is None else self._of_entry(entry, command)
        except GatewayError as error:
            return Unit(seq, kind, issues=error.issues)
        return Unit(seq, kind, () if made is None else (made,))

    def _read(self, bundle: Resource) -> list[Entry]:
        return read(bundle, self.rooms.definitions, self.base, most=MOST_ENTRIES)

    def _listed(self, bundle: Resource, start: int) -> Iterator[tuple[int, Entry | GatewayError | None]]:
        """The resources of a collection or of a search's results, under ids that all of them know; None: nothing."""
        given: Sequence[Any] = bundle.get("entry", [])
        if type(given) is not list:
            raise BadRequest("The entries of a Bundle are a list.", rule="json-list", expression="Bundle.entry")
        names = {str(one["fullUrl"]): name for one in given if (name := _name(one)) and "fullUrl" in one}
        for seq, one in enumerate(given[start:], start):
            here = f"Bundle.entry[{seq}]"
            if isinstance(one, dict) and (one.get("search") or {}) == {"mode": "outcome"}:
                yield seq, None
                continue
            resource = one.get("resource") if isinstance(one, dict) else None
            name = _name(one)
            if not isinstance(resource, dict) or name is None:
                text = "An entry needs a resource with an id, or a fullUrl that ends with one."
                yield seq, BadRequest(text, rule="id-missing", expression=f"{here}.resource.id")
                continue
            kind, _, id = name.partition("/")
            resource = renamed({"resourceType": kind, "id": id} | resource, self.rooms.definitions, _renaming(names))
            yield seq, Entry(seq, "PUT", name, None, one.get("fullUrl"), resource, {})

    def _of_entry(self, entry: Entry, command: Callable[[Entry], Any]) -> Any:
        try:
            return command(entry)
        except GatewayError as error:
            raise within(error, entry) from None

    def _put(self, entry: Entry) -> Command:
        return self._update(entry.resource or {})

    def _update(self, resource: Resource, *, asks: bool = True) -> Update:
        kind, id = resource.get("resourceType"), resource.get("id")
        if type(kind) is not str or kind not in self.rooms.definitions.resource_types:
            text = "A line is one resource of R4, with its resourceType."
            raise BadRequest(text, rule="unknown-resource-type", expression="resourceType")
        if self.kind and kind != self.kind:
            raise BadRequest(f"The resources of this file must be of type {self.kind}.", rule="resource-type-differs")
        if type(id) is not str or not ID.fullmatch(id):
            text = "A resource is imported under its own id, of 1 to 64 letters, digits, hyphens and dots."
            raise BadRequest(text, rule="id-missing" if id is None else "id-malformed", expression=f"{kind}.id")
        self._whole(resource)
        if asks:
            unconditional(resource, self.rooms)
        return Update(resource_type=kind, target=id, resource=resource)

    def _whole(self, resource: Resource) -> None:
        checked(resource, self.rooms)
        if any(_is_subsetted(tag) for tag in (resource.get("meta") or {}).get("tag", ())):
            text = "This is a part of a resource (SUBSETTED): written back, it would take away the rest."
            expression = f"{resource['resourceType']}.meta.tag"
            raise Unprocessable(text, rule="subsetted", expression=expression)

    def _command(self, entry: Entry) -> Command | None:
        """What an entry of a transaction or batch asks to be changed; None for a question. BadRequest, Invalid."""
        if entry.method not in HAS_REQUEST:
            return None
        kind, slash, id = entry.path.partition("/")
        if kind not in self.rooms.definitions.resource_types or "/" in id or (slash and not id):
            text = "What is imported is written: name a type, or a type and an id, in the url."
            raise BadRequest(text, rule="entry-url-unknown")
        target: str | Matching = id or matching(entry.query or "", self.base)
        given = entry.conditions
        if_match = versions(given["ifMatch"], "ifMatch") if "ifMatch" in given else None
        match entry.method:
            case "POST":
                query = given.get("ifNoneExist")
                exists = None if query is None else matching(query.rpartition("?")[2], self.base)
                return Create(resource_type=kind, resource=self._of_type(kind, entry), if_none_exist=exists)
            case "PUT":
                resource = self._of_type(kind, entry)
                if id and resource.get("id") != id:
                    text = "The id in the body must be the one in the address."
                    raise BadRequest(text, rule="id-differs", expression=f"{kind}.id")
                none = versions(given["ifNoneMatch"], "ifNoneMatch") if "ifNoneMatch" in given else None
                return Update(
                    resource_type=kind, target=target, resource=resource, if_match=if_match, if_none_match=none
                )
            case "PATCH":
                asked = entry.resource or {}
                binary = asked.get("resourceType") == "Binary"
                sent = patch_in(entry) if binary else (json.dump(asked), json.MEDIA_TYPE)
                change = patch.read(*sent, kind, self.rooms.definitions)
                return Patch(resource_type=kind, target=target, change=change, if_match=if_match)
        return Delete(resource_type=kind, target=target, if_match=if_match)

    def _of_type(self, kind: str, entry: Entry) -> Resource:
        resource = entry.resource
        if not isinstance(resource, dict) or resource.get("resourceType") != kind:
            text = f"The resource must be a {kind}, as the url says."
            raise BadRequest(text, rule="resource-type-differs", expression="resourceType")
        self._whole(resource)
        return resource


def _name(entry: Any) -> str | None:
    """Type and id of an entry's resource: its own, or as the fullUrl has it."""
    resource = entry.get("resource") if isinstance(entry, dict) else None
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    if not isinstance(resource, dict) or type(kind) is not str:
        return None
    url = str(entry.get("fullUrl") or "")
    id = resource.get("id") or (url.removeprefix("urn:uuid:") if url.startswith("urn:uuid:") else None)
    if id is None and (path := urlsplit(url).path.split("/"))[-2:-1] == [kind]:
        id = path[-1]
    return f"{kind}/{id}" if id else None


def _renaming(names: dict[str, str]) -> Callable[[str, Kind, str], str | None]:
    def rename(text: str, kind: Kind, path: str) -> str | None:
        main, mark, fragment = text.partition("#")
        new = names.get(main)
        return None if new is None else f"{new}{mark}{fragment}"

    return rename


def _is_subsetted(tag: Any) -> bool:
    return all(tag.get(name) == SUBSETTED[name] for name in ("system", "code"))


def _may_ask(line: bytes) -> bool:
    """Whether there is a question mark, which a search has, as it is or escaped: to look is cheaper than to walk."""
    return b"?" in line or b"\\u003" in line


def _placed(issue: Issue, line: str) -> Issue:
    """The issue of a line, as one of its file."""
    if issue.where is None:
        return issue.at(line)
    return replace(issue, where=_LINE.sub(line, issue.where, count=1), text=_LINE.sub(line, issue.text, count=1))
