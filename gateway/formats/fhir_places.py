"""Where the parts of a FHIR resource stand in its XML: looked for only when somebody asks.

https://hl7.org/fhir/R4/xml.html
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from xml.parsers import expat

from gateway.formats.node import Node
from gateway.formats.places import place
from gateway.formats.xml_places import ended
from gateway.records import Position

Path = tuple[tuple[str, int], ...]
_HOLDERS = frozenset(("resource", "contained"))
"""Elements that hold a resource, whose type is one element more in XML."""


class _Done(Exception):
    """What was looked for is found."""


def position(node: Node, body: bytes) -> Position:
    """The pointer of a value as in JSON, and the element that holds it in XML."""
    tokens: list[str | int] = []
    pos = node.pos
    while pos[0] is not None:
        pos, token = pos
        tokens.append(token)
    tokens.reverse()
    found = pos[1]
    pointer = found.pointer + "".join(f"/{str(token).replace('~', '~0').replace('/', '~1')}" for token in tokens)
    whole = [*found.pointer.strip("/").split("/"), *tokens] if found.pointer else tokens
    start, end = _span(body, _wanted(whole))
    return Position(pointer, *place(body, start), start, end)


def entries(body: bytes) -> tuple[list[tuple[int, int]], list[int]]:
    """The spans of a Bundle's entries, and the lines they begin on."""
    spans: list[tuple[int, int]] = []
    lines: list[int] = []

    def seen(path: Path, start: int, end: int, line: int) -> None:
        if len(path) == 1 and path[0][0] == "entry":
            spans.append((start, end))
            lines.append(line)

    _walk(body, seen)
    return spans, lines


def spans(body: bytes, wanted: Iterable[tuple[str | int, ...]]) -> dict[tuple[str | int, ...], int]:
    """Where the elements begin that these paths (as in JSON) lead to, and those around them; attributes do not."""
    paths: dict[Path, list[tuple[str | int, ...]]] = {}
    for path in wanted:
        for length in range(len(path) + 1):
            if path[:length]:
                paths.setdefault(_wanted(list(path[:length])), []).append(path[:length])
    found: dict[tuple[str | int, ...], int] = {}

    def seen(path: Path, start: int, _end: int, _line: int) -> None:
        # The type of a resource within is any: its place among the steps is kept, not its name.
        for key in (path, tuple(("", 0) if name[:1].isupper() else (name, number) for name, number in path)):
            for one in paths.get(key, ()):
                found.setdefault(one, start)

    _walk(body, seen)
    return found


def _wanted(tokens: list[str | int]) -> Path:
    """JSON's steps as XML's: each element with its number among those of its name."""
    path: list[tuple[str, int]] = []
    for step in tokens:
        if isinstance(step, int) or step.isdigit():
            path[-1] = (path[-1][0], int(step))
        elif step != "resourceType":
            if path and path[-1][0] in _HOLDERS:
                path.append(("", 0))  # The type, whatever it is.
            path.append((step.removeprefix("_"), 0))
    return tuple(path)


def _span(body: bytes, wanted: Path) -> tuple[int, int]:
    """Of the element, or of the innermost one around it that there is: an attribute's is its element's."""
    best: tuple[int, int, int] = (-1, 0, len(body))

    def seen(path: Path, start: int, end: int, _: int) -> None:
        nonlocal best
        pairs = zip(wanted, path, strict=False)
        if best[0] < len(path) <= len(wanted) and all(
            index == number and name in ("", there) for (name, index), (there, number) in pairs
        ):
            best = (len(path), start, end)

    _walk(body, seen)
    return best[1], best[2]


def _walk(body: bytes, seen: Callable[[Path, int, int, int], None]) -> None:
    """Tell of each element below the root, when it ends, its path, its span and its line."""
    parser = expat.ParserCreate(None, "}")
    open_: list[tuple[str, int, int, int]] = []
    counts: list[Counter[str]] = [Counter()]

    def start(raw: str, _: dict[str, str]) -> None:
        name = raw.rpartition("}")[2]
        open_.append((name, counts[-1][name], parser.CurrentByteIndex, parser.CurrentLineNumber))
        counts[-1][name] += 1
        counts.append(Counter())

    def end(raw: str) -> None:
        counts.pop()
        path = tuple((name, number) for name, number, _, _ in open_[1:])
        _, _, begun, line = open_.pop()
        if open_:
            seen(path, begun, ended(body, begun, parser.CurrentByteIndex), line)

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    try:
        parser.Parse(body, True)
    except expat.ExpatError:
        return
