"""Bulk data as it comes in: NDJSON cut into parts of whole lines, or one JSON document; packed by gzip or plain.

https://hl7.org/fhir/uv/bulkdata/STU2/export.html#bulk-data-output-file-request

The same bytes are always cut the same way: who reads them again finds the parts that he has.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import PurePath
from typing import IO, Any, Final, cast

from gateway.errors import BadRequest, TooLarge
from gateway.fhir.json import MOST_BYTES

NDJSON: Final = "application/fhir+ndjson"
LINES: Final = (".ndjson", ".jsonl")
DOCUMENTS: Final = (".json",)
MANIFEST: Final = "manifest.json"
"""Lists the files of an export, and is none of them."""
MOST_LINES: Final = 500
PART_BYTES: Final = 4 * 2**20
"""A part ends when it has so many lines, or so many bytes."""
_GZIP: Final = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Part:
    """Some whole lines, of which the first has this number in its file, from 1; 0: a document as a whole."""

    first: int
    body: bytes

    @property
    def lines(self) -> list[bytes]:
        return self.body.split(b"\n")[: self.count]

    @property
    def count(self) -> int:
        """How many lines; a document is one."""
        return self.body.count(b"\n") + (not self.body.endswith(b"\n")) if self.first else 1


def readable(name: str) -> bool:
    """Whether a file of this name is one that can be read here."""
    return _suffix(name) in (*LINES, *DOCUMENTS) and name != MANIFEST and not name.startswith(".")


def in_lines(name: str) -> bool:
    """Whether a file of this name has a resource on each line, and is no document by itself."""
    return _suffix(name) not in DOCUMENTS


def parts(stream: IO[bytes], *, lines: bool, most: int | None = None) -> Iterator[Part]:
    """The parts of a stream, one after the other. TooLarge, BadRequest where it cannot be read on.

    `most`: bytes of all of them, unpacked, where it is others who send them: few bytes of gzip are very many.
    """
    buffered: BufferedReader[Any] = BufferedReader(stream, 2**20)
    try:
        plain = _unpacked(buffered)
        yield from _lines(plain, most) if lines else _document(plain)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        text = "The file is packed by gzip and broken, or ends too early: pack it again."
        raise BadRequest(text, rule="gzip-broken") from error
    finally:
        buffered.detach()  # Or it would close what is the caller's.


def _suffix(name: str) -> str:
    path = PurePath(name.lower())
    return PurePath(path.stem).suffix if path.suffix == ".gz" else path.suffix


def _unpacked(stream: BufferedReader[Any]) -> IO[bytes]:
    if stream.peek(2)[:2] != _GZIP:
        return cast(IO[bytes], stream)
    return cast(IO[bytes], gzip.GzipFile(fileobj=stream, mode="rb"))


def _document(stream: IO[bytes]) -> Iterator[Part]:
    body = stream.read(MOST_BYTES + 1)
    if len(body) > MOST_BYTES:
        text = f"A document has at most {MOST_BYTES} bytes: send several, or NDJSON with a resource on each line."
        raise TooLarge(text, rule="document-too-large")
    yield Part(0, body)


def _lines(stream: IO[bytes], most: int | None) -> Iterator[Part]:
    first, size, whole, held = 1, 0, 0, list[bytes]()
    refusal: TooLarge | None = None
    while line := stream.readline(MOST_BYTES + 1):
        size, whole = size + len(line), whole + len(line)
        if refusal := _too_large(first + len(held), len(line), whole, most):
            break
        held.append(line)
        if len(held) >= MOST_LINES or size >= PART_BYTES:
            yield Part(first, b"".join(held))
            first, size, held = first + len(held), 0, []
    if held:
        yield Part(first, b"".join(held))
    if refusal:
        raise refusal


def _too_large(number: int, line: int, whole: int, most: int | None) -> TooLarge | None:
    """Why nothing is read from this line on; None where it is."""
    where = f"line {number}"
    if line > MOST_BYTES:
        text = f"Line {number} has more than {MOST_BYTES} bytes: nothing behind it was read."
        return TooLarge(text, rule="line-too-long", where=where)
    if most is not None and whole > most:
        text = f"The file has more than {most} bytes, unpacked, with line {number}: send it in parts."
        return TooLarge(text, rule="import-too-large", where=where)
    return None
