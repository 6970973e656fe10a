"""The value set that an element is bound to: what $expand and $validate-code mean by a context.

https://hl7.org/fhir/R4/valueset-operation-expand.html
"""

from __future__ import annotations

from typing import Final

from gateway.definitions import Definitions

STRUCTURE: Final = "http://hl7.org/fhir/StructureDefinition/"


def bound(context: str, definitions: Definitions) -> str | None:
    """The canonical of the value set of `[StructureDefinition]#Type.element`, of R4's own types; None for another."""
    url, _, path = context.partition("#")
    name = url.removeprefix(STRUCTURE)
    first, *steps = path.split(".")
    if not url.startswith(STRUCTURE) or name not in definitions.types or first not in (name, ""):
        return None
    kind, binding = definitions.types[name], None
    for step in steps:
        plain = step.removesuffix("[x]")
        element = kind.elements.get(plain) or next(
            (kind.elements[one] for one in kind.choices.get(plain, {}).values() if kind.elements[one].binding), None
        )
        if element is None:
            return None
        kind, binding = definitions.types[element.type], element.binding
    return None if binding is None else binding[1]
