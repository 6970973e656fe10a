"""A state machine of several parties on a few Tasks: what they command, what their systems report, and what goes wrong.

Commands come through the door; reports are statements as a pipeline makes them of an adapter's messages, late, early,
twice and in any order, some in a unit of work that is broken off. The clock jumps both ways. After each step the
Task that it was about has the owners that it must have, and what was allowed is what is served.

Where a process of its own does the acts, it is killed now and then at a random moment of one. A twin, which nobody
kills, does the same acts: what is there afterwards is what was before, or what the twin has, and never a part of it.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from time import perf_counter
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from gateway.access.handing_over import Answer
from gateway.access.next_steps import Proposed
from gateway.app import Gateway, wire
from gateway.coordination.agree import agree_all
from gateway.coordination.heirs import passings_in
from gateway.coordination.statements import Origin, canonical, make
from gateway.coordination.tasks import HISTORY
from gateway.errors import GatewayError
from gateway.identity.systems import HSA_ID
from gateway.records import Resource, Statement
from gateway.settings import Settings
from tests.negotiation.acts import (
    Act,
    Answered,
    Changed,
    Corrected,
    Made,
    Offered,
    Outcome,
    Person,
    Reported,
    Succeeded,
    asks,
    handover,
    stored,
    tried,
)
from tests.negotiation.process import Nursery, Worker

UNITS = ("SE2321000131-T0110", "SE2120001348-T0100", "SE2321000081-T0100")
HEIRS = ("SE2321000131-T0190", "SE2120001348-T0190")
"""Who may take over from a unit that closes; the first may close, too."""
ASKS = UNITS[0]
STATUSES = (
    "draft",
    "requested",
    "received",
    "accepted",
    "rejected",
    "ready",
    "cancelled",
    "in-progress",
    "on-hold",
    "failed",
    "completed",
)
WAYS = {
    "requested": ("received", "accepted", "in-progress", "rejected"),
    "received": ("accepted", "in-progress"),
    "accepted": ("in-progress",),
    "in-progress": ("on-hold", "completed", "failed"),
    "on-hold": ("in-progress",),
}
HELD = frozenset({"accepted", "in-progress"})
"""What nobody's Task can be in."""
REPORTED = tuple(status for status in STATUSES if status not in ("draft", "ready"))
MOST_TASKS = 4
BEGIN = datetime(2026, 3, 10, 10, tzinfo=UTC)

tasks = st.integers(0, MOST_TASKS - 1)
units = st.sampled_from(UNITS)
minutes = st.sampled_from([-600, -30, -5, 0, 0, 0, 5, 30, 600])


class BrokenOffError(Exception):
    """Something fails in the middle of a unit of work."""


@dataclass(slots=True)
class World:
    """One installation, with a clock that is set. `nursery`: where processes come from that do the acts, if any do.

    Of `kills` acts the process is killed during one.
    """

    url: str
    nursery: Nursery | None = None
    kills: int = 1
    seed: int = 0
    now: datetime = BEGIN
    gateway: Gateway = field(init=False)
    worker: Worker | None = field(init=False, default=None)
    twin: Gateway | None = field(init=False, default=None)
    series: int = 0
    steps: int = 0
    done: int = 0
    refused: int = 0
    reported: int = 0
    killed: int = 0
    """How many times a process was killed, of which so many had done the act, and so many had answered, too."""
    killed_done: int = 0
    killed_answered: int = 0
    _random: Random = field(init=False)
    _folder: Any = None

    def __post_init__(self) -> None:
        self._random = Random(self.seed)
        self.open()

    def open(self) -> None:
        self.gateway = self._wired(self.url)
        if self.nursery is not None:
            self.worker = Worker(self.nursery, self.url)
            self._folder = tempfile.TemporaryDirectory(prefix="samverka-twin-")
            self.twin = self._wired(f"sqlite:///{self._folder.name}/twin.db")

    def close(self) -> None:
        self.gateway.close()
        if self.worker is not None and self.twin is not None:
            self.worker.close()
            self.twin.close()
            self._folder.cleanup()

    def reopen(self) -> None:
        """Another process, and for the twin another installation: it knows nothing of what was."""
        self.close()
        self.open()

    def perform(self, act: Act, pictured: Callable[[Gateway], Any]) -> Outcome:
        """What comes of an act. `pictured` is all that may change by it."""
        if self.worker is None or self.twin is None:
            return tried(self.gateway, act)
        before = pictured(self.gateway)
        began = perf_counter()
        expected = tried(self.twin, act)
        took = perf_counter() - began
        after = pictured(self.twin)
        kill = self._random.randrange(self.kills) == 0
        found = self.worker.do(act, self.now, killed_after=self._random.uniform(0, 2 * took) if kill else None)
        if kill:
            self.killed += 1
            self.killed_answered += found is not None
            self.worker.start()
            there = pictured(self.gateway)
            assert there in (before, after), "What a killed process leaves is all of an act, or nothing."
            assert found is None or there == after, "What was answered is kept."
            if found is not None or (there == after and after != before):
                self.killed_done += after != before
                found = expected
            else:  # As a client does that had no answer.
                found = self.worker.do(act, self.now)
            assert found is not None
        assert (found.id is None, found.status) == (expected.id is None, expected.status), (found, expected)
        assert pictured(self.gateway) == after, "Who was killed has done what one does who was not."
        return replace(found, killed=kill)

    def _wired(self, url: str) -> Gateway:
        return wire(Settings(database_url=url, worker=False), clock=lambda: self.now)


def unit(hsa_id: str) -> Resource:
    return {"type": "Organization", "identifier": {"system": HSA_ID, "value": hsa_id}}


def owner_of(task: Mapping[str, Any]) -> str | None:
    value: str | None = task.get("owner", {}).get("identifier", {}).get("value")
    return value


class Machine(RuleBasedStateMachine):
    """One series of steps about one person. `world` is set by whoever runs it."""

    world: World

    @initialize()
    def begin(self) -> None:
        self.world.series += 1
        self.person, self.tasks = f"p{self.world.series}", list[str]()
        self.said = set[str]()
        """The digests of what must not be lost."""
        self.took = defaultdict[str, set[str]](set)
        """Who has taken each Task on by his own word, or by a report."""
        self.late = list[Statement]()
        self.closing = dict[str, tuple[str, str]]()
        """The units that close, each with its last day and its heir."""
        self.handovers = list[tuple[str, str]]()
        """The Task that each is about, and the form by which it was asked for."""
        self.spoken = 0
        self.world.now = BEGIN
        self._done(Person(self.person))

    # --- what parties command --------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.tasks) < MOST_TASKS)
    @rule(owner=st.none() | units, status=st.sampled_from(["requested", "draft"]), part=st.booleans())
    def ask(self, owner: str | None, status: str, part: bool) -> None:
        id = f"t{self.world.series}-{len(self.tasks)}"
        body: Resource = {
            "resourceType": "Task",
            "id": id,
            "status": status,
            "intent": "order",
            "code": {"text": "Hembesök"},
            "for": {"reference": f"Patient/{self.person}"},
            "requester": unit(ASKS),
        }
        if owner is None:
            body["restriction"] = {"recipient": [unit(one) for one in UNITS[1:]]}
        else:
            body["owner"] = unit(owner)
        if part and self.tasks:
            body["partOf"] = [{"reference": f"Task/{self.tasks[0]}"}]
        self.tasks.append(id)  # It may change by the act.
        if self._commanded(ASKS, id, Made(ASKS, body)) is None:
            self.tasks.remove(id)

    @precondition(lambda self: self.tasks)
    @rule(which=tasks, who=units, to=st.sampled_from(STATUSES), stale=st.booleans(), patch=st.booleans())
    def move(self, which: int, who: str, to: str, stale: bool, patch: bool) -> None:
        task = self._task(which)
        changes: Resource = {"status": to, "statusReason": {"text": "Därför"}}
        if "owner" not in task and to in ("received", "accepted"):
            changes["owner"] = unit(who)
        self._change(task, who, changes, stale=stale, patch=patch)

    @precondition(lambda self: self.tasks)
    @rule(which=tasks, pick=st.integers(0, 5))
    def go_on(self, which: int, pick: int) -> None:
        """The owner, or who takes an open Task, does what the table lets him."""
        task = self._task(which)
        ways = WAYS.get(task["status"], ())
        if not ways:
            return
        who = owner_of(task) or UNITS[1 + pick % 2]
        changes: Resource = {"status": ways[pick % len(ways)], "statusReason": {"text": "Därför"}}
        if "owner" not in task:
            changes |= {"status": "accepted", "owner": unit(who)}
        self._change(task, who, changes)

    @precondition(lambda self: self.tasks)
    @rule(which=tasks, who=units, number=st.integers(0, 3))
    def note(self, which: int, who: str, number: int) -> None:
        task = self._task(which)
        self._change(task, who, {"note": [*task.get("note", ()), {"text": f"Not {number}"}]})

    @precondition(lambda self: self.tasks)
    @rule(which=tasks, who=units, to=st.sampled_from(STATUSES))
    def correct(self, which: int, who: str, to: str) -> None:
        task = self._task(which)
        changes: Resource = {"status": to, "statusReason": {"text": "Rättat"}}
        self._commanded(who, task["id"], Corrected(who, task["id"], changes), task | changes)

    @precondition(lambda self: self.tasks)
    @rule(which=tasks, to=st.sampled_from(STATUSES))
    def take_back(self, which: int, to: str) -> None:
        """Who asked calls it off, and would have it otherwise after all."""
        self._change(self._task(which), ASKS, {"status": "cancelled", "statusReason": {"text": "Därför"}})
        self.correct(which, ASKS, to)

    @precondition(lambda self: self.tasks)
    @rule(which=tasks, who=st.none() | units, to=units)
    def offer(self, which: int, who: str | None, to: str) -> None:
        """The owner, or another, asks for a hand-over: the Task stays in its hands."""
        task = self._task(which)
        who = who or owner_of(task) or UNITS[0]
        form = UUID(int=self.world.series << 32 | self.world.steps).urn
        self.handovers.append((task["id"], form))  # It may come to be by the act.
        if self._handed(Offered(who, task["id"], unit(to), form)) is None:
            self.handovers.pop()
        assert self._stored(task["id"]) == task, "An offer takes the Task from nobody."

    @precondition(lambda self: self.handovers)
    @rule(
        pick=st.integers(0, 1),
        who=st.none() | units,
        answer=st.sampled_from(("accept", "accept", "decline", "withdraw")),
    )
    def answer(self, pick: int, who: str | None, answer: Answer) -> None:
        """Who accepts has the Task from then on, by one change of both; who does not, takes nothing."""
        about, form = self.handovers[-1 - pick % len(self.handovers)]
        before, task = handover(self.world.gateway, about, form), self._stored(about)
        assert before is not None
        id = before["id"]
        who = who or owner_of(before) or UNITS[0]
        done = self._handed(Answered(who, about, form, answer))
        now = self._stored(task["id"])
        if done is not None and answer == "accept":
            sides = {owner_of(before), before["requester"]["identifier"]["value"]}
            assert {owner_of(task), owner_of(now)} == sides
            assert self._stored(id)["status"] == "completed"
            self.took[task["id"]].add(str(owner_of(now)))
            self._remember(task["id"])
        else:
            assert now == task
        self._holds(task["id"])

    @precondition(lambda self: self.tasks)
    @rule(which=tasks, who=units)
    def listed(self, which: int, who: str) -> None:
        """What $next-steps lists is what $validate-transition lets by, and nothing else."""
        self.world.steps += 1
        id = self._task(which)["id"]
        try:
            told = self._door.next_steps(asks(who), id)
        except GatewayError as refused:
            assert refused.status == 404, refused
            return
        steps = {part["part"][0]["valueCode"] for part in told["parameter"] if part["name"] == "step"}
        for status in STATUSES:
            tried = self._door.validate_transition(asks(who), id, Proposed(status=status))["parameter"]
            if status != self._task(which)["status"]:
                assert tried[0]["valueBoolean"] is (status in steps), status

    # --- what their systems report ---------------------------------------------------------------------------------

    @precondition(lambda self: self.tasks)
    @rule(which=tasks, who=units, owner=units, status=st.sampled_from(REPORTED), at=minutes, now=st.booleans())
    def report(self, which: int, who: str, owner: str, status: str, at: int, now: bool) -> None:
        """At once, or kept back to come later, after others that were made after it."""
        task = self._task(which)
        self.spoken += 1
        body: Resource = {name: task[name] for name in ("resourceType", "id", "intent", "code", "for", "requester")}
        said = make(
            body=body | {"status": status, "owner": unit(owner)},
            origin=Origin(f"system-{who}"),
            record_key=task["id"],
            person=self.person,
            effective=self.world.now + timedelta(minutes=at),
            recorded=self.world.now,
            party=who,
            provider=who,
            version=str(self.spoken),
        )
        if now:
            self._deliver(said)
        else:
            self.late.append(said)

    @precondition(lambda self: self.late)
    @rule(pick=st.integers(0, 1 << 16), again=st.booleans())
    def arrive(self, pick: int, again: bool) -> None:
        place = pick % len(self.late)
        said = self.late[place]
        if not again:
            del self.late[place]
        self._deliver(said)

    @precondition(lambda self: self.late)
    @rule(pick=st.integers(0, 1 << 16))
    def break_off(self, pick: int) -> None:
        """A unit of work fails: nothing of that is kept, and the message comes again."""
        said = self.late[pick % len(self.late)]
        before = self._stored(said.resource_id)

        def work(uow: Any) -> None:
            self.world.gateway.ingest.recorder.record(uow, [said])
            raise BrokenOffError

        self.world.steps += 1
        with suppress(BrokenOffError):
            self.world.gateway.store.write(work, now=self.world.now)
        assert self._stored(said.resource_id) == before

    @rule(who=st.sampled_from((*UNITS, HEIRS[0])), heir=st.none() | st.sampled_from(HEIRS), ago=st.integers(0, 2))
    def close(self, who: str, heir: str | None, ago: int) -> None:
        """The directory says that a unit closes, or does not after all: what it had is its heir's."""
        if heir is None or heir == who:
            self.closing.pop(who, None)
        else:
            self.closing[who] = ((self.world.now - timedelta(days=ago)).date().isoformat(), heir)
        self.succeed()

    @rule()
    def succeed(self) -> None:
        """The watch looks."""
        self.world.steps += 1
        told = tuple(sorted((unit, *one) for unit, one in self.closing.items()))
        self._done(Succeeded(told, self.person, tuple(self.tasks), tuple(self.handovers)))
        for id in self.tasks:
            self._remember(id)
            self._holds(id)

    @rule(by=st.sampled_from([-120, -1, 1, 10, 1440]))
    def jump(self, by: int) -> None:
        self.world.steps += 1
        self.world.now += timedelta(minutes=by)

    # --- what must hold --------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        if not hasattr(self, "tasks"):
            return
        for said in self.late:
            self._deliver(said)
        for id in self.tasks:
            self._holds(id)
            self._is_the_fold(id)

    def _holds(self, id: str) -> None:
        """Once accepted, exactly one owner at every instant, who has taken it on."""
        task = self._stored(id)
        if task["status"] in HELD:
            assert owner_of(task), task
            for passing, _ in passings_in(task):
                if passing.closed_key.rpartition("|")[2] in self.took[id]:
                    self.took[id].add(passing.heir_key.rpartition("|")[2])
            assert owner_of(task) in self.took[id], "Nobody is made responsible who has not said yes, but an heir."
        owner, accepted, end = None, False, None
        for step in (one for one in task.get("extension", ()) if one["url"] == HISTORY):
            parts = {part["url"]: part for part in step["extension"]}
            status, period = parts["status"]["valueCode"], parts["period"]["valuePeriod"]
            if "owner" in parts:
                owner = parts["owner"]["valueReference"]["identifier"]["value"]
            assert end in (None, period["start"]), "The steps leave no time out, and share none."
            end = period.get("end")
            accepted = accepted or status in HELD
            if status in HELD or (accepted and status == "on-hold"):
                assert owner is not None, step
        if accepted and task["status"] in (*HELD, "on-hold"):
            assert owner == owner_of(task), "Who has it is who took the last step."

    def _is_the_fold(self, id: str) -> None:
        """Nothing that was said is lost, and what is served follows from it in any order of arrival."""
        store, recorder = self.world.gateway.store, self.world.gateway.ingest.recorder
        found = store.read(lambda uow: uow.statements.of_resources([("Task", id)]))
        assert {one for one in self.said if one.startswith(id)} <= {f"{id} {one.digest}" for one in found}
        (folded,) = store.read(lambda uow: recorder.fold(uow, [("Task", id)]))
        served = {name: value for name, value in self._stored(id).items() if name != "meta"}
        once = canonical({name: value for name, value in folded.resource.items() if name != "meta"})
        assert canonical(served) == once
        shuffled = list(found)
        for seed in range(3):
            Random(seed).shuffle(shuffled)
            (again,) = agree_all(shuffled, (), recorder.authority)
            assert canonical({name: value for name, value in again.resource.items() if name != "meta"}) == once

    # --- how it is done --------------------------------------------------------------------------------------------

    def _task(self, which: int) -> Resource:
        return self._stored(self.tasks[which % len(self.tasks)])

    def _stored(self, id: str) -> Resource:
        return stored(self.world.gateway, id)

    def _change(self, task: Resource, who: str, changes: Resource, *, stale: bool = False, patch: bool = False) -> None:
        self._commanded(who, task["id"], Changed(who, task["id"], changes, stale, patch), task | changes)

    def _commanded(self, who: str, id: str, act: Act, wanted: Resource | None = None) -> Resource | None:
        """What is served after a command that was allowed; None where it was refused, which changes nothing."""
        self.world.steps += 1
        before = self._stored(id) if wanted is not None else None
        if not self._allowed(act):
            assert before is None or self._stored(id) == before
            return None
        now = self._stored(id)
        if wanted is not None:
            assert now["status"] == wanted["status"], "What was allowed is what is served."
            assert owner_of(now) == owner_of(wanted)
        if owner_of(now) == who and now["status"] in HELD:
            self.took[id].add(who)
        self._remember(id)
        self._holds(id)
        return now

    @property
    def _door(self) -> Any:
        return self.world.gateway.door

    def _handed(self, act: Act) -> str | None:
        """The id of the hand-over that was written; None where that was refused."""
        self.world.steps += 1
        return self._allowed(act)

    def _allowed(self, act: Act) -> str | None:
        """The id of what a command wrote; None where it was refused."""
        found = self._done(act)
        if found.id is None:
            assert 400 <= found.status < 500, found
            self.world.refused += 1
            return None
        self.world.done += 1
        return found.id

    def _done(self, act: Act) -> Outcome:
        found = self.world.perform(act, self._pictured)
        if found.killed:
            for id in self.tasks:
                if self._there(self.world.gateway, id) is not None:
                    self._is_the_fold(id)
        return found

    def _pictured(self, gateway: Gateway) -> list[Resource | None]:
        """All Tasks of the series as they are stored, without what each installation names by itself."""
        found = [self._there(gateway, id) for id in self.tasks]
        asked = [handover(gateway, about, form) for about, form in self.handovers]
        return [*found, *(_but(one, "id") if one else None for one in asked)]

    @staticmethod
    def _there(gateway: Gateway, id: str) -> Resource | None:
        found = gateway.store.read(lambda uow: uow.resources.read("Task", id))
        return None if found is None else _but(found.resource())

    def _deliver(self, said: Statement) -> None:
        self.world.steps += 1
        self.world.reported += 1
        self._done(Reported(said))
        self.said.add(f"{said.resource_id} {said.digest}")
        self.took[said.resource_id].add(str(owner_of(said.body)))
        self._remember(said.resource_id)
        self._holds(said.resource_id)

    def _remember(self, id: str) -> None:
        """All that is there now has to be there at the end."""
        found = self.world.gateway.store.read(lambda uow: uow.statements.of_resources([("Task", id)]))
        now = {f"{id} {one.digest}" for one in found}
        assert {one for one in self.said if one.startswith(id)} <= now
        self.said |= now


def _but(resource: Resource, *names: str) -> Resource:
    """The resource without its versions, and without these elements."""
    meta = {name: value for name, value in resource["meta"].items() if name not in ("versionId", "lastUpdated")}
    return {name: value for name, value in resource.items() if name not in names} | {"meta": meta}
