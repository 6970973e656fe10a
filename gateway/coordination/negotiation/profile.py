"""One profile of the Task rules, from its file in `conformance/agreements/negotiation/`: tables, without a decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from gateway.coordination import agreements
from gateway.coordination.negotiation.circumstances import Move
from gateway.coordination.negotiation.roles import Role
from gateway.coordination.words import Words

PROFILES: Final = ("default", "scp-0.3", "orca", "gravity")
NEW: Final = "new"
STATUSES: Final = (
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
    "entered-in-error",
)
"""http://hl7.org/fhir/task-status, in its order."""


@dataclass(frozen=True, slots=True)
class Row:
    """A move that may be: from, to, by whom, in what act, under which conditions, all of them."""

    start: str
    to: str
    by: frozenset[Role]
    move: Move
    when: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Due:
    """What must be given with a move to some statuses: one of these paths."""

    to: frozenset[str]
    one_of: tuple[str, ...]
    rule: str


@dataclass(frozen=True, slots=True)
class Grant:
    """Elements that a role may change in some act: always, when a condition holds, or unless one does."""

    role: Role | None
    """None: whoever acts."""
    move: Move
    elements: frozenset[str]
    when: str | None
    unless: str | None


@dataclass(frozen=True, slots=True)
class Elements:
    """Who may change which element (C-18 to C-20)."""

    same_status: frozenset[Role]
    """Who may write the Task without moving it (C-3)."""
    immutable: frozenset[str]
    append_only: frozenset[str]
    unwatched: frozenset[str]
    """What the server keeps itself, and what says nothing of the Task."""
    grants: tuple[Grant, ...]


@dataclass(frozen=True, slots=True)
class Profile:
    """The rules as one set of parties has agreed them."""

    id: str
    title: Words
    description: str
    terminal: frozenset[str]
    rows: tuple[Row, ...]
    moves: Mapping[tuple[str, str, Move], tuple[Row, ...]]
    """The rows by from, to and act."""
    deletable: frozenset[str]
    deleters: frozenset[Role]
    due: tuple[Due, ...]
    elements: Elements
    codes: Mapping[str, frozenset[str]]

    def between(self, start: str, to: str, move: Move) -> tuple[Row, ...]:
        return self.moves.get((start, to, move), ())


@cache
def profile(name: str) -> Profile:
    """A shipped profile; KeyError for a name that is none."""
    if name not in PROFILES:
        raise KeyError(name)
    return read_profile(agreements.read(f"negotiation/{name}"))


def read_profile(document: Mapping[str, Any]) -> Profile:
    """A profile from its file; KeyError or ValueError where it leaves something out or names what is not."""
    given = document["elements"]
    rows = tuple(row for one in document["moves"] for row in _rows(one))
    moves: dict[tuple[str, str, Move], tuple[Row, ...]] = {}
    for row in rows:
        key = (row.start, row.to, row.move)
        moves[key] = (*moves.get(key, ()), row)
    return Profile(
        id=document["id"],
        title=Words(**document["title"]),
        description=document["description"],
        terminal=frozenset(document["terminal"]),
        rows=rows,
        moves=moves,
        deletable=frozenset(document["delete"]["from"]),
        deleters=_roles(document["delete"]["by"]),
        due=tuple(Due(frozenset(row["to"]), tuple(row["one-of"]), row["rule"]) for row in document["due"]),
        elements=Elements(
            same_status=_roles(given["same-status"]),
            immutable=frozenset(given["immutable"]),
            append_only=frozenset(given["append-only"]),
            unwatched=frozenset(given["unwatched"]),
            grants=tuple(
                Grant(
                    Role(row["role"]) if "role" in row else None,
                    Move(row.get("as", Move.COMMAND)),
                    frozenset(row["elements"]),
                    row.get("when"),
                    row.get("unless"),
                )
                for row in given["by"]
            ),
        ),
        codes={name: frozenset(codes) for name, codes in document["codes"].items()},
    )


def _rows(one: Mapping[str, Any]) -> list[Row]:
    by, move = _roles(one.get("by", ())), Move(one.get("as", Move.COMMAND))
    for status in (*one["from"], *one["to"]):
        if status != NEW and status not in STATUSES:
            raise ValueError(f"{status} is no status of a Task.")
    when = tuple(one.get("when", ()))
    return [Row(start, to, by, move, when) for start in one["from"] for to in one["to"] if start != to]


def _roles(names: Any) -> frozenset[Role]:
    return frozenset(Role(name) for name in names)
