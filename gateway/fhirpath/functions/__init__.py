"""The functions of FHIRPath and those that FHIR adds, as one table."""

from gateway.fhirpath.functions import collections, conversion, elements, maths, slices, strings, times, tree
from gateway.fhirpath.functions.registry import FUNCTIONS, Function, Run

__all__ = [
    "FUNCTIONS",
    "Function",
    "Run",
    "collections",
    "conversion",
    "elements",
    "maths",
    "slices",
    "strings",
    "times",
    "tree",
]
