"""create, update, patch and delete of one resource: a command each, in a unit of work of its own.

https://hl7.org/fhir/R4/http.html
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import TypeVar

from gateway.access.caller import Asking
from gateway.access.checked import checked, unconditional
from gateway.access.commands import (
    Body,
    Command,
    Correct,
    Create,
    Delete,
    Done,
    Matching,
    Patch,
    Target,
    Update,
    Versions,
)
from gateway.access.decision import source_of
from gateway.access.performing import Act, Kept, Performance, Refusal
from gateway.access.reading import Reading
from gateway.errors import BadRequest, GatewayError
from gateway.fhir import json, xml
from gateway.fhir.binary import resource_of
from gateway.fhir.primitives import ID
from gateway.records import Message, Resource
from gateway.store import UnitOfWork
from gateway.store.inbox import message_id

T = TypeVar("T")


class Writing(Reading):
    """Parses what was sent, and performs what it asks for."""

    def create(self, asking: Asking, resource_type: str, body: Body, *, if_none_exist: Matching | None = None) -> Done:
        """Store the body under a new id, unless something meets the condition."""
        return self.write(asking, self.creating(resource_type, body, if_none_exist=if_none_exist), body)

    def update(
        self,
        asking: Asking,
        resource_type: str,
        target: Target,
        body: Body,
        *,
        if_match: Versions | None = None,
        if_none_match: Versions | None = None,
    ) -> Done:
        """Store the body under this id, which may be new, or as what meets the condition. PreconditionFailed."""
        return self.write(asking, self.updating(resource_type, target, body, if_match, if_none_match), body)

    def correct(
        self,
        asking: Asking,
        resource_type: str,
        id: str,
        resource: Resource,
        reason: str,
        body: Body,
        *,
        if_match: Versions | None = None,
    ) -> Done:
        """Put right what has ended, which nothing else changes, with a Provenance that says why. NotFound, Gone."""
        self.whole(resource_type, resource)
        unconditional(resource, self._rooms)
        with_id(resource, id)
        command = Correct(resource_type=resource_type, target=id, resource=resource, if_match=if_match, reason=reason)
        return self.write(asking, command, body)

    def patch(
        self,
        asking: Asking,
        resource_type: str,
        target: Target,
        body: Body,
        change: Callable[[Resource], Resource],
        *,
        if_match: Versions | None = None,
    ) -> Done:
        """Store what the change makes of the resource. NotFound, Gone; and what the change itself refuses."""
        self.known_type(resource_type)
        command = Patch(resource_type=resource_type, target=target, change=change, if_match=if_match)
        return self.write(asking, command, body)

    def delete(self, asking: Asking, resource_type: str, target: Target, *, if_match: Versions | None = None) -> Done:
        """Withdraw the caller's word; the operator's deletion deletes. A condition means all that meet it."""
        self.known_type(resource_type)
        return self.write(asking, Delete(resource_type=resource_type, target=target, if_match=if_match))

    def creating(self, resource_type: str, body: Body, *, if_none_exist: Matching | None = None) -> Create:
        """The command to store the body under a new id. NotFound, BadRequest, Unprocessable."""
        self.known_type(resource_type)
        resource = self.resource(resource_type, body)
        return Create(resource_type=resource_type, resource=resource, if_none_exist=if_none_exist)

    def updating(
        self, resource_type: str, target: Target, body: Body, if_match: Versions | None, if_none_match: Versions | None
    ) -> Update:
        """The command to store the body under an id. NotFound, BadRequest, Unprocessable."""
        self.known_type(resource_type)
        resource = self.resource(resource_type, body, id=target if isinstance(target, str) else None)
        if isinstance(target, str):
            with_id(resource, target)
        return Update(
            resource_type=resource_type,
            target=target,
            resource=resource,
            if_match=if_match,
            if_none_match=if_none_match,
        )

    def write(self, asking: Asking, command: Command, body: Body | None = None) -> Done:
        """Perform one command, whose body is kept with what it leads to."""

        def work(uow: UnitOfWork) -> Done:
            kept = [self.keep_body(uow, asking, body)]
            return Performance(Act(self, self._rooms, uow, asking, kept)).perform([command])[0]

        return self.attempt(asking, work)

    def attempt(
        self,
        asking: Asking,
        work: Callable[[UnitOfWork], T],
        tell: Callable[[Refusal], GatewayError] = attrgetter("answer"),
    ) -> T:
        """One unit of work; a refusal undoes it, is audited beside it, and told."""
        try:
            done = self._rooms.store.write(work, now=self._rooms.clock)
        except Refusal as refusal:
            asked = replace(asking, interaction=refusal.command.interaction)
            failure = refusal.answer.issues[0].rule if refusal.decision.allowed else None
            self.audit(asked, refusal.decision, person=refusal.person, failure=failure)
            raise tell(refusal) from None
        self._rooms.known.committed()
        return done

    def keep_body(self, uow: UnitOfWork, asking: Asking, body: Body | None) -> tuple[str, int] | None:
        """Keep what was sent in the inbox, unless it is kept; the id it has there, and the item."""
        return self.keep_bodies(uow, asking, [body])[0]

    def keep_bodies(self, uow: UnitOfWork, asking: Asking, bodies: Sequence[Body | None]) -> list[Kept | None]:
        """The same for several of one caller."""
        source = source_of(asking.caller)
        fresh = {
            place: Message(message_id(uow.now), source, body.raw, body.media_type, uow.now, transport="rest")
            for place, body in enumerate(bodies)
            if body is not None and body.kept is None
        }
        uow.inbox.keep_new(list(fresh.values()), state="done")
        return [
            (fresh[place].id, 0) if place in fresh else body.kept if body is not None else None
            for place, body in enumerate(bodies)
        ]

    def keep_whole(self, asking: Asking, body: Body) -> str:
        """Keep what holds several requests, before any of them is tried; the id that it has in the inbox."""
        kept = self._rooms.store.write(lambda uow: self.keep_body(uow, asking, body), now=self._rooms.clock)
        assert kept is not None
        return kept[0]

    def resource(self, resource_type: str, body: Body, *, id: str | None = None) -> Resource:
        """The resource of this type that a body says, structurally right and by itself. BadRequest, Unprocessable.

        `id`: that of a Binary whose content was sent, which says none itself.
        """
        resource = self.parsed(resource_type, body)
        if body.content is not None and id is not None:
            resource["id"] = id
        self.whole(resource_type, resource)
        unconditional(resource, self._rooms)
        return resource

    def whole(self, resource_type: str, resource: Resource | None) -> Resource:
        """The resource, if it is of this type and structurally right. BadRequest, Invalid."""
        if not isinstance(resource, dict) or resource.get("resourceType") != resource_type:
            raise BadRequest(
                f"The body must be a {resource_type}.", rule="resource-type-differs", expression="resourceType"
            )
        checked(resource, self._rooms)
        return resource

    def parsed(self, resource_type: str, body: Body) -> Resource:
        """The resource of this type that a body says, whether it is right or not. BadRequest."""
        if body.content is not None:
            return resource_of(body.content)
        is_xml = body.media_type == xml.MEDIA_TYPE
        resource = xml.parse(body.raw, self._rooms.definitions) if is_xml else json.parse(body.raw)
        if not isinstance(resource, dict) or resource.get("resourceType") != resource_type:
            raise BadRequest(
                f"The body must be a {resource_type}.", rule="resource-type-differs", expression="resourceType"
            )
        return resource


def with_id(resource: Resource, id: str) -> None:
    """BadRequest unless the resource has this id, which is one."""
    if not ID.fullmatch(id):
        raise BadRequest("An id has 1 to 64 letters, digits, hyphens and dots.", rule="id-malformed")
    if resource.get("id") != id:
        raise BadRequest(
            "The id in the body must be the one in the address.",
            rule="id-differs",
            expression=f"{resource['resourceType']}.id",
        )
