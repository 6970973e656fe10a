"""A record's text as it came, line by line, cut where the values that were used begin and end."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.formats import Kind
from gateway.formats.places import line_start

Span = tuple[int, int]
_DECLARED = re.compile(rb"""<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z][\w.-]*)["']""")
_LINE = re.compile(rb"\r\n?|\n")
_FALLBACK = ("utf-8", "cp1252")


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text; `mark` numbers the used values from 1, and is 0 between them."""

    text: str
    mark: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the message, by its number in it."""

    number: int
    pieces: tuple[Piece, ...]


def value_span(kind: Kind, body: bytes, place: Span, record: Span) -> Span | None:
    """Where the bare value of a place stands: without its tags or quotes. None for what only holds other things."""
    start, end = place
    raw = body[start:end]
    if kind == "xml" and raw[:1] == b"<":
        opened, closed = raw.find(b">") + 1, raw.rfind(b"</")
        return (start + opened, start + closed) if 0 < opened <= closed and b"<" not in raw[opened:closed] else None
    if kind in ("json", "fhir"):
        if raw[:1] in (b"{", b"["):
            return None
        return (start + 1, end - 1) if raw[:1] == b'"' else place
    return None if start <= record[0] and end >= record[1] else place


def innermost(spans: Iterable[Span]) -> list[Span]:
    """The spans in order, without those that hold another one."""
    kept: list[Span] = []
    for start, end in sorted(set(spans), key=lambda span: (span[0], -span[1])):
        while kept and kept[-1][1] > start:
            kept.pop()
        kept.append((start, end))
    return kept


def encoding_of(kind: Kind, body: bytes, options: Mapping[str, Any]) -> str:
    """What a message's bytes are written in: what it declares, else the first of the source's that fits."""
    given = options.get("encoding", ())
    tried = [given] if isinstance(given, str) else list(given)
    if kind == "xml":
        tried = [found[1].decode("ascii") for found in (_DECLARED.match(body.lstrip(codecs.BOM_UTF8)),) if found]
    for name in (*tried, *_FALLBACK):
        try:
            body.decode(name)
        except (LookupError, UnicodeDecodeError):
            continue
        return str(name)
    return "latin-1"


def lines(body: bytes, record: Span, marks: Mapping[Span, int], encoding: str) -> Iterator[Line]:
    """The record's lines with the marked values in them."""
    number, _ = line_start(body, record[0])
    for start, end in _line_spans(body, record):
        pieces = []
        at = start
        for (first, last), mark in sorted(marks.items()):
            if last <= at or first >= end:
                continue
            begin, stop = max(first, at), min(last, end)  # A value over several lines is marked on each of them.
            pieces += [Piece(body[at:begin].decode(encoding, "replace"))] if begin > at else []
            pieces.append(Piece(body[begin:stop].decode(encoding, "replace"), mark))
            at = stop
        if at < end or not pieces:
            pieces.append(Piece(body[at:end].decode(encoding, "replace")))
        yield Line(number, tuple(pieces))
        number += 1


def _line_spans(body: bytes, record: Span) -> Iterator[Span]:
    start, end = record
    while end > start and body[end - 1 : end] in (b"\r", b"\n"):
        end -= 1
    for found in _LINE.finditer(body, start, end):
        yield start, found.start()
        start = found.end()
    yield start, end
