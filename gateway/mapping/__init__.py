"""FHIR Mapping Language, compiled; packages of maps, run and explained.

https://build.fhir.org/ig/HL7/mapping-language-ig/
"""

from gateway.mapping.compiler import CompiledMap, compile_map
from gateway.mapping.library import Library
from gateway.mapping.package import MapResult, Package, Packages, Trace
from gateway.mapping.parser import parse
from gateway.mapping.problems import CompileError, Problem, Problems

__all__ = [
    "CompileError",
    "CompiledMap",
    "Library",
    "MapResult",
    "Package",
    "Packages",
    "Problem",
    "Problems",
    "Trace",
    "compile_map",
    "parse",
]
