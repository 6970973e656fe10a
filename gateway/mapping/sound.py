"""What R4 refuses in a draft is left out of it, as any field that does not fit; what cannot be without it is held.

https://hl7.org/fhir/R4/validation.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from gateway.definitions import Definitions
from gateway.fhir.check import check
from gateway.formats import Record
from gateway.issues import Issue
from gateway.mapping.package import MapResult
from gateway.records import Resource

MOST = 20
"""Elements of one draft that are left out; one that is wrong in more places is held."""
_STEP = re.compile(r"\.(\w+)(?:\[(\d+)\])?")


def checked(record: Record, result: MapResult, definitions: Definitions) -> MapResult:
    """The result with what R4 refuses of its drafts: whatever a source sends, what is served is sound."""
    if not result.issues.bad:
        for draft in result.drafts:
            # What is withdrawn need only say which it is.
            for issue in () if draft.withdrawn else make_sound(draft.resource, definitions):
                result.issues.add(issue.at(str(record.position)))
    return result


def make_sound(resource: Resource, definitions: Definitions) -> Iterator[Issue]:
    """Take what is refused out of the resource. An error where the resource itself cannot be used."""
    for _ in range(MOST):
        issues = check(resource, definitions)
        wrong = next((issue for issue in issues if issue.severity in ("fatal", "error")), None)
        if wrong is None:
            yield from issues
            return
        path = [(name, index) for name, index in _STEP.findall(wrong.expression or "")]
        if wrong.rule == "missing-element":
            path.pop()  # What cannot be without it goes with it.
        if not path or not _remove(resource, path):
            yield wrong
            return
        yield replace(wrong, severity="warning", text=f"{wrong.text} The element was left out.")
    yield from check(resource, definitions)


def _remove(resource: Resource, path: list[tuple[str, str]]) -> bool:
    value: Any = resource
    for name, index in path[:-1]:
        value = value.get(name) if isinstance(value, dict) else None
        if index and isinstance(value, list) and int(index) < len(value):
            value = value[int(index)]
    name, index = path[-1]
    if not isinstance(value, dict) or name not in value:
        return False
    if index and isinstance(value[name], list) and len(value[name]) > 1:
        del value[name][int(index)]
    else:
        del value[name]
    return True
