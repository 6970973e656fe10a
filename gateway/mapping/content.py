"""Content that comes without a package: read by its media type, whole, for maps that are sent or stored."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from gateway import formats
from gateway.definitions import Definitions
from gateway.fhir import json as fhir_json
from gateway.fhir import xml as fhir_xml
from gateway.formats import Format, Kind, Limits, Record, RecordKind
from gateway.formats import json as json_format
from gateway.formats.fhir_nodes import FhirNode
from gateway.formats.json import Found
from gateway.issues import Issues

KINDS: dict[str, Kind] = {
    "application/fhir+json": "fhir",
    "application/fhir+xml": "xml",
    "application/json": "json",
    "text/json": "json",
    "application/xml": "xml",
    "text/xml": "xml",
    "text/csv": "csv",
    "x-application/hl7-v2+er7": "er7",
    "application/hl7-v2": "er7",
    "application/hl7-v2+er7": "er7",
}
"""By media type, what content is read as."""
FHIR = "http://hl7.org/fhir"
CONTENT = "content"
LIMITS = Limits(bytes=16 << 20, records=10_000)

_ROOT = re.compile(rb"\s*(?:<\?.*?\?>\s*|<!--.*?-->\s*)*<(?:[\w.-]+:)?([\w.-]+)", re.DOTALL)


def read(kind: Kind, body: bytes, definitions: Definitions, issues: Issues) -> tuple[bytes, Kind, list[Record]]:
    """The records of a document, with the bytes and the kind that their positions are of."""
    if kind == "xml" and FHIR.encode() in body[:4096]:
        body, kind = fhir_json.dump(fhir_xml.parse(body, definitions)), "fhir"
    if kind in ("json", "fhir"):
        return body, "fhir", list(_objects(body, issues))
    at = "*"
    if kind == "xml":
        root = _ROOT.match(body.removeprefix(b"\xef\xbb\xbf")[:65536])
        at = f"{{*}}{root[1].decode()}" if root else "{*}none"
    form = Format(kind, {}, (RecordKind(CONTENT, at),))
    return body, kind, list(formats.read(form, body, issues, LIMITS))


def _objects(body: bytes, issues: Issues) -> Iterator[Record]:
    """JSON, FHIR's or any: a primitive and its `_name` twin are one node, which other JSON has no use for."""

    def made(found: Found) -> Record:
        value: Any = found.value
        node = FhirNode(str(value.get("resourceType", "record")), value, (None, found, {}))
        return Record(CONTENT, node, (found.start, found.end), found.position())

    if len(body) > LIMITS.bytes:
        issues.fatal("too-long", "too-large-message", f"The content is larger than {LIMITS.bytes} bytes.")
        return iter(())
    return json_format.objects(body, issues, LIMITS, made)
