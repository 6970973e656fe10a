"""C-1, C-2: thirteen rows by twelve statuses by seven roles in each profile, against tables written by hand.

`matrix/<profile>.md` is transcribed from coordination.md B.1: the engine's own tables are not read here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Final

import pytest

from gateway.coordination.negotiation import PROFILES, Circumstances, Move, Role, Rules
from gateway.coordination.negotiation.profile import Row
from gateway.records import Resource
from tests.coordination.negotiation.people import ASKER, DOER, party, task

MATRIX: Final = Path(__file__).parent / "matrix"
NEW: Final = "(new)"
LETTERS: Final = {"R": "requester", "O": "owner", "C": "coordinator", "K": "candidate"}
ROLES: Final = ("requester", "owner", "both", "coordinator", "candidate", "member", "other")


@dataclass(frozen=True)
class Cell:
    """Who may, and under which condition, by the table."""

    start: str
    to: str
    may: Mapping[str, frozenset[str]]
    """The conditions by role, all of which must hold."""
    same: bool


def cells(profile: str) -> Iterator[Cell]:
    lines = [line for line in (MATRIX / f"{profile}.md").read_text().splitlines() if line.startswith("|")]
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    for start, *row in rows:
        for to, text in zip(head[1:], row, strict=True):
            may = {}
            for part in text.split() if text not in (".", "=") else ():
                letters, _, conditions = part.partition(":")
                may |= {LETTERS[letter]: frozenset(conditions.split("+")) - {""} for letter in letters}
            yield Cell(start, to, may, text == "=")


def held_by(role: str) -> set[str]:
    return {"requester", "owner"} if role == "both" else {role}


def tries(cell: Cell) -> Iterator[tuple[str, set[str]]]:
    """Every role, with each choice of the conditions that its moves depend on."""
    for role in ROLES:
        conditions = sorted(set().union(*(cell.may.get(one, frozenset()) for one in held_by(role))))
        for count in range(len(conditions) + 1):
            yield from ((role, set(met)) for met in combinations(conditions, count))


def expected(cell: Cell, role: str, met: set[str]) -> str:
    """`allowed`, or the status of the refusal: 422 where nobody may, 403 where another may (C-2, C-3, DESIGN 4)."""
    mine = held_by(role)
    if cell.same:
        return "allowed" if mine & {"requester", "owner", "coordinator"} else "403"
    if not cell.may:
        return "422"
    conditions = [cell.may[one] for one in mine if one in cell.may]
    if not conditions:
        return "403"
    return "allowed" if any(one <= met for one in conditions) else "422"


def outcome(rules: Rules, cell: Cell, role: str, met: set[str]) -> str:
    mine = frozenset(Role(one) for one in held_by(role))
    before, after, circumstances = situation(cell, role, met)
    if "takes-part" in met:
        mine |= {Role.MEMBER}
    found = rules.decide(before, after, mine, circumstances)
    if not found:
        return "allowed"
    return "403" if found[0].kind == "wrong-role" else "422"


def situation(cell: Cell, role: str, met: set[str]) -> tuple[Resource | None, Resource, Circumstances]:
    """A Task for which the conditions are met, and no other."""
    given: dict[str, object] = {"owner": None if role == "candidate" else party(DOER)}
    if "information" in met:
        given["code"] = {"coding": [{"code": "information-request"}]}
    if "proposal" in met:
        given["intent"] = "proposal"
    if "part-or-own" in met:
        given["owner"] = party(ASKER)
    before = None if cell.start == NEW else task(cell.start, **given)
    after = task(cell.to, **given)
    if not cell.same and cell.start != NEW and role != "candidate":
        after |= {"statusReason": {"text": "Because."}}
    if role == "candidate" and "claims" in met:
        after |= {"owner": party(DOER)}
    return (
        before,
        after,
        Circumstances(organisations=(DOER,), members=frozenset({"SE-team"}), abort_accepted="abort-accepted" in met),
    )


@pytest.mark.parametrize("profile", PROFILES)
def test_every_move_by_every_role_ends_as_the_table_says(profile: str) -> None:
    rules, tried, wrong = Rules.named(profile), set(), []
    for cell in cells(profile):
        for role, met in tries(cell):
            tried.add((cell.start, cell.to, role))
            said, want = outcome(rules, cell, role, met), expected(cell, role, met)
            if said != want:
                wrong.append((cell.start, cell.to, role, met, said, "wanted", want))
    assert not wrong
    assert len(tried) == 13 * 12 * len(ROLES)


@pytest.mark.parametrize("profile", PROFILES)
def test_no_move_can_be_added_or_taken_away_unnoticed(profile: str) -> None:
    """The tables of the engine are altered one by one: each time a cell ends otherwise than the table says."""
    kept = Rules.named(profile).profile
    for cell in TABLES[profile]:
        start, owner = "new" if cell.start == NEW else cell.start, frozenset({Role.OWNER})
        key = (start, cell.to, Move.COMMAND)
        if cell.same or start in kept.terminal:
            continue
        rows = kept.moves.get(key, ())
        altered = [tuple(row for row in rows if row is not one) for one in rows]
        altered += [
            tuple(replace(row, when=tuple(set(row.when) - {name})) if row is one else row for row in rows)
            for one in rows
            for name in one.when
        ]
        altered += [(*rows, Row(start, cell.to, owner, Move.COMMAND, ()))] if "owner" not in cell.may else []
        for moves in altered:
            rules = Rules(replace(kept, moves=kept.moves | {key: moves}))
            ends = [(outcome(rules, cell, role, met), expected(cell, role, met)) for role, met in tries(cell)]
            assert any(said != want for said, want in ends), (cell, moves)


@pytest.mark.parametrize("profile", PROFILES)
def test_a_refusal_names_from_to_role_and_what_is_allowed_in_both_languages(profile: str) -> None:
    rules = Rules.named(profile)
    for cell in cells(profile):
        if cell.start == NEW or cell.same:
            continue
        for role in ROLES:
            mine = frozenset(Role(one) for one in held_by(role))
            before, after, circumstances = situation(cell, role, set())
            for one in rules.decide(before, after, mine, circumstances):
                assert (one.start, one.to, set(one.roles)) == (cell.start, cell.to, mine)
                open_to = {
                    other.to
                    for other in cells_of(profile, cell.start)
                    if any(other.may.get(name) == frozenset() for name in mine)
                }
                assert open_to <= set(one.allowed)
                assert one.rule.startswith("C-") and one.path.startswith("Task.") and one.code.startswith("task-")
                assert all(status in one.text.sv and status in one.text.en for status in one.allowed)
                assert one.text.sv != one.text.en


def cells_of(profile: str, start: str) -> list[Cell]:
    return [cell for cell in TABLES[profile] if cell.start == start]


TABLES: Final = {profile: tuple(cells(profile)) for profile in PROFILES}
