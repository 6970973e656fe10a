"""FHIR, JSON or XML: the entries of a Bundle, a resource, or one a line; each record is an entry with its resource.

A primitive's `_name` twin becomes its children, so that value and extensions are one node. A reference to an entry by
its urn (`urn:uuid:…`) is told the entry's type, which nothing outside the message could know.
https://hl7.org/fhir/R4/json.html, https://hl7.org/fhir/R4/xml.html, https://hl7.org/fhir/R4/bundle.html#references
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from orjson import loads

from gateway.definitions import load
from gateway.errors import GatewayError
from gateway.fhir import xml
from gateway.formats import fhir_places, json
from gateway.formats.fhir_nodes import FhirNode
from gateway.formats.json import Found, Reader
from gateway.formats.node import FhirType, Node
from gateway.formats.record import Format, Limits, Record, recorded
from gateway.issues import Issues
from gateway.records import Position

_ENTRY = FhirType("Bundle.entry")


def read(form: Format, body: bytes, issues: Issues, limits: Limits) -> Iterator[Record]:
    """The entries of a message. An entry without a resource (a deletion) is of the type that its request names."""
    if _is_xml(body):
        return _read_xml(form, body, issues, limits)
    types = _types_by_urn(body)
    return json.objects(body, issues, limits, lambda found: _record(form, found, types), _entries)


def position(node: Node, body: bytes) -> Position:
    """The JSON pointer of a value, of what stands for it in XML too, and its place."""
    return fhir_places.position(node, body) if _is_xml(body) else json.position(node, body)


def _is_xml(body: bytes) -> bool:
    return body[:1] == b"<" or body[:64].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<"


def _record(form: Format, found: Found, types: dict[str, str]) -> Record:
    origin = (None, found, types)
    value = found.value
    if "resourceType" in value:
        root = Node("entry", None, {"resource": [FhirNode("resource", value, origin)]}, _ENTRY, origin)
        kind = value["resourceType"]
    else:
        root = FhirNode("entry", value, origin, _ENTRY)
        kind = root.text("resource", "resourceType") or root.text("request", "url").partition("/")[0]
    kinds = [k for k in form.records if k.at in ("*", kind)]
    return recorded(kinds, root, (found.start, found.end), found.position())


def _read_xml(form: Format, body: bytes, issues: Issues, limits: Limits) -> Iterator[Record]:
    """The same from XML: the document as the JSON that it stands for, each part with its place in the XML."""
    try:
        resource = xml.parse(body, load(), most_bytes=limits.bytes, deepest=limits.depth)
    except GatewayError as refused:
        for issue in refused.issues:
            issues.add(issue)
        return
    if resource.get("resourceType") != "Bundle":
        found = Found(resource, 0, len(body), 1, "")
        yield _record(form, found, {})
        return
    entries: list[Any] = resource.get("entry", [])
    types = _urns(entries)
    for index, (entry, span, line) in enumerate(zip(entries, *fhir_places.entries(body), strict=True)):
        if index >= limits.records:
            issues.fatal("too-costly", "too-many-records", f"The Bundle has more than {limits.records} entries.")
            return
        yield _record(form, Found(entry, *span, line, f"/entry/{index}"), types)


def _types_by_urn(body: bytes) -> dict[str, str]:
    """The types of a Bundle's entries that have a urn: read ahead, for an entry may refer to a later one."""
    if b'"urn:' not in body:
        return {}
    try:
        return _urns(loads(body).get("entry", ()))
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return {}  # Not one whole Bundle: what is wrong with it is told when it is read.


def _urns(entries: list[Mapping[str, Any]]) -> dict[str, str]:
    told = [one for one in entries if "fullUrl" in one and "resource" in one]
    found = {one["fullUrl"]: one["resource"]["resourceType"] for one in told}
    return {url: kind for url, kind in found.items() if isinstance(kind, str) and str(url).startswith("urn:")}


def _entries(reader: Reader) -> str | None:
    """The member that holds the records, where the message is a Bundle."""
    begin = reader.at
    for name in reader.members():
        value = reader.value()
        if name == "resourceType":
            reader.at = begin
            return "entry" if value == "Bundle" else None
    reader.at = begin
    return None
