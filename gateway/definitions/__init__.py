"""The R4 definitions and our own conformance resources, as numbered snapshots.

https://hl7.org/fhir/R4/structuredefinition.html
"""

from gateway.definitions.codes import CodeSystem
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
    "CodeSystem",
    "Definitions",
    "ElementDef",
    "Invariant",
    "Operation",
    "OperationParameter",
    "SearchParameter",
    "TypeDef",
    "load",
]
