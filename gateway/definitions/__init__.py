"""The R4 definitions and our own conformance resources, as numbered snapshots.

https://hl7.org/fhir/R4/structuredefinition.html
"""

from gateway.definitions.model import (
    ElementDef,
    Invariant,
    Operation,
    OperationParameter,
    SearchParameter,
    TypeDef,
)
from gateway.definitions.snapshot import CANONICAL, Definitions, load

__all__ = [
    "CANONICAL",
    "Definitions",
    "ElementDef",
    "Invariant",
    "Operation",
    "OperationParameter",
    "SearchParameter",
    "TypeDef",
    "load",
]
