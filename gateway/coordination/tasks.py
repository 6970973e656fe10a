"""The life of a Task as its sources report it: status, responsible owner and history, folded in source time.

Facts are never refused. A missing step is inferred and marked; a step that cannot be is a contradiction as long as
the sources stand by it. Once accepted, a Task has exactly one responsible owner: the leaving one keeps it until the
arriving one accepts what he was offered.

A command says on which status and owner it was decided. Where the Task stood there, it is followed as it says: the
rules allowed it. Where facts have come to be known since, it is weighed like one of them.

What a person has decided of a contradiction is a step of its own, from the time of the decision on.

https://hl7.org/fhir/R4/task.html#statemachine
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from gateway.coordination.agreements import Authority, Steps
from gateway.coordination.compartments import unlabelled
from gateway.coordination.heirs import PASSED_ON, Passing, as_named, is_passing, passing_of
from gateway.coordination.layout import MARKS
from gateway.coordination.parties import Party, nearness
from gateway.coordination.settling import DECIDED_SOURCE, Settlement, holds, taken
from gateway.coordination.shared import COMMANDS
from gateway.coordination.statements import in_order, order
from gateway.coordination.values import instant, reference_key, unite, written
from gateway.definitions import CANONICAL
from gateway.frozen import dataclass
from gateway.records import Difference, Resource, Statement

HISTORY = f"{CANONICAL}/StructureDefinition/task-status-history"
ARRIVING = f"{CANONICAL}/StructureDefinition/task-arriving-owner"
DECIDED_ON = f"{CANONICAL}/StructureDefinition/task-decided-on"
"""In a command's statement: the status and the owner that were stored when it was allowed. It is never served."""
_INFERRED = frozenset({"inferred"})
_OURS = (HISTORY, ARRIVING, DECIDED_ON, PASSED_ON)


class Step(NamedTuple):
    """A status from a time on, in whose hands, by whose account."""

    status: str
    since: datetime
    owner: str | None
    source: str
    statement: str
    inferred: bool = False
    impossible: bool = False


class Written(NamedTuple):
    """A step as it is written in a Task. The owner is told where he changes."""

    status: str
    start: datetime
    end: datetime | None
    owner: Mapping[str, Any] | None
    source: str


@dataclass(slots=True)
class Life:
    """What the facts about one Task add up to."""

    steps: list[Step] = field(default_factory=list)
    owner: str | None = None
    arriving: str | None = None
    """Offered the Task by hand-over, and has not accepted."""
    accepted: bool = False
    setter: Statement | None = None
    """The statement whose status holds."""
    left: dict[str, datetime] = field(default_factory=dict)
    """When an owner handed it over."""
    followed: Statement | None = None
    """The last command that was followed as it says."""
    heirs: dict[str, Passing] = field(default_factory=dict)
    """Who has taken over from the units that have closed."""
    passed: set[str] = field(default_factory=set)
    """The closed units whose heirs have it, or were offered it, for them."""
    named: dict[str, Any] = field(default_factory=dict)
    """How each owner was named last."""

    @property
    def status(self) -> str | None:
        return self.steps[-1].status if self.steps else None

    def line(self, key: str | None) -> list[str]:
        """A party, and those who took over from it one after the other."""
        found = [key] if key else []
        while found and found[-1] in self.heirs and (heir := self.heirs[found[-1]].heir_key) not in found:
            found.append(heir)
        return found

    def heir_of(self, key: str | None) -> str | None:
        """Who stands for a party: itself, or the last who took over from it."""
        return self.line(key)[-1] if key in self.heirs else key


@dataclass(frozen=True, slots=True)
class Decided:
    """What a type's own rules decide ahead of the tables of authority: elements, disagreements, marks."""

    elements: Mapping[str, Any]
    """None where there is none, whatever the statements say."""
    differences: Sequence[Difference] = ()
    marks: frozenset[str] = frozenset()
    passings: Sequence[tuple[Passing, bool]] = ()
    """What passes to the heirs of units that have closed; whether the owner has changed by it."""


def decide(
    facts: Sequence[Statement],
    voices: Sequence[Statement],
    table: Authority,
    decisions: Sequence[Settlement] = (),
    settled: Mapping[str, Settlement] = MappingProxyType({}),
) -> Decided:
    """Status, owner and history from every assertion about the Task; the rest goes by the tables."""
    steps = table.steps["Task"]
    life = _live(facts, steps, decisions)
    if life.heirs:
        facts = [one for one in facts if not is_passing(one)]
    references = {one.heir_key: one.heir for one in life.heirs.values()} | life.named
    elements: dict[str, Any] = {"status": life.status} if life.status else {}
    if life.owner:
        elements["owner"] = references[life.owner]
    told = history(life, references)
    if life.arriving:
        told.append({"url": ARRIVING, "valueReference": references[life.arriving]})
    if others := [one.body["extension"] for one in voices if "extension" in one.body]:
        told += [one for one in unite(others) if one.get("url") not in _OURS]
    elements["extension"] = told
    if telling := _telling(facts, life):
        for name in ("statusReason", "businessStatus"):
            said = [one.body[name] for one in telling if name in one.body]
            elements[name] = said[-1] if said else None
        elements["lastModified"] = written(max([one.effective for one in facts]))
    marks = _INFERRED if _is_inferred(life) else frozenset[str]()
    passings = [(one, key in life.passed) for key, one in life.heirs.items() if not _ended_before(life, one, steps)]
    return Decided(elements, disagreements(life, voices, steps, settled), marks, passings)


def told_once(fact: Statement, table: Authority) -> Decided:
    """What `decide` makes of a single fact, no caller's command: nothing is there that it could be held against."""
    body, steps = fact.body, table.steps["Task"]
    owner, status = reference_key(body.get("owner")), body.get("status")
    life = Life(owner=owner)
    if status:
        _takes_status(life, fact, str(status), steps, news=True, handed_over=False)
    elements: dict[str, Any] = {"status": life.status} if life.steps else {}
    references = {}
    if owner:
        references[owner] = elements["owner"] = body["owner"]
    others = [one for one in body.get("extension", ()) if one.get("url") not in _OURS]
    elements["extension"] = history(life, references) + (unite([others]) if len(others) > 1 else others)
    if life.status == status:
        elements["statusReason"], elements["businessStatus"] = body.get("statusReason"), body.get("businessStatus")
        elements["lastModified"] = written(fact.effective)
    return Decided(elements, marks=_INFERRED if _is_inferred(life) else frozenset())


def command(body: Resource, stored: Resource | None) -> Resource:
    """What a command that is allowed states: its content, and on what it was decided."""
    body = unlabelled(body)
    others = [one for one in body.get("extension", ()) if one.get("url") not in _OURS]
    parts: list[dict[str, Any]] = []
    if stored is not None:
        body, then = as_named(body, stored), as_named(stored, stored)
        parts.append({"url": "status", "valueCode": then["status"]})
        if "owner" in then:
            parts.append({"url": "owner", "valueReference": then["owner"]})
    return body | {"extension": [*others, {"url": DECIDED_ON, "extension": parts}]}


def repeats(body: Resource, stored: Resource) -> bool:
    """Whether a command only sends back what is stored: what the gateway writes there itself is no content."""
    return _content(body) == _content(stored)


def was_open(stored: Resource) -> bool:
    """Whether anybody might have taken the Task, by the owners that it has had, or by whom it was offered to."""
    if (stored.get("restriction") or {}).get("recipient"):
        return True
    told = [one for one in stored.get("extension", ()) if one.get("url") == HISTORY]
    return bool(told) and not any(part.get("url") == "owner" for part in told[0].get("extension", ()))


def live(facts: Iterable[Statement], steps: Steps, decisions: Sequence[Settlement] = ()) -> Life:
    """The life of the Task, from every assertion about it and what was decided of them."""
    return _live(in_order(facts), steps, decisions)


def _live(facts: Sequence[Statement], steps: Steps, decisions: Sequence[Settlement]) -> Life:
    life = Life()
    said: dict[str, tuple[Any, Any]] = {}
    settled = {one.said.digest: one for one in taken(decisions)} if decisions else {}
    for fact in in_order([*facts, *(one.said for one in settled.values())]) if settled else facts:
        if (decision := settled.get(fact.digest)) is not None:
            spoken = [one for one in facts if not is_passing(one)]
            if holds(decision, [one for one in spoken if order(one) < order(fact)]):
                _settle(life, decision, spoken, steps)
        elif is_passing(fact):
            passing = passing_of(fact)
            life.heirs[passing.closed_key] = passing
        else:
            _speak(life, fact, said, steps)
        if life.heirs:
            _pass_on(life, fact, steps)
    return life


def _speak(life: Life, fact: Statement, said: dict[str, tuple[Any, Any]], steps: Steps) -> None:
    """One fact of a source. `said` is what each source has said last of status and owner."""
    body = fact.body
    if (named := reference_key(body.get("owner"))) is not None:
        life.named[named] = body["owner"]
    decided = decided_on(fact)
    before = decided or said.get(fact.source, (None, None))
    said[fact.source] = (body.get("status"), named)
    owner = life.heir_of(named)
    _hear(life, fact, owner, (before[0], life.heir_of(before[1])), steps, command=decided is not None)
    if owner != named and owner in (life.owner, life.arriving):
        life.passed.update(life.line(named)[:-1])


def _hear(
    life: Life, fact: Statement, owner: str | None, before: tuple[Any, Any], steps: Steps, *, command: bool
) -> None:
    """One fact. `before` is what its source said last of status and owner, or what a command was decided on."""
    status = fact.body.get("status")
    if (status, owner) == before:
        return  # A source that repeats itself brings no news, whatever has happened meanwhile.
    if status and command and before == (life.status, life.owner):
        _follow(life, fact, str(status), owner, steps)
        return
    if _declines(life, owner, status, steps, news=owner != before[1]):
        life.arriving = None if owner == life.arriving else life.arriving
        return  # To say no to what another holds takes nothing from him.
    held_by = life.owner if life.accepted else None
    # That somebody is named again is no news, but for the one whom it was offered to.
    named = owner if owner != before[1] or owner == life.arriving else None
    if _takes_owner(life, fact, named, str(status), steps) and status:
        handed_over = life.accepted and held_by not in (None, life.owner)
        _takes_status(life, fact, str(status), steps, news=owner != before[1], handed_over=handed_over)
    if life.status and life.owner not in (held_by, life.steps[-1].owner):
        # In other hands from now on, whether or not the status that came with it was followed.
        life.steps.append(Step(life.status, fact.effective, life.owner, fact.source, fact.digest))


def _pass_on(life: Life, fact: Statement, steps: Steps) -> None:
    """What a closed unit has, or was offered, is its heir's, unless it is over."""
    if life.status is None or life.status in steps.ended:
        return
    if (arriving := life.heir_of(life.arriving)) != life.arriving:
        life.passed.update(life.line(life.arriving)[:-1])
        life.arriving = arriving
    if (heir := life.heir_of(life.owner)) != life.owner:
        life.passed.update(life.line(life.owner)[:-1])
        if life.accepted and life.owner:
            life.left[life.owner] = fact.effective
        life.owner = heir
        life.steps.append(Step(life.status, fact.effective, heir, fact.source, fact.digest))
    if life.arriving == life.owner:
        life.arriving = None


def _is_inferred(life: Life) -> bool:
    return any(step.inferred for step in life.steps)


def _ended_before(life: Life, passing: Passing, steps: Steps) -> bool:
    """Whether it was over when the unit closed: what is over passes to nobody."""
    return life.status in steps.ended and life.steps[-1].since < passing.since


def disagreements(
    life: Life, current: Iterable[Statement], steps: Steps, settled: Mapping[str, Settlement]
) -> list[Difference]:
    """What the sources' last words say against the life: another owner at work, or a status that leads nowhere near.

    `current` in the order of facts.
    """
    found = []
    last = {one.source: one for one in current if one.body.get("status")}
    for _, one in sorted(last.items()):
        if life.followed is not None and decided_on(one) is not None and order(one) < order(life.followed):
            continue  # What was decided later took it into account.
        named, status = reference_key(one.body.get("owner")), str(one.body.get("status"))
        owner = life.heir_of(named)
        claims = owner is not None and owner != life.owner and (status in steps.held or status == "on-hold")
        has_left = claims and any(_has_left(life, key, one, settled) for key in (owner, named))
        if claims and life.accepted and life.status not in steps.ended and not has_left:
            found.append(_disagreement("Task.owner", life, one, settled))
        elif owner in (None, life.owner) and life.status and _path(steps, status, life.status) is None:
            found.append(_disagreement("Task.status", life, one, settled))
    return found


def history(life: Life, references: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The life as extensions of the Task: R4 has no statusHistory of its own for it."""
    made: list[dict[str, Any]] = []
    owner, period = None, {}
    for step in life.steps:
        since = written(step.since)
        if made:
            period["end"] = since
        period = {"start": since}
        parts: list[dict[str, Any]] = [
            {"url": "status", "valueCode": step.status},
            {"url": "period", "valuePeriod": period},
        ]
        if step.owner and step.owner != owner:
            owner = step.owner
            parts.append({"url": "owner", "valueReference": references[step.owner]})
        parts.append({"url": "source", "valueString": step.source})
        if step.inferred:
            parts.append({"url": "inferred", "valueBoolean": True})
        if step.impossible:
            parts.append({"url": "impossible", "valueBoolean": True})
        made.append({"url": HISTORY, "extension": parts})
    return made


def _content(task: Resource) -> Resource:
    meta = {name: value for name, value in task.get("meta", {}).items() if name not in ("versionId", "lastUpdated")}
    meta["tag"] = [tag for tag in meta.get("tag", ()) if tag.get("system") != MARKS]
    others = [one for one in task.get("extension", ()) if one.get("url") not in _OURS]
    own = {name: value for name, value in task.items() if name != "lastModified"}
    return own | {"meta": meta, "extension": others}


def _telling(facts: Sequence[Statement], life: Life) -> list[Statement]:
    """Those who tell of the status that holds; from the last command on, which knew what was said before."""
    found = [one for one in facts if one.body.get("status") == life.status]
    found = [one for one in found if life.heir_of(reference_key(one.body.get("owner"))) in (None, life.owner)]
    commands = [place for place, one in enumerate(found) if decided_on(one) is not None]
    return found[commands[-1] :] if commands else found


def decided_on(fact: Statement) -> tuple[Any, Any] | None:
    """The status and owner that a command was decided on; None for a fact, whatever its source writes into it."""
    if not fact.source.startswith(COMMANDS):
        return None
    for one in fact.body.get("extension", ()):
        if one.get("url") == DECIDED_ON:
            parts = {part.get("url"): part for part in one.get("extension", ())}
            owner = parts.get("owner", {}).get("valueReference")
            return parts.get("status", {}).get("valueCode"), reference_key(owner)
    return None


def _follow(life: Life, fact: Statement, status: str, owner: str | None, steps: Steps) -> None:
    if owner != life.owner:
        if life.accepted and life.owner:
            life.left[life.owner] = fact.effective
        life.owner, life.arriving = owner, None
    life.steps.append(Step(status, fact.effective, owner, fact.source, fact.digest))
    life.accepted = _accepted(life, status, steps)
    life.setter = life.followed = fact


def _declines(life: Life, owner: str | None, status: Any, steps: Steps, *, news: bool) -> bool:
    """Whether somebody says no to what he was offered, or gives back what he does not have: another has accepted it."""
    if not life.accepted or status not in steps.reoffered or owner in (None, life.owner):
        return False
    return owner == life.arriving or news


def written_history(task: Mapping[str, Any]) -> Iterator[Written]:
    """The life as `history` wrote it. An operator may write there what is no step: it is passed over."""
    for extension in task.get("extension", ()):
        if extension.get("url") != HISTORY:
            continue
        parts = {part.get("url"): part for part in extension.get("extension", ())}
        status = parts.get("status", {}).get("valueCode")
        period = parts.get("period", {}).get("valuePeriod", {})
        start = instant(period.get("start"))
        if status is not None and start is not None:
            owner = parts.get("owner", {}).get("valueReference")
            source = str(parts.get("source", {}).get("valueString", ""))
            yield Written(status, start, instant(period.get("end")), owner, source)


def _takes_owner(life: Life, fact: Statement, owner: str | None, status: str, steps: Steps) -> bool:
    """Whether the fact's status counts: not when it is a claim to a Task that is in another's hands."""
    if owner is None or owner == life.owner:
        return True
    if life.status in steps.ended:
        if life.status in steps.reoffered:
            life.owner, life.accepted = owner, False
        return life.status in steps.reoffered
    if not life.accepted:
        life.owner = owner
        return True
    if status in steps.offered:
        life.arriving = owner
        return False
    speaker = Party.of(fact)
    told = life.setter is not None and life.setter.source == fact.source
    named = any(
        nearness(speaker, party) < min(nearness(speaker, owner), Party.OTHER)
        for party in (life.owner, reference_key(fact.body.get("requester")))
    )
    if not (owner == life.arriving or told or named):
        return False
    if life.owner:
        life.left[life.owner] = fact.effective
    life.owner, life.arriving = owner, None
    if life.status == status:
        life.setter = fact
    return True


def _takes_status(life: Life, fact: Statement, status: str, steps: Steps, *, news: bool, handed_over: bool) -> None:
    now = life.status
    if status == now:
        return
    again = now in steps.reoffered and news and status not in steps.ended
    begins = now is None and _own_business(fact)  # or begins anew in other hands
    if status in steps.held and (begins or handed_over):
        path: tuple[str, ...] | None = (status,)
    else:
        path = _path(steps, None if again else now, status)
    impossible = path is None
    if path is None:
        speaker = Party.of(fact)
        owners = nearness(speaker, life.owner) <= Party.SAME_BODY
        if not owners and not (life.setter and life.setter.source == fact.source):
            return  # Another's word against the owner's, or news that came late: shown, not followed.
        path = (status,)
    for step in path[:-1]:
        since = _since(fact, step, life)
        life.steps.append(Step(step, since, life.owner, fact.source, fact.digest, inferred=True))
    life.steps.append(Step(status, fact.effective, life.owner, fact.source, fact.digest, impossible=impossible))
    life.accepted = _accepted(life, status, steps)
    life.setter = fact


def _own_business(fact: Statement) -> bool:
    """Nobody asked: a service or a visit that a unit has taken on by itself begins in its hands."""
    requester = reference_key(fact.body.get("requester"))
    return requester is None or requester == reference_key(fact.body.get("owner"))


def _accepted(life: Life, status: str, steps: Steps) -> bool:
    if status in steps.offered or status == "rejected" or life.owner is None:
        return False  # What is ready and nobody's is open: whoever takes it first has it.
    return life.accepted or any(step.status in steps.held and step.owner == life.owner for step in life.steps)


def _since(fact: Statement, step: str, life: Life) -> datetime:
    """When an inferred step was taken: at the time the Task itself names for it, else with the report."""
    named = fact.body.get("authoredOn") if step in ("draft", "requested") else None
    if step == "in-progress":
        named = fact.body.get("executionPeriod", {}).get("start")
    earliest = life.steps[-1].since if life.steps else None
    time = instant(named)
    if time is None or time > fact.effective or (earliest and time < earliest):
        return fact.effective
    return time


def _path(steps: Steps, start: str | None, end: str) -> tuple[str, ...] | None:
    """The shortest way from one status to another, through steps that may be inferred; None when there is none."""
    if start == end:
        return ()
    if end == "entered-in-error":
        return (end,)
    if (start, end) not in steps.ways and (found := _shortest(steps, start, end)) is not None:
        steps.ways[start, end] = found
    return steps.ways.get((start, end))


def _shortest(steps: Steps, start: str | None, end: str) -> tuple[str, ...] | None:
    ways: list[tuple[str, ...]] = [(status,) for status in _after(steps, start)]
    seen = set(_after(steps, start))
    while ways:
        for way in ways:
            if way[-1] == end:
                return way
        longer = []
        for way in ways:
            if way[-1] in steps.inferred:
                for status in steps.next.get(way[-1], ()):
                    if status not in seen:
                        seen.add(status)
                        longer.append((*way, status))
        ways = longer
    return None


def _after(steps: Steps, status: str | None) -> Sequence[str]:
    return sorted(steps.first) if status is None else steps.next.get(status, ())


def _has_left(life: Life, owner: str | None, one: Statement, settled: Mapping[str, Settlement]) -> bool:
    left = life.left.get(owner or "")
    if (decision := settled.get("Task.owner")) is not None and decision.is_about(one):
        return False  # It was taken from him by a decision, and he says still that he has it.
    return left is not None and one.effective <= left


def _disagreement(path: str, life: Life, one: Statement, settled: Mapping[str, Settlement]) -> Difference:
    setter, decision = life.setter or one, settled.get(path)
    if decision is not None and not decision.is_about(one):
        decision = None
    stands = life.owner if path == "Task.owner" else life.status
    value = decision.value if decision is not None else None
    decided = value is not None and stands == (life.heir_of(reference_key(value)) if path == "Task.owner" else value)
    return Difference(
        path=path,
        sources=tuple(sorted({one.source, setter.source})),
        statements=tuple(sorted({one.digest, setter.digest})),
        followed=setter.digest,
        rule="decision" if decided else "course",
        decision=decision.said.digest if decision is not None and (decided or decision.chosen is None) else None,
    )


def _settle(life: Life, decision: Settlement, facts: Sequence[Statement], steps: Steps) -> None:
    """Take what the chosen statement says of the element, as of the decision: nobody knew better until then."""
    chosen = next(one for one in facts if one.digest == decision.chosen)
    since = decision.said.effective
    if decision.element == "Task.owner":
        owner = life.heir_of(reference_key(chosen.body.get("owner")))
        if owner is None or owner == life.owner or life.status in steps.ended:
            return
        if life.owner:
            life.left[life.owner] = since
        life.owner, life.arriving = owner, None
        told = replace(chosen, effective=since)
        _takes_status(life, told, str(chosen.body.get("status")), steps, news=False, handed_over=life.accepted)
    elif decision.element == "Task.status":
        status = str(chosen.body.get("status"))
        if status == life.status:
            return
        life.steps.append(Step(status, since, life.owner, DECIDED_SOURCE, decision.said.digest))
        life.accepted = _accepted(life, status, steps)
    else:
        return
    life.setter = chosen
    if life.status and life.steps[-1].owner != life.owner:
        life.steps.append(Step(life.status, since, life.owner, DECIDED_SOURCE, decision.said.digest))
