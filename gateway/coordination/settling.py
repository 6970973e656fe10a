"""What a person has decided of a contradiction: a statement of its own, whose word counts for one element.

It names the statements that differed, and the one that is right; or none, and the parties are asked. It holds as long
as each of them stands and its source has said nothing else of the element since, in source time: a source that
repeats itself brings no news. What the sources said is as it was. docs/adr/0056
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from gateway.coordination.statements import Origin, in_order, make, order
from gateway.coordination.values import same
from gateway.definitions import CANONICAL
from gateway.identity.resolve import MENTION
from gateway.records import Difference, Resource, Statement

DECIDED_SOURCE: Final = "decision"
"""The source of decisions. What the table of authority would say of an element gives way to it."""
SETTLED: Final = f"{CANONICAL}/StructureDefinition/settled-contradiction"
"""In a decision's statement: the element, the statements that differed, the one that is right, by whom and why."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """A decision about one element of one thing."""

    element: str
    """`Task.owner`, `Encounter.period.start`."""
    between: frozenset[str]
    """The digests of the statements that differed."""
    chosen: str | None
    """The digest of the one that is right; None where the parties are to settle it."""
    by: str
    reason: str
    said: Statement
    sources: Mapping[str, str] = field(default_factory=dict)
    """Who said the statements that differed, by digest: of a decision that holds."""
    value: Any = None
    """What the one that is right says of the element."""

    @property
    def followed(self) -> str | None:
        """The source whose word is right."""
        return None if self.chosen is None else self.sources.get(self.chosen)

    def is_about(self, said: Statement) -> bool:
        """Whether the source was one of those that differed."""
        return said.source in self.sources.values()


def settlement(
    thing: tuple[str, str],
    element: str,
    between: Iterable[str],
    chosen: str | None,
    *,
    by: str,
    reason: str,
    person: str | None,
    effective: datetime,
    recorded: datetime,
    undone: bool = False,
) -> Statement:
    """The statement of a decision; `undone`: that it is no longer to hold."""
    kind, id = thing
    parts: list[dict[str, Any]] = [{"url": "element", "valueString": element}]
    parts += [{"url": "statement", "valueString": digest} for digest in sorted(between)]
    if chosen is not None:
        parts.append({"url": "chosen", "valueString": chosen})
    parts += [{"url": "by", "valueString": by}, {"url": "reason", "valueString": reason}]
    body: Resource = {"resourceType": kind, "id": id, "extension": [{"url": SETTLED, "extension": parts}]}
    return make(
        body=body,
        origin=Origin(DECIDED_SOURCE),
        record_key=f"{kind}/{id} {element}",
        person=person,
        effective=effective,
        recorded=recorded,
        kind="withdraw" if undone else "assert",
    )


def apart(statements: Iterable[Statement]) -> tuple[list[Settlement], list[Statement]]:
    """The decisions, in the order of facts, and what the sources said."""
    said = list(statements)
    decisions = [one for one in said if one.source == DECIDED_SOURCE]
    if not decisions:
        return [], said
    read = [_read(one) for one in in_order(decisions)]
    return [one for one in read if one is not None], [one for one in said if one.source != DECIDED_SOURCE]


def holding(decisions: Iterable[Settlement], facts: Sequence[Statement]) -> dict[str, Settlement]:
    """The decision that holds of each element; `facts` are all that the sources said."""
    last = {one.element: one for one in decisions}
    said = {fact.digest: fact for fact in facts}
    found = {}
    for element, one in last.items():
        if one.said.kind == "assert" and holds(one, facts):
            value = value_of(element, said[one.chosen].body) if one.chosen in one.between else None
            sources = {digest: said[digest].source for digest in one.between}
            found[element] = replace(one, sources=sources, value=value)
    return found


def taken(decisions: Iterable[Settlement]) -> list[Settlement]:
    """Those that chose, and were not undone, whether or not they hold still."""
    found: dict[str, list[Settlement]] = {}
    for one in decisions:
        known = found.setdefault(one.element, [])
        if one.said.kind == "assert":
            known.append(one)
        elif known:
            known.pop()
    return [one for known in found.values() for one in known if one.chosen is not None]


def holds(one: Settlement, facts: Sequence[Statement]) -> bool:
    """Whether all that differed stand, and none of their sources has said anything else of the element since."""
    known = {fact.digest: fact for fact in facts if fact.digest in one.between}
    if len(known) < len(one.between):
        return False
    return not any(_brings_news(one.element, was, fact) for was in known.values() for fact in facts)


def marks(differences: Iterable[Difference]) -> set[str]:
    """The marks of a resource that sources differ about: what nobody has decided, what somebody has, what is asked."""
    found = list(differences)
    left = [one for one in found if one.rule != "decision"]
    made = {"settled"} if len(left) < len(found) else set()
    if left:
        made.add("contradicted")
        made |= {"asked"} if all(one.decision for one in left) else set()
    return made


def value_of(element: str, body: Mapping[str, Any]) -> Any:
    """What a resource says of an element; None where it says nothing."""
    value: Any = body
    for name in element.split(".")[1:]:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _brings_news(element: str, was: Statement, fact: Statement) -> bool:
    if fact.source != was.source or order(fact) <= order(was) or fact.record_key.startswith(MENTION):
        return False
    if fact.kind == "withdraw":
        return fact.record_key == was.record_key
    now = value_of(element, fact.body)
    return now is not None and not same(now, value_of(element, was.body))


def _read(said: Statement) -> Settlement | None:
    """The decision that a statement holds; None where it is none that we know."""
    found = next((one for one in said.body.get("extension", ()) if one.get("url") == SETTLED), None)
    if found is None:
        return None
    parts = [(part.get("url"), part.get("valueString", "")) for part in found.get("extension", ())]
    told = dict(parts)
    between = frozenset(value for name, value in parts if name == "statement")
    return Settlement(
        told.get("element", ""), between, told.get("chosen"), told.get("by", ""), told.get("reason", ""), said
    )
