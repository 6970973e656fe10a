"""XML schemas to logical models: a type of the schema becomes a StructureDefinition, its attributes elements too.

`xs:any` is passed over: what it lets in is not known, and a name that a map misspells must not be taken for it.

https://www.w3.org/TR/xmlschema-1/
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from lxml import etree

from gateway.definitions import CANONICAL
from gateway.mapping.logical import ModelOf, Part
from gateway.mapping.problems import CompileError, Problem

XS = "{http://www.w3.org/2001/XMLSchema}"
_PRIMITIVES = {
    "boolean": "boolean",
    "decimal": "decimal",
    "double": "decimal",
    "float": "decimal",
    "date": "date",
    "dateTime": "dateTime",
    "time": "time",
    "anyURI": "uri",
    "base64Binary": "base64Binary",
    **dict.fromkeys(("integer", "int", "long", "short", "byte"), "integer"),
    **dict.fromkeys(("nonNegativeInteger", "unsignedInt", "unsignedShort"), "unsignedInt"),
    "positiveInteger": "positiveInt",
}
_GROUPS = frozenset(f"{XS}{name}" for name in ("sequence", "choice", "all", "complexContent"))
Node = etree._Element


def models(files: Iterable[Path], base: str = CANONICAL) -> list[ModelOf]:
    """The models of all complex types in the schemas and in those they import, in the order they are met."""
    schemas = _Schemas(base)
    for path in files:
        schemas.load(path)
    return [schemas.model(name, node) for name, node in schemas.types.items() if node.tag == f"{XS}complexType"]


def name_of(namespace: str) -> str:
    """A namespace as part of an id: `urn:riv:a:b:3` is `a-b-3`."""
    short = re.sub(r"^(urn:riv:|urn:|https?://)", "", namespace)
    return re.sub(r"[^A-Za-z0-9]+", "-", short).strip("-")


class _Schemas:
    """Schemas, with their types by qualified name."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.loaded: set[Path] = set()
        self.types: dict[str, Node] = {}
        self.elements: dict[str, Node] = {}
        self.namespaces: dict[Node, str] = {}

    def load(self, path: Path) -> None:
        path = path.resolve()
        if path in self.loaded:
            return
        self.loaded.add(path)
        try:
            parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
            root = etree.fromstring(path.read_bytes(), parser)
        except etree.XMLSyntaxError as error:
            raise CompileError([Problem(path.name, error.lineno or 1, 1, f"not XML: {error.msg}")]) from None
        except OSError:
            raise CompileError([Problem(path.name, 1, 1, "the schema cannot be read", str(path))]) from None
        if root.tag != f"{XS}schema":
            raise CompileError([Problem(path.name, 1, 1, "this is no XML schema")])
        namespace = root.get("targetNamespace", "")
        for child in root:
            if child.tag in (f"{XS}complexType", f"{XS}simpleType"):
                self.types[f"{{{namespace}}}{child.get('name')}"] = child
            elif child.tag == f"{XS}element":
                self.elements[f"{{{namespace}}}{child.get('name')}"] = child
            elif child.tag in (f"{XS}import", f"{XS}include") and child.get("schemaLocation"):
                place = str(child.get("schemaLocation"))
                if "://" not in place:  # Only what lies here: nothing is fetched.
                    self.load(path.parent / place)

    # Types

    def model(self, qualified: str, node: Node) -> ModelOf:
        name = str(node.get("name"))
        namespace = qualified[1:].partition("}")[0]
        return ModelOf(self.url(qualified), name, f"{name} of {namespace}", tuple(self.parts(node)))

    def url(self, qualified: str) -> str:
        namespace, _, name = qualified[1:].partition("}")
        return f"{self.base}/StructureDefinition/{name_of(namespace)}-{name}"

    def parts(self, owner: Node) -> Iterator[Part]:
        """The elements, the attributes, and the text between tags as `value`."""
        for child in owner:
            if child.tag == f"{XS}element":
                yield self.part(child)
            elif child.tag in _GROUPS:
                yield from self._group(child)
            elif child.tag == f"{XS}attribute" and child.get("name"):
                kind = self.primitive(self.qualified(child, child.get("type")))
                yield Part(str(child.get("name")), kind, int(child.get("use") == "required"), "1", (), "xmlAttr")
            elif child.tag == f"{XS}simpleContent":
                for inner in child.iterchildren(f"{XS}extension", f"{XS}restriction"):
                    kind = self.primitive(self.qualified(inner, inner.get("base")))
                    yield Part("value", kind, 0, "1", (), "xmlText")
                    yield from self.parts(inner)
            elif child.tag == f"{XS}extension":
                base = self.types.get(self.qualified(child, child.get("base")))
                if base is not None:
                    yield from self.parts(base)
                yield from self.parts(child)

    def _group(self, group: Node) -> Iterator[Part]:
        """A sequence's parts; those of a choice need not be there, and all repeat where the group does."""
        optional = group.tag == f"{XS}choice" or group.get("minOccurs") == "0"
        repeats = group.get("maxOccurs", "1") != "1"
        for part in self.parts(group):
            least = 0 if optional else part.min
            yield Part(part.name, part.type, least, "*" if repeats else part.max, part.parts, part.representation)

    def part(self, element: Node) -> Part:
        given = element
        if element.get("ref"):
            element = self.elements.get(self.qualified(element, element.get("ref")), element)
        name = str(element.get("name") or str(element.get("ref")).rpartition(":")[2])
        least = int(given.get("minOccurs", "1"))
        most = given.get("maxOccurs", "1").replace("unbounded", "*")
        inner = element.find(f"{XS}complexType")
        if inner is not None:
            return Part(name, "", least, most, tuple(self.parts(inner)))
        qualified = self.qualified(element, element.get("type"))
        known = self.types.get(qualified)
        if known is not None and known.tag == f"{XS}complexType":
            return Part(name, self.url(qualified), least, most)
        return Part(name, self.primitive(qualified), least, most)

    def primitive(self, qualified: str) -> str:
        """The FHIR primitive that a simple type comes down to."""
        for _ in range(len(self.types) + 1):
            known = self.types.get(qualified)
            restriction = None if known is None else known.find(f"{XS}restriction")
            if restriction is None:
                break
            qualified = self.qualified(restriction, restriction.get("base"))
        return _PRIMITIVES.get(qualified.rpartition("}")[2], "string")

    @staticmethod
    def qualified(node: Node, name: str | None) -> str:
        prefix, _, local = (name or "string").rpartition(":")
        names: Mapping[str | None, str] = node.nsmap
        return f"{{{names.get(prefix or None, '')}}}{local}"
