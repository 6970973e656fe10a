"""JSON Patch: operations at JSON Pointers, in order, all or none.

https://www.rfc-editor.org/rfc/rfc6902, pointers https://www.rfc-editor.org/rfc/rfc6901

Numbers keep their digits. An object or a list that is left empty goes too: in FHIR's JSON it means nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from gateway.errors import BadRequest, Conflict, GatewayError
from gateway.fhir import media
from gateway.fhir.json import parse_any
from gateway.patch.refusals import affordable, bounded, inapplicable, malformed
from gateway.records import Resource

MEDIA_TYPE: Final = media.JSON_PATCH
NEEDS: Final[Mapping[str, str | None]] = {
    "add": "value",
    "remove": None,
    "replace": "value",
    "move": "from",
    "copy": "from",
    "test": "value",
}
"""What each operation has beside `op` and `path`."""
MOST_COPIED: Final = 100_000
INDEX: Final = re.compile(r"0|[1-9][0-9]{0,8}")
SAFE_STEP: Final = re.compile(r"_?[A-Za-z][A-Za-z0-9]{0,63}|[0-9]{1,9}")
UNESCAPED: Final = re.compile(r"~(?![01])")

Pointer = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation; `source` is the pointer of `from`."""

    number: int
    op: str
    path: Pointer
    source: Pointer
    value: Any


def read(body: bytes) -> tuple[Operation, ...]:
    """The operations of a patch document. BadRequest."""
    entries = parse_any(body)
    if type(entries) is not list:
        raise BadRequest("A JSON Patch is a list of operations.", rule="patch-malformed")
    bounded(len(entries))
    return tuple(_operation(number, entry) for number, entry in enumerate(entries, 1))


def apply(operations: tuple[Operation, ...], resource: Resource) -> Any:
    """What the operations make of the resource. Unprocessable; Conflict where a `test` fails."""
    document = _Document(resource)
    affordable(len(operations), document.parts)
    for operation in operations:
        DO[operation.op](document, operation)
    return document.swept()


def _operation(number: int, entry: Any) -> Operation:
    op = entry.get("op") if type(entry) is dict else None
    if type(op) is not str or op not in NEEDS:
        raise malformed(number, f"An operation is an object whose op is one of {', '.join(NEEDS)}.")
    needed = NEEDS[op]
    if needed is not None and needed not in entry:
        raise malformed(number, f"{op} needs a {needed}.")
    path = _pointer(number, entry.get("path"), "path")
    source = _pointer(number, entry["from"], "from") if needed == "from" else ()
    if op == "move" and len(source) < len(path) and path[: len(source)] == source:
        raise malformed(number, "Nothing can be moved into itself.")
    return Operation(number, op, path, source, entry.get("value"))


def _pointer(number: int, text: Any, name: str) -> Pointer:
    if type(text) is not str or (text and text[0] != "/") or UNESCAPED.search(text):
        raise malformed(number, f"{name} is a JSON Pointer, such as /name/0/family.")
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in ("", *text.split("/")[1:]))


class _Document:
    """A copy of the resource on the way to what it becomes; the pointer `("",)` is the whole of it."""

    def __init__(self, resource: Resource) -> None:
        self._around: dict[str, Any] = {"": deepcopy(resource)}
        self._type = str(resource.get("resourceType"))
        self._shrunk: list[Any] = []
        self._copied = 0
        self.parts = _count(resource)

    def add(self, operation: Operation) -> None:
        self._put(operation, deepcopy(operation.value))

    def remove(self, operation: Operation) -> None:
        self._take(operation, operation.path)

    def replace(self, operation: Operation) -> None:
        holder, place = self._place(operation, operation.path)
        holder[place] = deepcopy(operation.value)

    def move(self, operation: Operation) -> None:
        self._put(operation, self._take(operation, operation.source))

    def copy(self, operation: Operation) -> None:
        holder, place = self._place(operation, operation.source)
        self._copied += _count(holder[place])
        if self._copied > MOST_COPIED:  # What is copied over and over doubles each time.
            raise self._refused(operation, f"A patch copies at most {MOST_COPIED} values.")
        self._put(operation, deepcopy(holder[place]))

    def test(self, operation: Operation) -> None:
        holder, place = self._place(operation, operation.path)
        if not same(holder[place], operation.value):
            raise Conflict(
                "The value here is not the one that the patch tests for: read again, then decide.",
                rule="patch-test-failed",
                where=f"operation {operation.number}",
                expression=self._expression(operation),
            )

    def swept(self) -> Any:
        """What it has become. Objects and lists that were emptied are gone: in FHIR's JSON they would mean nothing."""
        emptied = {id(holder) for holder in self._shrunk if _is_void(holder)}
        return _without(self._around.get(""), emptied) if emptied else self._around.get("")

    def _refused(self, operation: Operation, text: str) -> GatewayError:
        return inapplicable(operation.number, text, expression=self._expression(operation))

    def _expression(self, operation: Operation) -> str | None:
        """The pointer as FHIRPath writes it, where its steps could be names of elements."""
        shown = self._type
        for step in operation.path[1:]:
            if not SAFE_STEP.fullmatch(step):
                return None
            shown += f"[{step}]" if step.isdecimal() else f".{step}"
        return shown

    def _place(self, operation: Operation, path: Pointer) -> tuple[Any, Any]:
        """The object or list that holds what a pointer names, and the name or index of it there."""
        holder: Any = None
        value: Any = self._around
        place: Any = ""
        for step in path:
            holder, place = value, _within(value, step)
            if place is None:
                raise self._refused(
                    operation, "There is nothing at this path: add what it lies in first, or see the index."
                )
            value = holder[place]
        return holder, place

    def _take(self, operation: Operation, path: Pointer) -> Any:
        holder, place = self._place(operation, path)
        self._shrunk.append(holder)
        return holder.pop(place)

    def _put(self, operation: Operation, value: Any) -> None:
        holder: Any = self._around
        *way, last = operation.path
        if way:
            around, place = self._place(operation, tuple(way))
            holder = around[place]
        if type(holder) is dict:
            holder[last] = value
        elif type(holder) is list and last == "-":
            holder.append(value)
        elif type(holder) is list and INDEX.fullmatch(last) and int(last) <= len(holder):
            holder.insert(int(last), value)
        else:
            raise self._refused(
                operation, "Values go into an object, or into a list at an index up to its length, or at -."
            )


DO: Final[Mapping[str, Callable[[_Document, Operation], None]]] = {
    "add": _Document.add,
    "remove": _Document.remove,
    "replace": _Document.replace,
    "move": _Document.move,
    "copy": _Document.copy,
    "test": _Document.test,
}


def _within(holder: Any, step: str) -> Any:
    """The name or the index that a step has in what holds it; None where there is none."""
    if type(holder) is dict and step in holder:
        return step
    if type(holder) is list and INDEX.fullmatch(step) and int(step) < len(holder):
        return int(step)
    return None


def same(a: Any, b: Any) -> bool:
    """Whether two JSON values are equal: numbers by their value, objects in any order (RFC 6902, 4.6)."""
    if isinstance(a, int | Decimal) and isinstance(b, int | Decimal):
        return isinstance(a, bool) is isinstance(b, bool) and a == b
    if type(a) is not type(b):
        return False
    if type(a) is dict:
        return a.keys() == b.keys() and all(same(value, b[name]) for name, value in a.items())
    if type(a) is list:
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)


def _count(value: Any) -> int:
    """How many values there are in a value, itself among them."""
    inner = value.values() if type(value) is dict else value if type(value) is list else ()
    return 1 + sum(map(_count, inner))


def _is_void(holder: Any) -> bool:
    """Whether nothing is left in it; a list of nulls stands beside values that are gone."""
    return not holder if type(holder) is dict else all(one is None for one in holder)


def _without(value: Any, emptied: set[int]) -> Any:
    """The value without what was emptied, and without what is empty for that reason."""
    if type(value) is dict:
        members = {name: _without(one, emptied) for name, one in value.items()}
        return {name: one for name, one in members.items() if not _gone(one, value[name], emptied)}
    if type(value) is list:
        items = [(_without(one, emptied), one) for one in value]
        return [one for one, before in items if not _gone(one, before, emptied)]
    return value


def _gone(now: Any, before: Any, emptied: set[int]) -> bool:
    if type(now) is not dict and type(now) is not list:
        return False
    return id(before) in emptied or (not now and bool(before))
