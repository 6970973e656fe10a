"""As much of JSON Schema 2020-12 as our published intake formats use; a keyword that is not known is an error.

https://json-schema.org/draft/2020-12/json-schema-validation
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "docs" / "intake"
TYPES: dict[str, type | tuple[type, ...]] = {"object": dict, "array": list, "string": str, "integer": int}
KNOWN = {
    *("$schema", "$id", "$ref", "$defs", "title", "description", "oneOf", "type", "required", "properties"),
    *("additionalProperties", "items", "minItems", "enum", "const", "pattern", "minLength", "minimum"),
}


@cache
def load(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    return schema


def problems(value: Any, schema_file: str) -> list[str]:
    """Where a value breaks a schema of docs/intake; empty when it keeps it."""
    return list(_problems(value, load(schema_file), schema_file, ""))


def _problems(value: Any, schema: dict[str, Any], file: str, at: str) -> Iterator[str]:
    assert set(schema) <= KNOWN, f"{file} uses {sorted(set(schema) - KNOWN)}"
    if "$ref" in schema:
        other, _, fragment = schema["$ref"].partition("#")
        target: Any = load(other or file)
        for part in fragment.strip("/").split("/"):
            target = target[part] if part else target
        yield from _problems(value, target, other or file, at)
    if "oneOf" in schema:
        yield from _one_of(value, schema["oneOf"], file, at)
    if "type" in schema and not _is(value, schema["type"]):
        yield f"{at}: is not {schema['type']}"
        return
    if value != schema.get("const", value) or value not in schema.get("enum", [value]):
        yield f"{at}: is not among the values"
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{at}: does not match {schema['pattern']}"
    if isinstance(value, str) and len(value) < schema.get("minLength", 0):
        yield f"{at}: is empty"
    if isinstance(value, int) and value < schema.get("minimum", value):
        yield f"{at}: is too small"
    if isinstance(value, list):
        if len(value) < schema.get("minItems", 0):
            yield f"{at}: has too few"
        for index, item in enumerate(value):
            yield from _problems(item, schema.get("items", {}), file, f"{at}/{index}")
    if isinstance(value, dict):
        known = schema.get("properties", {})
        yield from (f"{at}: {name} is missing" for name in schema.get("required", ()) if name not in value)
        if schema.get("additionalProperties") is False:
            yield from (f"{at}: {name} is not known" for name in value if name not in known)
        for name in value.keys() & known.keys():
            yield from _problems(value[name], known[name], file, f"{at}/{name}")


def _one_of(value: Any, choices: list[dict[str, Any]], file: str, at: str) -> Iterator[str]:
    found = [list(_problems(value, choice, file, at)) for choice in choices]
    if sum(not wrong for wrong in found) != 1:
        # The choice with the fewest problems is most likely the one that was meant.
        yield from min(found, key=len) or [f"{at}: fits several"]


def _is(value: Any, name: str) -> bool:
    if name == "boolean":
        return isinstance(value, bool)
    return isinstance(value, TYPES[name]) and not isinstance(value, bool)
