"""References: where one points, told from its text, and which type it means.

https://hl7.org/fhir/R4/references.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from gateway.fhir.primitives import ID

Kind = Literal["contained", "relative", "absolute", "conditional", "urn", "other"]

REST: Final = re.compile(
    rf"(?:(?P<base>https?://\S+?)/)?(?P<type>[A-Z][A-Za-z]+)/(?P<id>{ID.pattern})(?:/_history/(?P<version>{ID.pattern}))?"
    r"(?:#(?P<fragment>\S*))?"
)
CONDITIONAL: Final = re.compile(r"(?P<type>[A-Z][A-Za-z]+)\?(?P<query>\S+)")


@dataclass(frozen=True, slots=True)
class Target:
    """What `Reference.reference` points to.

    `contained` (`#x`), `relative` (`Patient/1`, also `[base]/Patient/1` of this server), `absolute` (a RESTful url of
    another server), `conditional` (`Patient?identifier=…`, in transactions), `urn` (`urn:uuid:…`, within a Bundle) or
    `other`.
    """

    kind: Kind
    text: str
    type: str | None = None
    id: str | None = None
    version: str | None = None
    fragment: str | None = None
    base: str | None = None
    query: str | None = None


def parse(text: str, base: str | None = None) -> Target:
    """The target of a literal reference; `base` is this server's own address, whose resources are relative."""
    if text.startswith("#"):
        return Target("contained", text, fragment=text[1:])
    if text.startswith("urn:"):
        return Target("urn", text)
    if found := REST.fullmatch(text):
        foreign = found["base"] if found["base"] != (base or "").rstrip("/") else None
        return Target(
            "absolute" if foreign else "relative",
            text,
            type=found["type"],
            id=found["id"],
            version=found["version"],
            fragment=found["fragment"],
            base=foreign,
        )
    if found := CONDITIONAL.fullmatch(text):
        return Target("conditional", text, type=found["type"], query=found["query"])
    return Target("other", text)
