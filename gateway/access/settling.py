"""What sources do not agree on of a resource: who said what and when, whose word is followed and why, and deciding it.

A decision is the operator's; it is a statement beside the others, whose word counts for one element (docs/adr/0056).
It is made of what was shown: where that is no longer what differs, it is refused, and where it was decided so already,
nothing is done.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from gateway.access.answers import Answers, names
from gateway.access.caller import Asking
from gateway.access.decision import Decision
from gateway.access.messages import Messages
from gateway.coordination.agree import agree_all
from gateway.coordination.directory import Directory, Unit
from gateway.coordination.settling import Settlement, apart, settlement, value_of
from gateway.coordination.statements import order
from gateway.coordination.values import instant, logical_reference
from gateway.coordination.words import Words, both, spoken, words
from gateway.errors import BadRequest, Conflict, Gone, NotFound
from gateway.records import Agreed, Difference, Link, Resource, Ruled, Statement
from gateway.store import Stored, UnitOfWork

MOST_REASON: Final = 500
Verdict = Literal["choose", "ask", "undo"]
VERDICTS: Final[tuple[Verdict, ...]] = ("choose", "ask", "undo")


@dataclass(frozen=True, slots=True)
class Side:
    """What one source says of the element."""

    statement: str
    source: str
    unit: Unit | None
    party: Resource | None
    """The same as a Reference."""
    effective: datetime
    recorded: datetime
    value: Any
    shown: Words
    """The value as people read it."""
    followed: bool
    called: str
    """By which people know who says it: the unit, or the configured source where the directory has no name for it."""


@dataclass(frozen=True, slots=True)
class Decided:
    """What a person has decided of it, and still holds; `chosen` None: the parties were asked."""

    chosen: str | None
    by: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Contradiction:
    """One element that sources do not agree on."""

    element: str
    called: Words
    """The element as people name it."""
    sides: tuple[Side, ...]
    value: Any
    """What is served now."""
    shown: Words
    rule: Ruled
    open: bool
    """Whether something differs that nobody has decided."""
    decided: Decided | None

    @property
    def statements(self) -> tuple[str, ...]:
        return tuple(side.statement for side in self.sides)


@dataclass(frozen=True, slots=True)
class Explained:
    """A resource, and all that sources do not agree on of it."""

    stored: Stored
    contradictions: tuple[Contradiction, ...]


class Settling(Messages, Answers):
    """contradictions and settle."""

    def contradictions(self, asking: Asking, resource_type: str, id: str) -> Explained:
        """What differs in what the caller may hear. NotFound, Gone."""
        self.known_type(resource_type)

        def ask(uow: UnitOfWork) -> tuple[Stored | None, Decision, Explained | None]:
            stored = uow.resources.read(resource_type, id)
            decision = self.judge(uow, asking, stored)
            if stored is None or not decision.allowed or stored.deleted:
                return stored, decision, None
            return stored, decision, self.explained(uow, asking, [stored])[0]

        stored, decision, found = self._rooms.store.read(ask)
        self.known(asking, stored, decision)
        if found is None:
            raise Gone()
        return found

    def settle(
        self,
        asking: Asking,
        resource_type: str,
        id: str,
        element: str,
        between: Iterable[str],
        verdict: Verdict,
        *,
        chosen: str | None,
        reason: str,
    ) -> Explained:
        """Decide whose word holds, leave it to the parties, or undo the decision. NotFound, Conflict, BadRequest."""
        self.known_type(resource_type)
        self._operator(asking)
        why, shown = said_reason(reason), frozenset(between)
        if verdict not in VERDICTS:
            raise BadRequest(f"A decision is one of {', '.join(VERDICTS)}.", rule="decision-unknown", where="decision")
        if (verdict == "choose") is not (chosen in shown):
            raise BadRequest("Name the statement that is right, of those that differ.", rule="chosen-unknown")
        self._rooms.store.write(
            lambda uow: self._settle(uow, asking, (resource_type, id), element, shown, verdict, chosen, why),
            now=self._rooms.clock(),
        )
        return self.contradictions(replace(asking, interaction="read"), resource_type, id)

    def _settle(
        self,
        uow: UnitOfWork,
        asking: Asking,
        thing: tuple[str, str],
        element: str,
        shown: frozenset[str],
        verdict: Verdict,
        chosen: str | None,
        why: str,
    ) -> None:
        there = uow.resources.read(*thing)
        if there is not None:
            uow.lock({there.person or there.id})
        stored = uow.resources.read(*thing)
        if stored is None or stored.deleted:
            raise NotFound(rule="resource-unknown")
        found = next(
            (one for one in self.explained(uow, asking, [stored])[0].contradictions if one.element == element), None
        )
        before = found.decided if found else None
        if found is None or frozenset(found.statements) != shown:
            text = "What differs is no longer what was shown: look at it again."
            raise Conflict(text, rule="contradiction-changed")
        if (before is None and verdict == "undo") or (before and verdict != "undo" and before.chosen == chosen):
            return  # It is so already: what is sent twice is decided once.
        last = uow.statements.last_of([thing]).get(thing)
        said = settlement(
            thing,
            element,
            shown,
            chosen,
            by=asking.caller.name or asking.caller.hsa_id,
            reason=why,
            person=stored.person,
            effective=uow.now if last is None or last < uow.now else last + timedelta(microseconds=1),
            recorded=uow.now,
            undone=verdict == "undo",
        )
        self._rooms.recorder.record(uow, [said])
        asked = replace(asking, interaction="update")
        uow.audit.add_about(self.events(asked, Decision(True, "operator"), stored))

    def explained(self, uow: UnitOfWork, asking: Asking, things: Sequence[Stored]) -> list[Explained]:
        """What differs of each, in what the caller may hear."""
        keys = [(one.resource_type, one.id) for one in things]
        links, about = _tied(uow, keys)
        said = self.audible(asking, uow.statements.of_resources(about))
        agreed = {(one.resource_type, one.id): one for one in agree_all(said, links, self._rooms.recorder.authority)}
        told = {one.digest: one for one in said}
        differing = {digest for one in agreed.values() for found in one.differences for digest in found.statements}
        parties = [told[digest] for digest in differing]
        directory = Directory(self.units_named(uow, names(parties, ()).every, uow.now)) if parties else Directory()
        decisions = {one.said.digest: one for one in apart(said)[0]}
        return [
            Explained(one, tuple(self._contradictions(agreed.get(key), told, decisions, directory)))
            for one, key in zip(things, keys, strict=True)
        ]

    def _contradictions(
        self,
        agreed: Agreed | None,
        told: Mapping[str, Statement],
        decisions: Mapping[str, Settlement],
        directory: Directory,
    ) -> Iterable[Contradiction]:
        by_element: dict[str, list[Difference]] = {}
        for one in agreed.differences if agreed else ():
            by_element.setdefault(one.path, []).append(one)
        for element, found in by_element.items():
            assert agreed is not None
            said = sorted({digest: told[digest] for one in found for digest in one.statements}.values(), key=order)
            followed = {one.followed for one in found}
            still = [one for one in found if one.rule != "decision"]
            decision = next((decisions[one.decision] for one in found if one.decision), None)
            yield Contradiction(
                element,
                words("elements", element) or both(element),
                tuple(self._side(one, element, directory, followed=one.digest in followed) for one in said),
                value_of(element, agreed.resource),
                _shown(value_of(element, agreed.resource), directory),
                (still or found)[0].rule,
                bool(still),
                None if decision is None else _decided(decision),
            )

    def _side(self, said: Statement, element: str, directory: Directory, *, followed: bool) -> Side:
        source = self._rooms.sources.get(said.source)
        hsa_id = said.party or said.provider
        name = source.name if source else said.source.partition(":")[0]
        unit = directory.by_hsa_id(hsa_id) if hsa_id else None
        value = value_of(element, said.body)
        shown = _shown(value, directory)
        party = logical_reference("Organization", unit.key, unit.name) if unit else None
        called = unit.name if unit and (unit.name != unit.hsa_id or source is None) else name
        return Side(said.digest, name, unit, party, said.effective, said.recorded, value, shown, followed, called)


def _tied(uow: UnitOfWork, keys: Iterable[tuple[str, str]]) -> tuple[list[Link], set[tuple[str, str]]]:
    """What these things are tied to, and what that is tied to, with the ties."""
    about = set(keys)
    kinds = {kind for kind, _ in about}
    while True:
        links = [one for one in uow.links.of({id for _, id in about}) if one.resource_type in kinds]
        more = {(one.resource_type, id) for one in links for id in (one.from_id, one.to_id)} - about
        if not more:
            return links, about
        about |= more


def said_reason(text: str) -> str:
    """The reason that stands beside a decision. BadRequest where there is none."""
    said = " ".join(text.split())
    if not said:
        raise BadRequest("Give a reason: it stands beside the decision.", rule="reason-missing", where="reason")
    return said[:MOST_REASON]


def _shown(value: Any, directory: Directory) -> Words:
    """A name, the words of a status, a time, or the text that stands there."""
    if isinstance(value, dict):
        if (unit := directory.unit(value)) is not None:
            return both(unit.name)
        coding: Mapping[str, Any] = next(iter(value.get("coding", ())), {})
        named = value.get("text") or coding.get("display") or coding.get("code")
        return both(str(named) if named else " ".join(str(part) for part in value.values()))
    if (moment := instant(value)) is not None:
        return Words(spoken(moment, "sv"), spoken(moment, "en"))
    return words("statuses", str(value)) or both("–" if value is None else str(value))


def _decided(one: Settlement) -> Decided:
    return Decided(one.chosen, one.by, one.reason, one.said.effective)
