"""What may be done: each command decided on by itself, with what it states settled."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.access.checked import checked, unconditional
from gateway.access.commands import ANY_VERSION, Correct, Create, Delete, Patch, Update, Versions
from gateway.access.decision import DIRECTORY, Decision, decide_write
from gateway.access.performing.authors import Authors
from gateway.access.performing.finding import persons_of
from gateway.access.performing.negotiating import Negotiator
from gateway.access.performing.planning import Planner
from gateway.access.performing.steps import Act, Step, Thing
from gateway.coordination.plans.basis import WITHHELD, labelled
from gateway.errors import BusinessRule, Conflict, Forbidden, Gone, NotFound, PreconditionFailed, PreconditionRequired
from gateway.records import Resource
from gateway.store import Stored


class Decider:
    """Decides on steps, within one act."""

    def __init__(self, act: Act) -> None:
        self._act = act
        self._authors, self._negotiator, self._planner = Authors(act), Negotiator(act), Planner(act)
        self._parties: dict[str, set[str]] = {}
        self._joined: set[str] = set()
        """Persons in whose care the caller takes part by one of these commands."""

    def prepare(self, step: Step, beside: Mapping[Thing, Resource]) -> None:
        """Decide on one command, and settle what it states. `beside` is what all that are done together make."""
        command, current = step.command, step.current
        if current is not None:
            step.decision = self._act.reading.may_see(self._act.uow, self._act.asking, current)
            if not step.decision.allowed:
                step.person = current.person
                raise NotFound(rule="resource-unknown")
        match command:
            case Create():
                if step.states:
                    self._decide(step)
            case Correct() if current is None:
                raise NotFound(rule="resource-unknown")
            case Correct() if current is not None and current.deleted:
                raise Gone()
            case Update():
                self._decide(step, named=True)
                self._match(current, command.if_match)
                _match_none(current, command.if_none_match)
                if step.fresh and current is not None and not current.deleted:
                    text = "Nothing meets the condition, and the id in the body is taken by another resource."
                    raise Conflict(text, rule="id-taken", expression=f"{command.resource_type}.id")
            case Patch():
                self._patch(step, command)
                self._decide(step)
            case Delete():
                self._delete(step, command)
        self._authors.judge(step)
        self._withholds(step)
        self._planner.admit(step, beside)
        self._negotiator.judge(step, beside)
        self._planner.judge(step, beside)

    def _withholds(self, step: Step) -> None:
        """Refusal where the caller would keep from others what they state themselves: it is their word, too."""
        current, caller = step.current, self._act.asking.caller
        if caller.operator or not step.states or step.resource is None or current is None or current.deleted:
            return
        withholds = labelled(step.resource, WITHHELD) and not labelled(current.resource(), WITHHELD)
        if withholds and set(current.contributors) - self._act.reading.own(caller):
            text = (
                "Others state this too, and it is not yours to keep from them: state yours by itself, under its own id."
            )
            raise BusinessRule(text, rule="withheld-from-its-authors", expression=f"{step.thing[0]}.meta.security")

    def asks(self, step: Step) -> bool:
        """Whether the caller is the requester of what it writes."""
        requester = (step.resource or {}).get("requester", {}).get("identifier", {}).get("value")
        return requester in self._act.asking.caller.organisations

    def _patch(self, step: Step, command: Patch) -> None:
        current = step.current
        if current is None:
            raise NotFound(rule="resource-unknown")
        if current.deleted:
            raise Gone()
        self._match(current, command.if_match)
        resource = command.change(current.resource())
        for name, rule in (("resourceType", "resource-type-differs"), ("id", "id-differs")):
            if resource.get(name) != step.thing[name == "id"]:
                raise Conflict(f"A patch leaves the {name} as it is.", rule=rule, expression=f"{step.thing[0]}.{name}")
        if self._act.links is not None:
            resource = self._act.links.named(resource)
        checked(resource, self._act.rooms)
        if self._act.links is None:
            unconditional(resource, self._act.rooms)
        step.resource = resource
        (step.person,) = persons_of(self._act.uow, [resource])

    def _delete(self, step: Step, command: Delete) -> None:
        current = step.current
        if current is None and not self._act.asking.caller.operator:  # As for what he may not see.
            step.decision = Decision(False, "nothing-there")
            raise NotFound(rule="resource-unknown")
        self._match(current, command.if_match)
        self._decide(step)
        step.states = current is not None and not current.deleted

    def _match(self, current: Stored | None, wanted: Versions | None) -> None:
        """PreconditionFailed unless what is stored is at one of the versions; required, where the setting says so."""
        if wanted is None:
            if self._act.rooms.require_if_match and current is not None and not current.deleted:
                raise PreconditionRequired(rule="if-match-required")
        elif current is None or not (current.version in wanted or _any(current, wanted)):
            raise PreconditionFailed(
                f"The version is {current.version} now: read it again." if current else "There is no version yet.",
                rule="version-differs",
            )

    def _decide(self, step: Step, *, named: bool = False) -> None:
        """The decision to let the caller state this; refused where he may not.

        `named`: the caller chose the id. Whether it is taken by what he may not see is not to be told from the answer.
        """
        caller, kind, current = self._act.asking.caller, step.command.resource_type, step.current
        if step.person is None and current is not None:
            step.person = current.person
        person = step.person
        if person and not caller.operator and person not in self._parties:
            self._parties[person] = self._act.uow.persons.parties(person)
        parties = self._parties.get(person or "", set())
        step.decision = decide_write(
            caller,
            kind,
            takes_part=person in self._joined or bool(parties & set(caller.organisations)),
            asks_for_it=person is not None and self.asks(step),
        )
        if step.decision.allowed and person:
            self._joined.add(person)
        if not step.decision.allowed:
            if named and current is None and kind not in DIRECTORY:
                raise NotFound(rule="resource-unknown")
            raise Forbidden(f"Not allowed: {step.decision.rule}.", rule=step.decision.rule)


def _match_none(current: Stored | None, unwanted: Versions | None) -> None:
    """PreconditionFailed where what is stored is at one of the versions."""
    if unwanted is None or current is None or current.deleted:
        return
    if current.version in unwanted or _any(current, unwanted):
        raise PreconditionFailed("There is such a version already: read it.", rule="version-exists")


def _any(current: Stored, versions: Versions) -> bool:
    return ANY_VERSION in versions and not current.deleted
