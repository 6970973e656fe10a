"""Commands over REST: create, update, delete. Each is a statement of the caller, agreed with what others state.

The body is kept, checked, decided on, stated, agreed, saved and audited in one unit of work. What the operator writes
is plain R4: his word replaces everybody's earlier ones.

https://hl7.org/fhir/R4/http.html
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from gateway.access.audit import audit_event
from gateway.access.caller import Asking
from gateway.access.decision import DIRECTORY, Decision, decide_write, source_of
from gateway.access.reading import Reading, Served
from gateway.coordination.statements import Origin, make
from gateway.errors import BadRequest, Forbidden, GatewayError, Invalid, NotFound, PreconditionFailed
from gateway.fhir import json, xml
from gateway.fhir.check import check
from gateway.fhir.primitives import ID
from gateway.identity.resolve import Key, logical_references, person_of
from gateway.records import Message, Resource, StatementKind
from gateway.store import Saved, Stored, UnitOfWork

T = TypeVar("T")


class _Denied(Exception):
    """A command was decided against: undo it, record the decision, and answer so."""

    def __init__(self, decision: Decision, answer: GatewayError, person: str | None) -> None:
        super().__init__(decision.rule)
        self.decision, self.answer, self.person = decision, answer, person


@dataclass(frozen=True, slots=True)
class _Allowed:
    """What was decided, and the person whom it is about."""

    decision: Decision
    person: str | None


class Writing(Reading):
    """create, update and delete of one resource."""

    def create(self, asking: Asking, resource_type: str, body: bytes, *, media_type: str = json.MEDIA_TYPE) -> Served:
        """Store the body under a new id."""
        self.known_type(resource_type)
        resource = self._parsed(resource_type, body, media_type)
        resource["id"] = str(uuid.uuid4())

        def work(uow: UnitOfWork) -> Served:
            allowed = self._allowed(uow, asking, resource, None)
            return self._state(uow, asking, resource, body, allowed, media_type=media_type)

        return self._command(asking, work)

    def update(
        self,
        asking: Asking,
        resource_type: str,
        id: str,
        body: bytes,
        *,
        media_type: str = json.MEDIA_TYPE,
        if_match: str | None,
    ) -> Served:
        """Store the body under this id, which may be new. PreconditionFailed when the version is not the one named."""
        self.known_type(resource_type)
        if not ID.fullmatch(id):
            raise BadRequest("An id has 1 to 64 letters, digits, hyphens and dots.", rule="id-malformed")
        resource = self._parsed(resource_type, body, media_type)
        if resource.get("id") != id:
            raise BadRequest(
                "The id in the body must be the one in the address.",
                rule="id-differs",
                expression=f"{resource_type}.id",
            )

        def work(uow: UnitOfWork) -> Served:
            current = self._held(uow, asking, resource)
            allowed = self._allowed(uow, asking, resource, current, named=True)
            _match(current, if_match)
            return self._state(uow, asking, resource, body, allowed, media_type=media_type)

        return self._command(asking, work)

    def delete(self, asking: Asking, resource_type: str, id: str, *, if_match: str | None) -> str | None:
        """Withdraw the caller's word; the operator's deletion deletes. Returns the version that says so."""
        self.known_type(resource_type)
        gone = {"resourceType": resource_type, "id": id}

        def work(uow: UnitOfWork) -> str | None:
            current = self._held(uow, asking, gone)
            if current is None and not asking.caller.operator:  # As for what he may not see.
                raise _Denied(Decision(False, "nothing-there"), NotFound(rule="resource-unknown"), None)
            _match(current, if_match)
            allowed = self._allowed(uow, asking, gone, current)
            if current is None or current.deleted:
                self._record(uow, asking, allowed, [])
                return None if current is None else current.version
            return self._state(uow, asking, gone, b"", allowed, kind="withdraw").version_id

        return self._command(asking, work)

    def _command(self, asking: Asking, work: Callable[[UnitOfWork], T]) -> T:
        """One unit of work; a refusal undoes it and is audited beside it."""
        try:
            return self._rooms.store.write(work, now=self._rooms.clock())
        except _Denied as denied:
            self.audit(asking, denied.decision, person=denied.person)
            raise denied.answer from None

    def _parsed(self, resource_type: str, body: bytes, media_type: str) -> Resource:
        is_xml = media_type == xml.MEDIA_TYPE
        resource = xml.parse(body, self._rooms.definitions) if is_xml else json.parse(body)
        if not isinstance(resource, dict) or resource.get("resourceType") != resource_type:
            raise BadRequest(
                f"The body must be a {resource_type}.", rule="resource-type-differs", expression="resourceType"
            )
        found = [issue for issue in check(resource, self._rooms.definitions) if issue.severity in ("fatal", "error")]
        if found:
            raise Invalid(issues=found)
        return resource

    def _held(self, uow: UnitOfWork, asking: Asking, resource: Resource) -> Stored | None:
        """What is stored now, held until the command is done; NotFound where the caller may not know of it.

        The locks are taken before what is matched against If-Match is read: no other command comes between.
        """
        resource_type, id = resource["resourceType"], resource["id"]
        before = uow.resources.read(resource_type, id)
        concerned = (id, before.person if before else None, self._person(uow, resource))
        uow.lock(key for key in concerned if key)
        current = uow.resources.read(resource_type, id)
        if current is not None and not (seen := self.may_see(uow, asking, current)).allowed:
            raise _Denied(seen, NotFound(rule="resource-unknown"), current.person)
        return current

    def _allowed(
        self, uow: UnitOfWork, asking: Asking, resource: Resource, current: Stored | None, *, named: bool = False
    ) -> _Allowed:
        """The decision to let the caller state the resource; it is raised where he may not.

        `named`: the caller chose the id. Whether it is taken by what he may not see is not to be told from the answer.
        """
        caller, kind = asking.caller, resource["resourceType"]
        person = self._person(uow, resource) or (current.person if current else None)
        parties = uow.persons.parties(person) if person and not caller.operator else set()
        requester = resource.get("requester", {}).get("identifier", {}).get("value")
        decision = decide_write(
            caller,
            kind,
            takes_part=bool(parties & set(caller.organisations)),
            asks_for_it=person is not None and requester in caller.organisations,
        )
        if not decision.allowed:
            if named and current is None and kind not in DIRECTORY:
                raise _Denied(decision, NotFound(rule="resource-unknown"), person)
            raise _Denied(decision, Forbidden(f"Not allowed: {decision.rule}.", rule=decision.rule), person)
        return _Allowed(decision, person)

    def _state(
        self,
        uow: UnitOfWork,
        asking: Asking,
        resource: Resource,
        body: bytes,
        allowed: _Allowed,
        *,
        kind: StatementKind = "assert",
        media_type: str = json.MEDIA_TYPE,
    ) -> Served:
        resource_type, id, person = resource["resourceType"], resource["id"], allowed.person
        caller = asking.caller
        source = source_of(caller)
        message = Message(str(uuid.uuid4()), source, body, media_type, uow.now, transport="rest")
        if body:
            uow.inbox.keep(message, state="done")
        said = make(
            body=resource,
            origin=Origin(source, message.id if body else None, 0 if body else None),
            record_key=f"{resource_type}/{id}",
            person=person,
            effective=uow.now,
            recorded=uow.now,
            party=caller.hsa_id,
            provider=caller.controller,
            kind=kind,
            # Two writes within one tick of the clock are told apart, and ordered, by the version they replace.
            version=str(uow.statements.count_of(source, f"{resource_type}/{id}") + 1),
        )
        recorded = self._rooms.recorder.record(
            uow,
            [said],
            identifiers=_identifiers(uow, resource) if kind == "assert" else {},
            organisation=caller.hsa_id or None,
        )
        self._record(uow, asking, allowed, [f"{resource_type}/{id}"])
        saved = next(one for one in recorded.saved if (one.resource_type, one.id) == (resource_type, id))
        return _served(saved)

    def _record(self, uow: UnitOfWork, asking: Asking, allowed: _Allowed, entities: list[str]) -> None:
        """The decision, in the unit of work of what was done by it."""
        patient = f"Patient/{allowed.person}" if allowed.person else None
        event = audit_event(asking, allowed.decision, at=uow.now, patient=patient, entities=entities)
        uow.audit.add([event], person=allowed.person)

    def _person(self, uow: UnitOfWork, resource: Resource) -> str | None:
        """The person that a resource is about, by literal reference or by a known identifier."""
        patient = person_of(resource)
        if patient is None:
            keys = {key for _, key in logical_references(resource) if key[0] == "Patient"}
            patient = next(iter(sorted(uow.identifiers.find(keys).values())), None)
        if patient is None or resource["resourceType"] == "Patient":
            return patient
        return uow.persons.of_patients([patient]).get(patient, patient)


def _identifiers(uow: UnitOfWork, resource: Resource) -> dict[Key, str]:
    """The resource's identifiers that nobody has: an identifier belongs to the first who claims it."""
    kind = resource["resourceType"]
    given: Any = resource.get("identifier", [])
    found = [given] if isinstance(given, dict) else given
    keys = {(kind, one["system"], one["value"]) for one in found if "system" in one and "value" in one}
    known = uow.identifiers.find(keys)
    return {key: resource["id"] for key in keys if key not in known}


def _match(current: Stored | None, if_match: str | None) -> None:
    if if_match is not None and (current is None or current.version != if_match):
        raise PreconditionFailed(
            f"The version is {current.version} now: read it again." if current else "There is no version yet.",
            rule="version-differs",
        )


def _served(saved: Saved) -> Served:
    return Served(saved.resource_type, saved.id, saved.version, saved.last_updated, saved.body, saved.created)
