"""A record's text, cut at the values that were used: nothing is lost, and each mark is a bare value."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.access.spans import Kind, Span, encoding_of, innermost, lines, value_span

texts = st.text(st.characters(codec="utf-8"), max_size=60).map(str.encode)
spans = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)).map(lambda pair: (pair[0], sum(pair))), max_size=8)


def shown(body: bytes, record: Span, marks: dict[Span, int], encoding: str = "utf-8") -> list[str]:
    return [
        "".join(f"[{piece.text}]" if piece.mark else piece.text for piece in line.pieces)
        for line in lines(body, record, marks, encoding)
    ]


def test_lines_carry_their_numbers_in_the_message_and_values_their_marks() -> None:
    body = b"first\r\n<a>two</a>\rthree\n"
    found = list(lines(body, (7, len(body)), {(10, 13): 1}, "utf-8"))
    assert [line.number for line in found] == [2, 3]
    assert shown(body, (7, len(body)), {(10, 13): 1}) == ["<a>[two]</a>", "three"]


def test_a_value_over_two_lines_is_marked_on_both() -> None:
    assert shown(b"a one\ntwo b", (0, 11), {(2, 9): 1}) == ["a [one]", "[two] b"]


@given(st.lists(texts, max_size=5).map(b"\n".join), spans)
def test_no_byte_of_a_record_is_lost(body: bytes, found: list[Span]) -> None:
    marks = {span: number for number, span in enumerate(innermost(found), 1)}
    whole = b"\n".join(
        "".join(piece.text for piece in line.pieces).encode("latin-1")
        for line in lines(body, (0, len(body)), marks, "latin-1")
    )
    assert whole.rstrip() == body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").rstrip()


@given(spans)
def test_marks_never_overlap(found: list[Span]) -> None:
    kept = innermost(found)
    assert all(before[1] <= after[0] for before, after in pairwise(kept))


@pytest.mark.parametrize(
    ("kind", "body", "place", "bare"),
    [
        ("xml", b"<r><a>x</a></r>", (3, 11), "x"),
        ("xml", b"<r><a>x</a></r>", (0, 15), None),
        ("xml", b'<r a="x"/>', (6, 7), "x"),
        ("json", b'{"a": "x"}', (6, 9), "x"),
        ("json", b'{"a": 12}', (6, 8), "12"),
        ("json", b'{"a": {"b": 1}}', (6, 14), None),
        ("csv", b"a;b\n1;2\n", (4, 8), None),
        ("csv", b"a;b\n1;2\n", (6, 7), "2"),
        ("er7", b"MSH|^~\\&|A", (9, 10), "A"),
    ],
)
def test_what_is_marked_is_the_bare_value(kind: Kind, body: bytes, place: Span, bare: str | None) -> None:
    record = (4, 8) if kind == "csv" else (0, len(body))
    found = value_span(kind, body, place, record)
    assert (None if found is None else body[slice(*found)].decode()) == bare


@pytest.mark.parametrize(
    ("kind", "body", "options", "encoding"),
    [
        ("xml", "<?xml version='1.0' encoding='ISO-8859-1'?><å/>".encode("latin-1"), {}, "ISO-8859-1"),
        ("xml", "<å/>".encode(), {}, "utf-8"),
        ("csv", "å".encode("cp1252"), {"encoding": ["utf-8", "cp1252"]}, "cp1252"),
        ("er7", "å".encode("latin-1"), {"encoding": "latin-1"}, "latin-1"),
        ("json", "å".encode(), {}, "utf-8"),
    ],
)
def test_the_text_is_decoded_as_it_was_written(kind: Kind, body: bytes, options: dict, encoding: str) -> None:
    assert encoding_of(kind, body, options) == encoding
