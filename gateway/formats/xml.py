"""XML, in a SOAP envelope or bare: one record after another, with the place of each value.

DTDs and entities are refused, so the work is linear in the message's size. Options: `encoding`, `null` (what stands for
nothing) and `namespaces` (of messages that are known, and hold no record). https://www.w3.org/TR/xml-names/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from xml.parsers import expat

from gateway.formats import xml_plain
from gateway.formats.node import Node
from gateway.formats.places import place
from gateway.formats.record import Format, Limits, Record
from gateway.formats.xml_places import attribute, declared, element_end, tag_end
from gateway.formats.xml_reader import Reader, Refused, Window
from gateway.issues import Issues
from gateway.records import Position

_CHUNK = 1 << 16
_UNKNOWN_ENCODING = ("unknown-encoding", "The declared encoding is not read here. Send UTF-8.", "line 1")


def read(form: Format, body: bytes, issues: Issues, limits: Limits) -> Iterator[Record]:
    """The records of a message in order. What comes before a fault in the message is still given."""
    whole = xml_plain.read(form, body, limits)
    if whole is None:
        return by_tags(form, body, issues, limits)
    issues.extend(whole.issues)
    if not whole.known:
        issues.error("structure", "no-known-record", _unknown(form, whole.root), "line 1")
    return iter(whole.records)


def by_tags(form: Format, body: bytes, issues: Issues, limits: Limits) -> Iterator[Record]:
    """The same for every message, large ones and those with a fault."""
    reader = Reader(form, Window(body), issues, limits)
    # A single token that never ends is scanned again with each chunk: at most 64 chunks keep that linear.
    step = max(_CHUNK, len(body) // 64)
    view = memoryview(body)
    try:
        for start in range(0, len(body), step):
            try:
                reader.parser.Parse(view[start : start + step], start + step >= len(body))
            finally:
                yield from reader.finished
                reader.finished.clear()
    except expat.ExpatError as error:
        issues.fatal("structure", *_malformed(body, error, form.options.get("encoding")))
        return
    except (LookupError, ValueError):  # An encoding that Python does not know, or that expat cannot take from it.
        issues.fatal("structure", *_UNKNOWN_ENCODING)
        return
    except Refused as refusal:
        code, rule, text = refusal.args
        issues.fatal(code, rule, text, str(reader.here()))
        return
    finally:
        reader.close()
    if not body.strip():
        issues.fatal("structure", "empty-message", "The message is empty. Send it again.")
    elif not reader.known:
        issues.error("structure", "no-known-record", _unknown(form, reader.root), "line 1")


def stream(form: Format, chunks: Iterable[bytes], issues: Issues, limits: Limits) -> Iterator[tuple[Record, bytes]]:
    """The records of a message that is as long as it likes, each with its own bytes, which its nodes' places count.

    What is held at a time is the record that is open and the chunk that it ends in.
    """
    window = Window()
    reader = Reader(form, window, issues, limits)
    try:
        for chunk in _with_end(chunks):
            window.grow(chunk, reader.needed())
            if len(window.content) > limits.bytes:
                raise Refused("too-long", "too-large-record", f"A record is larger than {limits.bytes} bytes.")
            try:
                reader.parser.Parse(chunk, not chunk)
            finally:
                for record in reader.finished:
                    yield record, window.cut(*record.span)
                reader.finished.clear()
    except expat.ExpatError as error:
        issues.fatal("structure", *_malformed(window.content, error, form.options.get("encoding")))
    except (LookupError, ValueError):
        issues.fatal("structure", *_UNKNOWN_ENCODING)
    except Refused as refusal:
        code, rule, text = refusal.args
        issues.fatal(code, rule, text, str(reader.here()))
    else:
        if not reader.known:
            issues.error("structure", "no-known-record", _unknown(form, reader.root), "line 1")
    finally:
        reader.close()


def _with_end(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The chunks that hold anything, and an empty one that ends the document."""
    yield from (chunk for chunk in chunks if chunk)
    yield b""


def _unknown(form: Format, root: str) -> str:
    return (
        f"The message has none of the records of this source ({_expected(form)}); its root is {root}. "
        "Check that it was sent to the right source and in a version that the source's mappings name."
    )


def position(node: Node, body: bytes) -> Position:
    """Where an element (from its start tag to its end tag) or an attribute's value stands."""
    is_attribute = node.pos < 0
    start = ~node.pos if is_attribute else node.pos
    encoding, width = declared(body)
    if width > 1:
        return Position(node.name, *place(body, start, encoding), start)
    if is_attribute:
        found = attribute(node.name, body, start)
        start, end = found if found else (start, tag_end(body, start))
    else:
        end = element_end(body, start)
    return Position(("@" if is_attribute else "") + node.name, *place(body, start, encoding), start, end)


def _expected(form: Format) -> str:
    return ", ".join(dict.fromkeys(kind.at for kind in form.records))


def _malformed(body: bytes, error: expat.ExpatError, encoding: str | None) -> tuple[str, str, str]:
    """Rule, text and place of what expat found; a wrong encoding is told as such."""
    encoding = encoding or declared(body)[0]
    try:
        body.decode(encoding)
    except LookupError:
        return _UNKNOWN_ENCODING
    except UnicodeDecodeError as wrong:
        line, column = place(body, wrong.start, encoding)
        hint = "looks like ISO-8859-1" if encoding == "utf-8" else "does not fit"
        text = f"The message is declared as {encoding}, but byte 0x{body[wrong.start]:02X} {hint}. "
        return "wrong-encoding", text + "Send it in the encoding that it declares.", f"line {line}, column {column}"
    reason = expat.ErrorString(error.code)
    text = f"The message is not well-formed XML: {reason}. What follows was not read; send the whole message again."
    return "malformed-xml", text, f"line {error.lineno}, column {error.offset + 1}"
