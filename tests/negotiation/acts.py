"""What the state machine has done: values, so that they can be sent to a process of their own and done again there.

An act looks at what is stored where it is done, as a client does that has just read it. It returns the id of what was
written; the gateway's refusals are its own errors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gateway.access.caller import OPERATOR, Asking, Caller
from gateway.access.commands import Body, Correct, Patch, Update
from gateway.access.handing_over import Answer, Offer
from gateway.app import Gateway
from gateway.coordination.directory import Directory
from gateway.coordination.succession import to_state
from gateway.errors import GatewayError
from gateway.identity.systems import HSA_ID
from gateway.records import Resource, Statement
from gateway.store import UnitOfWork

Act = Callable[[Gateway], str]
FORMS = "urn:ietf:rfc:3986"
PERIOD = "http://hl7.org/fhir/StructureDefinition/organization-period"
REPLACED_BY = "https://samverka.example/fhir/StructureDefinition/replaced-by"

_EMPTY = Body(b"{}")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an act: the id of what was written, or the status of the refusal."""

    id: str | None
    status: int = 200
    told: str = ""
    killed: bool = False
    """The process that did it was killed meanwhile, or just after."""


def tried(gateway: Gateway, act: Act) -> Outcome:
    """What comes of it here."""
    try:
        return Outcome(act(gateway))
    except GatewayError as refused:
        return Outcome(None, refused.status, str(refused))


@dataclass(frozen=True, slots=True)
class Person:
    """The operator writes a Patient."""

    id: str

    def __call__(self, gateway: Gateway) -> str:
        patient = {"resourceType": "Patient", "id": self.id}
        command = Update(resource_type="Patient", target=self.id, resource=patient)
        return gateway.door.write(Asking(OPERATOR, "update"), command).version.id


@dataclass(frozen=True, slots=True)
class Made:
    """A party writes a Task that is not there yet."""

    who: str
    body: Resource

    def __call__(self, gateway: Gateway) -> str:
        command = Update(resource_type="Task", target=self.body["id"], resource=self.body)
        return gateway.door.write(asks(self.who, "update"), command).version.id


@dataclass(frozen=True, slots=True)
class Changed:
    """A party changes elements of a Task that it has read; `stale`: not the version that is there."""

    who: str
    id: str
    changes: Resource
    stale: bool = False
    patch: bool = False

    def __call__(self, gateway: Gateway) -> str:
        task = stored(gateway, self.id)
        seen = ("another" if self.stale else task["meta"]["versionId"],)
        command: Update | Patch
        if self.patch:
            command = Patch(resource_type="Task", target=self.id, change=lambda now: now | self.changes, if_match=seen)
        else:
            command = Update(resource_type="Task", target=self.id, resource=task | self.changes, if_match=seen)
        return gateway.door.write(asks(self.who, command.interaction), command).version.id


@dataclass(frozen=True, slots=True)
class Corrected:
    """A party corrects a Task that has ended."""

    who: str
    id: str
    changes: Resource

    def __call__(self, gateway: Gateway) -> str:
        body = stored(gateway, self.id) | self.changes
        command = Correct(resource_type="Task", target=self.id, resource=body, reason="Fel")
        return gateway.door.write(asks(self.who, command.interaction), command).version.id


@dataclass(frozen=True, slots=True)
class Offered:
    """A party asks for a hand-over of a Task. The form makes it one, however often it is sent."""

    who: str
    id: str
    to: Resource
    form: str

    def __call__(self, gateway: Gateway) -> str:
        offer = Offer(self.to, identifier={"system": FORMS, "value": self.form})
        return gateway.door.offer_handover(asks(self.who), self.id, offer, _EMPTY).version.id


@dataclass(frozen=True, slots=True)
class Answered:
    """A party answers the hand-over of a Task that was asked for by a form."""

    who: str
    id: str
    form: str
    answer: Answer

    def __call__(self, gateway: Gateway) -> str:
        about = handover(gateway, self.id, self.form)
        assert about is not None
        reason = None if self.answer == "accept" else {"text": "Därför"}
        return gateway.door.answer_handover(asks(self.who), about["id"], self.answer, reason, _EMPTY).version.id


@dataclass(frozen=True, slots=True)
class Reported:
    """A source's statement, as a pipeline records it."""

    said: Statement

    def __call__(self, gateway: Gateway) -> str:
        recorder = gateway.ingest.recorder
        gateway.store.write(lambda uow: recorder.record(uow, [self.said]), now=gateway.clock())
        return self.said.resource_id


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The gateway looks at Tasks and hand-overs by a directory: units, each with its last day and its heir."""

    directory: tuple[tuple[str, str, str], ...]
    person: str
    ids: tuple[str, ...]
    handovers: tuple[tuple[str, str], ...]

    def __call__(self, gateway: Gateway) -> str:
        asked = (handover(gateway, *one) for one in self.handovers)
        ids = [*self.ids, *(one["id"] for one in asked if one is not None)]
        heirs = {heir for _, _, heir in self.directory} - {unit for unit, _, _ in self.directory}
        units = [_organisation(*one) for one in self.directory] + [_organisation(one) for one in sorted(heirs)]
        recorder = gateway.ingest.recorder

        def state(uow: UnitOfWork) -> None:
            uow.lock([self.person])
            new: list[Statement] = []
            for id in ids:
                said = uow.statements.of_resources([("Task", id)])
                new += to_state(said, Directory(units), recorder.authority, at=uow.now, person=self.person)
            recorder.record(uow, new)

        gateway.store.write(state, now=gateway.clock())
        return self.person


def _organisation(hsa_id: str, last: str = "", heir: str = "") -> Resource:
    told: list[Resource] = [{"url": PERIOD, "valuePeriod": {"end": last}}] if last else []
    if heir:
        reference = {"type": "Organization", "identifier": {"system": HSA_ID, "value": heir}}
        told.append({"url": REPLACED_BY, "valueReference": reference})
    identifier = [{"system": HSA_ID, "value": hsa_id}]
    return {"resourceType": "Organization", "id": hsa_id, "name": hsa_id, "identifier": identifier, "extension": told}


def asks(hsa_id: str, interaction: Any = "handover") -> Asking:
    return Asking(Caller("organisation", hsa_id, hsa_id, hsa_id), interaction)


def stored(gateway: Gateway, id: str) -> Resource:
    found = gateway.store.read(lambda uow: uow.resources.read("Task", id))
    assert found is not None
    return found.resource()


def handover(gateway: Gateway, id: str, form: str) -> Resource | None:
    """The hand-over of a Task that was asked for by a form."""
    naming = gateway.store.read(lambda uow: uow.resources.naming("Task", ("focus",), "Task", {id}))
    found = (one.resource() for one in naming)
    return next((one for one in found if {"system": FORMS, "value": form} in one.get("identifier", ())), None)
