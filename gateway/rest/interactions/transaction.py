"""FHIR transaction: the entries of a Bundle together, all of them or none. A batch comes to the same address.

https://hl7.org/fhir/R4/http.html#transaction
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from gateway import patch as patches
from gateway.access.bundled import LARGE, Bundled
from gateway.access.caller import Asking
from gateway.access.commands import Body, Command, Create, Delete, Done, Patch, Target, Update
from gateway.access.door import Door
from gateway.access.writing import with_id
from gateway.errors import BadRequest, GatewayError
from gateway.fhir import media
from gateway.fhir.entries import Entry, read, within
from gateway.records import Resource
from gateway.rest.bundles import Answer, of_command, of_response, responded, returning
from gateway.rest.conditions import if_match, if_none_exist, if_none_match, meant
from gateway.rest.entries import part, respond_inside, route, sent
from gateway.rest.format import negotiate
from gateway.rest.interactions.batch import batch
from gateway.rest.request import INLINE, asking, body, door_of, in_thread
from gateway.rest.response import base_of
from gateway.rest.rounds import Rounds

T = TypeVar("T")

QUICK = 16 * 1024
"""Bytes of JSON that are parsed where they come: to hand them to a thread takes longer, and is late for the round."""


async def transaction(request: Request) -> Response:
    negotiate(request)
    who = asking(request, "transaction")
    came = await body(request)
    parsed = door_of(request).parsed
    is_quick = came.media_type != media.XML and len(came.raw) <= QUICK
    bundle = parsed("Bundle", came) if is_quick else await in_thread(parsed, "Bundle", came)
    kind = bundle.get("type")
    if kind == "batch":
        return await batch(request, came, bundle)
    if kind != "transaction":
        text = "A Bundle of type batch or transaction is sent here; any other is created at /Bundle."
        raise BadRequest(text, rule="bundle-type", expression="Bundle.type")
    asked = Asked(request, who, came, bundle)
    if asked.joins:
        rounds: Rounds[Asked, dict[int, Answer]] = request.app.state.transactions
        return await responded(request, "transaction-response", await rounds.ask(asked))
    return await responded(request, "transaction-response", await in_thread(_transact, asked))


@dataclass(frozen=True, slots=True)
class Asked:
    """A transaction as it came."""

    request: Request
    who: Asking
    body: Body
    bundle: Resource

    @property
    def joins(self) -> bool:
        """Whether it may be performed with others of the moment, as far as is seen before it is read."""
        given = self.bundle.get("entry")
        return (
            not INLINE.get()
            and len(self.body.raw) <= LARGE
            and type(given) is list
            and all(type(one) is dict and _only_writes(one.get("request")) for one in given)
        )


def _only_writes(asked: Any) -> bool:
    return type(asked) is dict and asked.get("method") in ("POST", "PUT") and "?" not in str(asked.get("url"))


def transact_all(asked: Sequence[Asked]) -> list[dict[int, Answer] | Exception]:
    """The answers to transactions of one moment, or why each was refused."""
    answers: dict[int, dict[int, Answer] | Exception] = {}
    bundled: dict[int, Bundled] = {}
    for place, one in enumerate(asked):
        try:
            bundle, questions = _read(one)
            if questions:  # An operation, say.
                answers[place] = _transact(one)
            else:
                bundled[place] = bundle
        except Exception as error:
            answers[place] = error  # Its own: what others have done must not be asked for again for its sake.
    if bundled:
        made = door_of(asked[0].request).transact_all(list(bundled.values()))
        for place, done in zip(bundled, made, strict=True):
            answers[place] = done if isinstance(done, Exception) else _answers(asked[place], done)
    return [answers[place] for place in range(len(asked))]


def _transact(asked: Asked) -> dict[int, Answer]:
    bundle, questions = _read(asked)
    done, answers = door_of(asked.request).transact(
        asked.who,
        asked.body,
        bundle.commands,
        entries=bundle.entries,
        base=bundle.base,
        then=lambda inside: _asked(asked.request, questions, inside),
    )
    return answers | _answers(asked, done)


def _answers(asked: Asked, done: Mapping[int, Done]) -> dict[int, Answer]:
    base, wanted = base_of(asked.request), returning(asked.request)
    return {index: of_command(one, base, wanted) for index, one in done.items()}


def _read(asked: Asked) -> tuple[Bundled, list[Entry]]:
    """The commands of a transaction, and its questions."""
    request = asked.request
    door, base = door_of(request), base_of(request)
    entries = read(asked.bundle, door.definitions, base)
    commands: dict[int, Command] = {}
    questions: list[Entry] = []
    for entry in entries:
        command = _of_entry(entry, lambda entry: _command(request, entry, door))
        if command is None:
            questions.append(entry)
        else:
            commands[entry.index] = command
    return Bundled(asked.who, asked.body, commands, entries, base), questions


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
