"""The conditions that the tables name: each a question about one change, with the rule that it comes from.

A new condition is a function here, its row in CONDITIONS, and its text in `agreements/negotiation/texts.json`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.coordination.negotiation.circumstances import Circumstances
from gateway.coordination.negotiation.profile import NEW, Profile
from gateway.coordination.negotiation.roles import Role
from gateway.records import Resource


@dataclass(frozen=True, slots=True)
class Change:
    """One change on its way to be judged. `before` is empty where the Task is new, `after` where it is deleted."""

    before: Resource
    after: Resource
    roles: frozenset[Role]
    circumstances: Circumstances
    profile: Profile

    @property
    def start(self) -> str:
        return str(self.before.get("status")) if self.before else NEW

    @property
    def to(self) -> str:
        return str(self.after.get("status")) if self.after else "deleted"

    @property
    def kind(self) -> str:
        """The resource's type, as paths begin."""
        return str((self.after or self.before)["resourceType"])

    def named(self, element: str, *, of: Resource | None = None) -> str | None:
        """The HSA-id of the party that an element names, in the Task as it would be."""
        return self.circumstances.named((self.after if of is None else of).get(element))

    def is_of(self, group: str, codes: frozenset[str]) -> bool:
        return bool(self.profile.codes.get(group, frozenset()) & codes)


@dataclass(frozen=True, slots=True)
class Condition:
    """A question, the requirement it comes from, and where in the Task the answer lies."""

    rule: str
    path: str
    holds: Callable[[Change], bool]

    def text(self, name: str) -> str:
        return f"task-unless-{name}"


def codes_of(concept: Any) -> frozenset[str]:
    """The codes of a CodeableConcept."""
    codings = concept.get("coding", ()) if isinstance(concept, Mapping) else ()
    return frozenset(one["code"] for one in codings if "code" in one)


def asks(change: Change) -> bool:
    """The Task asks its receiver for information: by its code, or by the form in its focus."""
    task = change.after or change.before
    return change.is_of("asks", codes_of(task.get("code"))) or bool(
        change.is_of("asks-focus", frozenset({kind_of(task.get("focus"))}))
    )


def kind_of(reference: Any) -> str:
    """The type of what a Reference refers to, by its word or by the address."""
    if not isinstance(reference, Mapping):
        return ""
    literal = str(reference.get("reference", "")).split("/_history/")[0].split("/")
    return str(reference.get("type") or (literal[-2] if len(literal) > 1 else ""))


def parent_of(change: Change) -> Resource | None:
    """The Task that this one is part of, as it is stored."""
    for one in change.after.get("partOf", ()):
        if found := change.circumstances.stored.get(str(one.get("reference"))):
            return found
    return None


def _takes_part(change: Change) -> bool:
    members = change.circumstances.members
    return members is None or Role.MEMBER in change.roles or Role.COORDINATOR in change.roles or _asks_parent(change)


def _asks_parent(change: Change) -> bool:
    """Who was asked may ask back before he has accepted, and so before he is a member (C-9)."""
    parent = parent_of(change)
    return parent is not None and asks(change) and change.named("owner", of=parent) == change.named("requester")


def _part_or_own(change: Change) -> bool:
    owner = change.named("owner")
    return parent_of(change) is not None or (owner is not None and owner == change.named("requester"))


def _information(change: Change) -> bool:
    return asks(change) or change.is_of("tells", codes_of(change.before.get("code")))


def _proposal(change: Change) -> bool:
    return change.is_of("proposal", frozenset({str(change.before.get("intent"))}))


def _abort_accepted(change: Change) -> bool:
    return change.circumstances.abort_accepted


def _claims(change: Change) -> bool:
    return "owner" not in change.before and change.named("owner") in change.circumstances.organisations


def _own_organisation(change: Change) -> bool:
    was, becomes = change.named("owner", of=change.before), change.named("owner")
    if was is None or becomes is None:
        return False
    of = change.circumstances.organisation_of
    return of(was) == of(becomes)


def _order_answered(change: Change) -> bool:
    answered = change.is_of("answered", frozenset({change.to})) and change.start != change.to
    return answered and change.is_of("order", frozenset({str(change.before.get("intent"))}))


def _moves(change: Change) -> bool:
    return change.start != change.to


def _unaccepted(change: Change) -> bool:
    return change.is_of("unaccepted", frozenset({change.start}))


def _selects(change: Change) -> bool:
    return change.is_of("selected", codes_of(change.after.get("businessStatus")))


def _draft(change: Change) -> bool:
    return change.start == "draft"


CONDITIONS: Mapping[str, Condition] = {
    "takes-part": Condition("C-66", "basedOn", _takes_part),
    "part-or-own": Condition("C-1", "status", _part_or_own),
    "information": Condition("C-1", "status", _information),
    "proposal": Condition("C-1", "status", _proposal),
    "abort-accepted": Condition("C-14", "status", _abort_accepted),
    "claims": Condition("C-12", "owner", _claims),
    "own-organisation": Condition("C-18", "owner", _own_organisation),
    "order-answered": Condition("C-18", "executionPeriod", _order_answered),
    "moves": Condition("C-19", "status", _moves),
    "unaccepted": Condition("C-19", "status", _unaccepted),
    "selects": Condition("C-13", "businessStatus", _selects),
    "draft": Condition("C-19", "status", _draft),
}
