"""Bad messages, made of good ones: each is a row of tests/ingest/bad/*.toml, with what must be said of it.

A row starts from the package's message in tests/ingest/messages, or from `body` or `hex`, and changes it. `state` is
the message's, `items` are its items' states, `issues` what is said of the message and then of its items, in order:
severity, rule and place. Rows of any.toml go to every package; what each says of them stands in the package's own file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
GOOD = {path.stem: path for path in sorted((HERE / "messages").iterdir())}
"""A message without fault of each package, by its name."""


@dataclass(frozen=True, slots=True)
class Bad:
    """A bad message; `expected` has the row's `state`, `items` and `issues`."""

    package: str
    title: str
    body: bytes
    media_type: str
    expected: dict[str, Any]

    @property
    def name(self) -> str:
        return f"{self.package}: {self.title}"


def bad_messages() -> Iterator[Bad]:
    """Every row of every package."""
    for package in GOOD:
        for row in rows(package):
            yield made(package, row)


def rows(package: str) -> list[dict[str, Any]]:
    everywhere = {row["title"]: row for row in _read("any")}
    return [everywhere.get(row["title"], {}) | row for row in _read(package)]


def made(package: str, row: dict[str, Any]) -> Bad:
    expected = {name: row[name] for name in ("state", "items", "issues")}
    return Bad(package, row["title"], _body(package, row), row.get("type", "application/octet-stream"), expected)


def _read(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tomllib.loads((HERE / f"bad/{name}.toml").read_text(encoding="utf-8"))["case"]
    return found


def _body(package: str, row: dict[str, Any]) -> bytes:
    if "hex" in row:
        return bytes.fromhex(row["hex"])
    text = row["body"] if "body" in row else GOOD[package].read_bytes().decode()
    for old, new in row.get("replace", ()):
        text = text[: _place(text, old)] + new.replace("{digits}", "9" * 1000) + text[_place(text, old) + len(old) :]
    for old, new in row.get("replace_last", ()):
        assert old in text, old
        text = new.join(text.rsplit(old, 1))
    for old, new in row.get("replace_all", ()):
        text = text.replace(old, new)
    if nest := row.get("nest"):
        deep = nest["open"] * nest["depth"] + nest["in"] + nest["close"] * nest["depth"]
        text = text[: _place(text, nest["in"])] + deep + text[_place(text, nest["in"]) + len(nest["in"]) :]
    if "cut_before" in row:
        text = text[: _place(text, row["cut_before"])]
    if "cut_head" in row:
        text = text[_place(text, row["cut_head"]) :]
    text = row.get("prepend", "") + text + row.get("append", "")
    body = text.encode(row.get("encode", "utf-8"))
    return body[: int(len(body) * row["cut"])] if "cut" in row else body


def _place(text: str, part: str) -> int:
    place = text.find(part)
    assert place >= 0, f"the message does not hold {part!r}"
    return place
