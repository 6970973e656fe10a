"""What the text of R4 says of single data types, beyond their invariants: addresses, uris, sizes, embedded markup.

https://hl7.org/fhir/R4/datatypes.html
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha1
from typing import Any, Final

from gateway.fhir import reference
from gateway.fhir.primitives import OID
from gateway.fhirpath.ucum import unit
from gateway.issues import Severity
from gateway.validation.spots import Primitive, Spot

Told = tuple[Severity, str, str, str, str]
"""Severity, issue code, rule, text, and the step below the spot where it is (empty: the spot itself)."""

ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")
UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
MARKUP: Final = re.compile(r"</?[A-Za-z][A-Za-z0-9]*(?:\s[^<>]*)?/?>")
VALUE_SET: Final = re.compile(r"https?://\S+/ValueSet/\S+")
UCUM: Final = "http://unitsofmeasure.org"
URIS: Final = "urn:ietf:rfc:3986"


def coding(value: Mapping[str, Any]) -> Iterator[Told]:
    system = value.get("system")
    if type(system) is str:
        if not ABSOLUTE.fullmatch(system):
            text = "A code system is named by an absolute uri, such as http://loinc.org."
            yield "error", "value", "coding-system-absolute", text, "system"
        elif VALUE_SET.fullmatch(system):
            text = "This is the url of a value set. Name the code system that the code is of."
            yield "error", "value", "coding-system-value-set", text, "system"
    elif "code" in value and "_system" not in value and "extension" not in value:
        text = "A code without a system means nothing to others: name its code system."
        yield "warning", "value", "coding-without-system", text, "system"


def identifier(value: Mapping[str, Any]) -> Iterator[Told]:
    system, number = value.get("system"), value.get("value")
    if type(system) is str and not ABSOLUTE.fullmatch(system):
        text = "The system of an identifier is an absolute uri, such as urn:oid:1.2.752.129.2.1.3.1."
        yield "error", "value", "identifier-system-absolute", text, "system"
    elif system == URIS and type(number) is str and not ABSOLUTE.fullmatch(number):
        text = f"Under {URIS} the value is a whole uri, such as urn:uuid:…"
        yield "warning", "value", "identifier-value-uri", text, "value"


def attachment(value: Mapping[str, Any]) -> Iterator[Told]:
    data, size, hashed = value.get("data"), value.get("size"), value.get("hash")
    if type(data) is str and (type(size) is int or type(hashed) is str):
        try:
            content, digest = b64decode(data), b64decode(hashed) if type(hashed) is str else None
        except (Error, ValueError):
            return
        if type(size) is int and len(content) != size:
            text = f"The size is said to be {size} bytes, and the data has {len(content)}."
            yield "error", "value", "attachment-size", text, "size"
        if digest is not None and digest != sha1(content, usedforsecurity=False).digest():
            text = "The hash is not the data's: it is the SHA-1 of the data, its 20 bytes in base64."
            yield "error", "value", "attachment-hash", text, "hash"
    elif data is None and not {"url", "_url", "_data", "title", "extension"} & value.keys():
        text = "An attachment without data or url has nothing to show."
        yield "warning", "value", "attachment-empty", text, ""


def quantity(value: Mapping[str, Any]) -> Iterator[Told]:
    code = value.get("code")
    if value.get("system") == UCUM and type(code) is str and unit(code) is None:
        text = "UCUM has no unit that is written so. Its codes are such as mg, mmol/L, 10*9/L, [degF] and {tablet}."
        yield "warning", "code-invalid", "unit-unknown", text, "code"


def measured_in(base: str, shown: str) -> Callable[[Mapping[str, Any]], Iterator[Told]]:
    """A quantity whose unit is one of those that `base` is the canonical one of (`all-time-units`: s)."""
    of_kind = unit(base)

    def told(value: Mapping[str, Any]) -> Iterator[Told]:
        yield from quantity(value)
        code = value.get("code")
        found = unit(code) if value.get("system") == UCUM and type(code) is str else None
        if found is not None and of_kind is not None and found.dimensions != of_kind.dimensions:
            yield "warning", "code-invalid", "unit-of-another-kind", f"The unit is one of {shown}.", "code"

    return told


def literal_reference(value: Mapping[str, Any]) -> Iterator[Told]:
    written = value.get("reference")
    if type(written) is not str:
        if value.keys() <= {"type", "id"}:
            text = "A reference says where it leads: give reference, identifier or display."
            yield "warning", "value", "reference-empty", text, ""
        return
    if reference.parse(written).kind == "other" and not ABSOLUTE.fullmatch(written):
        text = "Write Type/id, an absolute url, urn:uuid:…, or # and the id of a contained resource."
        yield "error", "value", "reference-form", text, "reference"
    for severity, code, rule, text, _ in uri(written):
        yield severity, code, rule, text, "reference"


def uri(value: Any) -> Iterator[Told]:
    if type(value) is not str:
        return
    if value.startswith("urn:uuid:") and not UUID.fullmatch(re.split("[#|]", value[9:], maxsplit=1)[0]):
        yield "error", "value", "uri-uuid", "After urn:uuid: stands a UUID: 8-4-4-4-12 hexadecimal digits.", ""
    elif value.startswith("urn:oid:") and not OID.fullmatch(value):
        yield "warning", "value", "uri-oid", "After urn:oid: stand numbers with dots between, the first 0, 1 or 2.", ""


def canonical(value: Any) -> Iterator[Told]:
    if type(value) is str and ":" not in value and not value.startswith("#"):
        text = "A canonical is an absolute url, with |version where one is meant, or # and a contained id."
        yield "warning", "value", "canonical-absolute", text, ""
    yield from uri(value)


def markup(value: Any) -> Iterator[Told]:
    if type(value) is str and "<" in value and MARKUP.search(value):
        text = "This looks like HTML, which is not shown as such here. Write it as text or as Markdown."
        yield "warning", "value", "embedded-markup", text, ""
    elif type(value) is str and value.isspace():
        yield "warning", "value", "text-blank", "White space alone says nothing: leave the element out.", ""


OBJECTS: Final[Mapping[str, Callable[[Mapping[str, Any]], Iterator[Told]]]] = {
    "Coding": coding,
    "Identifier": identifier,
    "Attachment": attachment,
    "Reference": literal_reference,
    **dict.fromkeys(("Quantity", "Count"), quantity),
    **dict.fromkeys(("Age", "Duration"), measured_in("s", "time, such as min, h, d, wk, mo and a")),
    "Distance": measured_in("m", "length, such as cm, m and km"),
}
PRIMITIVES: Final[Mapping[str, Callable[[Any], Iterator[Told]]]] = {
    **dict.fromkeys(("uri", "url"), uri),
    "canonical": canonical,
    **dict.fromkeys(("string", "markdown"), markup),
}


def told(spot: Spot) -> Iterator[Told]:
    """What is wrong with a value by its type alone."""
    if type(spot.value) is Primitive:
        if (primitive := PRIMITIVES.get(spot.type)) is not None:
            yield from primitive(spot.value.value)
    elif (rule := OBJECTS.get(spot.type)) is not None:
        yield from rule(spot.value)
