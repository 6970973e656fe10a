"""HL7 v2 acknowledgements: which code, and the sender's own words back to it.

http://www.hl7.eu/HL7v2x/v29/std29/ch02.html (2.9, original and enhanced mode; tables 0008, 0155, 0357)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from gateway.formats import er7
from gateway.issues import Issue

Code = Literal["A", "E", "R"]
"""Accept: kept and readable. Error: kept, and to be held. Reject: no header to answer to, or not kept at all."""

_WANTED = {"": "AER", "AL": "AER", "NE": "", "SU": "A", "ER": "ER"}
"""MSH-15: which of them the sender wants to hear of."""
_REJECTED = ("malformed-msh", "no-msh", "empty-message")
_ERRORS = {
    "malformed-msh": ("100", "Segment sequence error"),
    "no-msh": ("100", "Segment sequence error"),
    "unknown-record": ("200", "Unsupported message type"),
    "wrong-encoding": ("102", "Data type error"),
}
_INTERNAL = ("207", "Application internal error")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is said of a message, and why."""

    code: Code = "A"
    rule: str = ""
    text: str = ""
    where: str = ""

    @classmethod
    def of(cls, issues: Iterable[Issue]) -> Outcome:
        """What the reader's issues amount to: the first that keeps the message from being used."""
        for issue in issues:
            if issue.severity in ("fatal", "error"):
                return cls("R" if issue.rule in _REJECTED else "E", issue.rule, issue.text, issue.where or "")
        return cls()


def acknowledgement(message: bytes, said: Outcome, *, now: datetime, control_id: str) -> bytes | None:
    """The answer to a message, in its own separators; None where the sender wants none."""
    header = er7.control(message)
    separator = "|" if header is None else header.text("1")
    sent = ["MSH", "^~\\&"] if header is None else header.raw.split(separator)
    sent += [""] * (18 - len(sent))
    # MSH-1 is the separator itself: MSH-3 stands third in what it separates.
    _, marks, application, facility, to_application, to_facility, *_ = sent
    message_type, processing, version, wants, charset = sent[8], sent[10], sent[11], sent[14], sent[17]
    if said.code not in _WANTED.get(wants, "AER"):
        return None
    component = marks[:1] or "^"
    event = message_type.split(component)[1:2]
    kind = component.join(["ACK", *event, *(["ACK"] if event else [])])
    time = now.strftime("%Y%m%d%H%M%S%z")

    def safe(text: str) -> str:
        """Our words must not hold the sender's separators, nor a character that its character set may not have."""
        for mark in {separator, *marks, "\r", "\n"}:
            text = text.replace(mark, " ")
        return text.encode("ascii", "replace").decode("ascii")

    parties = (to_application, to_facility, application, facility)
    segments = [
        ["MSH", marks, *parties, time, "", kind, control_id, processing, version or "2.5", *[""] * 5, charset],
        ["MSA", ("C" if wants else "A") + said.code, sent[9], safe(said.text)],
    ]
    if said.code != "A":
        number, meaning = _ERRORS.get(said.rule, _INTERNAL)
        error = component.join([number, meaning, "HL70357"])
        segments.append(["ERR", "", "", error, "E", "", "", safe(said.where), safe(said.text)])
    # As it was cut: what was taken over from the sender is its own bytes again.
    return "".join(separator.join(parts).rstrip(separator) + "\r" for parts in segments).encode("latin-1")
