"""Compartment labels: opaque names of what a resource is closed with; who is within one of them may see it.

They follow from other resources (plans/closing.py), and nobody states them.

https://hl7.org/fhir/R4/security-labels.html
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final

from gateway.definitions import CANONICAL
from gateway.records import Resource

COMPARTMENT: Final = f"{CANONICAL}/sid/compartment"
WITHIN: Final = "within/"
"""How the names of compartments begin: those of persons, beside whom their parties are remembered, cannot.

No id has a slash: whoever wrote of a person of such a name would have made himself one of those who are within.
"""


def compartment(reference: str) -> str:
    """The name of the compartment of what a reference refers to."""
    return WITHIN + blake2b(reference.encode(), digest_size=16).hexdigest()


def compartments(resource: Mapping[str, Any]) -> set[str]:
    """The compartments that a resource is in; none where it is open to whoever may see the person's care."""
    labels = resource["meta"].get("security", ()) if "meta" in resource else ()
    return {str(one.get("code")) for one in labels if one.get("system") == COMPARTMENT}


def unlabelled(resource: Resource) -> Resource:
    """What somebody states, without the labels that follow."""
    if not compartments(resource):
        return resource
    kept = [one for one in resource["meta"]["security"] if one.get("system") != COMPARTMENT]
    meta = {name: value for name, value in resource["meta"].items() if name != "security"}
    meta |= {"security": kept} if kept else {}
    rest = {name: value for name, value in resource.items() if name != "meta"}
    return rest | ({"meta": meta} if meta else {})
