"""What belongs to other versions of FHIRPath or FHIR, and what to write here instead.

https://hl7.org/fhir/R4/fhirpath.html#functions
"""

from __future__ import annotations

_R5 = "It is of FHIR R5"

FUNCTIONS = {
    "ordinal": "It is of Structured Data Capture; read the extension ordinalValue with extension(…).",
    "weight": "It is of Structured Data Capture; read the extension itemWeight with extension(…).",
    "answers": "It is of Structured Data Capture; write descendants().answer.",
    "repeatAll": "It is of FHIRPath 3; repeat(…) gives each item once.",
    "duration": "It is of FHIRPath 3 and CQL; subtract quantities, or compare dates.",
    "difference": "It is of FHIRPath 3 and CQL; subtract quantities, or compare dates.",
}

VARIABLES = {
    "terminologies": f"{_R5}; memberOf(…), subsumes(…) and subsumedBy(…) ask the terminology here.",
    "server": f"{_R5}; resolve() asks for a resource here.",
    "factory": f"{_R5}; a map makes values of FHIR types here.",
}
