"""ER7, the pipes and hats of HL7 v2: messages, segments, fields, repetitions, components, subcomponents.

Segments are found at once; a field is split when it is looked into. The bytes are cut as Latin-1, so that every
offset is a byte's, and each value is decoded by itself. HL7 v2.9, 2.4 to 2.7: http://www.hl7.eu/HL7v2x/v29/std29/ch02.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import lru_cache

from gateway.formats.er7_parts import SEGMENT, Segment, Syntax
from gateway.formats.node import Node
from gateway.formats.places import Lines, place
from gateway.formats.record import Format, Limits, Record, RecordKind, recorded
from gateway.issues import Issue, Issues
from gateway.records import Position

CHARSETS = {
    "": None,
    "ASCII": None,
    **{f"8859/{part}": f"iso8859-{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 15)},
    "UNICODE UTF-8": "utf-8",
    "UTF-8": "utf-8",
    "UNICODE": None,
}
"""HL7 table 0211, as far as the encodings keep ASCII's separators. None: found by trying the source's encodings."""

_ENCODINGS = ("utf-8", "cp1252")
_LINE = re.compile(r"[^\r\n\x0b\x1c]+")
_SEGMENT = re.compile(r"[A-Z][A-Z0-9]{2}")
_HEADER = re.compile(r"MSH([^\w\s])([^\w\s]{0,5}?)(?:\1|$)")
_HEADER_LENGTH = len("MSH|^~\\&#|")
_BATCH = ("FHS", "BHS", "BTS", "FTS")
_REMEMBERED = 64
"""Characters of an event, and names of segments: to remember whatever is longer, a sender could fill the memory."""


def read(form: Format, body: bytes, issues: Issues, limits: Limits) -> Iterator[Record]:
    """The messages of a body, batch envelopes or none. What is wrong in one message is that record's issue.

    Options: `encoding` (those to try where MSH-18 names none) and `carried` (the segments that the source's maps read;
    others are told).
    """
    text = body.decode("latin-1")
    lines = Lines(body)
    message: list[re.Match[str]] = []
    count = stray = batch = 0
    for found in _LINE.finditer(text, 3 if text.startswith("ï»¿") else 0):
        name = text[found.start() : found.start() + 3]
        if name == "MSH" or name in _BATCH:
            if message:
                count += 1
                yield _message(form, body, text, message, lines, limits)
                if count >= limits.records:
                    issues.fatal("too-costly", "too-many-records", f"The body has more than {limits.records} messages.")
                    return
            message = [found] if name == "MSH" else []
            if name == "BHS":
                batch = count
            elif name == "BTS" and found[0][4:].partition("|")[0].strip() not in ("", str(count - batch)):
                where = f"line {lines.at(found.start())}, BTS-1"
                issues.warning("incomplete", "batch-count", "Another number of messages came than is stated.", where)
        elif message:
            message.append(found)
        elif found[0].strip():
            stray = stray or lines.at(found.start())
    if message:
        count += 1
        record = _message(form, body, text, message, lines, limits)
        if not text[message[-1].end() :].startswith(("\r", "\n")):
            where = f"line {lines.at(message[-1].start())}, {message[-1][0][:3]}"
            hint = "The last segment does not end with a carriage return: if the message was cut off, send it again."
            record.issues.warning("incomplete", "segment-not-ended", hint, where)
        yield record
    if stray:
        text = "There is text outside any message: each message starts with MSH. Send the missing part again."
        issues.error("structure", "no-msh", text, f"line {stray}")
    elif not count:
        issues.fatal("structure", "empty-message", "There is no message here. Send it again.")


def control(body: bytes) -> Segment | None:
    """The MSH segment that a body starts with, for whoever must acknowledge it; None where there is none to read."""
    found = _LINE.search(body.decode("latin-1"))
    if not found or not _is_header(found[0]):
        return None
    return Segment("MSH", found[0], found.start() << 2, Syntax(found[0]))


def position(node: Node, body: bytes) -> Position:
    """A place in HL7's own words, `PID-3[2].4.1`, a repetition and a repeated segment counted where they repeat."""
    offset, level = node.pos >> 2, node.pos & 3
    start = max(body.rfind(mark, 0, offset) for mark in (b"\r", b"\n", b"\x0b", b"\x1c")) + 1
    found = re.compile(rb"[^\r\n\x0b\x1c]*").match(body, start)
    segment = (found[0] if found else b"").decode("latin-1")
    header, repeats = _context(body, start, segment[:3])
    path = segment[:3] + (f"[{repeats}]" if repeats > 1 else "")
    line, column = place(body, offset)
    if level == SEGMENT:
        return Position(path, line, column, offset, start + len(segment))
    syntax = Syntax(header)
    before = segment[: offset - start]
    is_header = segment[:3] == "MSH"
    number = before.count(syntax.field) + is_header
    if is_header and number <= 2:
        number = 1 if offset - start == 3 else 2
        return Position(f"{path}-{number}", line, column, offset, offset + len(str(node.value)))
    path += f"-{number}"
    before = before.rpartition(syntax.field)[2]
    repetition = before.count(syntax.repetition) + 1
    if repetition > 1:
        path += f"[{repetition}]"
    before = before.rpartition(syntax.repetition)[2]
    ends = [syntax.field, syntax.repetition]
    for separator in syntax.parts[: level - 1]:
        path += f".{before.count(separator) + 1}"
        before = before.rpartition(separator)[2]
        ends.append(separator)
    rest = segment[offset - start :]
    end = min((at for at in map(rest.find, ends) if at >= 0), default=len(rest))
    return Position(path, line, column, offset, offset + end)


def _message(
    form: Format, body: bytes, text: str, message: list[re.Match[str]], lines: Lines, limits: Limits
) -> Record:
    start, end = message[0].start(), message[-1].end()
    where = Position("MSH", lines.at(start), 1, start, end)
    root = Node("message", None, {}, None, start << 2)
    if not _is_header(message[0][0]):
        record = Record("", root, (start, end), where)
        text = "MSH does not name its separators: MSH|^~\\&|. Send the message again."
        record.issues.fatal("structure", "malformed-msh", text, str(where))
        return record
    syntax = Syntax(message[0][0])
    issues = Issues()
    header = [*message[0][0].split(syntax.field), *[""] * 18]
    charset = header[17].partition(syntax.repetition)[0]
    _choose_encoding(form, body[start:end], syntax, charset, issues, f"line {where.line}, MSH-18")
    if text.count(syntax.field, start, end) > limits.nodes:
        issues.fatal("too-costly", "too-large-record", f"A message has more than {limits.nodes} fields.", str(where))
        return Record("", root, (start, end), where, issues)
    if b"\0" in body[start:end]:
        place_ = f"line {lines.at(body.index(0, start))}"
        issues.error(
            "structure", "nul", "A NUL stands in the message, where no text may have one. Leave it out.", place_
        )
    escape, separator = syntax.escape, syntax.field
    for number, found in enumerate(message, 1):
        segment = found[0]
        name = segment[:3]
        if not _is_name(name) or segment[3:4] not in ("", separator):
            if segment.strip():
                issues.warning(
                    "structure",
                    "not-a-segment",
                    "A line is no segment; nothing of it was carried. Write a line break in a field as \\.br\\.",
                    f"line {lines.at(found.start())}, segment {number}",
                )
            continue
        root.kids.setdefault(name, []).append(Segment(name, segment, found.start() << 2, syntax))
        if escape in segment and name != "MSH" and syntax.unknown_escape(segment):
            text_ = "An escape sequence is not known and was kept as sent. Write a lone escape character as \\E\\."
            issues.warning(
                "value", "unknown-escape", text_, f"line {lines.at(found.start())}, segment {number}, {name}"
            )
    carried = form.options.get("carried")
    if carried and (names := tuple(name for name in root.kids if name not in carried)):
        issues.add((_not_carried if len(names) <= _REMEMBERED else _not_carried.__wrapped__)(names))
    message_type, _, trigger = header[8].partition(syntax.parts[0])
    # An old sender writes the message type alone; the event is then in EVN-1.
    event = f"{message_type}^{trigger.partition(syntax.parts[0])[0] or root.text('EVN', '1')}"
    kinds = _kinds if len(event) <= _REMEMBERED else _kinds.__wrapped__
    record = recorded(kinds(form, event), root, (start, end), where)
    record.issues.extend(issues)
    return record


@lru_cache(maxsize=256)
def _kinds(form: Format, event: str) -> tuple[RecordKind, ...]:
    """The kinds of record that may lie in a message of this type and event."""
    return tuple(kind for kind in form.records if fnmatchcase(event, kind.at))


@lru_cache(maxsize=256)
def _not_carried(names: tuple[str, ...]) -> Issue:
    """What is told of segments that no map reads."""
    text = f"Segments that no map of this source reads: {', '.join(names)}. They stay in the message as it was kept."
    return Issue("information", "informational", "segments-not-carried", text, names[0])


@lru_cache(maxsize=256)
def _is_name(segment: str) -> bool:
    """Whether a segment can be called so."""
    return _SEGMENT.fullmatch(segment) is not None


@lru_cache(maxsize=256)
def _names_separators(segment: str) -> bool:
    found = _HEADER.match(segment)
    separators = "".join(found.groups()) if found else ""
    return bool(separators) and len(set(separators)) == len(separators)


def _is_header(segment: str) -> bool:
    """Whether MSH-1 and MSH-2 name separators that can be told apart; an empty MSH-2 means the usual ones."""
    return _names_separators(segment[:_HEADER_LENGTH])


def _choose_encoding(form: Format, body: bytes, syntax: Syntax, charset: str, issues: Issues, where: str) -> None:
    """The charset that MSH-18 names, or the first of the source's encodings that the bytes fit; the choice is told."""
    if body.isascii():
        return
    named = charset.upper()
    if named not in CHARSETS:
        text = "MSH-18 names a character set that is not read here; the source's usual one was tried."
        issues.warning("not-supported", "unknown-charset", text, where)
    stated = CHARSETS.get(named)
    given = form.options.get("encoding", _ENCODINGS)
    tried = [stated] if stated else [given] if isinstance(given, str) else list(given)
    for encoding in tried:
        try:
            body.decode(encoding)
        except UnicodeDecodeError:
            continue
        syntax.encoding = encoding
        if encoding != tried[0]:
            text = f"The message names no character set and is not {tried[0]}; it was read as {encoding}."
            issues.information("informational", "encoding-chosen", text, where)
        return
    syntax.encoding = tried[0]
    text = f"The message is not in {tried[0]}, which it must be by MSH-18 or the source's manifest. Send it in that."
    issues.error("structure", "wrong-encoding", text, where)


def _context(body: bytes, start: int, name: str) -> tuple[str, int]:
    """The MSH that rules a segment, and the how-manieth of its name the segment is in its message."""
    at = start
    while at > 0 and not (body.startswith(b"MSH", at) and body[at - 1] in b"\r\n\x0b\x1c\xbf"):
        at = max(body.rfind(b"MSH", 0, at), 0)
    lines = [found[0] for found in _LINE.finditer(body[at:start].decode("latin-1"))]
    found = _LINE.match(body[at : at + 9].decode("latin-1"))
    header = found[0] if found else "MSH|^~\\&"
    return header, 1 + sum(line.startswith(name) for line in lines)
