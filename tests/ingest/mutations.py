"""Messages with something wrong in them: pieces altered, lost, doubled, moved, put from one message into another."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from random import Random

from bench.generate import GENERATORS, generate
from tests.ingest.bad_cases import GOOD
from tests.ingest.leaks import NAMES

DEMO = Path(__file__).parents[2] / "demo"
AWKWARD = (
    b"\x00",
    b"\xff",
    b"\xc3",
    b"\\u0000",
    b"\\ud800",
    b"&amp;",
    b"&x;",
    b"<!DOCTYPE a>",
    b"<a/>",
    b"]]>",
    b'"',
    b";",
    b"|",
    b"^",
    b"~",
    b"\\",
    b"\r",
    b"\n",
    b"{",
    b"[",
    b"null",
    b"true",
    b"-1",
    b"1e999",
    b"99999999999999999999",
    b"0001-01-01T00:00:00",
    b"9999-12-31T23:59:59Z",
    b"2026-02-30",
    "å".encode(),
    "😀".encode(),
    b"x" * 5000,
)
"""What parsers, calendars and databases have stumbled over."""


@cache
def seeds(package: str) -> tuple[bytes, ...]:
    """Messages without fault: our own, the demo's, and generated ones."""
    script = tomllib.loads((DEMO / "demo.toml").read_text(encoding="utf-8"))
    sources = tomllib.loads((DEMO / "sources.toml").read_text(encoding="utf-8"))["source"]
    told = {m["file"]: None for m in script["message"] if sources[m["source"]]["package"] == package}
    made = [one.body for one in generate(package, 3)] if package in GENERATORS else []
    return (GOOD[package].read_bytes(), *made, *((DEMO / file).read_bytes() for file in told))


@cache
def names() -> tuple[str, ...]:
    """The persons of the seeds."""
    script = tomllib.loads((DEMO / "demo.toml").read_text(encoding="utf-8"))
    return tuple(sorted({*NAMES, *(part for person in script["person"] for part in person["name"].split())}))


def mutated(package: str, random: Random) -> bytes:
    """A message of the package with one to four things wrong, mostly in what it says and not in how it is written."""
    body = random.choice(seeds(package))
    for _ in range(random.randint(1, 4)):
        body = random.choice(WRITING if random.random() < 0.2 else SAYING)(body, random)
    return body


def _span(body: bytes, random: Random, longest: int = 40) -> tuple[int, int]:
    start = random.randint(0, len(body))
    return start, min(len(body), start + random.randint(0, longest))


def lose(body: bytes, random: Random) -> bytes:
    start, end = _span(body, random)
    return body[:start] + body[end:]


def double(body: bytes, random: Random) -> bytes:
    start, end = _span(body, random, 400)
    return body[:end] + body[start:]


def move(body: bytes, random: Random) -> bytes:
    start, end = _span(body, random)
    rest = body[:start] + body[end:]
    place = random.randint(0, len(rest))
    return rest[:place] + body[start:end] + rest[place:]


def put(body: bytes, random: Random) -> bytes:
    start, end = _span(body, random, 8)
    return body[:start] + random.choice(AWKWARD) + body[end:]


def flip(body: bytes, random: Random) -> bytes:
    place = random.randint(0, len(body))
    return body[:place] + bytes([random.randrange(256)]) + body[place + 1 :]


def digit(body: bytes, random: Random) -> bytes:
    places = [n for n, byte in enumerate(body) if 48 <= byte <= 57]
    if not places:
        return body
    place = random.choice(places)
    return body[:place] + str(random.randrange(10)).encode() + body[place + 1 :]


_WORD = re.compile(rb"[\w.:+#-]{1,60}")
_HARMLESS = (
    b"0",
    b"-1",
    b"9" * 20,
    b"x",
    b"X" * 5000,
    b"2026-02-30",
    b"0001-01-01T00:00:00",
    b"9999-12-31T23:59:59Z",
    b" ",
)


def word(body: bytes, random: Random) -> bytes:
    """A word in the place of another: the message can still be read, and says something else."""
    found = list(_WORD.finditer(body))
    if not found:
        return body
    old = random.choice(found)
    new = random.choice(_HARMLESS) if random.random() < 0.3 else random.choice(found)[0]
    return body[: old.start()] + new + body[old.end() :]


def cut(body: bytes, random: Random) -> bytes:
    return body[: random.randint(0, len(body))]


def lines(body: bytes, random: Random) -> bytes:
    """A line lost, doubled or in another place."""
    found = body.splitlines(keepends=True)
    if not found:
        return body
    line = found.pop(random.randrange(len(found)))
    for _ in range(random.choice((0, 1, 2))):
        found.insert(random.randint(0, len(found)), line)
    return b"".join(found)


def graft(body: bytes, random: Random) -> bytes:
    """A piece of another package's message."""
    other = random.choice(seeds(random.choice(tuple(GOOD))))
    start, end = _span(other, random, 200)
    place = random.randint(0, len(body))
    return body[:place] + other[start:end] + body[place:]


def recode(body: bytes, random: Random) -> bytes:
    text = body.decode("utf-8", "replace")
    return text.encode(random.choice(("iso-8859-1", "utf-16", "utf-8-sig", "cp1252")), "replace")


def retype(body: bytes, random: Random) -> bytes:
    """A JSON value of another type."""
    try:
        value = json.loads(body)
    except ValueError:
        return put(body, random)
    holders: list[tuple[dict | list, str | int]] = []

    def walk(node: object) -> None:
        if isinstance(node, dict | list):
            for key, child in node.items() if isinstance(node, dict) else enumerate(node):
                holders.append((node, key))
                walk(child)

    walk(value)
    if holders:
        holder, key = random.choice(holders)
        wrong = (None, True, 0, -1.5, "", " ", "x", [], {}, [[]], {"a": {}}, [holder[key]], {"x": holder[key]}, 10**30)
        holder[key] = random.choice(wrong)
    return json.dumps(value, ensure_ascii=random.random() < 0.5).encode("utf-8", "surrogatepass")


Mutation = Callable[[bytes, Random], bytes]
WRITING: Sequence[Mutation] = (lose, double, move, put, flip, cut, lines, graft, recode)
SAYING: Sequence[Mutation] = (word, word, digit, retype, lines)
