"""JSON Schemas of the R4 types, written from the definitions: what the structural check demands of a body's form.

A schema says less than the check does: invariants, the targets of references and that a choice has one value only are
the check's. https://hl7.org/fhir/R4/json.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from gateway.definitions import Definitions, ElementDef, TypeDef
from gateway.fhir import primitives

Schema = dict[str, Any]

ANY_RESOURCE: Final = "Resource"
MOST_CODES: Final = 250
"""A value set with more codes than this is told by its url alone."""


def _whole(form: re.Pattern[str]) -> str:
    return f"^(?:{form.pattern})$"


_TEXT: Final[Schema] = {
    "type": "string",
    "minLength": 1,
    "maxLength": primitives.LONGEST,
    "pattern": "^[^\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\ufffe\\uffff]+$",
}
_URI: Final[Schema] = {"type": "string", "minLength": 1, "pattern": "^[^\\s\\u0000-\\u001f\\ufffe\\uffff]+$"}

PRIMITIVES: Final[Mapping[str, Schema]] = {
    "base64Binary": {
        "type": "string",
        "minLength": 4,
        "pattern": "^(?:(?:[ \\t\\r\\n]*[A-Za-z0-9+/]){4})*"
        "(?:(?:[ \\t\\r\\n]*[A-Za-z0-9+/]){2}(?:[ \\t\\r\\n]*=){2}"
        "|(?:[ \\t\\r\\n]*[A-Za-z0-9+/]){3}[ \\t\\r\\n]*=)?[ \\t\\r\\n]*$",
    },
    "boolean": {"type": "boolean"},
    "canonical": _URI,
    "code": {"type": "string", "minLength": 1, "pattern": "^[^\\s\\u0000-\\u001f]+(?:\\s[^\\s\\u0000-\\u001f]+)*$"},
    "date": {"type": "string", "pattern": _whole(primitives.DATE)},
    "dateTime": {"type": "string", "pattern": _whole(primitives.DATE_TIME)},
    "decimal": {"type": "number"},
    "id": {"type": "string", "pattern": _whole(primitives.ID)},
    "instant": {"type": "string", "pattern": _whole(primitives.INSTANT)},
    "integer": {"type": "integer", "minimum": -primitives.MOST - 1, "maximum": primitives.MOST},
    "markdown": _TEXT,
    "oid": {"type": "string", "pattern": _whole(primitives.OID)},
    "positiveInt": {"type": "integer", "minimum": 1, "maximum": primitives.MOST},
    "string": _TEXT,
    "time": {"type": "string", "pattern": _whole(primitives.TIME)},
    "unsignedInt": {"type": "integer", "minimum": 0, "maximum": primitives.MOST},
    "uri": _URI,
    "url": _URI,
    "uuid": {"type": "string", "pattern": _whole(primitives.UUID)},
    "xhtml": {"type": "string", "pattern": "^\\s*<div", "description": "One div of XHTML, without scripts or forms."},
}


def ref(name: str) -> Schema:
    """Where the schema of a type stands in a document."""
    return {"$ref": f"#/components/schemas/{name}"}


def any_resource(definitions: Definitions) -> Schema:
    """A resource of whatever type, by what all have in common."""
    return {
        "type": "object",
        "description": "A resource of any R4 type; ask for the document of one type to see its elements.",
        "required": ["resourceType"],
        "properties": {
            "resourceType": {"type": "string", "enum": sorted(definitions.resource_types)},
            "id": PRIMITIVES["id"],
        },
    }


def schemas(definitions: Definitions, names: Iterable[str]) -> dict[str, Schema]:
    """The schemas of these types and of all that they are made of, by name."""
    made: dict[str, Schema] = {}
    pending = list(names)
    while pending:
        name = pending.pop()
        if name in made:
            continue
        if name == ANY_RESOURCE:
            made[name] = any_resource(definitions)
        elif name in PRIMITIVES:
            made[name] = PRIMITIVES[name]
        else:
            kind = definitions.types[name]
            made[name] = _object(definitions, kind)
            pending += [element.type for element in kind.elements.values()]
            pending.append("Element")
    return dict(sorted(made.items()))


def _object(definitions: Definitions, kind: TypeDef) -> Schema:
    """An object whose members are the elements of the type, and nothing else."""
    properties: dict[str, Schema] = {}
    if kind.kind == "resource":
        properties["resourceType"] = {"type": "string", "const": kind.name}
    for element in kind.elements.values():
        properties[element.name] = _value(definitions, element)
        if _is_primitive(definitions, element):
            properties[f"_{element.name}"] = _beside(element)
    made: Schema = {"type": "object", "properties": properties, "additionalProperties": False, "minProperties": 1}
    required, either = _required(definitions, kind)
    if kind.kind == "resource":
        required.insert(0, "resourceType")
    if required:
        made["required"] = required
    if either:
        made["allOf"] = [{"anyOf": [{"required": [name]} for name in names]} for names in either]
    return made


def _value(definitions: Definitions, element: ElementDef) -> Schema:
    value = _coded(definitions, element) or ref(element.type)
    if not element.is_list:
        return value
    # A value that is only an extension leaves its place in the list empty.
    items = {"anyOf": [value, {"type": "null"}]} if _is_primitive(definitions, element) else value
    made: Schema = {"type": "array", "items": items, "minItems": 1}
    if element.max is not None:
        made["maxItems"] = element.max
    return made


def _coded(definitions: Definitions, element: ElementDef) -> Schema | None:
    """The codes of a required binding, where they can be told."""
    if element.type != "code" or element.binding is None or element.binding[0] != "required":
        return None
    codes = {code for _, code in definitions.codes(element.binding[1]) or ()}
    return {"type": "string", "enum": sorted(codes)} if 0 < len(codes) <= MOST_CODES else None


def _beside(element: ElementDef) -> Schema:
    """The id and the extensions of a primitive value."""
    return (
        {"type": "array", "items": {"anyOf": [ref("Element"), {"type": "null"}]}, "minItems": 1}
        if element.is_list
        else ref("Element")
    )


def _required(definitions: Definitions, kind: TypeDef) -> tuple[list[str], list[list[str]]]:
    """The members that must be there, and those of which one of several must be."""
    alternatives: dict[str, list[str]] = {}
    for element in kind.elements.values():
        if element.min > 0:
            names = alternatives.setdefault(element.choice_of or element.name, [])
            names.append(element.name)
            # An attribute in XML, and so never a value that is only an extension.
            is_attribute = kind.name == "Extension" or element.type == "xhtml"
            if _is_primitive(definitions, element) and not is_attribute:
                names.append(f"_{element.name}")
    required = [names[0] for names in alternatives.values() if len(names) == 1]
    return required, [names for names in alternatives.values() if len(names) > 1]


def _is_primitive(definitions: Definitions, element: ElementDef) -> bool:
    return definitions.types[element.type].kind == "primitive"
