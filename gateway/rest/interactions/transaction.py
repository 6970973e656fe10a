"""FHIR transaction: the entries of a Bundle together, all of them or none. A batch comes to the same address.

https://hl7.org/fhir/R4/http.html#transaction
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from fastapi import Request
from fastapi.responses import Response

from gateway import patch as patches
from gateway.access.caller import Asking
from gateway.access.commands import Body, Command, Create, Delete, Patch, Target, Update
from gateway.access.door import Door
from gateway.access.writing import with_id
from gateway.errors import BadRequest, GatewayError
from gateway.fhir.entries import Entry, read, within
from gateway.records import Resource
from gateway.rest.bundles import Answer, of_command, of_response, responded, returning
from gateway.rest.conditions import if_match, if_none_exist, if_none_match, meant
from gateway.rest.entries import part, respond_inside, route, sent
from gateway.rest.format import negotiate
from gateway.rest.interactions.batch import batch
from gateway.rest.request import asking, body, door_of, in_thread
from gateway.rest.response import base_of

T = TypeVar("T")


async def transaction(request: Request) -> Response:
    negotiate(request)
    who = asking(request, "transaction")
    came = await body(request)
    bundle = await in_thread(door_of(request).parsed, "Bundle", came)
    kind = bundle.get("type")
    if kind == "batch":
        return await batch(request, came, bundle)
    if kind != "transaction":
        text = "A Bundle of type batch or transaction is sent here; any other is created at /Bundle."
        raise BadRequest(text, rule="bundle-type", expression="Bundle.type")
    return await responded(request, "transaction-response", await in_thread(_transact, request, who, came, bundle))


def _transact(request: Request, who: Asking, came: Body, bundle: Resource) -> dict[int, Answer]:
    door, base, wanted = door_of(request), base_of(request), returning(request)
    entries = read(bundle, door.definitions, base)
    commands: dict[int, Command] = {}
    questions: list[Entry] = []
    for entry in entries:
        command = _of_entry(entry, lambda entry: _command(request, entry, door))
        if command is None:
            questions.append(entry)
        else:
            commands[entry.index] = command
    done, answers = door.transact(
        who, came, commands, entries=entries, base=base, then=lambda inside: _asked(request, questions, inside)
    )
    return answers | {index: of_command(one, base, wanted) for index, one in done.items()}


def _asked(request: Request, questions: Sequence[Entry], inside: Door) -> dict[int, Answer]:
    """The answers to questions that see what the transaction did."""
    return {
        entry.index: of_response(
            _of_entry(entry, lambda entry: respond_inside(request, entry, inside)), head=entry.method == "HEAD"
        )
        for entry in questions
    }


def _command(request: Request, entry: Entry, door: Door) -> Command | None:
    """The command that an entry is; None for a question."""
    handler, parts = route(request, entry)
    kind = handler.__name__
    if kind.removesuffix("_conditional") not in ("create", "update", "patch", "delete"):
        return None
    asked, resource_type = part(request, entry, parts), parts["resource_type"]
    door.known_type(resource_type)
    target: Target = parts["id"] if "id" in parts else meant(asked)
    match kind.removesuffix("_conditional"):
        case "create":
            resource = door.whole(resource_type, entry.resource)
            return Create(resource_type=resource_type, resource=resource, if_none_exist=if_none_exist(asked))
        case "update":
            resource = door.whole(resource_type, entry.resource)
            if isinstance(target, str):
                with_id(resource, target)
            return Update(
                resource_type=resource_type,
                target=target,
                resource=resource,
                if_match=if_match(asked),
                if_none_match=if_none_match(asked),
            )
        case "patch":
            change = patches.read(*sent(entry), resource_type, door.definitions)
            return Patch(resource_type=resource_type, target=target, change=change, if_match=if_match(asked))
    return Delete(resource_type=resource_type, target=target, if_match=if_match(asked))


def _of_entry(entry: Entry, work: Callable[[Entry], T]) -> T:
    """What the work returns; what it refuses is told of this entry."""
    try:
        return work(entry)
    except GatewayError as error:
        raise within(error, entry) from None
