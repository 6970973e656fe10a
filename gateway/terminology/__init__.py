"""Terminology: which codes a value set has, and what lies below or above a code.

https://hl7.org/fhir/R4/terminology-module.html
"""

from gateway.terminology.terminology import Find, System, Terminology, TooLarge

__all__ = ["Find", "System", "Terminology", "TooLarge"]
