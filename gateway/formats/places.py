"""Lines and columns of a byte offset, worked out only when somebody asks."""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import lru_cache

_BREAK = re.compile(rb"\r\n?|\n")
_SMALL = 1 << 18


def line_start(body: bytes, offset: int) -> tuple[int, int]:
    """The number of the line that holds an offset, and where that line starts."""
    if len(body) > _SMALL:
        starts = _starts(body)
        line = bisect_right(starts, offset)
        return line, starts[line - 1]
    line, start = 1, 0
    for found in _BREAK.finditer(body, 0, offset):
        # A lone CR just before the offset may be the first half of CRLF: then the line goes on.
        if found.end() <= offset and not (found[0] == b"\r" and body[found.end() : found.end() + 1] == b"\n"):
            line, start = line + 1, found.end()
    return line, start


def place(body: bytes, offset: int, encoding: str = "utf-8") -> tuple[int, int]:
    """Line and column of an offset, from 1, the column in characters."""
    line, start = line_start(body, offset)
    return line, len(body[start:offset].decode(encoding, "replace")) + 1


class Lines:
    """The lines of ascending offsets: each stretch of the body is counted once."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._line = 1
        self._counted = 0
        self._plain = b"\r" not in body

    def at(self, offset: int) -> int:
        if self._plain:
            self._line += self._body.count(b"\n", self._counted, offset)
        else:
            self._line += sum(1 for _ in _BREAK.finditer(self._body, self._counted, offset))
        self._counted = offset
        return self._line


@lru_cache(maxsize=1)
def _starts(body: bytes) -> list[int]:
    # The last large message only: its many issues would otherwise each count its lines anew.
    return [0, *(found.end() for found in _BREAK.finditer(body))]
