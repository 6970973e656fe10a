"""The whole of it: commands found and held, decided on one by one, stated together, and recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from gateway.access.checked import checked
from gateway.access.commands import Command, Create, Delete, Done, Matching
from gateway.access.performing.deciding import Decider
from gateway.access.performing.finding import Finder, learn_persons
from gateway.access.performing.stating import Stater
from gateway.access.performing.steps import Act, Step, Thing, refusing
from gateway.access.reading import Served, served
from gateway.errors import BadRequest, BusinessRule
from gateway.store import Saved, Stored

T = TypeVar("T")


class Performance:
    """The commands of one caller in one unit of work."""

    def __init__(self, act: Act) -> None:
        self._act = act
        self._finder = Finder(act)
        self._decider = Decider(act)
        self._stater = Stater(act)

    def perform(self, commands: Sequence[Command]) -> list[Done]:
        """What became of each, in their order. Refusal as soon as one may not, or cannot, be done.

        What is deleted is gone when the others' conditions are looked at.
        """
        steps = self._finder.hold(commands)
        deletions = [step for step in steps if isinstance(step.command, Delete)]
        others = [step for step in steps if not isinstance(step.command, Delete)]
        made = self._do(deletions)
        if made and others:
            others = [step for step in self._finder.look(commands) if not isinstance(step.command, Delete)]
        _tell_apart([*deletions, *others])
        if self._act.links is not None:
            self._act.links.settle(others, self)
            learn_persons(self._act.uow, others)
            for step in others:
                if step.resource is not None and step.place in self._act.links.changed:
                    with refusing(step):
                        checked(step.resource, self._act.rooms)
        made |= self._do(others)
        done: dict[int, list[Step]] = {place: [] for place in range(len(commands))}
        for step in (*deletions, *others):
            done[step.place].append(step)
        told = {place: [*found, *(one for step in found for one in step.following)] for place, found in done.items()}
        self._stater.record(commands, told)
        return [_done(commands[place], found, made) for place, found in done.items()]

    def find(self, resource_type: str, condition: Matching, *, most: int = 1) -> tuple[list[Stored], bool]:
        """What meets a condition that the caller may see, and whether that is all of it."""
        return self._finder.find(resource_type, condition, most=most)

    def try_out(self, steps: Sequence[Step], ask: Callable[[], T]) -> T:
        """What the answer would be once these are done; they are allowed, and are not done."""

        def work() -> T:
            self._do(steps)
            return ask()

        return self._act.uow.undone(work)

    def _do(self, steps: Sequence[Step]) -> dict[Thing, Saved]:
        """Decide on each, and state what they say."""
        beside = {step.thing: step.resource for step in steps if step.states and step.resource is not None}
        for step in sorted(steps, key=lambda step: not self._decider.asks(step)):
            with refusing(step):
                self._decider.prepare(step, beside)
        # What several lead on to is done once, and what is commanded of a thing itself goes before.
        commanded = {step.thing for step in steps if step.states}
        for step in steps:
            step.following = tuple(one for one in step.following if one.thing not in commanded)
        further = _further(steps)
        stated = [*(step for step in steps if step.states), *further.values()]
        saved = self._stater.state(stated)
        self._act.rooms.known.take_in(self._act.uow, ((*step.thing, step.resource) for step in stated))
        return saved


def _further(steps: Sequence[Step]) -> dict[Thing, Step]:
    """What they lead on to. Refusal where two of them would have one thing otherwise: half of one would be done."""
    found: dict[Thing, Step] = {}
    for step in steps:
        for one in step.following:
            if found.setdefault(one.thing, one).resource != one.resource:
                with refusing(step):
                    text = "Another entry leads to another change of the same resource: send them one after the other."
                    raise BusinessRule(text, rule="entry-duplicate")
    return found


def _tell_apart(steps: Sequence[Step]) -> None:
    """Refusal where two commands are about one resource, or would make two on the same condition."""
    places: dict[Any, int] = {}
    for step in steps:
        if not step.states:  # What was found is left as it is.
            continue
        command = step.command
        condition = command.if_none_exist if isinstance(command, Create) else command.target
        keys: list[Any] = [step.thing]
        if isinstance(condition, Matching) and not isinstance(command, Delete):
            keys.append((command.resource_type, frozenset(condition.params)))
        if any(places.setdefault(key, step.place) != step.place for key in keys):
            with refusing(step):
                text = "Another entry is about the same resource: one is changed once."
                raise BadRequest(text, rule="entry-duplicate")


def _done(command: Command, steps: Sequence[Step], made: Mapping[Thing, Saved]) -> Done:
    versions = []
    created = False
    for step in steps:
        if (saved := made.get(step.thing)) is not None:
            versions.append(_served(saved))
            created = saved.created
        elif step.current is not None:
            versions.append(served(step.current))
    match command:
        case Delete():
            return Done("deleted", tuple(versions))
        case Create() if not steps[0].states:
            return Done("found", tuple(versions))
    return Done("created" if created else "updated", tuple(versions))


def _served(saved: Saved) -> Served:
    return Served(saved.resource_type, saved.id, saved.version, saved.last_updated, saved.body, saved.created)
