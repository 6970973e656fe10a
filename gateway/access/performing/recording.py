"""The Provenance of a correction: which version it made of which, who made it, when and why (coordination.md C-15).

https://hl7.org/fhir/R4/provenance.html
"""

from __future__ import annotations

import secrets
import uuid
from typing import Any, Final

from gateway.access.caller import Caller
from gateway.access.commands import Correct, Create
from gateway.access.performing.steps import Act, Step
from gateway.coordination.values import written
from gateway.identity.systems import HSA_ID
from gateway.records import Resource
from gateway.store import Stored

_ACTIVITY: Final = {
    "coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-DataOperation", "code": "UPDATE"}],
    "text": "Rättelse / Correction",
}
_AUTHOR: Final = {
    "coding": [{"system": "http://terminology.hl7.org/CodeSystem/provenance-participant-type", "code": "author"}]
}


def provenance(act: Act, step: Step, command: Correct, before: Stored) -> Step:
    """The further step that records a correction; the version that this makes has its name from now on."""
    step.version = step.version or secrets.token_hex(8)
    kind, id = step.thing
    own = str(uuid.uuid4())
    resource: Resource = {
        "resourceType": "Provenance",
        "id": own,
        "target": [{"reference": f"{kind}/{id}/_history/{step.version}"}],
        "recorded": written(act.uow.now),
        "reason": [{"text": command.reason}],
        "activity": _ACTIVITY,
        "agent": [{"type": _AUTHOR, "who": _who(act.asking.caller)}],
        "entity": [{"role": "revision", "what": {"reference": f"{kind}/{id}/_history/{before.version}"}}],
    }
    made = Create(resource_type="Provenance", resource=resource)
    return Step(step.place, made, own, resource, person=step.person, decision=step.decision)


def _who(caller: Caller) -> dict[str, Any]:
    if caller.operator:
        return {"display": caller.name or "Operator"}
    return {"type": "Organization", "identifier": {"system": HSA_ID, "value": caller.hsa_id}, "display": caller.name}
