"""The parties of the negotiation tests, by made-up HSA-ids, and the least Task that they can speak of."""

from __future__ import annotations

from gateway.identity.systems import HSA_ID
from gateway.records import Resource

ASKER, DOER, COORDINATOR, MEMBER, STRANGER = "SE0000000001-A", "SE0000000002-B", "SE3-C", "SE4-D", "SE5-E"


def party(hsa_id: str) -> Resource:
    return {"type": "Organization", "identifier": {"system": HSA_ID, "value": hsa_id}}


def task(status: str = "requested", **elements: object) -> Resource:
    """An order from one to another; what is given as None is left out."""
    made: Resource = {"resourceType": "Task", "id": "t", "status": status, "intent": "order"}
    made |= {"requester": party(ASKER), "owner": party(DOER)} | elements
    return {name: value for name, value in made.items() if value is not None}
