"""$validate through the door: what was sent, or what is stored, held to R4 and to profiles; nothing is kept.

What was sent is the caller's own, so whoever is known may ask; that he did is recorded. What it refers to is looked at
only as far as the caller may see it.

https://hl7.org/fhir/R4/resource-operation-validate.html
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from gateway.access.caller import Asking
from gateway.access.commands import Body
from gateway.access.conformance import Canonicals
from gateway.access.decision import decide
from gateway.access.performing import Act
from gateway.access.performing.sips import Sips
from gateway.access.validated import surroundings
from gateway.coordination.plans.rules import PLAN
from gateway.errors import BadRequest
from gateway.fhir import json, reference, xml
from gateway.fhir.check import check, root_of
from gateway.formats.spots import spots
from gateway.issues import Issue, operation_outcome
from gateway.records import Resource
from gateway.store import Stored, UnitOfWork
from gateway.validation import Surroundings, Wanted, validate

MODES: Final = ("create", "update", "delete", "profile")
PARAMETERS: Final = "Parameters"
MOST_LOOKED_AT: Final = 500
"""References of one resource that are followed."""
PROFILE_VALUES: Final = ("valueUri", "valueCanonical", "valueUrl", "valueString")


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be validated: `body` as it was sent, or else the stored resource of that type and id."""

    resource_type: str | None = None
    id: str | None = None
    body: Body | None = None
    profiles: Sequence[str] = ()
    mode: str | None = None
    wrapped: bool = True
    """Whether a Parameters resource may hold the question; else it is the resource itself."""


@dataclass(slots=True)
class _Sent:
    """What a body says: the resource with its place, and what is asked beside it."""

    resource: Resource | None
    at: str | None = None
    profiles: list[str] = field(default_factory=list)
    mode: str | None = None
    faults: list[Issue] = field(default_factory=list)
    """What of an XML document is not in the resource, as JSON could not say it."""


class Validating(Canonicals):
    """validate."""

    def validate(self, asking: Asking, question: Question, base: str) -> Resource:
        """The OperationOutcome with every issue at once. NotFound, Gone; BadRequest where the question is malformed."""
        kind = question.resource_type
        if kind is not None:
            self.known_type(kind)
        body = question.body
        try:
            sent = self._sent(question)
        except BadRequest as error:
            if body is None or error.issues[0].rule in REFUSED:
                raise
            # What cannot be read is no resource: that is the answer to the question.
            self.audit(asking, decide(asking.caller, kind or "Resource", takes_part=None))
            return operation_outcome(_unread(error.issues))
        if sent.mode not in (None, *MODES):
            text = f"A mode is one of {', '.join(MODES)}."
            raise BadRequest(text, rule="parameter-malformed", where="mode")
        wanted = Wanted((*question.profiles, *sent.profiles), sent.at)
        if sent.resource is None or sent.mode == "delete":
            if question.id is None or kind is None:
                text = "Send a resource, or name a stored one: Type/id/$validate."
                raise BadRequest(text, rule="parameter-missing", where="resource")
            resource: Resource = self.by_id(asking, kind, question.id)
            body = None
        else:
            resource = sent.resource
        if sent.mode == "delete":
            return operation_outcome([_all_is_well("It can be deleted.")])
        issues = [*sent.faults, *_addressed(resource, replace(question, mode=sent.mode), wanted.at)]
        looked: dict[str, Stored | None] = {}
        found = validate(resource, self._surroundings(asking, base, looked), wanted)
        seen = {one.rid: one for one in looked.values() if one is not None}
        if body is not None or seen:  # That a stored one was read is recorded already.
            self.audit(asking, decide(asking.caller, kind or "Resource", takes_part=None), *seen.values())
        # What could not be read is not there: that is not told again.
        unread = {one.expression for one in sent.faults}
        issues += [one for one in found if one.expression not in unread]
        issues += self._by_law(asking, resource, wanted.at, {one.rule for one in found})
        if body is not None:
            issues = list(_placed(issues, body))
        if not any(one.severity in ("fatal", "error") for one in issues):
            issues.append(_all_is_well("Nothing is wrong with it that is looked for here."))
        return operation_outcome(issues)

    def _sent(self, question: Question) -> _Sent:
        """The resource of a body, alone or among Parameters. BadRequest."""
        body = question.body
        if body is None or not body.raw.strip():
            return _Sent(None, mode=question.mode)
        faults: list[Issue] = []
        if body.media_type == xml.MEDIA_TYPE:
            read, faults = xml.read(body.raw, self._rooms.definitions)
            if read is None:
                raise BadRequest(issues=faults)
            resource = read
        else:
            resource = json.parse(body.raw)
        if resource.get("resourceType") != PARAMETERS or not question.wrapped:
            return _Sent(resource, mode=question.mode, faults=faults)
        given = resource.get("parameter")
        parts = [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []
        names = {one.get("name") for one in parts}
        if question.resource_type in (None, PARAMETERS) and "resource" not in names:
            return _Sent(resource, mode=question.mode, faults=faults)
        return _wrapped(given if isinstance(given, list) else [], _Sent(None, mode=question.mode, faults=faults))

    def _by_law(self, asking: Asking, resource: Resource, at: str | None, known: Collection[str]) -> list[Issue]:
        """What a plan leaves open of what the law says that it must state, unless a profile has said so."""
        if resource.get("resourceType") != PLAN or any(
            one.severity in ("fatal", "error") for one in check(resource, self._rooms.definitions)
        ):
            return []
        found = self._rooms.store.read(lambda uow: Sips(Act(self, self._rooms, uow, asking)).told(resource))
        root = at or PLAN
        return [
            replace(one, expression=(one.expression or "").replace(PLAN, root, 1))
            for one in found
            if one.rule not in known
        ]

    def _surroundings(self, asking: Asking, base: str, looked: dict[str, Stored | None]) -> Surroundings:
        """What `looked` at is kept by reference: each is read once, and what is beyond so many stays undecided."""
        rooms = self._rooms

        def resolve(text: str) -> Resource | None:
            target = reference.parse(text, base)
            if target.kind != "relative" or target.type is None or target.id is None:
                return None

            def find(uow: UnitOfWork) -> Stored | None:
                found = uow.resources.read(str(target.type), str(target.id))
                seen = found is not None and not found.deleted and self.may_see(uow, asking, found).allowed
                return found if seen else None

            if text not in looked:
                if len(looked) >= MOST_LOOKED_AT:
                    return None
                looked[text] = rooms.store.read(find)
            met = looked[text]
            return None if met is None else met.resource()

        return surroundings(rooms, base, resolve)


REFUSED: Final = frozenset(("unknown-parameter", "parameter-malformed", "parameter-missing", "parameter-repeated"))
"""Rules about the question itself, which is then not answered."""


def _wrapped(parts: Iterable[Any], sent: _Sent) -> _Sent:
    for place, part in enumerate(parts):
        where = f"{PARAMETERS}.parameter[{place}]"
        name = part.get("name") if isinstance(part, dict) else None
        if name == "resource":
            if sent.at is not None:
                raise BadRequest("One resource is validated at a time.", rule="parameter-repeated", expression=where)
            if not isinstance(part.get("resource"), dict):
                text = "The parameter resource holds a resource."
                raise BadRequest(text, rule="parameter-malformed", expression=where)
            sent.resource, sent.at = part["resource"], f"{where}.resource"
        elif name == "profile":
            sent.profiles += [_text(part, PROFILE_VALUES, where)]
        elif name == "mode":
            sent.mode = _text(part, ("valueCode", "valueString"), where)
        else:
            text = "There is no parameter of this name. Parameters: resource, profile, mode."
            raise BadRequest(text, rule="unknown-parameter", where=str(name)[:64], expression=where)
    return sent


def _text(part: Resource, names: Sequence[str], where: str) -> str:
    for name in names:
        if isinstance(part.get(name), str):
            return str(part[name])
    raise BadRequest(f"This parameter is a {names[0]}.", rule="parameter-malformed", expression=where)


def _unread(issues: Iterable[Issue]) -> Iterator[Issue]:
    for one in issues:
        yield replace(one, severity="fatal", code="structure")


def _addressed(resource: Resource, question: Question, at: str | None) -> Iterator[Issue]:
    """Whether the resource is of the type, and of the id, that is asked about."""
    kind, named = question.resource_type, resource.get("resourceType")
    root = at or root_of(resource)
    if kind is not None and named != kind:
        text = f"The address asks about a {kind}, and this is none."
        yield Issue("error", "invalid", "resource-type-differs", text, expression=root)
    id = resource.get("id")
    if question.mode == "update" and question.id is not None and id != question.id:
        text = "The id in an update must be the one in the address."
        yield Issue("error", "value", "id-differs", text, expression=f"{root}.id")
    elif question.mode == "update" and id is None:
        yield Issue("error", "required", "id-missing", "An update names the id.", expression=f"{root}.id")
    elif question.mode == "create" and id is not None:
        text = "A create gives the resource a new id; this one is not kept."
        yield Issue("information", "informational", "id-not-kept", text, expression=f"{root}.id")


def _placed(issues: Sequence[Issue], body: Body) -> Iterator[Issue]:
    """The issues with line and column in what was sent."""
    expressions = [one.expression for one in issues if one.expression]
    places = spots(body.raw, expressions, is_xml=body.media_type == xml.MEDIA_TYPE)
    for one in issues:
        yield replace(one, spot=places.get(one.expression or ""))


def _all_is_well(text: str) -> Issue:
    return Issue("information", "informational", "valid", text)
