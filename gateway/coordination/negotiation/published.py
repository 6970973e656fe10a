"""A profile of the rules as FHIR has it: a ConceptMap from status to status, for programs and people to read.

What a move depends on (role, condition, an act that is no command) stands in `dependsOn`, what must be given with it in
`product`, as FHIRPath that must find something. A last group says which role may change which element.
`scripts/build-task-rules` writes them into `conformance/`.

https://hl7.org/fhir/R4/conceptmap.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from gateway.coordination.negotiation.breach import role_words, texts
from gateway.coordination.negotiation.circumstances import Move
from gateway.coordination.negotiation.conditions import CONDITIONS
from gateway.coordination.negotiation.profile import NEW, STATUSES, Grant, Profile, Row
from gateway.coordination.negotiation.roles import Role
from gateway.coordination.words import words
from gateway.definitions import CANONICAL
from gateway.records import Resource

STATUS: Final = "http://hl7.org/fhir/task-status"
WORDS: Final = f"{CANONICAL}/CodeSystem/task-rules"
TASK: Final = "http://hl7.org/fhir/StructureDefinition/Task"
NOBODY: Final = "nobody"


def concept_map(profile: Profile) -> Resource:
    """The profile as it is served."""
    id = f"task-rules-{profile.id}"
    return {
        "resourceType": "ConceptMap",
        "id": id,
        "text": {"status": "generated", "div": _table(profile)},
        "url": f"{CANONICAL}/ConceptMap/{id}",
        "version": "1.0.0",
        "name": "TaskRules" + "".join(part.title() for part in profile.id.replace(".", "-").split("-")),
        "title": profile.title.en,
        "status": "active",
        "experimental": False,
        "publisher": "Samverka",
        "description": profile.description,
        "sourceUri": STATUS,
        "targetUri": STATUS,
        "group": [
            {"source": WORDS, "target": STATUS, "element": list(_moves(profile, (NEW,)))},
            {"source": STATUS, "target": STATUS, "element": list(_moves(profile, STATUSES))},
            {"source": WORDS, "target": TASK, "element": list(_elements(profile))},
        ],
    }


def code_system() -> Resource:
    """The words that the rules are told in: roles, acts and conditions."""
    told = texts()
    concepts = [_concept(NEW, told["statuses"][NEW]), _concept(NOBODY, told["phrases"][NOBODY])]
    concepts += [_concept(role, told["roles"][role]) for role in Role]
    concepts += [_concept(move, told["acts"][move]) for move in Move]
    concepts += [_concept(name, told["conditions"][name]) for name in CONDITIONS]
    return {
        "resourceType": "CodeSystem",
        "id": "task-rules",
        "url": WORDS,
        "version": "1.0.0",
        "name": "TaskRules",
        "title": "Roles, acts and conditions of the Task rules",
        "status": "active",
        "experimental": False,
        "publisher": "Samverka",
        "description": "What a move of a Task may depend on: who makes it, in which act, and what must hold.",
        "caseSensitive": True,
        "content": "complete",
        "count": len(concepts),
        "concept": concepts,
    }


def _concept(code: str, row: dict[str, str]) -> Resource:
    return {
        "code": str(code),
        "display": row["en"],
        "designation": [{"language": "sv", "value": row["sv"]}],
    }


def _moves(profile: Profile, starts: Iterable[str]) -> Iterator[Resource]:
    for start in starts:
        rows = [row for row in profile.rows if row.start == start]
        targets = [_target(profile, row, role) for row in rows for role in _order(row.by)]
        if targets:
            yield {"code": start, "display": _display(start), "target": targets}


def _target(profile: Profile, row: Row, role: Role | None) -> Resource:
    made: Resource = {"code": row.to, "display": texts()["steps"][row.to]["en"], "equivalence": "relatedto"}
    if depends := list(_depends(role, row.move, row.when)):
        made["dependsOn"] = depends
    needs = [] if row.start == NEW or row.move is Move.CASCADE else [d for d in profile.due if row.to in d.to]
    if needs:
        made["product"] = [{"property": f"{WORDS}#needs", "value": " | ".join(due.one_of)} for due in needs]
    return made


def _elements(profile: Profile) -> Iterator[Resource]:
    """By role, what it may change; and what nobody may."""
    for role in (*Role, None):
        grants = [one for one in profile.elements.grants if one.role is role]
        targets = [target for one in grants for target in _granted(one)]
        if targets:
            code = role or "other"
            yield {"code": code, "display": role_words([role]).en if role else "whoever acts", "target": targets}
    fixed = sorted(profile.elements.immutable)
    yield {
        "code": NOBODY,
        "display": texts()["phrases"][NOBODY]["en"],
        "target": [{"code": f"Task.{name}", "equivalence": "relatedto"} for name in fixed],
    }


def _granted(grant: Grant) -> Iterator[Resource]:
    depends = list(_depends(None, grant.move, (grant.when,) if grant.when else ()))
    if grant.unless:
        depends.append({"property": f"{WORDS}#unless", "system": WORDS, "value": grant.unless})
    for name in sorted(grant.elements):
        made: Resource = {"code": "Task" if name == "*" else f"Task.{name}", "equivalence": "relatedto"}
        yield made | {"dependsOn": depends} if depends else made


def _depends(role: Role | None, move: Move, when: Iterable[str]) -> Iterator[Any]:
    act = None if move is Move.COMMAND else move
    for name, value in (("role", role), ("act", act), *(("condition", one) for one in when)):
        if value is not None:
            yield {"property": f"{WORDS}#{name}", "system": WORDS, "value": str(value)}


def _table(profile: Profile) -> str:
    """The moves that somebody may ask for, as people read tables."""
    head = "".join(f"<th>{status}</th>" for status in STATUSES)
    body = "".join(
        f"<tr><th>{start}</th>" + "".join(f"<td>{_cell(profile, start, to)}</td>" for to in STATUSES) + "</tr>"
        for start in (NEW, *STATUSES)
    )
    return (
        f'<div xmlns="http://www.w3.org/1999/xhtml" lang="en"><h1>{profile.title.en}</h1><p>{profile.description}</p>'
        f"<table><tr><th>from, to</th>{head}</tr>{body}</table></div>"
    )


def _cell(profile: Profile, start: str, to: str) -> str:
    return "; ".join(_said(row) for row in profile.between(start, to, Move.COMMAND))


def _said(row: Row) -> str:
    who = ", ".join(str(role) for role in Role if role in row.by)
    conditions = " and ".join(texts()["conditions"][one]["en"] for one in row.when)
    return f"{who} if {conditions}" if conditions else who


def _order(by: frozenset[Role]) -> list[Role | None]:
    return [role for role in Role if role in by] or [None]


def _display(status: str) -> str:
    found = words("statuses", status)
    return found.en if found else texts()["statuses"][status]["en"]
