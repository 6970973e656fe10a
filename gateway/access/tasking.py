"""One Task for one who works with it: how it stands, what he may do now, and doing it, by the rules of every write.

A move is written at the version that was shown: who comes second is told who was first. What is new is written by the
same commands as REST's: a mission that is asked for, asked anew of another, a report that is acknowledged.

docs/page.md
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import NAMESPACE_URL, UUID, uuid5

from gateway.access.answers import with_those_above
from gateway.access.caller import Asking
from gateway.access.commands import Body, Command, Create, Done, Matching, Patch
from gateway.access.decision import Decision
from gateway.access.handing_over import HandingOver, Offer
from gateway.access.moves import BY_CODE, Given, Move, made, missing, possible, reports, stage_that_holds
from gateway.access.next_steps import TASK
from gateway.access.organisations import organisations
from gateway.access.performing import Act, Performance
from gateway.access.standing import Standings
from gateway.access.worklists import Worklists
from gateway.coordination import agreements
from gateway.coordination.consenting import is_sip
from gateway.coordination.directory import Directory, Unit
from gateway.coordination.facts import TaskFact
from gateway.coordination.heirs import PARTIES, passings_in
from gateway.coordination.negotiation import NextStep, Role, handover
from gateway.coordination.picture import REPLACES, task_fact
from gateway.coordination.plans import plans_of
from gateway.coordination.plans.rules import PLAN
from gateway.coordination.tasks import written_history
from gateway.coordination.values import written
from gateway.coordination.words import Words
from gateway.coordination.worklist import due_of
from gateway.definitions import CANONICAL
from gateway.errors import BadRequest, Conflict, Gone, PreconditionFailed
from gateway.fhir.json import dump, parse
from gateway.identity.resolve import logical_references
from gateway.identity.systems import HSA_ID
from gateway.records import Agreed, Resource
from gateway.store import Stored, UnitOfWork

MISSION: Final = f"{CANONICAL}/CodeSystem/mission"
TASK_INPUT: Final = f"{CANONICAL}/CodeSystem/task-input"
NEXT_CANDIDATE: Final = "next-candidate"
URI: Final = "urn:ietf:rfc:3986"
"""The system of an identifier that is a URI: https://hl7.org/fhir/R4/datatypes.html#Identifier."""
PRIORITIES: Final = ("routine", "urgent", "asap", "stat")
KEPT: Final = (
    "intent",
    "priority",
    "code",
    "description",
    "for",
    "encounter",
    "groupIdentifier",
    "reasonCode",
    "basedOn",
)
"""What is the same in a Task that is asked anew of another."""
MOST_TEXT: Final = 4000
"""Characters of a reason, a report or a description."""


# The page shows these; it reaches them through the door.
__all__ = ["PRIORITIES", "Asked", "Given", "Move", "TaskView", "Tasking", "missing"]


@dataclass(frozen=True, slots=True)
class Past:
    """A step that was taken: what it became, when, in whose hands, and by whose account."""

    status: str
    since: datetime | None
    owner: str
    by: str


@dataclass(frozen=True, slots=True)
class PassedOn:
    """That a unit has closed, who stands for it since, and in what of the Task: `owner`, `requester`, or as one of
    those who may take it."""

    closed: str
    heir: str
    since: datetime
    elements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TaskView:
    """A Task as it stands, and what the caller may do with it."""

    stored: Stored
    task: TaskFact
    patient: Resource | None
    roles: frozenset[Role]
    steps: tuple[NextStep, ...]
    moves: tuple[Move, ...]
    due: datetime | None
    late: bool
    """Its time has passed, and it is not over."""
    stage: Words | None
    past: tuple[Past, ...]
    passed: tuple[PassedOn, ...]
    inputs: tuple[tuple[Words, str], ...]
    """What it brings with it, in words: the place, how to get in, a risk."""
    reports: tuple[str, ...]
    about: str | None
    """Of a hand-over: the id of the Task that changes hands, where the caller may see it."""
    sip: str | None
    """The id of the SIP that it is part of, where the caller may see it."""
    candidates: tuple[Unit, ...]
    """Whom to ask next, as who asked has named them."""
    may_ask_anew: bool
    may_hand_over: bool
    """Whether the caller has it, and the rules know of handing over."""
    may_read: bool
    """Whether the caller asked for it, it is over, and he has not acknowledged how it ended."""
    read: bool
    """Whether he has."""
    plain: bool
    """The caller is the operator: what he writes is plain R4, and no move is offered."""

    @property
    def version(self) -> str:
        return self.stored.version


@dataclass(frozen=True, slots=True)
class Asked:
    """A mission that somebody asks another for."""

    code: str
    to: str
    """The HSA-id of the unit."""
    what: str
    priority: str = "routine"
    due: datetime | None = None
    next: str = ""
    """The HSA-id of who is to be asked when the first declines."""
    form: str = ""
    """The UUID of the form that it stands in: what is sent twice is asked once."""


class Tasking(HandingOver, Worklists):
    """task, move, ask, ask_anew and acknowledge."""

    def task(self, asking: Asking, id: str) -> TaskView:
        """One Task, its person, and the caller's moves. NotFound, Gone."""

        def ask(uow: UnitOfWork) -> tuple[Stored | None, Decision, TaskView | None]:
            stored = uow.resources.read(TASK, id)
            decision = self.judge(uow, asking, stored)
            there = stored is not None and decision.allowed and not stored.deleted
            return stored, decision, self._task(uow, asking, stored) if stored is not None and there else None

        stored, decision, view = self._rooms.store.read(ask)
        self.known(asking, stored, decision)
        if view is None:
            raise Gone()
        return view

    def move(self, asking: Asking, id: str, code: str, given: Given, *, version: str) -> Done:
        """Make a move at the version that was shown. BadRequest, Conflict, PreconditionFailed; what rules refuse."""
        move = BY_CODE.get(code)
        if move is None:
            raise BadRequest(f"There is no move of this name. Moves: {', '.join(BY_CODE)}.", rule="move-unknown")
        view = self.task(asking, id)
        if view.version != version:
            raise PreconditionFailed("The Task has changed since it was shown.", rule="version-differs")
        step = next((one for one in view.steps if one.state == move.state), None)
        if move not in view.moves:
            raise Conflict("This is not to be done with the Task as it stands.", rule="move-not-offered")
        before = view.stored.resource()
        owns = Role.OWNER in view.roles
        after = made(before, move, given, step=step, owns=owns, owner=_own(asking))
        # The rules look at it again, under the locks, as at everything that is written.
        command = Patch(resource_type=TASK, target=id, change=lambda _: after, if_match=(version,))
        return self.write(asking, command, Body(dump(after)))

    def acknowledge(self, asking: Asking, id: str) -> None:
        """Say that who asked for it has read how it ended: a Communication that is part of the Task. What is sent
        twice is said once. Conflict.
        """
        view = self.task(asking, id)
        if not view.may_read and view.read:
            return
        if not view.may_read:
            raise Conflict("There is nothing here that you have not acknowledged.", rule="nothing-to-acknowledge")
        task = view.stored.resource()
        # Both presses may be under way before either is answered: of how the Task ended one acknowledgement is made.
        number = uuid5(NAMESPACE_URL, f"{TASK}/{id}/_history/{view.version} {asking.caller.hsa_id}").urn
        said: Resource = {
            "resourceType": "Communication",
            "identifier": [{"system": URI, "value": number}],
            "status": "completed",
            "partOf": [{"reference": f"{TASK}/{id}"}],
            "sent": written(self._rooms.clock()),
            "sender": _own(asking),
            "recipient": [task["owner"]] if "owner" in task else [],
            "subject": task.get("for"),
        }
        said = {name: value for name, value in said.items() if value}
        self._write_new(asking, said, once=Matching((("identifier", f"{URI}|{number}"),)))

    def ask(self, asking: Asking, patient_id: str, asked: Asked) -> Done:
        """Ask a unit for a mission; found where this form was sent before. NotFound for a person whom the caller may
        not know of; BadRequest.
        """
        self.read(asking, "Patient", patient_id)
        number = _number(asked.form)
        now = self._rooms.clock()
        missions = self.concepts("mission")
        for name, value, known in (("code", asked.code, missions), ("priority", asked.priority, PRIORITIES)):
            if value not in known:
                raise BadRequest(f"{name} is one of {', '.join(known)}.", rule="parameter-malformed", where=name)
        if asked.due is not None and asked.due < now:
            raise BadRequest("What is to be done cannot be due in the past.", rule="due-past", where="due")
        to = self._unit(asked.to)
        task: Resource = {
            "resourceType": TASK,
            "identifier": [{"system": URI, "value": number}],
            "status": "requested",
            "intent": "order",
            "priority": asked.priority,
            "code": {"coding": [{"system": MISSION, "code": asked.code, "display": missions[asked.code].en}]},
            "description": asked.what,
            "for": {"reference": f"Patient/{patient_id}"},
            "authoredOn": written(now),
            "requester": _own(asking),
            "owner": to,
        }
        if asked.due is not None:
            task["restriction"] = {"period": {"end": written(asked.due)}}
        if asked.next:
            task["input"] = [_candidate(self._unit(asked.next))]
        return self._write_new(asking, task, once=Matching((("identifier", f"{URI}|{number}"),)))

    def ask_anew(self, asking: Asking, id: str, to: str, *, version: str) -> Done:
        """Ask another for what was declined, or what nobody has: a Task that replaces the first."""
        view = self.task(asking, id)
        if view.version != version:
            raise PreconditionFailed("The Task has changed since it was shown.", rule="version-differs")
        _must(view.may_ask_anew)
        before, unit = view.stored.resource(), self._unit(to)
        task: Resource = {"resourceType": TASK, "status": "requested"}
        task |= {name: before[name] for name in KEPT if name in before}
        task |= {
            "authoredOn": written(self._rooms.clock()),
            "requester": before["requester"],
            "owner": unit,
            "extension": [{"url": REPLACES, "valueReference": {"reference": f"{TASK}/{id}"}}],
        }
        inputs = [one for one in before.get("input", ()) if not _names(one, to)]
        task |= {"input": inputs} if inputs else {}
        commands: list[Command] = [Create(resource_type=TASK, resource=task)]
        cancel = next((one for one in view.steps if one.state == "cancelled"), None)
        if cancel is not None and "owner" not in before:  # The Task that replaces it is the one that counts.
            over = cancel.taken(before, reason={"text": "Frågat en annan enhet"})
            commands.append(Patch(resource_type=TASK, target=id, change=lambda _: over, if_match=(version,)))
        self.whole(TASK, task)

        def work(uow: UnitOfWork) -> Done:
            uow.lock({view.stored.person or id})
            now = uow.resources.read(TASK, id)  # Somebody may have asked since it was looked at.
            _must(now is not None and now.version == version and self._is_free(uow, now, view.task))
            return Performance(Act(self, self._rooms, uow, asking)).perform(commands)[0]

        return self.attempt(asking, work)

    def patient(self, asking: Asking, id: str) -> Resource:
        """The Patient. NotFound."""
        resource: Resource = parse(self.read(asking, "Patient", id).body)
        return resource

    def hand_over(self, asking: Asking, id: str, to: str, why: str, *, form: str) -> Done:
        """Ask another unit to take the Task over; until it accepts, the caller's has it. What rules refuse.

        `form`: the UUID of the form; what is sent twice is offered once.
        """
        offer = Offer(self._unit(to), reason={"text": why}, identifier={"system": URI, "value": _number(form)})
        return self.offer_handover(asking, id, offer, Body(dump({"text": why, "to": to})))

    def units(self) -> list[tuple[str, str]]:
        """HSA-id and name of every unit of the directory, by name."""
        found = self._rooms.store.read(lambda uow: organisations(uow, self._rooms.sources.values()))
        return [(one.hsa_id, one.name) for one in found]

    def concepts(self, code_system: str) -> dict[str, Words]:
        """The codes of a shipped code system, by its id, with what they are called."""
        published = self._rooms.definitions.published("CodeSystem", code_system) or {}
        return {one["code"]: _called(one) for one in published.get("concept", ())}

    def _write_new(self, asking: Asking, resource: Resource, *, once: Matching | None = None) -> Done:
        kind = str(resource["resourceType"])
        self.whole(kind, resource)
        return self.write(
            asking, Create(resource_type=kind, resource=resource, if_none_exist=once), Body(dump(resource))
        )

    def _task(self, uow: UnitOfWork, asking: Asking, stored: Stored) -> TaskView:
        resource = stored.resource()
        keys = {key for _, key in logical_references(resource) if key[0] == "Organization"}
        now = self._rooms.clock()
        directory = Directory(with_those_above(uow, keys, now))
        agreed = Agreed(TASK, stored.id, stored.person, resource, stored.contributors)
        fact = task_fact(agreed, directory, self._rooms.recorder.authority, now)
        mine = Standings(self._rooms, uow, asking.caller).of(resource, resource, person=stored.person)
        operator = asking.caller.operator
        steps = () if operator else self._rules.next_steps(resource, mine.roles, mine.circumstances)
        limits = agreements.agreement()
        travels = fact.code in limits.codes["missions"] | limits.codes["visits"]
        owns, requests = (role in mine.roles and not operator for role in (Role.OWNER, Role.REQUESTER))
        moves = possible(resource, steps, owns=owns, asks=requests and not owns, travels=travels)
        over = fact.status in self._rooms.recorder.authority.steps[TASK].ended
        own = asking.caller.organisations
        stage = stage_that_holds(resource)
        asked = requests and over and not owns
        read = asked and bool(self._read_by(uow, asking, [stored], own))
        offered = fact.status in self._rooms.recorder.authority.steps[TASK].offered
        due, late = due_of(fact, limits, now, offered=offered)
        return TaskView(
            stored,
            fact,
            self._patient(uow, asking, resource),
            mine.roles,
            tuple(steps),
            tuple(moves),
            due,
            late and not over,
            self.concepts("mission-status").get(stage) if stage else None,
            tuple(self._past(resource, directory)),
            tuple(_passed(resource, directory)),
            tuple(self._inputs(resource)),
            tuple(reports(resource)),
            self._about(uow, asking, resource),
            self._sip_of(uow, asking, resource),
            tuple(_candidates(resource, directory)),
            requests and self._is_free(uow, stored, fact),
            self._may_hand_over(mine.roles, fact) and not operator,
            asked and not read,
            read,
            operator,
        )

    def _may_hand_over(self, roles: frozenset[Role], task: TaskFact) -> bool:
        held = task.status in self._rooms.recorder.authority.steps[TASK].held or task.status == "on-hold"
        codes = self._rules.profile.codes[handover.CODE]
        return Role.OWNER in roles and held and bool(codes) and not task.codes & codes

    def _past(self, task: Resource, directory: Directory) -> Iterator[Past]:
        owner = ""
        for step in written_history(task):
            if step.owner is not None and (unit := directory.unit(step.owner)):
                owner = unit.name
            kind, _, hsa_id = step.source.partition(":")
            by = directory.by_hsa_id(hsa_id).name if kind == "organisation" else self._source_name(step.source)
            yield Past(step.status, step.start, owner, by)

    def _source_name(self, source: str) -> str:
        known = self._rooms.sources.get(source)
        return known.name if known else source

    def _inputs(self, task: Resource) -> Iterator[tuple[Words, str]]:
        called = self.concepts("task-input")
        for one in task.get("input", ()):
            codes = [coding.get("code", "") for coding in one.get("type", {}).get("coding", ())]
            name = next((called[code] for code in codes if code in called), None)
            if name is not None and one.get("valueString"):
                yield name, str(one["valueString"])

    def _is_free(self, uow: UnitOfWork, stored: Stored, task: TaskFact) -> bool:
        """Whether nobody has the Task, and no other was asked in its place."""
        asked = task.owner is not None or bool(task.resource.get("restriction", {}).get("recipient"))
        if not (task.status in ("rejected", "failed") or (task.status == "requested" and not asked)):
            return False
        if stored.person is None:
            return True
        group = task.resource.get("groupIdentifier")
        for one in uow.resources.of_person(stored.person, resource_types=[TASK]):
            if one.id == stored.id:
                continue
            other = one.resource()
            replaced = (x.get("valueReference", {}) for x in other.get("extension", ()) if x.get("url") == REPLACES)
            if any(reference.get("reference") == f"{TASK}/{stored.id}" for reference in replaced):
                return False
            later = str(other.get("authoredOn", "")) > str(task.resource.get("authoredOn", ""))
            if group and other.get("groupIdentifier") == group and later:
                return False
        return True

    def _patient(self, uow: UnitOfWork, asking: Asking, task: Resource) -> Resource | None:
        literal = str(task.get("for", {}).get("reference", ""))
        found = self._patients(uow, asking, [literal]) if literal.startswith("Patient/") else []
        return found[0].resource() if found else None

    def _about(self, uow: UnitOfWork, asking: Asking, task: Resource) -> str | None:
        kind, _, id = str(task.get("focus", {}).get("reference", "")).partition("/")
        stored = uow.resources.read(TASK, id) if kind == TASK else None
        there = stored is not None and not stored.deleted and self.may_see(uow, asking, stored).allowed
        return id if there and handover.is_handover(task, self._rules.profile) else None

    def _sip_of(self, uow: UnitOfWork, asking: Asking, task: Resource) -> str | None:
        for id in plans_of(task):
            stored = uow.resources.read(PLAN, id)
            there = stored is not None and not stored.deleted and self.may_see(uow, asking, stored).allowed
            if stored is not None and there and is_sip(stored.resource()):
                return id
        return None

    def _unit(self, hsa_id: str) -> Resource:
        known = dict(self.units())
        if hsa_id not in known:
            raise BadRequest("The directory has no unit of this HSA-id.", rule="unit-unknown", where="to")
        return _reference(hsa_id, known[hsa_id])


def _number(form: str) -> str:
    """The identifier that what is asked by this form has. BadRequest."""
    try:
        return UUID(form).urn
    except ValueError:
        raise BadRequest("A form has a UUID: open the page again.", rule="form-unknown", where="form") from None


def _must(free: bool) -> None:
    if not free:
        raise Conflict("Somebody has the Task, or it was asked anew already.", rule="task-not-to-be-asked-anew")


def _own(asking: Asking) -> Resource:
    return _reference(asking.caller.hsa_id, asking.caller.name)


def _reference(hsa_id: str, name: str) -> Resource:
    made: Resource = {"type": "Organization", "identifier": {"system": HSA_ID, "value": hsa_id}}
    return made | ({"display": name} if name else {})


def _candidate(unit: Resource) -> Resource:
    return {"type": {"coding": [{"system": TASK_INPUT, "code": NEXT_CANDIDATE}]}, "valueReference": unit}


def _is_candidate(one: Resource) -> bool:
    return any(coding.get("code") == NEXT_CANDIDATE for coding in one.get("type", {}).get("coding", ()))


def _names(one: Resource, hsa_id: str) -> bool:
    return _is_candidate(one) and one.get("valueReference", {}).get("identifier", {}).get("value") == hsa_id


def _passed(task: Resource, directory: Directory) -> Iterator[PassedOn]:
    for one, elements in passings_in(task):
        closed, heir = directory.unit(one.closed), directory.unit(one.heir)
        if closed is not None and heir is not None:
            told = tuple(element for element in elements if element in PARTIES)
            yield PassedOn(closed.name, heir.name, one.since, told)


def _candidates(task: Resource, directory: Directory) -> Iterator[Unit]:
    for one in task.get("input", ()):
        unit = directory.unit(one.get("valueReference")) if _is_candidate(one) else None
        if unit is not None:
            yield unit


def _called(concept: Resource) -> Words:
    swedish = (one["value"] for one in concept.get("designation", ()) if one.get("language") == "sv")
    return Words(next(swedish, concept["display"]), concept["display"])
