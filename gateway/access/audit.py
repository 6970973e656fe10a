"""AuditEvents: who did what with whose data, by which rule; written from the decision itself.

Shape: IHE BALP as HL7's R4 AuditEvent (https://hl7.org/fhir/R4/auditevent.html) carries it. Denied attempts are
recorded too; what was withheld is not listed.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any

from gateway.access.caller import Asking, Caller
from gateway.access.decision import Decision
from gateway.fhir.json import dump, verbatim
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
REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
ROLE = "http://terminology.hl7.org/CodeSystem/object-role"
TYPE = {"system": "http://terminology.hl7.org/CodeSystem/audit-event-type", "code": "rest"}
SOURCE = {"observer": {"display": "Samverka"}}
PATIENT, DOMAIN, REQUEST = (dump({"system": ROLE, "code": code}) for code in ("1", "4", "24"))
"""Whom it is about; of what it is; and the request itself."""


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
    event: dict[str, Any] = {
        "resourceType": "AuditEvent",
        "type": TYPE,
        "subtype": [{"system": REST, "code": asking.interaction}],
        "action": ACTIONS.get(asking.interaction, "E"),
        "recorded": at.isoformat(timespec="milliseconds"),
        "outcome": "0" if decision.allowed and failure is None else "4",
        "outcomeDesc": failure or decision.rule,
        "purposeOfEvent": [{"coding": [{"system": REASON, "code": asking.purpose}]}],
        "agent": _agents(asking.caller, decision.rule),
        "source": SOURCE,
    }
    entity = [_entity(patient, PATIENT)] if patient else []
    entity += [_entity(one, DOMAIN) for one in entities]
    if asking.request_id:
        entity.append(b'{"what":{"identifier":{"value":%b}},"role":%b}' % (dump(asking.request_id), REQUEST))
    if entity:
        event["entity"] = verbatim(b"[%b]" % b",".join(entity))
    return event


def _entity(reference: str, role: bytes) -> bytes:
    """As JSON: a search has dozens of them."""
    return b'{"what":{"reference":%b},"role":%b}' % (dump(reference), role)


@lru_cache(maxsize=1024)
def _agents(caller: Caller, rule: str) -> Any:
    """Who asked, by which rule, and who answers for it: as JSON, for he asks again."""
    who: dict[str, Any] = {"display": caller.name}
    if caller.hsa_id:
        who = {"identifier": {"system": HSA_ID, "value": caller.hsa_id}, "display": caller.name}
    asked = {"type": _takes_part("IRCP"), "who": who, "requestor": True, "policy": [f"urn:samverka:rule:{rule}"]}
    agents = [asked]
    if caller.controller:
        answers = {"identifier": {"system": HSA_ID, "value": caller.controller}}
        agents.append({"type": _takes_part("CST"), "who": answers, "requestor": False})
    return verbatim(dump(agents))


def _takes_part(code: str) -> dict[str, Any]:
    return {"coding": [{"system": PARTICIPATION, "code": code}]}
