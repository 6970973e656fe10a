"""What a caller may do: decisions with their reasons, from rules that read as sentences.

Default deny. The operator may do everything. An organisation reads the directory, and what concerns a person whose
care it takes part in: it states something of that person, or is named by somebody who does. What a caller may not
read does not exist for him (404), by any path (coordination.md C-65).
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.access.caller import Caller

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

READING = frozenset({"read", "vread", "history-instance", "search-type", "operation"})
WRITING = frozenset({"create", "update", "patch", "delete"})


@dataclass(frozen=True, slots=True)
class Decision:
    """Allowed or not, and by which rule; `parties` narrows a search to persons whose care these take part in."""

    allowed: bool
    rule: str
    parties: tuple[str, ...] | None = None


def decide(caller: Caller, resource_type: str, *, takes_part: bool | None) -> Decision:
    """Whether the caller may see a resource; `takes_part` is None where no single person is asked about."""
    if caller.operator:
        return Decision(True, "operator")
    if resource_type in DIRECTORY:
        return Decision(True, "directory-is-open")
    if takes_part is None:
        return Decision(True, "narrowed-to-own-persons", caller.organisations)
    if takes_part:
        return Decision(True, "takes-part-in-the-care")
    return Decision(False, "no-part-in-the-care")
