"""FHIR JSON: the entries of a Bundle, a resource, or one a line; each record is an entry with its resource.

A primitive's `_name` twin becomes its children, so that value and extensions are one node. A reference to an entry by
its urn (`urn:uuid:…`) is told the entry's type, which nothing outside the message could know.
https://hl7.org/fhir/R4/json.html, https://hl7.org/fhir/R4/bundle.html#references
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import zip_longest
from typing import Any

from orjson import loads

from gateway.formats import json
from gateway.formats.json import Found, JsonNode, Reader
from gateway.formats.node import LEAF, Kids, Node
from gateway.formats.record import Format, Limits, Record, recorded
from gateway.issues import Issues

position = json.position


def read(form: Format, body: bytes, issues: Issues, limits: Limits) -> Iterator[Record]:
    """The entries of a message. An entry without a resource (a deletion) is of the type that its request names."""

    types = _types_by_urn(body)

    def make(found: Found) -> Record:
        origin = (None, found, types)
        value = found.value
        if "resourceType" in value:
            root = Node("entry", None, {"resource": [FhirNode("resource", value, origin)]}, None, origin)
            kind = value["resourceType"]
        else:
            root = FhirNode("entry", value, origin)
            kind = root.text("resource", "resourceType") or root.text("request", "url").partition("/")[0]
        kinds = [k for k in form.records if k.at in ("*", kind)]
        return recorded(kinds, root, (found.start, found.end), found.position())

    return json.objects(body, issues, limits, make, _entries)


class FhirNode(JsonNode):
    """A JSON object of FHIR's: a resource's type is its node's `type`."""

    __slots__ = ()

    def __init__(self, name: str, raw: dict[str, Any], pos: Any) -> None:
        super().__init__(name, raw, pos)
        kind = raw.get("resourceType")
        self.type = kind if isinstance(kind, str) else None

    def split(self) -> Kids:
        kids: Kids = {}
        raw, pos = self.raw, self.pos
        for name, value in raw.items():
            plain = name.removeprefix("_")
            if plain == name and "_" + name not in raw:
                kids[name] = self.nodes(name, value, (pos, name))
            elif plain == name or plain not in raw:
                kids[plain] = _primitives(plain, raw.get(plain), (pos, name), raw["_" + plain], (pos, "_" + plain))
        reference = raw.get("reference")
        if isinstance(reference, str) and reference.startswith("urn:") and "type" not in raw:
            kids["type"] = self.nodes("type", _message(pos).get(reference), (pos, "reference"))
        return {name: nodes for name, nodes in kids.items() if nodes}


def _message(pos: Any) -> dict[str, str]:
    """What the whole message knows, which stands at the root of every position."""
    while pos[0] is not None:
        pos = pos[0]
    types: dict[str, str] = pos[2]
    return types


def _types_by_urn(body: bytes) -> dict[str, str]:
    """The types of a Bundle's entries that have a urn: read ahead, for an entry may refer to a later one."""
    if b'"urn:' not in body:
        return {}
    try:
        entries = loads(body).get("entry", ())
        found = {entry["fullUrl"]: entry["resource"]["resourceType"] for entry in entries if "fullUrl" in entry}
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return {}  # Not one whole Bundle: what is wrong with it is told when it is read.
    return {url: kind for url, kind in found.items() if isinstance(kind, str) and str(url).startswith("urn:")}


def _primitives(name: str, value: Any, pos: Any, twin: Any, twin_pos: Any) -> list[Node]:
    """Values with their extensions, which stand in two arrays of one length where the element repeats."""
    if isinstance(value, list) or isinstance(twin, list):
        pairs = zip_longest(value if isinstance(value, list) else (), twin if isinstance(twin, list) else ())
        return [
            node
            for index, (one, other) in enumerate(pairs)
            for node in _primitives(name, one, (pos, index), other, (twin_pos, index))
        ]
    kids = FhirNode(name, twin, twin_pos).kids if isinstance(twin, dict) else LEAF
    if isinstance(value, str | int | Decimal):
        return [Node(name, value, kids, None, pos)]
    return [Node(name, None, kids, None, twin_pos)] if kids else []


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
