"""Who says each value of a resource: the statements that do, or the rule of the gateway by which it came.

Beside every value stand all statements that say the same there, the one that counts first. What nobody says follows by
one of few rules, each with its own code (CodeSystem/account). docs/api/explain.md
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from gateway.coordination.heirs import PASSED_ON, is_passing
from gateway.coordination.parties import Party, nearness
from gateway.coordination.plans.rules import TEAM
from gateway.coordination.settling import Settlement, apart, holding
from gateway.coordination.statements import GATEWAY_SOURCE, order, standing
from gateway.coordination.tasks import ARRIVING, HISTORY
from gateway.coordination.values import reference_key
from gateway.records import Resource, Statement

Rule = Literal[
    "stated",
    "decided",
    "raised",
    "id",
    "version",
    "mark",
    "known",
    "life",
    "passed-on",
    "closed",
    "tasks",
    "withdrawn",
    "joined",
    "unexplained",
]
"""How a value came to be; what each means is told in CodeSystem/account."""
_INDEX = re.compile(r"\[\d+\]")
_FOLLOWS: Final[Mapping[str, frozenset[str]]] = {
    "CarePlan": frozenset({"activity", "status", "careTeam", "contained", "replaces", "extension"}),
    "CareTeam": frozenset(
        {"status", "participant", "subject", "period", "name", "category", "extension", "identifier"}
    ),
}
"""What follows from the Tasks of a plan."""
_JOINED: Final = {"Patient": frozenset({"link", "active"})}
"""What tells of two that were found to be one."""


@dataclass(frozen=True, slots=True)
class Account:
    """One value of a resource, with its path and with who says it."""

    path: str
    value: Any
    rule: Rule
    statements: tuple[Statement, ...] = ()


def accounts(resource: Resource, statements: Iterable[Statement], tasks: Sequence[Statement] = ()) -> list[Account]:
    """Each value of the resource, accounted for by the statements about it, and about those that it was joined with.

    `tasks` are the statements about the Tasks that a plan or team follows from.
    """
    decisions, facts = apart(standing(statements))
    settled = holding(decisions, facts)
    said = sorted(facts, key=order, reverse=True)
    kind = str(resource["resourceType"])
    responsible = _responsible(resource)
    said.sort(key=lambda one: (one.kind != "assert", min(nearness(Party.of(one), key) for key in responsible)))
    saying: dict[tuple[str, str], list[Statement]] = defaultdict(list)
    for one in said:
        for place in dict.fromkeys((plain(path), text(value)) for path, value in leaves(one.body, kind)):
            saying[place].append(one)
    urls = _extensions(resource)
    found = []
    for path, value in leaves(resource, kind):
        told = saying.get((plain(path), text(value)), ())
        rule, evidence = _decided(path, settled, told) or _rule(resource, path, urls, said, told)
        resting = (tasks or evidence) if rule == "tasks" else (evidence or tasks)
        found.append(Account(path, value, rule, tuple(resting)))
    return found


def leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """The values that hold no others, each with its path."""
    if isinstance(value, dict):
        for name, child in value.items():
            if name != "resourceType" or "." in path or "[" in path:
                yield from leaves(child, f"{path}.{name}")
    elif isinstance(value, list):
        for number, child in enumerate(value):
            yield from leaves(child, f"{path}[{number}]")
    else:
        yield path, value


def plain(path: str) -> str:
    """The path without places in lists."""
    return _INDEX.sub("", path)


def text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _responsible(resource: Resource) -> tuple[str | None, ...]:
    names = ("owner", "serviceProvider", "author", "requester")
    return tuple(key for name in names if (key := reference_key(resource.get(name)))) or (None,)


def _decided(
    path: str, settled: Mapping[str, Settlement], told: Sequence[Statement]
) -> tuple[Rule, Sequence[Statement]] | None:
    """Of a value that a person has found right: who says it, and the decision."""
    for element, one in settled.items():
        if f"{plain(path)}.".startswith(f"{element}.") and (chosen := [a for a in told if a.digest == one.chosen]):
            return "decided", [*chosen, one.said]
    return None


def _rule(
    resource: Resource, path: str, urls: Mapping[str, str], said: Sequence[Statement], told: Sequence[Statement]
) -> tuple[Rule, Sequence[Statement]]:
    """The rule by which a value stands where it does, and the statements that it rests on."""
    kind, element = str(resource["resourceType"]), plain(path).split(".")[1]
    if element == "id":
        return "id", said[:1]
    if plain(path) in (f"{kind}.meta.versionId", f"{kind}.meta.lastUpdated"):
        return "version", said
    ours = next((url for start, url in urls.items() if path.startswith(f"{start}.")), None)
    if ours == PASSED_ON:
        return "passed-on", [one for one in said if is_passing(one)] or said
    if ours in (HISTORY, ARRIVING):
        return "life", said
    if told and path.endswith(".reference") and told[0].map_hash is not None:
        return "known", told
    if told:
        return ("raised" if told[0].source == GATEWAY_SOURCE else "stated"), told
    if path.startswith(f"{kind}.meta.security"):
        return "closed", said
    if path.startswith(f"{kind}.meta.tag"):
        return "mark", said
    if path.endswith(".reference"):
        return "known", said
    if kind == "Task":
        return "life", said
    if kind == TEAM or element in _FOLLOWS.get(kind, ()):
        return "tasks", said
    if element == "status" and said and said[0].kind != "assert":
        return "withdrawn", said
    return ("joined" if element in _JOINED.get(kind, ()) else "unexplained"), said


def _extensions(resource: Resource) -> dict[str, str]:
    """The extensions that the gateway itself writes, by where they stand."""
    kind, ours = resource["resourceType"], (HISTORY, ARRIVING, PASSED_ON)
    given = resource.get("extension", ())
    return {f"{kind}.extension[{number}]": one["url"] for number, one in enumerate(given) if one.get("url") in ours}
