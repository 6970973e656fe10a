"""XML, ER7, CSV and JSON as one node tree with source positions.

`read` gives the records of a message one by one and adds to `issues` what could not be read; `position` says where a
node stands in the message's bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from gateway.formats import csv, er7, fhir, json, xml
from gateway.formats.node import EXPLICIT_NULL, LEAF, FhirType, LazyNode, Node
from gateway.formats.record import OPTIONS, UNKNOWN_RECORD, EnvelopeRule, Format, Kind, Limits, Record, RecordKind
from gateway.issues import Issues
from gateway.records import Position

__all__ = [
    "EXPLICIT_NULL",
    "LEAF",
    "OPTIONS",
    "UNKNOWN_RECORD",
    "EnvelopeRule",
    "FhirType",
    "Format",
    "Kind",
    "LazyNode",
    "Limits",
    "Node",
    "Record",
    "RecordKind",
    "position",
    "read",
    "stream",
]

LIMITS = Limits()

_READERS: dict[Kind, Callable[[Format, bytes, Issues, Limits], Iterator[Record]]] = {
    "xml": xml.read,
    "er7": er7.read,
    "csv": csv.read,
    "json": json.read,
    "fhir": fhir.read,
}
_POSITIONS: dict[Kind, Callable[[Node, bytes], Position]] = {
    "xml": xml.position,
    "er7": er7.position,
    "csv": csv.position,
    "json": json.position,
    "fhir": fhir.position,
}


def read(form: Format, body: bytes, issues: Issues, limits: Limits = LIMITS) -> Iterator[Record]:
    """The records of a message, lazily and in order. Nothing in a message makes this raise."""
    if len(body) > limits.bytes:
        text = f"The message is larger than {limits.bytes} bytes. Send it in parts."
        issues.fatal("too-long", "too-large-message", text)
        return iter(())
    return _READERS[form.kind](form, body, issues, limits)


def stream(
    form: Format, chunks: Iterable[bytes], issues: Issues, limits: Limits = LIMITS
) -> Iterator[tuple[Record, bytes]]:
    """The records of XML that comes piece by piece, of any length and in constant memory, each with its own bytes.

    A record's span is in the message; `position` takes the record's bytes and counts within them.
    """
    if form.kind != "xml":
        raise ValueError(f"{form.kind} is not read as a stream")
    return xml.stream(form, chunks, issues, limits)


def position(kind: Kind, node: Node, body: bytes) -> Position:
    """Where a node's value stands in the message."""
    return _POSITIONS[kind](node, body)
