"""Acknowledgements: codes, the sender's words back to it, and when it wants none."""

from datetime import UTC, datetime

import pytest

from gateway.adapters.acknowledgement import Outcome, acknowledgement

NOW = datetime(2025, 3, 10, 9, 45, tzinfo=UTC)
SENT = "MSH|^~\\&|PAS|NORTH^1.2&ISO|GW|VÄST|20250310||ADT^A01^ADT_A01|M1|P|2.5|||{wants}||SWE|8859/1\rPID|1\r"


def answer(said: Outcome, *, wants: str = "", sent: str = SENT) -> list[str] | None:
    raw = acknowledgement(sent.format(wants=wants).encode("latin-1"), said, now=NOW, control_id="C1")
    return None if raw is None else raw.decode("latin-1").split("\r")


def test_an_accepted_message_is_answered_in_its_own_terms() -> None:
    assert answer(Outcome()) == [
        "MSH|^~\\&|GW|VÄST|PAS|NORTH^1.2&ISO|20250310094500+0000||ACK^A01^ACK|C1|P|2.5||||||8859/1",
        "MSA|AA|M1",
        "",
    ]


def test_an_error_says_why_and_where_without_the_senders_separators() -> None:
    lines = answer(Outcome("E", "unknown-record", "No map ^ takes it.", "PID-3|1"))
    assert lines is not None
    assert lines[1:3] == [
        "MSA|AE|M1|No map   takes it.",
        "ERR|||200^Unsupported message type^HL70357|E|||PID-3 1|No map   takes it.",
    ]


@pytest.mark.parametrize(
    ("wants", "code", "said"),
    [
        ("AL", "A", "CA"),
        ("AL", "E", "CE"),
        ("NE", "A", None),
        ("NE", "R", None),
        ("SU", "A", "CA"),
        ("SU", "E", None),
        ("ER", "A", None),
        ("ER", "R", "CR"),
    ],
)
def test_the_enhanced_mode_hears_what_it_wants(wants: str, code: str, said: str | None) -> None:
    lines = answer(Outcome(code), wants=wants)  # type: ignore[arg-type]
    assert (lines and lines[1].split("|")[1]) == said


def test_what_has_no_header_is_answered_all_the_same() -> None:
    lines = answer(Outcome("R", "malformed-msh", "MSH does not name its separators."), sent="nothing")
    assert lines is not None
    assert lines[0] == "MSH|^~\\&|||||20250310094500+0000||ACK|C1||2.5"
    assert lines[1] == "MSA|AR||MSH does not name its separators."
    assert lines[2].split("|")[3] == "100^Segment sequence error^HL70357"
