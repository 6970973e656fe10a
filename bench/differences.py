"""Where fhirpathpy answers otherwise than we do: the classes of differences, each with the paragraph that decides it.

docs/fhirpathpy.md tells of each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Difference:
    expression: str
    context: str
    value: Any
    ours: list[str]
    theirs: list[str]

    def refused(self, word: str) -> bool:
        return any(text.startswith("refused: ") and word in text for text in self.theirs)


def _extended(value: Any) -> bool:
    """Whether an object has a primitive that is an extension only."""
    return any(name.startswith("_") and name[1:] not in value for name in value)


# The first that fits is the class of a difference.
CLASSES: dict[str, tuple[str, Callable[[Difference], bool]]] = {
    "function": ("R4 fhirpath.html, functions", lambda it: it.refused("Not implemented")),
    "reference": ("R4 references.html, literal references", lambda it: "resolve() is" in it.expression),
    "base type": (
        "FHIRPath path selection",
        lambda it: it.expression.startswith(("Resource.", "DomainResource.")) and not it.theirs,
    ),
    "subtype": (
        "HL7's suite, testTypes (gender.as(string) is nothing)",
        lambda it: " as uri)" in it.expression and not it.ours,
    ),
    "as": ("FHIRPath as; R4 search parameters", lambda it: it.refused("singleton on left side of 'as'")),
    "other type": ("R4 cid-0", lambda it: any("has no element" in text for text in it.ours)),
    "quantities": ("FHIRPath comparison; R4 fhirpath.html, types", lambda it: it.refused("'dict' and 'dict'")),
    "extension only": (
        "R4 json.html, primitive types",
        lambda it: "children()" in it.expression and _extended(it.value) and it.theirs == ["false"],
    ),
}


def classified(difference: Difference) -> str:
    return next((name for name, (_, fits) in CLASSES.items() if fits(difference)), "unexplained")
