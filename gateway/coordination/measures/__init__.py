"""What the agreed history of missions comes to over a period: counted case by case, and told so that nobody is.

https://hl7.org/fhir/R4/clinicalreasoning-quality-reporting.html
"""

from gateway.coordination.measures.anew import anew
from gateway.coordination.measures.cases import Case, Moments, Person, Value, cases
from gateway.coordination.measures.definition import Definition, read_definition
from gateway.coordination.measures.report import Asked, report
from gateway.coordination.measures.tally import Tally

__all__ = [
    "Asked",
    "Case",
    "Definition",
    "Moments",
    "Person",
    "Tally",
    "Value",
    "anew",
    "cases",
    "read_definition",
    "report",
]
