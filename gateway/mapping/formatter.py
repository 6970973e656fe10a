"""`samverka map fmt`: one layout for map texts. Tokens and comments stay as they are, in their order.

Indentation follows braces, spaces follow what stands beside them, a block on one line stays on one line. Where the
author breaks a line, it stays broken.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from gateway.mapping.lexer import Token, tokens
from gateway.mapping.problems import Problems
from gateway.mapping.syntax import Text

PAD = "  "
_METADATA = re.compile(r"///[ \t]*([\w.]+)[ \t]*=[ \t]*([\s\S]*)\Z")
_TIGHT_BEFORE = frozenset((";", ",", ")", "]", "."))
_TIGHT_AFTER = frozenset(("(", "[", "."))
_CLAUSES = frozenset(("where", "check", "log", "default"))
_SPACED = frozenset(("->", "=", "!=", "<=", ">=", "~", "!~", "|", "&", "{", "}", "=="))
"""Operators that have a space on both sides, wherever they stand."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """A token or comment, with the number of line breaks before it."""

    kind: str
    text: str
    breaks: int
    spaced: bool
    """Whether there was any space before it."""


def formatted(content: str, file: str = "map") -> str:
    """The text in its layout. A CompileError where it holds what is no token."""
    content = content.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    found = _Layout(_pieces(content, file)).text()
    # What moves to the beginning of a line can become another token there: `///` is metadata. Then all stays as it is.
    return found if _words(content) == _words(found) else content


def _words(content: str) -> list[str]:
    return [" ".join(piece.text.split()) for piece in _pieces(content, "map") if piece.kind != "metadata"]


def _pieces(content: str, file: str) -> list[_Piece]:
    problems = Problems()
    text = Text(content, file)
    found, comments = tokens(text, problems)
    problems.stop()
    every = [*found[:-1], *(Token("comment", content[c.start : c.end], c.start, c.end) for c in comments)]
    pieces: list[_Piece] = []
    end = 0
    for token in sorted(every, key=lambda one: one.start):
        gap = content[end : token.start]
        said = token.text.strip() if token.kind in ("metadata", "comment") else token.text
        pieces.append(_Piece(token.kind, said, gap.count("\n"), bool(gap)))
        end = token.end
    return pieces


class _Layout:
    """Pieces, laid out one after the other."""

    def __init__(self, pieces: list[_Piece]) -> None:
        self.pieces = pieces
        self.lines: list[str] = []
        self.line = ""
        self.closing: list[bool] = []
        """Open braces: whether each is of a block on one line."""
        self.round = 0
        self.codes = False
        """Whether this is a conceptmap, whose lines end without a sign."""
        self.before: _Piece | None = None
        self.dot = False
        """Whether a dot stands before the last piece: `.where(...)` is FHIRPath, `where (...)` a clause."""
        self.said: _Piece | None = None
        """The last piece that is no comment."""

    def text(self) -> str:
        for index, piece in enumerate(self.pieces):
            if piece.kind == "op" and piece.text == "}" and self.closing:
                inline = self.closing.pop()
            else:
                inline = bool(self.closing) and self.closing[-1]
            self._place(piece, inline=inline)
            if piece.kind == "op" and piece.text == "{":
                self.closing.append(self._on_one_line(index))
            elif piece.kind == "op" and piece.text in "()":
                self.round = max(0, self.round + (1 if piece.text == "(" else -1))
            if piece.kind == "name" and piece.text in ("conceptmap", "group") and not self.closing:
                self.codes = piece.text == "conceptmap"
            self.dot = self.before is not None and self.before.text == "."
            self.before = piece
            if piece.kind != "comment":
                self.said = piece
        self._end_line()
        return "\n".join(self.lines).strip("\n") + "\n"

    def _on_one_line(self, start: int) -> bool:
        depth = 0
        for piece in self.pieces[start:]:
            if depth and (piece.breaks or piece.text.startswith("//")):
                return False
            depth += {"{": 1, "}": -1}.get(piece.text, 0) if piece.kind == "op" else 0
            if depth == 0:
                return True
        return False

    def _place(self, piece: _Piece, *, inline: bool) -> None:
        breaks = self._breaks(piece, inline=inline)
        if breaks:
            self._end_line()
            if breaks > 1 and self.lines and self.lines[-1]:
                self.lines.append("")
            self.line = PAD * self._depth(piece) + self._shown(piece)
        else:
            self.line += (" " if self._space(piece) else "") + self._shown(piece)

    def _end_line(self) -> None:
        if self.line:
            self.lines.append(self.line.rstrip())
        self.line = ""

    def _breaks(self, piece: _Piece, *, inline: bool) -> int:
        """Line breaks before a piece: as many as the author made, at most two; and those that have to be."""
        before = self.before
        if before is None:
            return 1
        breaks = min(piece.breaks, 2)
        opened = before.kind == "op" and before.text == "{"
        closes = piece.kind == "op" and piece.text == "}"
        if opened or closes:
            breaks = min(breaks, 1)
        if before.kind == "metadata" or piece.kind == "metadata" or before.text.startswith("//"):
            breaks = max(breaks, 1)
        if piece.kind == "comment" or inline:
            return breaks
        ends = before.kind == "op" and before.text == ";" and not self.round
        if opened or closes or ends:
            breaks = max(breaks, 1)
        if piece.kind == "op" and piece.text in ("{", ";", ",", ")"):
            return 1 if before.text.startswith("//") else 0
        if not self.closing and not self.round and self._declares(piece):
            own = before.kind == "comment" and piece.breaks == 1
            alone = piece.text in ("group", "conceptmap") and not own and not piece.breaks
            breaks = max(breaks, 2 if alone else 1)
        return breaks

    def _declares(self, piece: _Piece) -> bool:
        """Whether a piece outside all groups begins a declaration."""
        words = ("map", "uses", "imports", "let", "conceptmap", "group")
        said = self.said
        if piece.kind != "name" or piece.text not in words:
            return False
        return (
            said is None
            or said.kind in ("string", "quoted", "metadata")
            or said.text not in ("as", "alias", "let", "group")
        )

    def _depth(self, piece: _Piece) -> int:
        """Braces around, and one more where a statement goes on."""
        depth = len(self.closing)
        said = self.said
        if piece.kind == "op" and piece.text == "}":
            return depth
        if said is None or self.codes:
            return depth
        if not depth:
            return 1 if self.round or piece.text in ("extends", "<<") else 0
        return depth if said.kind == "op" and said.text in (";", "{") else depth + 1

    def _space(self, piece: _Piece) -> bool:
        """Whether a space parts a piece from the one before it on the line."""
        before = self.before
        assert before is not None
        if piece.kind == "op" and piece.text in _TIGHT_BEFORE:
            return False
        if piece.kind == "comment" or before.kind == "comment":
            return True
        if before.kind == "op" and before.text in _TIGHT_AFTER:
            return False
        if piece.text == "}" and before.text == "{":
            return False
        if piece.text == "(" and before.text in _CLAUSES and before.kind == "name" and not self.round and not self.dot:
            return True
        if before.kind == "op" and before.text in (",", ";"):
            return True
        for one in (before, piece):
            if one.kind == "op" and one.text in _SPACED and not self.codes:
                return True
        header = self.round == 1 and not self.closing
        if header and ":" in (piece.text, before.text):
            return True
        return piece.spaced

    @staticmethod
    def _shown(piece: _Piece) -> str:
        metadata = _METADATA.match(piece.text) if piece.kind == "metadata" else None
        return f"/// {metadata[1]} = {metadata[2].strip()}" if metadata else piece.text
