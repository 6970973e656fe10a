"""Creates and updates of several requests, performed together: one unit of work, and one commit, for all of a moment.

Each is decided on, answered and recorded by itself. Those of one caller about different resources go together; where
one of them is refused nothing of it was done, and each is performed alone. What it comes to is what it would have come
to one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from gateway.access.caller import Asking, Caller
from gateway.access.commands import Body, Create, Done, Update, Versions
from gateway.access.performing import NEGOTIATED, Act, Performance, Thing
from gateway.access.writing import Writing
from gateway.coordination.plans.rules import PLAN, TEAM
from gateway.errors import GatewayError, Unavailable
from gateway.search import own
from gateway.store import UnitOfWork

Q = TypeVar("Q")
A = TypeVar("A")

LARGE = 256 * 1024
"""Bytes of a body that others shall not wait for."""


_LOOKING: Final = NEGOTIATED | {PLAN, TEAM}


@dataclass(frozen=True, slots=True)
class Sent:
    """A resource as it was sent, to be created, or stored under an id."""

    asking: Asking
    resource_type: str
    body: Body
    id: str | None = None
    if_match: Versions | None = None
    if_none_match: Versions | None = None

    @property
    def joins(self) -> bool:
        """Whether it may go with others, and they with it."""
        return joining(self.asking.caller, self.resource_type) and len(self.body.raw) <= LARGE

    @property
    def things(self) -> list[Thing]:
        """What it is about, where that is told already."""
        return [] if self.id is None else [(self.resource_type, self.id)]


def joining(caller: Caller, resource_type: str) -> bool:
    """Whether what a caller writes of a type may go with others.

    Where the parties agree on states, and in plans and their teams, a command is decided on by what is written beside
    it; and what defines how everything is indexed is taken in by itself.
    """
    return resource_type != own.TYPE and (caller.operator or resource_type not in _LOOKING)


def grouped(given: Iterable[tuple[int, Caller, bool, Collection[Thing]]]) -> list[list[int]]:
    """The places of what goes together: of one caller, about different things; what does not join goes by itself.

    Each joins what came before it, or nothing: of two about the same thing the later one comes later.
    """
    groups: list[list[int]] = []
    open_to: Caller | None = None
    taken: set[Thing] = set()
    for place, caller, joins, things in given:
        if joins and caller == open_to and not taken.intersection(things):
            groups[-1].append(place)
        else:
            groups.append([place])
            open_to, taken = caller if joins else None, set()
        taken.update(things)
    return groups


def performed(
    group: Sequence[Q], in_one: Callable[[Sequence[Q]], Sequence[A]], alone: Callable[[Q], A]
) -> Sequence[A | Exception]:
    """What becomes of each of a group in one unit of work; where something is wrong with it, of each by itself.

    It never raises: what was committed must not be asked for again for another's sake.
    """
    if len(group) == 1:
        return [_answered(alone, group[0])]
    try:
        return in_one(group)
    except Unavailable as error:  # Nobody's fault, and perhaps committed: each by itself would do it again.
        return [error] * len(group)
    except Exception:  # A refusal of one of them, or what cannot be stored: each by itself tells whose fault it is.
        return [_answered(alone, one) for one in group]


def _answered(alone: Callable[[Q], A], one: Q) -> A | Exception:
    try:
        return alone(one)
    except Exception as error:
        return error


class Together(Writing):
    """Performs what came in one moment."""

    def store_all(self, sent: Sequence[Sent]) -> list[Done | Exception]:
        """What became of each, or why it was refused."""
        answers: dict[int, Done | Exception] = {}
        commands: dict[int, Create | Update] = {}
        for place, one in enumerate(sent):
            try:
                commands[place] = self._command(one)
            except GatewayError as refusal:
                answers[place] = refusal
        asked = ((place, sent[place].asking.caller, sent[place].joins, sent[place].things) for place in commands)
        for places in grouped(asked):
            group = [(sent[place], commands[place]) for place in places]
            answers |= zip(places, performed(group, self._in_one, self._alone), strict=True)
        return [answers[place] for place in range(len(sent))]

    def _command(self, one: Sent) -> Create | Update:
        if one.id is None:
            return self.creating(one.resource_type, one.body)
        return self.updating(one.resource_type, one.id, one.body, one.if_match, one.if_none_match)

    def _in_one(self, group: Sequence[tuple[Sent, Create | Update]]) -> list[Done]:
        asked = [one.asking for one, _ in group]

        def work(uow: UnitOfWork) -> list[Done]:
            kept = self.keep_bodies(uow, asked[0], [one.body for one, _ in group])
            act = Act(self, self._rooms, uow, asked[0], kept, each=asked)
            return Performance(act).perform([command for _, command in group])

        return self._rooms.store.write(work, now=self._rooms.clock)

    def _alone(self, one: tuple[Sent, Create | Update]) -> Done:
        sent, command = one
        return self.write(sent.asking, command, sent.body)
