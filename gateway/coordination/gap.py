"""A gap: something that is missing, and who can mend it. Its words are in conformance/agreements/gaps.json.

https://hl7.org/fhir/R4/detectedissue.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from gateway.coordination import agreements
from gateway.coordination.directory import Unit
from gateway.coordination.words import Part, Words, phrase

Severity = Literal["high", "moderate", "low"]
SEVERITIES: tuple[Severity, ...] = ("high", "moderate", "low")


@dataclass(frozen=True, slots=True)
class Gap:
    """What is missing, since when, who must act, and on what evidence."""

    code: str
    severity: Severity
    title: Words
    text: Words
    ask: Words
    who: Unit | None
    """Who must act."""
    about: tuple[str, ...]
    """References to the resources that show it."""
    since: datetime | None = None
    due: datetime | None = None
    statements: tuple[str, ...] = ()
    """The evidence: digests of statements."""
    key: str = ""
    """What makes it this gap and no other of the person, as long as it lasts."""


class Shown(Protocol):
    """A fact that a gap is about."""

    @property
    def reference(self) -> str: ...
    @property
    def statements(self) -> tuple[str, ...]: ...


def gap(
    code: str,
    who: Unit | None,
    facts: Sequence[Shown],
    blanks: Mapping[str, Part],
    *,
    severity: Severity | None = None,
    since: datetime | None = None,
    due: datetime | None = None,
    evidence: Sequence[str] | None = None,
    ask_for: str = "ask",
    next: Unit | None = None,
    apart: str = "",
) -> Gap:
    """The gap of that code, its words filled with `blanks`; `next` is whom to turn to then.

    It is told by its code and the first fact that shows it; `apart` where that fact shows several.
    """
    row = agreements.read("gaps")[code]
    title, text, ask = (Words(row[name]["sv"], row[name]["en"]) for name in ("title", "text", ask_for))
    times = {name: time for name, time in (("since", since), ("due", due)) if time is not None}
    parts = {**times, **blanks}
    digests = evidence if evidence is not None else [digest for fact in facts for digest in fact.statements]
    return Gap(
        code=code,
        severity=severity or row["severity"],
        title=title,
        text=text.fill(**parts),
        ask=_with_next(ask.fill(who=who.name if who else phrase("unknown-unit"), **parts), next),
        who=who,
        about=tuple(dict.fromkeys(fact.reference for fact in facts)),
        since=since,
        due=due,
        statements=tuple(dict.fromkeys(digests)),
        key=f"{code}|{facts[0].reference}|{apart}" if facts else f"{code}|{apart}",
    )


def _with_next(ask: Words, next: Unit | None) -> Words:
    if next is None:
        return ask
    turn = phrase("next-in-turn" if next.phone else "next-in-turn-unlisted").fill(
        next=next.name, phone=next.phone or ""
    )
    return Words(f"{ask.sv} {turn.sv}", f"{ask.en} {turn.en}")
