"""Validation: everything that is wrong with a resource, by R4 and by the profiles that it is held to.

https://hl7.org/fhir/R4/validation.html
"""

from gateway.validation.surroundings import Surroundings
from gateway.validation.validate import Wanted, validate

__all__ = ["Surroundings", "Wanted", "validate"]
