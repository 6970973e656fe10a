"""SearchParameters that somebody wrote here: which are in use, and of which types.

https://hl7.org/fhir/R4/searchparameter.html
"""

from __future__ import annotations

from gateway.definitions import Definitions
from gateway.definitions.searchparameters import from_resource
from gateway.records import Resource

TYPE = "SearchParameter"


def in_use(resource: Resource) -> bool:
    """Whether it is meant to be used: a draft is not yet, a retired one no more."""
    return resource.get("status") == "active"


def types_of(resource: Resource, definitions: Definitions) -> list[str]:
    """The resource types that it applies to."""
    parameter = from_resource(resource)
    return [one for one in definitions.resource_types if definitions.applies(parameter, one)]
