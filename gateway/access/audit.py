"""AuditEvents: who did what with whose data, by which rule; written from the decision itself.

Shape: IHE BALP as HL7's R4 AuditEvent (https://hl7.org/fhir/R4/auditevent.html) carries it. Denied attempts are
recorded too; what was withheld is not listed.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from gateway.access.caller import Asking
from gateway.access.decision import Decision
from gateway.identity.systems import HSA_ID

ACTIONS = {
    "create": "C",
    "update": "U",
    "patch": "U",
    "delete": "D",
    "read": "R",
    "vread": "R",
    "history-instance": "R",
    "history-type": "R",
    "history-system": "R",
    "search-type": "E",
}
REST = "http://hl7.org/fhir/restful-interaction"


def audit_event(
    asking: Asking,
    decision: Decision,
    *,
    at: datetime,
    patient: str | None = None,
    entities: Iterable[str] = (),
    failure: str | None = None,
) -> dict[str, Any]:
    """One AuditEvent; `patient` and `entities` are references on this server (`Task/…`), never identifiers."""
    caller = asking.caller
    event: dict[str, Any] = {
        "resourceType": "AuditEvent",
        "type": {"system": "http://terminology.hl7.org/CodeSystem/audit-event-type", "code": "rest"},
        "subtype": [{"system": REST, "code": asking.interaction}],
        "action": ACTIONS.get(asking.interaction, "E"),
        "recorded": at.isoformat(timespec="milliseconds"),
        "outcome": "0" if decision.allowed and failure is None else "4",
        "outcomeDesc": failure or decision.rule,
        "purposeOfEvent": [
            {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": asking.purpose}]}
        ],
        "agent": [
            {
                "type": {
                    "coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}]
                },
                "who": {"identifier": {"system": HSA_ID, "value": caller.hsa_id}, "display": caller.name}
                if caller.hsa_id
                else {"display": caller.name},
                "requestor": True,
                "policy": [f"urn:samverka:rule:{decision.rule}"],
            }
        ],
        "source": {"observer": {"display": "Samverka"}},
    }
    if caller.controller:
        event["agent"].append(
            {
                "type": {
                    "coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "CST"}]
                },
                "who": {"identifier": {"system": HSA_ID, "value": caller.controller}},
                "requestor": False,
            }
        )
    entity: list[dict[str, Any]] = []
    role = "http://terminology.hl7.org/CodeSystem/object-role"
    if patient:
        entity.append({"what": {"reference": patient}, "role": {"system": role, "code": "1"}})
    entity += [{"what": {"reference": ref}, "role": {"system": role, "code": "4"}} for ref in entities]
    if asking.request_id:
        entity.append({"what": {"identifier": {"value": asking.request_id}}, "role": {"system": role, "code": "24"}})
    if entity:
        event["entity"] = entity
    return event
