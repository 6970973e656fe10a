"""What an expression may ask the outside for: the caller passes it in, so an evaluation has no effects of its own.

https://hl7.org/fhirpath/N1/#environment-variables
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gateway.fhirpath.errors import EvaluationError
from gateway.records import Resource


@dataclass(frozen=True, slots=True)
class Environment:
    """What is passed in.

    `variables` by name without `%`; `resolve` a reference's text to a resource (JSON or a node); `member_of` says
    whether a code, Coding or CodeableConcept (as it stands there) is in a value set (None: not known); `subsumes`
    whether of a system's two codes the first is or stands above the second (None: not known); `conforms_to` whether a
    resource meets a profile; `structure` gives the StructureDefinition of a url; `now` is the one moment that `now()`,
    `today()` and `timeOfDay()` tell; `trace` receives what `trace()` names; `turns` are those that are left to several
    evaluations together (None: each has its own).
    """

    variables: Mapping[str, Any] = field(default_factory=dict)
    resolve: Callable[[str], Any] | None = None
    member_of: Callable[[Any, str], bool | None] | None = None
    subsumes: Callable[[str, str, str], bool | None] | None = None
    conforms_to: Callable[[Resource, str], bool | None] | None = None
    structure: Callable[[str], Resource | None] | None = None
    now: datetime | None = None
    trace: Callable[[str, list[Any]], None] | None = None
    turns: Iterator[None] | None = None

    def moment(self) -> datetime:
        if self.now is None:
            raise EvaluationError("There is no clock here.", "The caller passes the moment in Environment(now=…).")
        return self.now


EMPTY = Environment()

WELL_KNOWN = {
    "sct": "http://snomed.info/sct",
    "loinc": "http://loinc.org",
    "ucum": "http://unitsofmeasure.org",
}


def well_known(name: str) -> str | None:
    """The constants that every FHIR environment has: https://hl7.org/fhir/R4/fhirpath.html#variables"""
    if name in WELL_KNOWN:
        return WELL_KNOWN[name]
    if name.startswith("vs-"):
        return f"http://hl7.org/fhir/ValueSet/{name[3:]}"
    if name.startswith("ext-"):
        return f"http://hl7.org/fhir/StructureDefinition/{name[4:]}"
    return None
