"""Where elements and attributes of XML stand in the bytes: looked for by their text, when a place is asked for.

https://www.w3.org/TR/xml/
"""

from __future__ import annotations

import re

_DECLARED = re.compile(rb"""<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z][\w.-]*)["']""")
_QUOTED = rb"""[^>"']*(?:"[^"]*"[^>"']*|'[^']*'[^>"']*)*"""
_TAG = re.compile(rb"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>|<(/?)" + _QUOTED + rb">", re.DOTALL)


def declared(body: bytes) -> tuple[str, int]:
    """The encoding by byte order mark or declaration, and the least width of its characters."""
    if body[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16", 2
    found = _DECLARED.match(body[3:] if body[:3] == b"\xef\xbb\xbf" else body)
    return (found[1].decode("ascii").lower() if found else "utf-8"), 1


def tag_end(body: bytes, start: int) -> int:
    found = _TAG.match(body, start)
    return found.end() if found else body.find(b">", start) + 1


def ended(body: bytes, start: int, closing: int) -> int:
    """The end of an element whose end expat reports at `closing`: its end tag, or what follows an empty element."""
    end = tag_end(body, start)
    return closing if closing == end and body.endswith(b"/>", start, end) else tag_end(body, closing)


def element_end(body: bytes, start: int) -> int:
    depth = 0
    for found in _TAG.finditer(body, start):
        if found[1] is None:
            continue
        if not found[0].endswith(b"/>"):
            depth += -1 if found[1] else 1
        if depth <= 0:
            return found.end()
    return len(body)


def attribute(name: str, body: bytes, start: int) -> tuple[int, int] | None:
    """The span of an attribute's value within the start tag."""
    pattern = rb"""[\s:]""" + re.escape(name.encode()) + rb"""\s*=\s*("[^"]*"|'[^']*')"""
    found = re.compile(pattern).search(body, start, tag_end(body, start))
    return (found.start(1) + 1, found.end(1) - 1) if found else None
