"""FHIRPath, compiled to Python: one engine for maps, search parameters, invariants, patches and subscription filters.

https://hl7.org/fhirpath/N1/
"""

from gateway.fhirpath.environment import Environment
from gateway.fhirpath.errors import FHIRPathError, Problem
from gateway.fhirpath.parser import parse
from gateway.fhirpath.path import Path
from gateway.fhirpath.path import compile_path as compile
from gateway.fhirpath.quantity import Quantity
from gateway.fhirpath.temporal import Date, DateTime, Time
from gateway.fhirpath.values import Element

__all__ = [
    "Date",
    "DateTime",
    "Element",
    "Environment",
    "FHIRPathError",
    "Path",
    "Problem",
    "Quantity",
    "Time",
    "compile",
    "parse",
]
