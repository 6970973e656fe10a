"""Cases as files: statements in, what they agree on out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.coordination import narrative
from gateway.coordination.agree import agree_all
from gateway.coordination.gap import Gap
from gateway.coordination.look import look
from gateway.coordination.see import see
from gateway.coordination.statements import Origin, make
from gateway.coordination.view import Lane, View
from gateway.identity.resolve import Key
from gateway.records import Agreed, Link, Statement
from tests.coordination import people

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


def view(document: Mapping[str, Any]) -> View:
    """Who does what by a case's statements, at its time."""
    at, known_at = (datetime.fromisoformat(document[name]) for name in ("at", "known_at"))
    seen = see(
        people.PATIENT,
        statements(document),
        at=at,
        known_at=known_at,
        links=links(document),
        organisations=people.organisations(document.get("organisations")),
        heard=people.heard(document.get("heard", {}), at),
    )
    return look(seen)


def shown_gap(gap: Gap) -> dict[str, Any]:
    made: dict[str, Any] = {"code": gap.code, "severity": gap.severity, "sv": gap.text.sv, "en": gap.text.en}
    made |= {"ask": gap.ask.sv, "about": list(gap.about)}
    if gap.who:
        made["who"] = f"{gap.who.name}, {gap.who.phone}"
    return made


def told(found: View) -> dict[str, list[str]]:
    """The answer as the document tells it in Swedish, and the lanes as the page draws them."""
    sections = {name: list(narrative.LINES[name](found, "sv")) for name in narrative.SECTIONS}
    sections["lanes"] = [f"{lane.unit.name}: {_items(lane)}" for lane in found.lanes]
    sections["team"] = [f"{m.unit.name} {m.start} – {m.end or ''}".rstrip() for m in found.team]
    return sections


def _items(lane: Lane) -> str:
    return "; ".join(f"{item.what.sv} {item.state} {item.start:%m-%d %H:%M}" for item in lane.items)
