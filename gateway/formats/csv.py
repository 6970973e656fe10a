"""CSV as a source's manifest describes it: one record a row, each value with its row, column and bytes.

Options: `delimiter`, `quote`, `encoding` (those to try, in order), `columns` (all that are known), `required`, `null`
(what stands for nothing), `numbers` (columns that hold a number) and `decimal` (its comma).
https://www.rfc-editor.org/rfc/rfc4180
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from typing import Any

from gateway.formats.node import LEAF, Kids, Node, Value
from gateway.formats.places import place
from gateway.formats.record import Format, Limits, Record, RecordKind, recorded
from gateway.issues import Issues
from gateway.records import Position

_ENCODINGS = ("utf-8", "cp1252")
_DELIMITERS = ";,\t|"
_MOST_COLUMNS = 1000
"""Each is looked for among all others, and what is alike is suggested."""
_NUMBER = re.compile(r"[+-]?\d{1,30}(\.\d{1,30})?")


@dataclass(frozen=True, slots=True)
class _Sheet:
    """What all cells of one message share."""

    delimiter: str
    quote: str
    encoding: str
    columns: tuple[str, ...]
    shown: tuple[str, ...]
    """How columns are called in places. A name that is not one of ours may be a person's data: its number then."""
    cell: re.Pattern[bytes]
    nulls: frozenset[str]
    required: frozenset[str]
    numbers: frozenset[str]
    decimal: str


def read(form: Format, body: bytes, issues: Issues, limits: Limits) -> Iterator[Record]:
    """The rows below the header. A row that does not fit the header is a record to be held."""
    start = 3 if body.startswith(b"\xef\xbb\xbf") else 0
    if not body[start:].strip():
        issues.fatal("structure", "empty-message", "The file is empty. Send it again, with its header.")
        return
    encoding = _encoding(form.options, body, issues)
    if not encoding:
        return
    sheet = _sheet(form.options, (), encoding)
    rows = _rows(body, start, sheet)
    first, offset, end, header = next((row for row in rows if any(row[3])), (1, start, len(body), [""]))
    columns = tuple(name.strip() for name in header)
    if not _check_header(form.options, columns, sheet.delimiter, f"row {first}", issues):
        return
    sheet = _sheet(form.options, columns, encoding)
    table = _table(form.records)
    for count, (row, offset, end, cells) in enumerate(rows):
        if count >= limits.records:
            issues.fatal("too-costly", "too-many-records", f"The file has more than {limits.records} rows.")
            return
        if any(cells):
            yield _record(row, offset, end, cells, sheet, table)


def position(node: Node, body: bytes) -> Position:
    """The row and column, and the bytes of the cell without its quotes."""
    row, offset, index, sheet = node.pos
    if index < 0:
        return Position(f"row {row}", None, None, offset, _row_end(body, offset, sheet))
    start, end = _cell_span(body, offset, index, sheet)
    return Position(f"row {row}, column {sheet.shown[index]}", None, None, start, end)


def _record(
    row: int, offset: int, end: int, cells: list[str], sheet: _Sheet, table: list[tuple[str, str, RecordKind]]
) -> Record:
    columns, nulls, numbers, quote = sheet.columns, sheet.nulls, sheet.numbers, sheet.quote
    whole = len(cells) == len(columns)
    kids: Kids = {}
    root = Node("row", None, kids, None, (row, offset, -1, sheet))
    issues = Issues()
    for index, (name, cell) in enumerate(zip(columns, cells, strict=False)):
        value: Value = cell.strip()
        if value in nulls:
            if name in sheet.required and whole:
                text = "This column must hold a value in every row: mend the row in the source."
                issues.warning("required", "value-missing", text, f"row {row}, column {name}")
            continue
        if cell.count(quote) % 2 and cell.lstrip().startswith(quote):
            text = "A quote was opened and not closed; the value was taken as it stands. Double a quote that is meant."
            issues.warning("structure", "stray-quote", text, f"row {row}, column {sheet.shown[index]}")
        if name in numbers:
            value = _number(cell.strip(), sheet.decimal)
            if value is None:
                text = f"The cell does not hold a number with decimal {sheet.decimal!r}; it was left out."
                issues.warning("value", "not-a-number", text, f"row {row}, column {name}")
                continue
        kids[name] = [Node(name, value, LEAF, None, (row, offset, index, sheet))]
    kinds = [kind for column, value, kind in table if not column or root.text(column) == value]
    record = recorded(kinds, root, (offset, end), Position(f"row {row}", None, None, offset, end))
    record.issues.extend(issues)
    if not whole:
        # Which cell is missing cannot be known, so no value of such a row can be trusted.
        last = min(len(cells), len(columns))
        near = sheet.shown[last - 1] if columns else ""
        text = f"The row has {len(cells)} cells where the header has {len(columns)}: a separator is missing or too many"
        text += ", or a text that holds one stands without quotes. Mend the row and send it again."
        record.issues.error("structure", "ragged-row", text, f"row {row}, column {near}")
    return record


def _rows(body: bytes, start: int, sheet: _Sheet) -> Iterator[tuple[int, int, int, list[str]]]:
    """Each row's number (of the line it starts on), its span and its cells."""
    newline = b"\n" if b"\n" in body else b"\r"
    quote, delimiter, encoding = sheet.quote.encode(), sheet.delimiter, sheet.encoding
    row, size = 1, len(body)
    while start < size:
        end = body.find(newline, start)
        end = size if end < 0 else end
        line = body[start:end]
        if quote in line:
            cells, end = _quoted(body, start, sheet)
            yield row, start, end, cells
            row += body.count(newline, start, end)
            end += body.startswith(b"\r\n", end)
        else:
            if line.endswith(b"\r"):
                line = line[:-1]
            yield row, start, start + len(line), line.decode(encoding).split(delimiter)
        row += 1
        start = end + 1


def _quoted(body: bytes, start: int, sheet: _Sheet) -> tuple[list[str], int]:
    """The cells of a row that has quotes, and where it ends, which may be some lines on."""
    cells: list[str] = []
    quote = sheet.quote
    while True:
        found = sheet.cell.match(body, start)
        if found is None:  # cannot be: the pattern's second half takes an empty cell
            return cells, start
        inner, plain = found.groups()
        if inner is None:
            cells.append(plain.decode(sheet.encoding))
        else:
            cells.append(inner.decode(sheet.encoding).replace(quote * 2, quote))
        start = found.end()
        if not body.startswith(sheet.delimiter.encode(), start):
            return cells, start
        start += len(sheet.delimiter.encode())


def _cell_span(body: bytes, start: int, index: int, sheet: _Sheet) -> tuple[int, int]:
    while found := sheet.cell.match(body, start):
        if index == 0 or not body.startswith(sheet.delimiter.encode(), found.end()):
            return found.span(1 if found[1] is not None else 2)
        start = found.end() + len(sheet.delimiter.encode())
        index -= 1
    return start, start


def _row_end(body: bytes, start: int, sheet: _Sheet) -> int:
    return _quoted(body, start, sheet)[1]


def _sheet(options: Mapping[str, Any], columns: tuple[str, ...], encoding: str) -> _Sheet:
    delimiter, quote = options.get("delimiter", ";"), options.get("quote", '"')
    d, q = re.escape(delimiter.encode()), re.escape(quote.encode())
    ours = {*options.get("columns", ()), *options.get("required", ())}
    # Possessive, so that a quote which is never closed costs one look ahead and no more.
    cell = rb"[ \t]*+%b((?:[^%b]|%b%b)*+)%b[ \t]*+(?=%b|[\r\n]|\Z)|([^%b\r\n]*+)" % (q, q, q, q, q, d, d)
    return _Sheet(
        delimiter,
        quote,
        encoding,
        columns,
        tuple(name if not ours or name in ours else str(n) for n, name in enumerate(columns, 1)),
        re.compile(cell),
        frozenset(["", *options.get("null", ())]),
        frozenset(options.get("required", ())),
        frozenset(options.get("numbers", ())),
        options.get("decimal", ","),
    )


def _table(kinds: tuple[RecordKind, ...]) -> list[tuple[str, str, RecordKind]]:
    """`column=value` of each record kind, both empty for the kind that takes every row."""
    return [("", "", kind) if kind.at == "*" else (*kind.at.partition("=")[::2], kind) for kind in kinds]


def _number(text: str, decimal: str) -> Decimal | None:
    plain = text.replace("\u00a0", "").replace(" ", "").replace("\u2212", "-").replace(decimal, ".")
    return Decimal(plain) if plain.isascii() and _NUMBER.fullmatch(plain) else None


def _encoding(options: Mapping[str, Any], body: bytes, issues: Issues) -> str | None:
    """The first of the source's encodings that the bytes fit; which it was is told where it is not the first."""
    given = options.get("encoding", _ENCODINGS)
    tried = [given] if isinstance(given, str) else list(given)
    tried = ["utf-8" if name == "utf-8-sig" else name for name in tried]
    where = ""
    if body[:2] not in (b"\xff\xfe", b"\xfe\xff") and b"\x00" not in body:
        for encoding in tried:
            try:
                body.decode(encoding)
            except UnicodeDecodeError as wrong:
                line, column = place(body, wrong.start, encoding)
                where = where or f"line {line}, column {column}"
                continue
            if encoding != tried[0]:
                text = f"The file is not {tried[0]} here; it was read as {encoding}. Check a name with å, ä or ö."
                issues.information("informational", "encoding-chosen", text, where)
            return encoding
    text = f"The file is none of {', '.join(tried)}. Save it as CSV in UTF-8 and send it again."
    issues.fatal("structure", "wrong-encoding", text, where or "line 1")
    return None


def _check_header(
    options: Mapping[str, Any], columns: tuple[str, ...], delimiter: str, where: str, issues: Issues
) -> bool:
    """Whether rows can be read by this header: a required column that is missing or misspelt stops it all."""
    if len(columns) > _MOST_COLUMNS:
        text = f"The header has more than {_MOST_COLUMNS} columns: the lines of the file may have been joined."
        issues.fatal("too-costly", "too-many-columns", text, where)
        return False
    known = tuple(options.get("columns", ()))
    required = tuple(options.get("required", ()))
    missing = [name for name in required if name not in columns]
    strange = [name for name in columns if name not in known and name not in required]
    other = next((d for d in _DELIMITERS if d != delimiter and d in columns[0]), None) if len(columns) == 1 else None
    if other and (missing or len(known) > 1):
        text = f"The columns seem to be separated by {other!r}; this source's are by {delimiter!r}. Send it so."
        issues.fatal("structure", "wrong-delimiter", text, where)
        return False
    if other and not (known or required):  # Nothing says what it should be: it may be one column, named so.
        text = f"The header is one column, which holds {other!r}. If that parts the columns, the manifest must say so:"
        issues.warning("structure", "wrong-delimiter", f"{text} delimiter.", where)
    # A name is told only where it is like one of ours: a file without header has a person's data here.
    for index, name in enumerate(columns, 1):
        at = f"{where}, column {index}"
        if name and name in columns[: index - 1]:
            issues.fatal("structure", "duplicate-column", "The header has this column twice. Keep one.", at)
        elif known and name in strange and not missing:
            near = get_close_matches(name, [column for column in known if column not in columns], 1)
            hint = f"Did you mean {near[0]}?" if near else "It is not carried."
            issues.warning("structure", "unknown-column", f"The column's name is not known. {hint}", at)
    for name in missing:
        near = get_close_matches(name, strange, 1)
        hint = f"did you mean it by {near[0]}?" if near else "add it to the header."
        issues.fatal("structure", "missing-column", f"Column {name} is missing: {hint} No row was read.", where)
    return not issues.bad
