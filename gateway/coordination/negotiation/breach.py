"""A rule that a change of a Task breaks: which, why, and what would be allowed, in Swedish and English (C-2, C-85)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final

from gateway.coordination import agreements
from gateway.coordination.negotiation.roles import Role
from gateway.coordination.words import Part, Words, both, words

_NO_CODES: Final = ("new", "deleted")


class Kind(StrEnum):
    """How a change is refused; HTTP is the caller's business."""

    NOT_ALLOWED = "not-allowed"
    """No role may do it."""
    WRONG_ROLE = "wrong-role"
    """Another role may."""
    BUSINESS_RULE = "business-rule"
    """The role may, and something is missing or too much."""


@dataclass(frozen=True, slots=True)
class Breach:
    """One rule, broken."""

    rule: str
    """The number of the requirement, `C-7`."""
    code: str
    """Stable, for programs: `task-reason-missing`."""
    kind: Kind
    path: str
    """A FHIRPath into the Task."""
    start: str
    """The status it had; `new` where there was none."""
    to: str
    """The status it would have; `deleted` where there would be none."""
    roles: tuple[Role, ...]
    allowed: tuple[str, ...]
    """The statuses that this caller may move it to now."""
    text: Words


@cache
def texts() -> dict[str, dict[str, dict[str, str]]]:
    """The one table of what people read about the rules."""
    return agreements.read("negotiation/texts")


def told(code: str, **parts: Part) -> Words:
    """The text of a refusal with its blanks filled."""
    row = texts()["refusals"][code]
    return Words(row["sv"], row["en"]).fill(**parts)


def said(code: str) -> Words:
    """A status as it is said."""
    row = texts()["statuses"].get(code)
    return Words(row["sv"], row["en"]) if row else words("statuses", code) or both(code)


def status(code: str) -> Words:
    """A status as it is said, with its code where that differs and is one."""
    if code in _NO_CODES:
        return said(code)
    return Words(*(word if word == code else f"{word} ({code})" for word in (said(code).sv, said(code).en)))


def listed(items: Iterable[Words], *, last: str, none: str) -> Words:
    """`a, b or c` in both languages; `last` and `none` are of the table of phrases."""
    found = tuple(items)
    phrases = texts()["phrases"]
    if not found:
        return Words(phrases[none]["sv"], phrases[none]["en"])
    joined = []
    for language in ("sv", "en"):
        said = [getattr(one, language) for one in found]
        head = ", ".join(said[:-1])
        joined.append(f"{head} {phrases[last][language]} {said[-1]}" if head else said[-1])
    return Words(*joined)


def role_words(some: Iterable[Role]) -> Words:
    """The roles as they are said: `its requester and owner`."""
    rows = texts()["roles"]
    order = sorted(set(some), key=list(Role).index)
    return listed((Words(rows[one]["sv"], rows[one]["en"]) for one in order), last="and", none="nobody")
