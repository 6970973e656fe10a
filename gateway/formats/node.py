"""The one tree of every source format: a name, perhaps a value, and children by name."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final


class ExplicitNull(str):
    """HL7 v2's `""`: the sender says that there is no value, which is more than saying nothing."""

    __slots__ = ()


EXPLICIT_NULL: Final = ExplicitNull()


class FhirType(str):
    """The type of a node that is a part of a FHIR resource: a name of the definitions, and no name of a schema."""

    __slots__ = ()
    namespace: Final = "FHIR"


Value = str | int | bool | Decimal | None
Kids = dict[str, list["Node"]]

LEAF: Final[Kids] = {}
"""The children of a node without any: shared, so never to be written to."""


class Node:
    """One element of a record.

    `name` is an XML local or attribute name, an ER7 segment or number, a CSV column, a JSON key. `value` is None where
    there are only children. `kids` holds repetitions in order; what is absent has no node. `type` is the qualified
    XML name or xsi:type, or a `FhirType`. `pos` is for `formats.position` alone.
    """

    __slots__ = ("kids", "name", "pos", "type", "value")

    def __init__(
        self, name: str, value: Value = None, kids: Kids = LEAF, type: str | None = None, pos: Any = None
    ) -> None:
        self.name = name
        self.value = value
        self.kids = kids
        self.type = type
        self.pos = pos

    def first(self, *names: str) -> Node | None:
        """The first node down this path of names."""
        node = self
        for name in names:
            found = node.kids.get(name)
            if not found:
                return None
            node = found[0]
        return node

    def text(self, *names: str) -> str:
        """The first value down this path as text; empty where there is none."""
        node = self.first(*names)
        return "" if node is None or node.value is None else str(node.value)

    def find(self, text: str) -> Node | None:
        """The first node with this value: for a place to tell, when all that is known is the value."""
        below: list[Node] = [self]
        while below:
            node = below.pop()
            if node.value is not None and str(node.value).strip() == text:
                return node
            below += [kid for kids in reversed(list(node.kids.values())) for kid in reversed(kids)]
        return None

    def __repr__(self) -> str:
        # Never the value: a representation ends up in logs and tracebacks.
        return f"<Node {self.name} at {self.pos}>"


class LazyNode(Node):
    """A node whose children are made when they are first asked for: most fields of most messages never are.

    Whoever makes one leaves `kids` unset. Where one has a value, its children are parts of the value, by number.
    """

    __slots__ = ("raw",)

    raw: Any

    def split(self) -> Kids:
        raise NotImplementedError

    def __getattr__(self, name: str) -> Kids:
        """Asked only where an attribute is not set: from then on the children are one like any other."""
        if name != "kids":
            raise AttributeError(name)
        self.kids = self.split()
        return self.kids
