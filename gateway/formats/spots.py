"""Lines and columns of many FHIRPaths in one FHIR resource, in JSON or XML: the whole is read once for all of them.

https://hl7.org/fhir/R4/operationoutcome-definitions.html#OperationOutcome.issue.expression
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

from gateway.formats.fhir_places import spans
from gateway.formats.json_places import starts
from gateway.formats.places import place

_STEP = re.compile(r"\.ofType\(([A-Za-z]+)\)|\.?(?:`([^`]+)`|([A-Za-z_][A-Za-z0-9_]*))|\[(\d+)\]")
Pointer = tuple[str | int, ...]


def spots(body: bytes, expressions: Iterable[str], *, is_xml: bool) -> Mapping[str, tuple[int, int]]:
    """Line and column, from 1, of what each expression names or, where that is not there, of what is around it."""
    wanted = {one: pointer(one) for one in set(expressions)}
    found = spans(body, wanted.values()) if is_xml else _in_json(body, wanted.values())
    told: dict[str, tuple[int, int]] = {}
    places: dict[int, tuple[int, int]] = {}
    for expression, path in wanted.items():
        offset = next((found[path[:n]] for n in range(len(path), -1, -1) if path[:n] in found), 0)
        if offset not in places:
            places[offset] = place(body, offset)
        told[expression] = places[offset]
    return told


def pointer(expression: str) -> Pointer:
    """The steps below the resource's type in JSON: names and numbers, a choice with its type."""
    steps: list[str | int] = []
    for found in _STEP.finditer(expression):
        kind, quoted, name, number = found.groups()
        if kind is not None:
            if steps and isinstance(steps[-1], str):
                steps[-1] += kind[0].upper() + kind[1:]
        elif number is not None:
            steps.append(int(number))
        elif found.start() > 0:  # The first step is the type itself.
            steps.append(quoted or name)
    return tuple(steps)


def _in_json(body: bytes, wanted: Iterable[Pointer]) -> dict[Pointer, int]:
    """Byte offsets of what is there of the paths and of what is around them."""
    prefixes = {path[:length] for path in wanted for length in range(len(path) + 1)}
    try:
        text = body.decode("utf-8-sig")
        found = starts(text, prefixes)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        return {}
    shift = len(body) - len(text.encode())
    if text.isascii():
        return {path: offset + shift for path, offset in found.items()}
    return {path: len(text[:offset].encode()) + shift for path, offset in found.items()}
