"""The OpenAPI document as a page shows it: each operation and each schema as rows of text.

docs/api/openapi.md
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Input:
    """One parameter of an operation."""

    name: str
    place: str
    kind: str
    about: str
    required: bool


@dataclass(frozen=True, slots=True)
class Output:
    """One way to be answered."""

    status: str
    about: str
    media_types: tuple[str, ...]
    headers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path."""

    id: str
    method: str
    path: str
    title: str
    about: str
    inputs: tuple[Input, ...]
    body: tuple[str, ...]
    outputs: tuple[Output, ...]

    @property
    def opens(self) -> bool:
        """Whether the path is an address as it stands, that a browser can show."""
        return self.method == "GET" and "{" not in self.path


@dataclass(frozen=True, slots=True)
class Member:
    """One element of a schema; `schema` is the name of its type's, where that has a table too."""

    name: str
    kind: str
    schema: str | None
    many: bool
    required: bool
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Schema:
    """One type that is an object, by its elements."""

    name: str
    members: tuple[Member, ...]


def operations(document: Json) -> list[Operation]:
    """In the document's order."""
    return [
        Operation(
            operation["operationId"],
            method.upper(),
            path,
            operation["summary"],
            operation["description"],
            tuple(_input(_followed(document, one)) for one in operation.get("parameters", ())),
            tuple(operation.get("requestBody", {}).get("content", {})),
            tuple(_outputs(document, operation["responses"])),
        )
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def schemas(document: Json, first: str | None) -> list[Schema]:
    """Those of objects; `first` and what belongs to it before the others."""
    made = [
        Schema(name, tuple(_members(document, schema)))
        for name, schema in document["components"]["schemas"].items()
        if len(schema.get("properties", ())) > 0
    ]
    return sorted(made, key=lambda one: (one.name.partition(".")[0] != first, one.name))


def _followed(document: Json, found: Json) -> Json:
    """What a reference leads to, or the thing itself."""
    if "$ref" not in found:
        return found
    _, *steps = found["$ref"].split("/")
    place: Any = document
    for step in steps:
        place = place[step]
    return dict(place)


def _input(parameter: Json) -> Input:
    schema = parameter["schema"]
    return Input(
        parameter["name"],
        parameter["in"],
        " | ".join(schema["enum"]) if 0 < len(schema.get("enum", ())) <= 10 else schema["type"],
        parameter.get("description", ""),
        parameter.get("required", False),
    )


def _outputs(document: Json, responses: Json) -> Iterator[Output]:
    for status, response in responses.items():
        found = _followed(document, response)
        yield Output(status, found["description"], tuple(found.get("content", ())), tuple(found.get("headers", ())))


def _members(document: Json, schema: Json) -> Iterator[Member]:
    required = {*schema.get("required", ())}
    required |= {name for either in schema.get("allOf", ()) for name in _alternatives(either)}
    for name, value in schema["properties"].items():
        if name.startswith("_"):  # What stands beside a primitive value.
            continue
        many = value.get("type") == "array"
        item = value["items"] if many else value
        item = item.get("anyOf", [item])[0]
        kind = item["$ref"].rpartition("/")[2] if "$ref" in item else item.get("const", item["type"])
        known = document["components"]["schemas"].get(kind, {})
        codes = tuple(item.get("enum", ()))
        yield Member(name, kind, kind if "properties" in known else None, many, name in required, codes)


def _alternatives(either: Json) -> Iterator[str]:
    """The one element that must be there, as a value or as what stands beside it; of a choice, none by itself."""
    names = {name.lstrip("_") for one in either["anyOf"] for name in one["required"]}
    if len(names) == 1:
        yield from names
