"""create, update, patch and delete of one resource: a command each, in a unit of work of its own.

https://hl7.org/fhir/R4/http.html
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from gateway.access.caller import Asking
from gateway.access.commands import Body, Command, Create, Delete, Done, Patch, Update, Versions
from gateway.access.decision import source_of
from gateway.access.performing import Performance, Refusal, checked
from gateway.access.reading import Reading
from gateway.errors import BadRequest
from gateway.fhir import json, xml
from gateway.fhir.primitives import ID
from gateway.records import Message, Resource
from gateway.store import UnitOfWork

T = TypeVar("T")


class Writing(Reading):
    """Parses what was sent, and performs what it asks for."""

    def create(self, asking: Asking, resource_type: str, body: Body) -> Done:
        """Store the body under a new id."""
        self.known_type(resource_type)
        resource = self.resource(resource_type, body)
        return self.write(asking, Create(resource_type=resource_type, resource=resource), body)

    def update(
        self, asking: Asking, resource_type: str, id: str, body: Body, *, if_match: Versions | None = None
    ) -> Done:
        """Store the body under this id, which may be new. PreconditionFailed when the version is not one named."""
        self.known_type(resource_type)
        if not ID.fullmatch(id):
            raise BadRequest("An id has 1 to 64 letters, digits, hyphens and dots.", rule="id-malformed")
        resource = self.resource(resource_type, body)
        if resource.get("id") != id:
            raise BadRequest(
                "The id in the body must be the one in the address.",
                rule="id-differs",
                expression=f"{resource_type}.id",
            )
        command = Update(resource_type=resource_type, id=id, resource=resource, if_match=if_match)
        return self.write(asking, command, body)

    def patch(
        self,
        asking: Asking,
        resource_type: str,
        id: str,
        body: Body,
        change: Callable[[Resource], Resource],
        *,
        if_match: Versions | None = None,
    ) -> Done:
        """Store what the change makes of the resource. NotFound, Gone; and what the change itself refuses."""
        self.known_type(resource_type)
        return self.write(asking, Patch(resource_type=resource_type, id=id, change=change, if_match=if_match), body)

    def delete(self, asking: Asking, resource_type: str, id: str, *, if_match: Versions | None = None) -> Done:
        """Withdraw the caller's word; the operator's deletion deletes."""
        self.known_type(resource_type)
        return self.write(asking, Delete(resource_type=resource_type, id=id, if_match=if_match))

    def write(self, asking: Asking, command: Command, body: Body | None = None) -> Done:
        """Perform one command, whose body is kept with what it leads to."""

        def work(uow: UnitOfWork) -> Done:
            kept = self.keep_body(uow, asking, body)
            return Performance(self, self._rooms, uow, asking, kept).perform([command])[0]

        return self.attempt(asking, work)

    def attempt(self, asking: Asking, work: Callable[[UnitOfWork], T]) -> T:
        """One unit of work; a refusal undoes it and is audited beside it."""
        try:
            return self._rooms.store.write(work, now=self._rooms.clock())
        except Refusal as refusal:
            asked = replace(asking, interaction=refusal.command.interaction)
            failure = refusal.answer.issues[0].rule if refusal.decision.allowed else None
            self.audit(asked, refusal.decision, person=refusal.person, failure=failure)
            raise refusal.answer from None

    def keep_body(self, uow: UnitOfWork, asking: Asking, body: Body | None) -> str | None:
        """Keep what was sent in the inbox; the id it has there."""
        if body is None:
            return None
        source = source_of(asking.caller)
        message = Message(str(uuid.uuid4()), source, body.raw, body.media_type, uow.now, transport="rest")
        uow.inbox.keep(message, state="done")
        return message.id

    def resource(self, resource_type: str, body: Body) -> Resource:
        """The resource of this type that a body says. BadRequest, Invalid."""
        is_xml = body.media_type == xml.MEDIA_TYPE
        resource = xml.parse(body.raw, self._rooms.definitions) if is_xml else json.parse(body.raw)
        if not isinstance(resource, dict) or resource.get("resourceType") != resource_type:
            raise BadRequest(
                f"The body must be a {resource_type}.", rule="resource-type-differs", expression="resourceType"
            )
        checked(resource, self._rooms)
        return resource
