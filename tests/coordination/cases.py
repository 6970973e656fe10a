"""Cases as files: statements in, what they agree on out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.coordination.agree import agree_all
from gateway.coordination.statements import Origin, make
from gateway.identity.resolve import Key
from gateway.records import Agreed, Link, Statement

HERE = Path(__file__).parent


def index(folder: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = read(HERE / folder / "index.json")
    return found


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def statements(document: Mapping[str, Any]) -> list[Statement]:
    return [statement(row) for row in document["statements"]]


def statement(row: Mapping[str, Any]) -> Statement:
    subject = row["body"].get("for") or row["body"].get("subject") or {}
    return make(
        body=row["body"],
        origin=Origin(row["source"], row.get("inbox_id"), row.get("item")),
        record_key=row["record_key"],
        person=row.get("person") or subject.get("reference", "").removeprefix("Patient/") or None,
        effective=datetime.fromisoformat(row["effective"]),
        recorded=datetime.fromisoformat(row.get("recorded", row["effective"])),
        version=row.get("version", ""),
        party=row.get("party", ""),
        provider=row.get("provider", ""),
        kind=row.get("kind", "assert"),
    )


def links(document: Mapping[str, Any]) -> list[Link]:
    return [Link(**{**row, "recorded": datetime.fromisoformat(row["recorded"])}) for row in document.get("links", [])]


def known(document: Mapping[str, Any]) -> dict[Key, str]:
    return {(kind, system, value): id for kind, system, value, id in document.get("known", [])}


def agreed(document: Mapping[str, Any], said: Sequence[Statement]) -> list[dict[str, Any]]:
    """What the statements agree on, without digests: those follow from the statements."""
    return [shown(one) for one in agree_all(said, links(document), known=known(document))]


def shown(one: Agreed) -> dict[str, Any]:
    made: dict[str, Any] = {"resource": one.resource, "person": one.person, "contributors": list(one.contributors)}
    if one.contradictions:
        made["contradictions"] = [{"path": c["path"], "sources": list(c["sources"])} for c in one.contradictions]
    if one.deleted:
        made["deleted"] = True
    return made
