"""A gap as a DetectedIssue: in the answer as it is asked for, and stored as long as it lasts.

https://hl7.org/fhir/R4/detectedissue.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gateway.coordination.directory import Unit
from gateway.coordination.gap import Gap
from gateway.definitions import CANONICAL
from gateway.records import Resource

GAP_SYSTEM = f"{CANONICAL}/CodeSystem/gap"
MUST_ACT = f"{CANONICAL}/StructureDefinition/must-act"
STATEMENT = f"{CANONICAL}/sid/statement"


def issue(gap: Gap, patient: Mapping[str, Any], base: str, to: Callable[[Unit], Mapping[str, Any]]) -> Resource:
    """The DetectedIssue without id and time. `base` is what references begin with, `to` names a unit."""
    made: Resource = {
        "resourceType": "DetectedIssue",
        "status": "final",
        "code": {
            "coding": [{"system": GAP_SYSTEM, "code": gap.code, "display": gap.title.en}],
            "text": gap.title.sv,
        },
        "severity": gap.severity,
        "patient": patient,
        "implicated": [{"reference": f"{base}{reference}"} for reference in gap.about],
        "detail": f"{gap.text.sv} {gap.ask.sv}\n{gap.text.en} {gap.ask.en}",
    }
    if gap.who is not None:
        made["extension"] = [{"url": MUST_ACT, "extension": _must_act(gap.who, to)}]
    if gap.statements:
        said = [{"identifier": {"system": STATEMENT, "value": digest}} for digest in gap.statements]
        made["evidence"] = [{"detail": said}]
    return made


def _must_act(unit: Unit, to: Callable[[Unit], Mapping[str, Any]]) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = [{"url": "organization", "valueReference": to(unit)}]
    if unit.phone:
        parts.append({"url": "telecom", "valueContactPoint": {"system": "phone", "value": unit.phone}})
    return parts
