"""The structural check of every write: types, cardinalities, choices, forms, required codes, reference targets.

https://hl7.org/fhir/R4/validation.html and https://hl7.org/fhir/R4/json.html

All faults of a resource are told at once, each with its FHIRPath and what to write instead, never the value itself.
The rules come from the definitions; `gateway.fhir.plans` compiles them per type when the type is first met.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import islice
from typing import Any, Final

from gateway.definitions import Definitions
from gateway.fhir.plans import Plans
from gateway.issues import Issue

# What a hostile Bundle could make the answer grow to.
MOST: Final = 500
TOO_MANY: Final = "There are more errors than are told: these are the first. Mend them, and validate again."

CODES: Final = {
    "json-type": "structure",
    "empty-element": "structure",
    "unknown-element": "structure",
    "unknown-resource-type": "structure",
    "two-choices": "structure",
    "too-many-values": "structure",
    "missing-element": "required",
    "primitive-format": "value",
    "reference-target": "value",
    "extension-url": "value",
    "required-binding": "code-invalid",
}
"""The issue code of each rule; an invariant's key is its own rule."""

TYPE_NAME: Final = re.compile(r"[A-Z][A-Za-z]{1,63}")


def check(resource: dict[str, Any], d: Definitions, *, base: str | None = None, at: str | None = None) -> list[Issue]:
    """Everything that is structurally wrong with a resource; nothing, if it may be stored.

    `base` is this server's own address, so that absolute references to itself are checked like relative ones; `at` is
    where the resource stands in what was sent, where it does not stand alone.
    """
    faults = compiled(d).whole(resource, base)
    if not faults:
        return []
    root = root_of(resource) if at is None else at
    told = [
        Issue("error", CODES.get(rule, "invariant"), rule, text, expression=root + path)
        for path, rule, text in islice(faults, MOST)
    ]
    if len(faults) > MOST:
        told.append(Issue("warning", "incomplete", "too-many-issues", TOO_MANY))
    return told


def root_of(resource: dict[str, Any]) -> str:
    """What paths into a resource begin with."""
    named = resource.get("resourceType")
    return named if isinstance(named, str) and TYPE_NAME.fullmatch(named) else "Resource"


@lru_cache(maxsize=4)
def compiled(d: Definitions) -> Plans:
    """The plans of a snapshot: they live as long as it is in use."""
    return Plans(d)
