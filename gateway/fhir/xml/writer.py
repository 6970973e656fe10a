"""A JSON resource as XML: elements in the order of their definition, values as attributes, decimals with their digits.

https://hl7.org/fhir/R4/xml.html

The resource is one that the structural check lets pass; each narrative is looked at again, because it becomes markup.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from itertools import zip_longest
from typing import Any, Final

from gateway.definitions import Definitions
from gateway.errors import NotAcceptable
from gateway.fhir import narrative
from gateway.fhir.json import digits
from gateway.fhir.xml.shapes import FHIR, Member, Shape, shapes
from gateway.records import Resource

DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>'
SPECIAL: Final = re.compile('[&<"\x00-\x1f\ud800-\udfff\ufffe\uffff]')
# White space is written as references: a reader would make blanks of it otherwise.
ESCAPED: Final = {"&": "&amp;", "<": "&lt;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}


def dump(resource: Resource, d: Definitions, *, pretty: bool = False) -> bytes:
    """The resource as an XML document in UTF-8. NotAcceptable for the few characters that XML cannot hold."""
    out = [DECLARATION]
    all_shapes = shapes(d)
    name = resource["resourceType"]
    _object(out, name, resource, all_shapes.resources.members[name].shape, "\n" if pretty else "", f' xmlns="{FHIR}"')
    return "".join(out).encode()


def _object(out: list[str], name: str, value: Mapping[str, Any], shape: Shape, pad: str, attributes: str = "") -> None:
    """An element and what it holds. `pad` is the line break and the blanks before it, where there are any."""
    own = "".join(f' {one}="{_text(value[one])}"' for one in shape.attributes if one in value)
    out.append(f"{pad}<{name}{own}{attributes}")
    mark = len(out)
    out.append(">")
    _members(out, value, shape, pad and pad + "  ")
    if len(out) == mark + 1:
        out[mark] = "/>"
    else:
        out.append(f"{pad}</{name}>")


def _members(out: list[str], value: Mapping[str, Any], shape: Shape, pad: str) -> None:
    for member in _in_order(value, shape):
        key = member.key
        item: Any = value.get(key)
        match member.kind:
            case "primitive":
                beside = value.get("_" + key)
                if member.many:
                    for one, more in zip_longest(item or (), beside or ()):
                        _primitive(out, member, one, more, pad)
                else:
                    _primitive(out, member, item, beside, pad)
            case "object":
                for one in item if member.many else (item,):
                    _object(out, key, one, member.shape, pad)
            case "holder":
                for one in item if member.many else (item,):
                    named = one["resourceType"]
                    out.append(f"{pad}<{key}>")
                    _object(out, named, one, member.shape.members[named].shape, pad and pad + "  ")
                    out.append(f"{pad}</{key}>")
            case "narrative":
                if narrative.fault(item) is not None:
                    raise NotAcceptable("A narrative here is not XHTML: ask for application/fhir+json.", rule="txt-1")
                out.append(pad + item)


def _in_order(value: Mapping[str, Any], shape: Shape) -> Iterable[Member]:
    """The members that have a value, or something beside it, in the order of their definition."""
    members = shape.members
    found: list[Member] = []
    last, is_sorted = -1, True
    for key in value:
        member = members.get(key)
        if member is None:
            if key in shape.attributes or key == "resourceType":
                continue
            if key[1:] in value:
                continue
            member = members[key[1:]]
        if member.order < last:
            is_sorted = False
        last = member.order
        found.append(member)
    return found if is_sorted else sorted(found, key=_order)


def _order(member: Member) -> int:
    return member.order


def _primitive(out: list[str], member: Member, value: Any, beside: Mapping[str, Any] | None, pad: str) -> None:
    given = "" if value is None else f' value="{_text(value)}"'
    if beside:
        _object(out, member.key, beside, member.shape, pad, given)
    elif given:
        out.append(f"{pad}<{member.key}{given}/>")


def _text(value: Any) -> str:
    """A value as it stands between quotes."""
    if type(value) is str:
        return SPECIAL.sub(_escape, value) if SPECIAL.search(value) else value
    if type(value) is bool:
        return "true" if value else "false"
    return digits(value) if isinstance(value, Decimal) else str(value)


def _escape(found: re.Match[str]) -> str:
    escaped = ESCAPED.get(found[0])
    if escaped is None:
        raise NotAcceptable(
            "A text here holds a control character, which XML cannot: ask for application/fhir+json.",
            rule="xml-character",
        )
    return escaped
