"""The decision: whether a Task may become what somebody would make of it, by one profile of the rules.

Pure: two Tasks, roles and circumstances in, breaches out. Nothing broken means allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from typing import Any, Final

from gateway.coordination.negotiation import correction, creation, elements, handover
from gateway.coordination.negotiation.breach import Breach, Kind, listed, role_words, status, told
from gateway.coordination.negotiation.circumstances import Circumstances, Move
from gateway.coordination.negotiation.conditions import CONDITIONS, Change, codes_of
from gateway.coordination.negotiation.profile import NEW, STATUSES, Profile, Row, profile
from gateway.coordination.negotiation.roles import Role
from gateway.coordination.negotiation.steps import Need, NextStep, step
from gateway.coordination.words import Part, both
from gateway.identity.systems import HSA_ID
from gateway.records import Resource

_OWN_RULE: Final = (Move.CASCADE, Move.HAND_OVER)
"""What the server does by a decision that was made elsewhere: nobody's role is asked for."""
_OUTPUT: Final = "output"
_BY_ANOTHER: Final = ("task-handover-by-another",)
"""Faults in what somebody would do that another may."""


class Rules:
    """One profile, and what follows from it."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile

    @classmethod
    def named(cls, name: str) -> Rules:
        """A shipped profile: `default`, `scp-0.3`, `orca` or `gravity`."""
        return cls(profile(name))

    def decide(
        self, before: Resource | None, after: Resource | None, roles: Collection[Role], circumstances: Circumstances
    ) -> tuple[Breach, ...]:
        """The rules that this change breaks. `before` None: it is created. `after` None: it is deleted."""
        change = Change(before or {}, after or {}, frozenset(roles), circumstances, self.profile)
        found = self._judge(change)
        if not found or before is None:
            return found
        allowed = tuple(one.state for one in self.next_steps(before, roles, circumstances))
        return tuple(replace(one, allowed=allowed, text=_with_allowed(one, allowed)) for one in found)

    def next_steps(self, task: Resource, roles: Collection[Role], circumstances: Circumstances) -> tuple[NextStep, ...]:
        """What the caller may move the Task to by a command: exactly what `decide` accepts when the needs are met."""
        now = replace(circumstances, move=Move.COMMAND)
        change = Change(task, task, frozenset(roles), now, self.profile)
        return tuple(found for state in STATUSES if (found := self._step(change, state)) is not None)

    def _step(self, change: Change, state: str) -> NextStep | None:
        if not any(row.by & change.roles for row in self.profile.between(change.start, state, Move.COMMAND)):
            return None
        due = tuple(Need(one.one_of, one.rule) for one in self.profile.due if state in one.to)
        claim = (Need(("owner",), "C-12"),)
        for needs in (due, due + claim):
            found = step(state, needs)
            example = found.taken(
                change.before,
                reason={"text": state} if due else None,
                owner=_organisation(change.circumstances) if needs[len(due) :] else None,
            )
            if not self._judge(replace(change, after=example)):
                return found
        return None

    def _judge(self, change: Change) -> tuple[Breach, ...]:
        if not change.before:
            return self._create(change)
        if not change.after:
            return self._delete(change)
        return self._move(change) or tuple(self._content(change))

    def _create(self, change: Change) -> tuple[Breach, ...]:
        rows = self.profile.between(NEW, change.to, Move.COMMAND)
        if not rows:
            possible = sorted({row.to for row in self.profile.rows if row.start == NEW}, key=STATUSES.index)
            return (self._breach(change, "task-begins-otherwise", Kind.BUSINESS_RULE, "C-5", possible=_or(possible)),)
        if not any(row.by & change.roles for row in rows):
            return (self._breach(change, "task-of-another-requester", Kind.WRONG_ROLE, "C-6", "requester"),)
        faults = (*self._faults(change, creation.faults(change)), *self._selection(change))
        unmet = self._unmet(change, rows)
        return faults or ((unmet,) if unmet else ())

    def _delete(self, change: Change) -> tuple[Breach, ...]:
        if change.start not in self.profile.deletable:
            return (self._breach(change, "task-not-deleted", Kind.NOT_ALLOWED, "C-15"),)
        if not self.profile.deleters & change.roles:
            return (self._wrong_role(change, "task-deleted-by-another", self.profile.deleters, "C-15"),)
        return ()

    def _move(self, change: Change) -> tuple[Breach, ...]:
        """What the tables of statuses say."""
        move = change.circumstances.move
        if change.start in self.profile.terminal and move is not Move.CORRECTION:
            same = change.start == change.to and not elements.changed(change)
            if not same:
                return (self._breach(change, "task-ended", Kind.NOT_ALLOWED, "C-15"),)
        if change.start == change.to:
            may = self.profile.elements.same_status
            if move in _OWN_RULE or may & change.roles:
                return ()
            return (self._wrong_role(change, "task-not-yours", may, "C-3"),)
        rows = self.profile.between(change.start, change.to, move)
        if not rows:
            return (self._breach(change, "task-move-not-allowed", Kind.NOT_ALLOWED, "C-2"),)
        if move not in _OWN_RULE:
            may = frozenset().union(*(row.by for row in rows))
            rows = tuple(row for row in rows if row.by & change.roles)
            if not rows:
                return (self._wrong_role(change, "task-move-by-another", may, "C-2"),)
        unmet = self._unmet(change, rows)
        return (unmet,) if unmet else ()

    def _unmet(self, change: Change, rows: Iterable[Row]) -> Breach | None:
        """The first condition that is not met, unless all of one row are."""
        first = None
        for row in rows:
            unmet = next((name for name in row.when if not CONDITIONS[name].holds(change)), None)
            if unmet is None:
                return None
            condition = CONDITIONS[unmet]
            first = first or self._breach(
                change, condition.text(unmet), Kind.BUSINESS_RULE, condition.rule, condition.path
            )
        return first

    def _content(self, change: Change) -> Iterable[Breach]:
        """What must be given, and what may be changed."""
        if change.circumstances.move is not Move.CASCADE:
            yield from self._due(change)
        yield from self._special(change)
        yield from self._faults(change, elements.faults(change))

    def _due(self, change: Change) -> Iterable[Breach]:
        for due in self.profile.due:
            if change.to not in due.to or any(_has(change.after, path) for path in due.one_of):
                continue
            if change.start != change.to or any(_has(change.before, path) for path in due.one_of):
                needed = _or(due.one_of)
                path = due.one_of[0].partition(".")[0]
                yield self._breach(change, "task-due-missing", Kind.BUSINESS_RULE, due.rule, path, needed=needed)

    def _special(self, change: Change) -> Iterable[Breach]:
        """Corrections, hand-overs, proposals, alternatives and bids (C-15, C-80, C-16, C-17, C-13)."""
        codes = self.profile.codes
        if change.circumstances.move is Move.CORRECTION:
            yield from self._faults(change, correction.faults(change))
        if handover.is_handover(change.before, self.profile):
            yield from self._faults(change, handover.answer_faults(change))
        if str(change.before.get("intent")) in codes["proposal"] and change.to in codes["not-proposed"]:
            yield self._breach(change, "task-only-proposed", Kind.BUSINESS_RULE, "C-16")
        before = change.before.get(_OUTPUT, ())
        for number, one in enumerate(change.after.get(_OUTPUT, ())):
            if one in before or not codes["alternative"] & codes_of(one.get("type")):
                continue
            if change.to != "rejected" or "reference" not in one.get("valueReference", {}):
                yield self._breach(
                    change, "task-alternative-misplaced", Kind.BUSINESS_RULE, "C-17", f"{_OUTPUT}[{number}]"
                )
        yield from self._selection(change)

    def _selection(self, change: Change) -> Iterable[Breach]:
        """A bid is selected by who asked for bids, and by itself (C-13)."""
        now, was = (codes_of(task.get("businessStatus")) for task in (change.after, change.before))
        if not self.profile.codes["selected"] & now - was:
            return
        if Role.REQUESTER not in change.roles:
            may = (Role.REQUESTER,)
            yield self._wrong_role(change, "task-selected-by-another", may, "C-13", "businessStatus")
        if change.circumstances.rivals:
            yield self._breach(change, "task-rivals-open", Kind.BUSINESS_RULE, "C-13", "businessStatus")

    def _faults(self, change: Change, faults: Iterable[elements.Fault]) -> Iterable[Breach]:
        for path, code, rule in faults:
            kind = Kind.WRONG_ROLE if code in _BY_ANOTHER else Kind.BUSINESS_RULE
            yield self._breach(change, code, kind, rule, path, element=path)

    def _wrong_role(self, change: Change, code: str, may: Collection[Role], rule: str, path: str = "status") -> Breach:
        return self._breach(change, code, Kind.WRONG_ROLE, rule, path, who=role_words(may))

    @staticmethod
    def _breach(change: Change, code: str, kind: Kind, rule: str, path: str = "status", **parts: Part) -> Breach:
        text = told(
            code,
            **{"start": status(change.start), "to": status(change.to), "roles": role_words(change.roles)} | parts,
        )
        order: Callable[[Role], int] = list(Role).index
        mine = tuple(sorted(change.roles, key=order))
        return Breach(rule, code, kind, f"{change.kind}.{path}", change.start, change.to, mine, (), text)


def _or(items: Iterable[str]) -> Any:
    return listed((both(one) for one in items), last="or", none="nothing")


def _has(task: Resource, path: str) -> bool:
    value: Any = task
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return bool(value.strip() if isinstance(value, str) else value)


def _organisation(circumstances: Circumstances) -> Resource | None:
    """The caller's own unit, as a claim names it."""
    if not circumstances.organisations:
        return None
    return {"type": "Organization", "identifier": {"system": HSA_ID, "value": circumstances.organisations[0]}}


def _with_allowed(breach: Breach, allowed: tuple[str, ...]) -> Any:
    said = listed((status(one) for one in allowed), last="or", none="nothing")
    tail = told("allowed", allowed=said)
    return type(breach.text)(f"{breach.text.sv} {tail.sv}", f"{breach.text.en} {tail.en}")
