"""XML Patch: add, replace and remove on the XML form of a resource.

https://www.rfc-editor.org/rfc/rfc5261

FHIR's XML has its elements in the order of their definition, so an `add` says where: `pos="before"`, `after` or
`prepend`, or, without it, behind everything else. What is no part of a resource (a prefix, white space between
elements) may be named, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final

from lxml import etree

from gateway.definitions import Definitions
from gateway.errors import BadRequest, GatewayError, Unprocessable
from gateway.fhir import media, xml
from gateway.patch.refusals import affordable, bounded, inapplicable, malformed
from gateway.patch.selector import Attribute, Node, SelectorError, Text, select
from gateway.records import Resource

MEDIA_TYPE: Final = media.XML_PATCH
POSITIONS: Final = ("before", "after", "prepend")
SPACES: Final = " \t\r\n"


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation, as the element of the patch that it is."""

    number: int
    op: str
    element: Any

    def refused(self, text: str) -> GatewayError:
        return inapplicable(self.number, text)

    def malformed(self, text: str) -> GatewayError:
        return malformed(self.number, text)


def read(body: bytes) -> tuple[Operation, ...]:
    """The operations of a patch document. BadRequest."""
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise BadRequest("A document type and its entities are refused: leave them out.", rule="xml-doctype")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, encoding="utf-8")
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        line, column = getattr(error, "position", (1, 1))
        text = f"The patch is not well-formed XML in UTF-8: see line {line}, column {column}."
        raise BadRequest(text, rule="xml-syntax", where=f"line {line}, column {column}") from None
    if etree.QName(root).localname not in ("diff", "patch"):
        raise BadRequest("An XML Patch is a diff element that holds add, replace and remove.", rule="patch-malformed")
    elements = [child for child in root if isinstance(child.tag, str)]
    if not elements:
        raise BadRequest("The patch holds no operation.", rule="patch-malformed")
    bounded(len(elements))
    return tuple(_operation(number, element) for number, element in enumerate(elements, 1))


def apply(operations: tuple[Operation, ...], resource: Resource, d: Definitions) -> Resource:
    """What the operations make of the resource. Unprocessable."""
    root = etree.fromstring(xml.dump(resource, d), etree.XMLParser(resolve_entities=False, huge_tree=True))
    after = etree.tostring(patched(operations, root), encoding="utf-8")
    try:
        made = xml.parse(after, d)
    except BadRequest as error:
        # Lines and columns are of a document that the client has never seen.
        issues = [issue.at("after the patch") for issue in error.issues]
        raise Unprocessable(issues=issues) from None
    return resource if made == resource else made


def patched(operations: tuple[Operation, ...], root: Any) -> Any:
    """The root element of what the operations make of a document, which they change. Unprocessable."""
    affordable(len(operations), sum(1 for _ in root.iter()))
    for operation in operations:
        prefixes = operation.element.nsmap
        try:
            found = select(operation.element.get("sel"), root, prefixes)
        except SelectorError as error:
            raise operation.malformed(str(error)) from None
        if len(found) != 1:
            count = f"{len(found)} nodes" if found else "nothing"
            raise operation.refused(f"The selector finds {count}, and names one: add steps, a position or a value.")
        if found[0] is root and (operation.op == "remove" or operation.element.get("pos") in ("before", "after")):
            raise operation.refused("A document is one element: the root stays, and nothing stands beside it.")
        root = DO[operation.op](operation, found[0], root)
    return root


def _operation(number: int, element: Any) -> Operation:
    op = etree.QName(element).localname
    if op not in DO:
        raise malformed(number, "An operation is add, replace or remove.")
    if not element.get("sel"):
        raise malformed(number, f"{op} names its node in sel.")
    if element.get("pos") not in (None, *POSITIONS):
        raise malformed(number, f"pos is one of {', '.join(POSITIONS)}.")
    return Operation(number, op, element)


# --- the operations ------------------------------------------------------------------------------------------------


def _add(operation: Operation, node: Node, root: Any) -> Any:
    kind = operation.element.get("type", "")
    if isinstance(node, Attribute | Text) or not isinstance(node.tag, str):
        raise operation.refused("Only an element is added to.")
    if kind.startswith("@"):
        _add_attribute(operation, node, kind[1:])
        return root
    if kind.startswith("namespace::"):  # A prefix by itself says nothing about a resource.
        return root
    if kind:
        raise operation.malformed("type is @ and the name of an attribute, or namespace:: and a prefix.")
    content = deepcopy(operation.element)
    match operation.element.get("pos"):
        case "before":
            _put(content, node.getparent(), node.getparent().index(node))
        case "after":
            parent = node.getparent()
            tail, node.tail = node.tail, None
            last = _put(content, parent, parent.index(node) + 1)
            last = node if last is None else last
            last.tail = (last.tail or "") + (tail or "") or None
        case "prepend":
            text, node.text = node.text, None
            last = _put(content, node, 0)
            if last is None:
                node.text = (node.text or "") + (text or "") or None
            else:
                last.tail = (last.tail or "") + (text or "") or None
        case _:
            _put(content, node, len(node))
    return root


def _add_attribute(operation: Operation, node: Any, name: str) -> None:
    prefix, colon, local = name.rpartition(":")
    space = operation.element.nsmap.get(prefix) if colon else None
    if colon and space is None:
        raise operation.malformed("type has a prefix that the patch does not declare.")
    full = f"{{{space}}}{local}" if space else local
    if full in node.attrib:
        raise operation.refused("The attribute is there already: replace it.")
    try:
        node.set(full, operation.element.text or "")
    except ValueError:
        raise operation.malformed("type names no attribute that XML could have.") from None


def _put(content: Any, parent: Any, index: int) -> Any:
    """Put the nodes of an operation among the children of an element; the last one of them, None where all is text."""
    if content.text:
        if index == 0:
            parent.text = (parent.text or "") + content.text
        else:
            before = parent[index - 1]
            before.tail = (before.tail or "") + content.text
    last = None
    for offset, child in enumerate(list(content)):
        parent.insert(index + offset, child)
        last = child
    return last


def _replace(operation: Operation, node: Node, root: Any) -> Any:
    text = operation.element.text or ""
    if isinstance(node, Attribute):
        node.owner.set(node.name, text)
        return root
    if isinstance(node, Text):
        setattr(node.owner, node.place, text or None)
        return root
    children = list(operation.element)
    if len(children) != 1 or text.strip(SPACES) or type(children[0]) is not type(node):
        raise operation.refused("A node is replaced by one of its kind, and nothing beside it.")
    new = deepcopy(children[0])
    new.tail = node.tail
    if node is root:
        return new
    node.getparent().replace(node, new)
    return root


def _remove(operation: Operation, node: Node, root: Any) -> Any:
    if isinstance(node, Attribute):
        del node.owner.attrib[node.name]
    elif isinstance(node, Text):
        setattr(node.owner, node.place, None)
    else:
        parent, before = node.getparent(), node.getprevious()
        if node.tail and before is not None:
            before.tail = (before.tail or "") + node.tail
        elif node.tail:
            parent.text = (parent.text or "") + node.tail
        parent.remove(node)
    return root


DO: Final[Mapping[str, Callable[[Operation, Node, Any], Any]]] = {
    "add": _add,
    "replace": _replace,
    "remove": _remove,
}
