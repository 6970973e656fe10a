"""The steps that commands come to, one for each resource on its way, and the refusal of one, which stops them all."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from gateway.access.caller import Asking
from gateway.access.commands import Command, Matching
from gateway.access.conditions import Find
from gateway.access.decision import Decision
from gateway.access.reading import Reading, Rooms
from gateway.errors import GatewayError
from gateway.records import Resource
from gateway.store import Stored, UnitOfWork

T = TypeVar("T")
Thing = tuple[str, str]
"""Resource type and id."""
Kept = tuple[str, int]
"""Where something is kept as it came: the inbox's id, and the item."""


@dataclass(slots=True)
class Step:
    """One resource of a command on its way: what is stored, what was decided, what is to be stated."""

    place: int
    command: Command
    id: str
    resource: Resource | None = None
    """The new content, under its id; None where nothing is left to say, or until it is known."""
    states: bool = True
    fresh: bool = False
    """Nothing may be stored under the id."""
    unheard: bool = False
    """The id was made up for it, and nobody has heard of it: nothing is stored or said under it."""
    current: Stored | None = None
    person: str | None = None
    decision: Decision = field(default=Decision(True, "nothing-there"))
    version: str | None = None
    """What the version that it makes is to be called, where something refers to it beforehand."""
    following: tuple[Step, ...] = ()
    """What it leads on to in other resources, by the rules of its type."""

    @property
    def about(self) -> str | None:
        """The person whom it is about; of what is not known yet, the person of what is stored and was looked at."""
        return self.person or (self.current.person if self.current is not None else None)

    @property
    def thing(self) -> Thing:
        return self.command.resource_type, self.id


class Refusal(Exception):
    """One of the commands is refused: undo them all, record the decision, and give the answer.

    `place` is the command's among those performed together.
    """

    def __init__(self, place: int, command: Command, answer: GatewayError, decision: Decision, person: str | None):
        super().__init__(decision.rule)
        self.place, self.command, self.answer = place, command, answer
        self.decision, self.person = decision, person


@contextmanager
def refusing(step: Step, expression: str | None = None) -> Iterator[None]:
    """A refusal within is one of this command; `expression` is what it is about, unless it says so itself."""
    try:
        yield
    except GatewayError as answer:
        issues = [replace(issue, expression=issue.expression or expression) for issue in answer.issues]
        raise Refusal(step.place, step.command, answer.told(issues), step.decision, step.about) from None


class Links(Protocol):
    """What resources that are written together say of each other, before they have their ids."""

    @property
    def versions(self) -> Mapping[Thing, str]:
        """Versions that something refers to before they are made."""

    @property
    def changed(self) -> Collection[int]:
        """The places of the commands whose content was changed."""

    def learn(self, steps: Sequence[Step], find: Find) -> None:
        """Learn the ids that were found or made, and let the new content name them."""

    def settle(self, steps: Sequence[Step], trial: Trial) -> None:
        """Let the new content name what only these commands themselves bring about."""

    def named(self, resource: Resource) -> Resource:
        """Content that is made of what is stored, with the names that the others have."""


class Trial(Protocol):
    """What the steps of one unit of work would lead to."""

    def find(self, resource_type: str, condition: Matching) -> tuple[list[Stored], bool]:
        """What meets a condition that the caller may see, and whether that is all of it."""

    def try_out(self, steps: Sequence[Step], ask: Callable[[], T]) -> T:
        """What the answer would be once these are done; they are allowed, and are not done."""


@dataclass(frozen=True, slots=True)
class Act:
    """One caller's commands in one unit of work: what all that is done with them starts from.

    `kept` is where what was sent for each command is kept: the inbox's id, and the item. `each` is as what each was
    asked, where they came one by one.
    """

    reading: Reading
    rooms: Rooms
    uow: UnitOfWork
    asking: Asking
    kept: Sequence[Kept | None] = ()
    links: Links | None = None
    each: Sequence[Asking] = ()

    def asked(self, place: int) -> Asking:
        """As what the command at a place was asked."""
        return self.each[place] if self.each else self.asking
