"""What the parties have agreed between them, read from `conformance/agreements/`: whose word counts, and the limits.

Facts that are not rules stand in those files; the functions that use them stand here. What a mission is, and how soon
it is answered, its PlanDefinition says: an agreement names the missions, and what it says of its own goes before them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import time, timedelta
from functools import cache
from typing import Any

import orjson

from gateway.coordination import missions
from gateway.coordination.missions import Mission
from gateway.definitions.shipped import folder


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps of a status: which may follow which, and which of them may be inferred when a report is missing."""

    first: frozenset[str]
    next: Mapping[str, tuple[str, ...]]
    inferred: tuple[str, ...]
    offered: frozenset[str]
    """Waiting for the owner's answer."""
    held: frozenset[str]
    """In the hands of the owner."""
    ended: frozenset[str]
    reoffered: frozenset[str]
    """Ended, but the same need may be offered to another."""
    joins: frozenset[str]
    """To come here is to take part: the owner is a member of the team from then on."""
    stays: frozenset[str]
    """As long as it is here, a member stays."""
    ways: dict[tuple[str | None, str], tuple[str, ...]] = field(default_factory=dict, compare=False, repr=False)
    """The ways between two that were looked for before."""


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """What becomes of a resource that every source has withdrawn."""

    element: str
    becomes: str
    unless: frozenset[str]


@dataclass(frozen=True, slots=True)
class Authority:
    """Whose word counts where sources differ, as tables."""

    responsible: Mapping[str, str | None]
    """The element that names the responsible party, by resource type."""
    elements: Mapping[str, str]
    """Elements where another party's word counts, with the element that names it."""
    progress: Mapping[str, tuple[str, ...]]
    moving: frozenset[str]
    """Elements that follow from time passing: an older value does not contradict a newer one."""
    merged: frozenset[str]
    """Elements that are agreed part by part."""
    standing: frozenset[str]
    """Types of what stands for long: a source's later word replaces its earlier one, element by element."""
    shared: Mapping[str, frozenset[str]]
    """Elements that several parties write together, by type: what was said of them last is what they are."""
    withdrawn: Mapping[str, Withdrawal]
    steps: Mapping[str, Steps]
    authored: Mapping[str, str]
    """Types that only those who state a resource may change by a command, with the requirement that says so."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How long something may take, for a priority or a code."""

    after: timedelta
    priority: str | None = None
    code: str | None = None
    received: bool = False
    """To have received it is answer enough."""


@dataclass(frozen=True, slots=True)
class LiabilityRule:
    """After how many calendar days a municipality is liable to pay; later for a notice sent after noon."""

    days: int
    days_after_noon: int
    noon: time


@dataclass(frozen=True, slots=True)
class Agreement:
    """What the parties count as missing, and after how long."""

    id: str
    since: timedelta
    """How far back finished things are shown."""
    cadences: int
    """A source is silent after so many times its cadence."""
    missions: Mapping[str, Mission]
    """Those that the parties send one another, by code."""
    codes: Mapping[str, frozenset[str]]
    """Groups of codes that the rules speak of: missions, needs, messages, visits and so on."""
    unanswered: tuple[Limit, ...]
    report: tuple[Limit, ...]
    refusals: int
    same_need_within: timedelta
    visits_ahead: timedelta
    visits_late: timedelta
    not_double: frozenset[str]
    sip_call_days: int
    liability: LiabilityRule
    contradictions: frozenset[str]

    def limit(self, limits: Iterable[Limit], code: str, priority: str | None) -> Limit | None:
        """The first limit that fits."""
        for row in limits:
            if row.code in (None, code) and row.priority in (None, priority):
                return row
        return None


@cache
def agreement(name: str = "example") -> Agreement:
    """One of the shipped agreements."""
    return read_agreement(read(name))


def read_agreement(document: Mapping[str, Any]) -> Agreement:
    """An agreement from its file; KeyError or ValueError where it leaves something out."""
    known = {one.code: one for one in map(missions.shipped, document["missions"])}
    codes = {group: frozenset(of) for group, of in document["codes"].items()}
    codes["missions"] = frozenset(known)
    codes["needs"] |= codes["missions"]
    codes["parallel"] = frozenset(one.code for one in known.values() if one.parallel)
    answers = (Limit(one.answer_within, code=one.code) for one in known.values() if one.answer_within)
    reports = (Limit(one.report_within, code=one.code) for one in known.values() if one.report_within)
    return Agreement(
        id=document["id"],
        since=duration(document["since"]),
        cadences=document["silent"]["cadences"],
        missions=known,
        codes=codes,
        unanswered=(*_limits(document["unanswered"]), *answers),
        report=(*_limits(document["report"]), *reports),
        refusals=document["refusals"],
        same_need_within=duration(document["sameNeedWithin"]),
        visits_ahead=duration(document["visits"]["ahead"]),
        visits_late=duration(document["visits"]["late"]),
        not_double=frozenset(document["visits"]["notDouble"]),
        sip_call_days=document["discharge"]["sipCallDays"],
        liability=LiabilityRule(
            days=document["discharge"]["liableDays"],
            days_after_noon=document["discharge"]["liableDaysAfterNoon"],
            noon=time.fromisoformat(document["discharge"]["noon"]),
        ),
        contradictions=frozenset(document["contradictions"]),
    )


def duration(text: str) -> timedelta:
    """An ISO 8601 duration of days, hours and minutes."""
    parts = re.fullmatch(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?", text)
    if parts is None or text in ("P", "PT"):
        raise ValueError(f"{text} is no duration of days, hours and minutes: write P7D, PT2H or PT30M.")
    days, hours, minutes = (int(part or 0) for part in parts.groups())
    return timedelta(days=days, hours=hours, minutes=minutes)


def _limits(rows: Iterable[Mapping[str, Any]]) -> tuple[Limit, ...]:
    return tuple(
        Limit(duration(row["after"]), row.get("priority"), row.get("code"), row.get("received", False)) for row in rows
    )


@cache
def authority() -> Authority:
    """The shipped table of authority."""
    return read_authority(read("authority"))


@cache
def read(name: str) -> dict[str, Any]:
    """One of the shipped agreements as it stands in its file."""
    path = folder("conformance") / "agreements" / f"{name}.json"
    document: dict[str, Any] = orjson.loads(path.read_bytes())
    return document


def read_authority(document: Mapping[str, Any]) -> Authority:
    """The table of authority from its file."""
    return Authority(
        responsible=document["responsible"],
        elements=document["elements"],
        progress={path: tuple(codes) for path, codes in document["progress"].items()},
        moving=frozenset(document["moving"]),
        merged=frozenset(document["merged"]),
        standing=frozenset(document["standing"]),
        shared={name: frozenset(elements) for name, elements in document["shared"].items()},
        withdrawn={
            name: Withdrawal(row["element"], row["becomes"], frozenset(row["unless"]))
            for name, row in document["withdrawn"].items()
        },
        steps={
            name: Steps(
                first=frozenset(row["first"]),
                next={status: tuple(codes) for status, codes in row["next"].items()},
                inferred=tuple(row["inferred"]),
                offered=frozenset(row["offered"]),
                held=frozenset(row["held"]),
                ended=frozenset(row["ended"]),
                reoffered=frozenset(row["reoffered"]),
                joins=frozenset(row["joins"]),
                stays=frozenset(row["stays"]),
            )
            for name, row in document["steps"].items()
        },
        authored={kind: rule for rule, kinds in document["authored"].items() for kind in kinds},
    )
