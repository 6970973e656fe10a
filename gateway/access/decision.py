"""What a caller may do: decisions with their reasons, from rules that read as sentences.

Default deny. The operator may do everything. An organisation reads the directory, and what concerns a person whose
care it takes part in: it states something of that person, or is named by somebody who does; and the months of measures,
which are about nobody. What a caller may not read does not exist for him (404), by any path (coordination.md C-65).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.access.caller import Caller
from gateway.coordination.plans.basis import WITHHELD
from gateway.coordination.statements import GATEWAY_SOURCE, OPERATOR_SOURCE
from gateway.records import Source

DIRECTORY = frozenset(
    {
        "Organization",
        "Location",
        "HealthcareService",
        "PractitionerRole",
        "Practitioner",
        "Endpoint",
        "CodeSystem",
        "ValueSet",
        "ConceptMap",
        "NamingSystem",
        "StructureDefinition",
        "StructureMap",
        "SearchParameter",
        "OperationDefinition",
        "CapabilityStatement",
        "CompartmentDefinition",
        "ImplementationGuide",
        "MessageDefinition",
        "ActivityDefinition",
        "PlanDefinition",
        "Questionnaire",
        "Library",
        "Measure",
    }
)
"""Types that say something of organisations, words and rules, not of persons."""

SHARED = ("MeasureReport", GATEWAY_SOURCE)
"""What this source alone states of nobody is for every party: the months of measures (ADR 76)."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Allowed or not, and by which rule."""

    allowed: bool
    rule: str


def decide(caller: Caller, resource_type: str, *, takes_part: bool | None, shared: bool = False) -> Decision:
    """Whether the caller may see a resource; `takes_part` is None where no single person is asked about.

    `shared`: it is what `is_shared` tells.
    """
    if caller.operator:
        return Decision(True, "operator")
    if resource_type in DIRECTORY:
        return Decision(True, "directory-is-open")
    if shared:
        return Decision(True, "counted-of-nobody")
    if takes_part is None:
        return Decision(True, "narrowed-to-own-persons")
    if takes_part:
        return Decision(True, "takes-part-in-the-care")
    return Decision(False, "no-part-in-the-care")


def is_shared(resource_type: str, person: str | None, contributors: Collection[str]) -> bool:
    """Whether a resource is what the gateway counted of nobody, which every party may read."""
    return resource_type == SHARED[0] and person is None and tuple(contributors) == SHARED[1:]


def decide_write(caller: Caller, resource_type: str, *, takes_part: bool, asks_for_it: bool) -> Decision:
    """Whether the caller may state something; `asks_for_it`: it is the requester of what it writes."""
    if caller.operator:
        return Decision(True, "operator")
    if resource_type in DIRECTORY:
        return Decision(False, "directory-is-the-operators")
    if takes_part:
        return Decision(True, "takes-part-in-the-care")
    if asks_for_it:
        return Decision(True, "asks-for-the-care")
    return Decision(False, "no-part-in-the-care")


def source_of(caller: Caller) -> str:
    """The source of what a caller writes himself."""
    return OPERATOR_SOURCE if caller.operator else f"organisation:{caller.hsa_id}"


def own_sources(caller: Caller, sources: Iterable[Source]) -> frozenset[str]:
    """The sources of the caller's own care provider, and his own word."""
    return frozenset((source_of(caller), *(one.id for one in sources if one.controller in caller.organisations)))


def withheld(resource: Mapping[str, Any], contributors: Collection[str], own: Collection[str]) -> bool:
    """Whether a label keeps the resource from one who may see it otherwise: from all but those who alone state it.

    Where others state the same thing too, it cannot be told from the resource whose words are withheld: it is then
    kept from everybody.
    """
    labels = {(label.get("system"), label.get("code")) for label in resource.get("meta", {}).get("security", ())}
    return WITHHELD in labels and not (contributors and set(contributors) <= set(own))
