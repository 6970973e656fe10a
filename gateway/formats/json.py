"""JSON: one object, an array of them, or one object a line (NDJSON).

Numbers keep their digits, a key may stand once only, nesting is bounded. https://www.rfc-editor.org/rfc/rfc8259
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Set
from decimal import Decimal
from typing import Any

from gateway.formats.json_places import encodable, find_fault, has_nul, locate, may_be_halved, too_long, value_end
from gateway.formats.node import LEAF, Kids, LazyNode, Node
from gateway.formats.places import Lines, place
from gateway.formats.record import Format, Limits, Record, recorded
from gateway.issues import Issues
from gateway.records import Position

Listed = Callable[["Reader"], str | None]

_BLANK = re.compile(r"[ \t\r\n]*")
_MOST_FAULTS = 1000
"""The place of each is looked for in the whole message: more would not be linear work."""
_TOO_MANY_FAULTS = ("too-many-faults", f"More than {_MOST_FAULTS} lines cannot be read. What follows was not tried.")


def read(form: Format, body: bytes, issues: Issues, limits: Limits) -> Iterator[Record]:
    """The records of a message, told apart by the member that the manifest's `discriminator` names.

    `objects` names members that are objects wherever they stand: what they hold would be passed over in silence, did a
    plain value stand there. `list` names the member of an object around all records that is the array of them.
    """
    kind_of = form.options.get("discriminator")
    composed = frozenset(form.options.get("objects", ()))

    def make(found: Found) -> Record:
        root = JsonNode("record", found.value, (None, found))
        kind = str(found.value.get(kind_of)) if kind_of else "*"
        kinds = [k for k in form.records if k.at in ("*", kind)]
        record = recorded(kinds, root, (found.start, found.end), found.position())
        for plain in _plain(found.value, "record", (None, found), composed) if composed else ():
            text = "An object must stand here, and a plain value was sent. Send the record as the format describes it."
            record.issues.error("structure", "not-an-object", text, str(position(plain, body)))
        return record

    member = form.options.get("list")
    yield from objects(body, issues, limits, make, (lambda _: member), must=True)


class Found:
    """An object of a message: its value, its bytes and where it lies (a JSON pointer).

    `fault` is what makes it unusable, as rule, text and place.
    """

    __slots__ = ("end", "fault", "line", "pointer", "start", "value")

    fault: tuple[str, str, str] | None

    def __init__(self, value: Any, start: int, end: int, line: int, pointer: str) -> None:
        self.value = value
        self.start = start
        self.end = end
        self.line = line
        self.pointer = pointer
        self.fault = None

    def position(self) -> Position:
        return Position(self.pointer, self.line, None, self.start, self.end)


class JsonNode(LazyNode):
    """An object (`raw`) whose members become children when they are asked for."""

    __slots__ = ()

    def __init__(self, name: str, raw: dict[str, Any], pos: Any) -> None:
        self.name = name
        self.value = None
        self.type = None
        self.pos = pos
        self.raw = raw

    def split(self) -> Kids:
        kids: Kids = {}
        pos = self.pos
        for name, value in self.raw.items():
            if value.__class__ is str:  # As most are.
                kids[name] = [Node(name, value, LEAF, None, (pos, name))]
            elif nodes := self.nodes(name, value, (pos, name)):
                kids[name] = nodes
        return kids

    def nodes(self, name: str, value: Any, pos: Any) -> list[Node]:
        """No node for null, one for each element of an array, however nested."""
        if value is None:
            return []
        if isinstance(value, dict):
            return [type(self)(name, value, pos)]
        if isinstance(value, list):
            return [node for index, item in enumerate(value) for node in self.nodes(name, item, (pos, index))]
        return [Node(name, value, LEAF, None, pos)]


def _plain(value: Any, name: str, pos: Any, composed: Set[str]) -> Iterator[Node]:
    """The values that stand where an object must."""
    if isinstance(value, dict):
        for member, child in value.items():
            if member in composed or isinstance(child, dict | list):
                yield from _plain(child, member, (pos, member), composed)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _plain(item, name, (pos, index), composed)
    elif name in composed and value is not None:
        yield Node(name, value, LEAF, None, pos)


def position(node: Node, body: bytes) -> Position:
    """The JSON pointer of a value, and its place as a scan of its record finds it."""
    tokens: list[str | int] = []
    pos = node.pos
    while pos[0] is not None:
        pos, token = pos
        tokens.append(token)
    found: Found = pos[1]
    tokens.reverse()
    text = body[found.start : found.end].decode("utf-8", "replace")
    start, end = locate(text, tokens)
    start, end = (found.start + len(text[:i].encode()) for i in (start, end))
    pointer = found.pointer + "".join("/" + str(t).replace("~", "~0").replace("/", "~1") for t in tokens)
    return Position(pointer, *place(body, start), start, end)


def objects(
    body: bytes,
    issues: Issues,
    limits: Limits,
    make: Callable[[Found], Record],
    listed: Listed = (lambda _: None),
    *,
    must: bool = False,
) -> Iterator[Record]:
    """The objects of a message as records, one after another. What comes before a fault is still given.

    `listed` may say of the only object of a message which of its members is the array of records; whether it must
    have that one is `must`.
    """
    try:
        text = body.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as wrong:
        line, column = place(body, wrong.start)
        hint = "The message is not UTF-8, as JSON must be. Send it in UTF-8."
        issues.fatal("structure", "wrong-encoding", hint, f"line {line}, column {column}")
        return
    reader = Reader(text, body, issues, limits)
    try:
        for count, found in enumerate(reader.records(listed, must=must)):
            if count >= limits.records:
                raise _Refused("too-many-records", f"The message has more than {limits.records} records.")
            if found.fault is None and isinstance(found.value, dict):
                yield make(found)
            else:
                yield _unusable(found)
    except (ValueError, RecursionError) as error:
        issues.fatal("structure", *reader.fault(error))


def _unusable(found: Found) -> Record:
    """A record to be held: what is wrong with it does not hinder those after it."""
    place = found.position()
    rule, text, where = found.fault or ("not-an-object", "A record must be a JSON object.", str(place))
    record = Record("", Node("record", None, LEAF, None, (None, found)), (found.start, found.end), place)
    record.issues.error("structure", rule, text, where)
    return record


class _Refused(ValueError):
    """A value that is JSON, or nearly, and not taken: `args` are the rule and what to do."""


class Reader:
    """The values of a text, one at a time, and where each stands in the bytes."""

    def __init__(self, text: str, body: bytes, issues: Issues, limits: Limits) -> None:
        self.text = text
        self.at = 0
        self._refusals = 0
        self._line: re.Match[str] | None = None
        self._issues = issues
        self._limits = limits
        self._lines = Lines(body)
        self._mark = (0, 3 if body.startswith(b"\xef\xbb\xbf") else 0)

    def records(self, listed: Listed, *, must: bool) -> Iterator[Found]:
        text = self.text
        self._skip()
        if self.at >= len(text):
            self._issues.fatal("structure", "empty-message", "The message is empty. Send it again.")
            return
        if _is_lines(text, self.at):
            yield from self._line_records()
            return
        if text[self.at] == "[":
            yield from self._elements("")
        elif member := listed(self):
            met = not must
            for name in self.members():
                met = met or name == member
                if name == member and text.startswith("[", self.at):
                    yield from self._elements("/" + member)
                else:
                    begin = self.at
                    if (self.value() is not None or must) and name == member:
                        text_ = f"{member} must be a list of records. None of them was read: send it so."
                        where = f"line {self.text.count(chr(10), 0, begin) + 1}, /{member}"
                        self._issues.error("structure", "not-a-list", text_, where)
            if not met:
                text_ = f"There is no {member}, which is the list of records. None was read: send it so."
                self._issues.error("structure", "not-a-list", text_, "line 1")
        else:
            yield self._found("")
        self._skip()
        if self.at < len(text):
            raise _Refused("malformed-json", "Something follows the end of the message. Send one value, or one a line.")

    def members(self) -> Iterator[str]:
        """The names of the object at hand, each when `at` is at its value, which the caller must take."""
        seen: set[str] = set()
        self._expect("{")
        while not self._ends("}", first=not seen):
            name = self.value()
            if not isinstance(name, str):
                raise _Refused("malformed-json", "A member's name must be a string.")
            if name in seen:
                raise _Refused(*_TWICE)
            seen.add(name)
            self._expect(":")
            yield name

    def value(self) -> Any:
        """The value at hand, which a record on a line of its own does not look for beyond it."""
        if self._line is None:
            value, self.at = _decode(self.text, self.at)
            return value
        start = self._line.start()
        try:
            value, end = _decode(self._line[0], self.at - start)
        except json.JSONDecodeError as error:
            raise json.JSONDecodeError(error.msg, self.text, error.pos + start) from None
        self.at = start + end
        return value

    def fault(self, error: Exception) -> tuple[str, str, str]:
        """Rule, text and place of what stopped the reading; the place is looked for only now."""
        rule, text, where = self._refused(error)
        line = self.text.count("\n", 0, where) + 1
        return rule, text, f"line {line}, column {where - self.text.rfind(chr(10), 0, where)}"

    def _refused(self, error: Exception) -> tuple[str, str, int]:
        if isinstance(error, json.JSONDecodeError):
            text = f"The message is not JSON here: {error.msg}. Mend it and send it again."
            return "malformed-json", text, error.pos
        rule, text = _too_deep(self._limits) if isinstance(error, RecursionError) else error.args
        return rule, text, find_fault(self.text, self.at, rule, self._limits.depth, self._stop)

    @property
    def _stop(self) -> int | None:
        return self._line.end() if self._line else None

    def _line_records(self) -> Iterator[Found]:
        """NDJSON: a line that cannot be read is told, and the next one is."""
        faults = 0
        for line in re.finditer(r"[^\r\n]+", self.text):
            if line[0].isspace():
                continue
            self._line, self.at = line, line.start()
            self._skip()
            try:
                found = self._found("")
                self._skip()
                if self.at < line.end():
                    raise _Refused("malformed-json", "Something follows the record on its line.")
            except (ValueError, RecursionError) as error:
                faults += 1
                if faults > _MOST_FAULTS:
                    self._issues.fatal("too-costly", *_TOO_MANY_FAULTS, self.fault(error)[2])
                    return
                self._issues.error("structure", *self.fault(error))
            else:
                yield found

    def _elements(self, pointer: str) -> Iterator[Found]:
        index = 0
        self._expect("[")
        while not self._ends("]", first=index == 0):
            yield self._found(f"{pointer}/{index}")
            index += 1

    def _found(self, pointer: str) -> Found:
        """The value at hand. One that is refused is stepped over, when its end can be seen."""
        begin = self.at
        try:
            return self._taken(pointer)
        except json.JSONDecodeError:
            raise
        except (_Refused, RecursionError) as error:
            self.at = begin
            end = value_end(self.text, begin, self._stop)
            self._refusals += 1
            if end is None or self._refusals > _MOST_FAULTS:
                raise
            rule, text, where = self._refused(error)
            start = self._byte(begin)
            line = self._lines.at(start + len(self.text[begin:where].encode()))
            column = where - self.text.rfind("\n", 0, where)
            self.at = end
            found = Found(None, start, self._byte(end), self._lines.at(start), pointer)
            found.fault = rule, text, f"line {line}, column {column}"
            return found

    def _taken(self, pointer: str) -> Found:
        begin = self.at
        value = self.value()
        room = self._limits.depth
        brackets = self.text.count("{", begin, self.at) + self.text.count("[", begin, self.at)
        if brackets > room and _depth(value, room) > room:
            self.at = begin
            raise _Refused(*_too_deep(self._limits))
        if brackets > self._limits.nodes:
            raise _Refused("too-large-record", f"A record has more than {self._limits.nodes} objects.")
        if may_be_halved(self.text, begin, self.at) and not encodable(value):
            self.at = begin
            raise _Refused("lone-surrogate", "Half of a surrogate pair stands alone. Write the character itself.")
        if "\\u0000" in self.text[begin : self.at] and has_nul(value):
            self.at = begin
            raise _Refused("nul", "A NUL character stands in a value, where no text may have one. Leave it out.")
        start = self._byte(begin)
        line = self._lines.at(start)
        return Found(value, start, self._byte(self.at), line, pointer)

    def _byte(self, at: int) -> int:
        """Characters as bytes; asked in ascending order, so that each stretch is counted once."""
        character, byte = self._mark
        byte += len(self.text[character:at].encode())
        self._mark = at, byte
        return byte

    def _skip(self) -> None:
        found = _BLANK.match(self.text, self.at)
        self.at = found.end() if found else self.at

    def _expect(self, mark: str) -> None:
        self._skip()
        if not self.text.startswith(mark, self.at):
            raise json.JSONDecodeError(f"Expecting {mark!r}", self.text, self.at)
        self.at += 1
        self._skip()

    def _ends(self, mark: str, *, first: bool) -> bool:
        self._skip()
        if self.text.startswith(mark, self.at):
            self.at += 1
            return True
        if not first:
            self._expect(",")
        return False


_TWICE = ("duplicate-key", "A key stands twice in one object. Send it once.")


def _too_deep(limits: Limits) -> tuple[str, str]:
    return "too-deep", f"Values are nested more than {limits.depth} deep. Send the record with less in it."


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _Refused(*_TWICE)
    return value


def _integer(text: str) -> int | Decimal:
    return int(text) if len(text) < 19 else _decimal(text)


def _decimal(text: str) -> Decimal:
    if too_long(text):
        raise _Refused("too-long-number", "A number has too many digits. Send it shorter, or as a string.")
    return Decimal(text)


def _constant(_: str) -> None:
    raise _Refused("not-a-number", "NaN and Infinity are not JSON. Leave the value out.")


_decode = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_decimal, parse_int=_integer, parse_constant=_constant
).raw_decode


def _depth(value: Any, room: int) -> int:
    if not isinstance(value, dict | list) or not value:
        return 0
    if room <= 0:
        return 1
    return 1 + max(_depth(v, room - 1) for v in (value.values() if isinstance(value, dict) else value))


def _is_lines(text: str, at: int) -> bool:
    """Whether a message is NDJSON: its first line is closed, and another object starts on a later one."""
    end = text.find("\n", at)
    return (
        end > 0
        and text.startswith("{", at)
        and text[at:end].rstrip().endswith("}")
        and re.compile(r"[ \t\r\n]*\{").match(text, end) is not None
    )
