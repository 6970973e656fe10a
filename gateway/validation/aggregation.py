"""How a profile lets a reference be made: to what is contained, in the same Bundle or elsewhere; of a version or not.

https://hl7.org/fhir/R4/elementdefinition-definitions.html#ElementDefinition.type.aggregation
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.validation.spots import Spot
from gateway.validation.tree import Use

WORDS = {
    "contained": "to a contained resource",
    "bundled": "to an entry of the same Bundle",
    "referenced": "to a resource that is elsewhere",
}


def forbidden(spot: Spot, uses: Sequence[Use]) -> str | None:
    """Why none of the uses lets a reference be made as it is; None where one does, or it names nothing."""
    written = spot.value.get("reference")
    if type(written) is not str or written == "#":
        return None
    manner = _manner(written, spot)
    if uses and not any(not use.aggregation or manner in use.aggregation for use in uses):
        allowed = dict.fromkeys(WORDS.get(one, one) for use in uses for one in use.aggregation)
        return f"The profile asks for a reference {' or '.join(allowed)}."
    versions = {use.versioning for use in uses}
    if manner == "referenced" and versions == {"specific"} and "/_history/" not in written:
        return "The profile asks for a reference to one version: …/_history/ and the version."
    if manner == "referenced" and versions == {"independent"} and "/_history/" in written:
        return "The profile asks for a reference to no certain version: leave /_history/ and what follows out."
    return None


def _manner(written: str, spot: Spot) -> str:
    if written.startswith("#"):
        return "contained"
    entries = spot.frame.bundle
    return "bundled" if entries is not None and entries.find(written, spot.frame.url) is not None else "referenced"
