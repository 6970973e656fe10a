"""FHIRPath Patch: add, insert, delete, replace and move, as a Parameters resource names them.

https://hl7.org/fhir/R4/fhirpatch.html

The paths are the project's FHIRPath, evaluated over a copy in which each value can be told from every other
(`places.py`); what is put in is made from the definitions (`given.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway import fhirpath
from gateway.definitions import Definitions
from gateway.errors import BadRequest, GatewayError
from gateway.fhirpath import Element, Environment, FHIRPathError
from gateway.fhirpath.syntax import Binary, Call, Member, Variable, walk
from gateway.patch.given import Given, Maker, Misfit, given
from gateway.patch.places import Place, locate, plain, size, tracked
from gateway.patch.refusals import affordable, bounded, inapplicable, malformed
from gateway.records import Resource

NEEDS: Final[Mapping[str, frozenset[str]]] = {
    "add": frozenset({"path", "name", "value"}),
    "insert": frozenset({"path", "value", "index"}),
    "delete": frozenset({"path"}),
    "replace": frozenset({"path", "value"}),
    "move": frozenset({"path", "source", "destination"}),
}
"""The parts of each operation beside its type."""
PARTS: Final[Mapping[str, tuple[type, str]]] = {
    "type": (str, "valueCode"),
    "path": (str, "valueString"),
    "name": (str, "valueString"),
    "index": (int, "valueInteger"),
    "source": (int, "valueInteger"),
    "destination": (int, "valueInteger"),
}
LONGEST_PATH: Final = 2000
FUNCTIONS: Final = frozenset(
    {"where", "exists", "empty", "not", "all", "count", "first", "last", "tail", "skip", "take", "single", "iif"}
    | {"ofType", "as", "is", "extension", "hasValue", "getValue", "resolve", "toString", "toInteger", "length"}
    | {"startsWith", "endsWith", "contains", "matches", "indexOf", "substring", "upper", "lower"}
)
"""What a path may call. Each looks at what lies below it only, so that a path costs no more than its length times the
resource: nothing that gathers the whole tree, and no way back to its root."""
MOST_RESOLVED: Final = 2
VALUE: Final = re.compile(r"'(?:[^'\\]|\\.)*'|@[0-9T:.+Z-]+|[0-9]{4,}")
NARRATIVE: Final = re.compile(r"('(?:[^'\\]|\\.)*')|\.div\b")
"""HL7's own patches write the narrative's `div` plainly, though it is a keyword; behind a dot it can only be a name."""
CODE_LIKE: Final = re.compile(r"'[a-z-]{0,40}'")


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation; `path` is compiled, `source` and `destination` are indexes of a move."""

    number: int
    type: str
    path: fhirpath.Path
    name: str
    value: Given | None
    index: int
    source: int
    destination: int

    def refused(self, text: str) -> GatewayError:
        return inapplicable(self.number, text)

    @property
    def shown(self) -> str:
        """The path as it may stand in an answer: a value in it that is no code could be a person's."""
        return VALUE.sub(lambda found: found[0] if CODE_LIKE.fullmatch(found[0]) else "'…'", self.path.source)


def read(parameters: Resource, resource_type: str, d: Definitions) -> tuple[Operation, ...]:
    """The operations for a resource of that type. BadRequest."""
    if parameters.get("resourceType") != "Parameters":
        raise BadRequest("A FHIRPath Patch is a Parameters resource.", rule="patch-malformed")
    entries = parameters.get("parameter", [])
    bounded(len(entries))
    return tuple(_operation(number, entry, resource_type, d) for number, entry in enumerate(entries, 1))


def apply(operations: tuple[Operation, ...], resource: Resource, d: Definitions) -> Resource:
    """What the operations make of the resource. Unprocessable."""
    document = _Document(resource, d)
    affordable(len(operations), size(document.root))
    for operation in operations:
        try:
            DO[operation.type](document, operation)
        except Misfit as misfit:
            raise operation.refused(misfit.text) from None
        except FHIRPathError as error:
            raise operation.refused(f"The path cannot be evaluated here: {error.problems[0].text}") from None
    after = plain(document.root)
    return resource if after == resource else after


# --- reading -------------------------------------------------------------------------------------------------------


def _operation(number: int, entry: Resource, resource_type: str, d: Definitions) -> Operation:
    if entry.get("name") != "operation":
        raise malformed(number, "Each parameter of a FHIRPath Patch is an operation.")
    parts: dict[str, Any] = {}
    for part in entry.get("part", ()):
        name = part.get("name")
        if name in parts or (name not in PARTS and name != "value"):
            known = ", ".join((*PARTS, "value"))
            raise malformed(number, f"An operation has each of these parts at most once: {known}.")
        parts[name] = given(part, d) if name == "value" else _simple(number, part, name)
    kind = parts.pop("type", None)
    needed = NEEDS.get(str(kind))
    if needed is None:
        raise malformed(number, f"The type of an operation is one of {', '.join(NEEDS)}.")
    if parts.keys() != needed:
        raise malformed(number, f"{kind} has the parts {', '.join(sorted(needed))}, and no others.")
    return Operation(
        number,
        str(kind),
        _path(number, parts["path"], resource_type, d),
        parts.get("name", ""),
        parts.get("value"),
        parts.get("index", 0),
        parts.get("source", 0),
        parts.get("destination", 0),
    )


def _simple(number: int, part: Resource, name: str) -> Any:
    kind, key = PARTS[name]
    found = next((value for member, value in part.items() if member.startswith("value")), None)
    if type(found) is not kind:
        raise malformed(number, f"{name} is given as {key}.")
    return found


def _path(number: int, source: str, resource_type: str, d: Definitions) -> fhirpath.Path:
    if len(source) > LONGEST_PATH:
        raise malformed(number, f"A path has at most {LONGEST_PATH} characters.")
    source = NARRATIVE.sub(lambda found: found[1] or ".`div`", source)
    try:
        path = fhirpath.compile(source, resource_type, d)
    except FHIRPathError as error:
        problem = error.problems[0]
        _, column = problem.place(source)
        text = f"The path cannot be used, see its column {column}: {problem.text} {problem.hint}".strip()
        raise malformed(number, text) from None
    resolved = 0
    for node in walk(path.syntax):
        match node:
            case Call(name="resolve"):
                resolved += 1
            case Call(name=name) if name not in FUNCTIONS:
                raise malformed(number, f"A patch's path does not call {name}(): name the element, or use where().")
            case Variable() | Binary(op="|"):
                raise malformed(number, "A patch's path has no variables and no unions: name one element.")
    if resolved > MOST_RESOLVED:
        raise malformed(number, f"A patch's path resolves at most {MOST_RESOLVED} references.")
    return path


# --- doing ---------------------------------------------------------------------------------------------------------


class _Document:
    """The copy that is worked on."""

    def __init__(self, resource: Resource, d: Definitions) -> None:
        self.root = tracked(resource)
        self._d = d
        self._maker = Maker(d)
        self._environment = Environment(resolve=self._contained)

    def add(self, operation: Operation) -> None:
        assert operation.value is not None
        target = self._one(operation, operation.path, "adding")
        holder, kind = _inside(target)
        self._maker.put(holder, kind, operation.name, operation.value)

    def insert(self, operation: Operation) -> None:
        assert operation.value is not None
        holder, kind, name = self._collection(operation)
        self._maker.put(holder, kind, name, operation.value, at=operation.index)

    def delete(self, operation: Operation) -> None:
        found = self._found(operation, operation.path)
        if not found:  # What is not there need not be deleted, the specification says.
            return
        self._located(operation, self._one(operation, operation.path, "deleting")).take()

    def replace(self, operation: Operation) -> None:
        assert operation.value is not None
        target = self._one(operation, operation.path, "replacing")
        self._maker.replace(self._located(operation, target), operation.value)

    def move(self, operation: Operation) -> None:
        holder, kind, name = self._collection(operation)
        self._maker.move(holder, kind, name, operation.source, operation.destination)

    def _found(self, operation: Operation, path: fhirpath.Path) -> list[Element]:
        # Given as an element, so that what comes out are elements too, each with its own object.
        found = path.elements(Element(self.root, self.root.get("resourceType")), self._environment)
        if not all(type(one) is Element for one in found):
            raise operation.refused(f"{operation.shown} computes a value: a path names an element of the resource.")
        return found

    def _one(self, operation: Operation, path: fhirpath.Path, doing: str) -> Element:
        found = self._found(operation, path)
        if not found:
            raise operation.refused(f"No content found at {operation.shown} when {doing}")
        if len(found) > 1:
            raise operation.refused(f"Multiple content found at {operation.shown} when {doing}")
        return found[0]

    def _collection(self, operation: Operation) -> tuple[Resource, str, str]:
        """The object, its type and the name in it of the list that the path names, which may be empty."""
        syntax = operation.path.syntax
        doing = "inserting" if operation.type == "insert" else "moving"
        if not isinstance(syntax, Member) or syntax.target is None:
            raise operation.refused(f"{operation.shown} names no list: end the path with the name of one.")
        holder, kind = _inside(self._one(operation, operation.path.part(syntax.target), doing))
        return holder, kind, syntax.name

    def _located(self, operation: Operation, element: Element) -> Place:
        holder, _ = _inside(element)
        place = locate(self.root, holder, self._d)
        if place is None:
            raise operation.refused(f"{operation.shown} is the resource itself, or none of its elements.")
        return place

    def _contained(self, reference: str) -> Resource | None:
        """A contained resource: a path leads into no other one."""
        contained = self.root.get("contained", ())
        return next((one for one in contained if reference == f"#{one.get('id')}"), None)


DO: Final[Mapping[str, Callable[[_Document, Operation], None]]] = {
    "add": _Document.add,
    "insert": _Document.insert,
    "delete": _Document.delete,
    "replace": _Document.replace,
    "move": _Document.move,
}


def _inside(element: Element) -> tuple[Any, str]:
    """The object that holds what is in an element, and its type: of a primitive, what stands beside it."""
    if type(element.value) is dict:
        return element.value, str(element.type)
    return element.meta, "Element"
