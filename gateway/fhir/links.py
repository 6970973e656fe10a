"""The links of a resource, found by the definitions and given other names: references, uris, urls, oids, uuids, and the
links of its narrative. A canonical is none: it names what is published, not what is stored.

https://hl7.org/fhir/R4/http.html#trules
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from html import escape, unescape
from typing import Any, Final, Literal

from gateway.definitions import Definitions, ElementDef
from gateway.fhir.json import dump
from gateway.records import Resource

Kind = Literal["reference", "uri", "narrative"]
Rename = Callable[[str, Kind, str], str | None]
"""Given a link, what kind it is and its FHIRPath below the resource: its new name, or None where it stays."""

LINKED: Final = frozenset({"uri", "url", "oid", "uuid"})
IN_NARRATIVE: Final = re.compile(
    r"""(?P<before><(?:a|img)\b[^<>]*?\s(?:href|src)\s*=\s*)(?P<quote>["'])(?P<link>.*?)(?P=quote)""", re.DOTALL
)


def renamed(resource: Resource, d: Definitions, rename: Rename) -> Resource:
    """The resource with its links renamed; the same one, where all of them stay.

    What is contained has its links too; a Bundle's entries speak of each other, and are left as they are.
    """
    made: Resource = _Walk(d, rename).resource(resource, "")
    return made


def conditional(resource: Resource, d: Definitions) -> list[tuple[str, str]]:
    """The references by a search (`Patient?identifier=1`), and where they stand below the resource."""
    if b"?" not in dump(resource):  # Hardly any asks anything, and to write it out is quicker than to walk it.
        return []
    found: list[tuple[str, str]] = []

    def look(text: str, kind: Kind, path: str) -> None:
        before, mark, _ = text.partition("?")
        if mark and kind == "reference" and not text.startswith(("#", "urn:")) and ":" not in before:
            found.append((text, path))

    renamed(resource, d, look)
    return found


class _Walk:
    def __init__(self, d: Definitions, rename: Rename) -> None:
        self._d, self._rename = d, rename

    def resource(self, value: Any, path: str) -> Any:
        kind = value.get("resourceType") if type(value) is dict else None
        if type(kind) is not str or kind == "Bundle" or kind not in self._d.resource_types:
            return value
        return self.object(value, kind, path)

    def object(self, value: Any, type_name: str, path: str) -> Any:
        """An object of a type, copied where something in it is renamed."""
        if type(value) is not dict:
            return value
        elements = _elements(self._d, type_name)
        made = value
        for name, child in value.items():
            element = elements.get(name)
            if element is None:
                continue
            new = self.element(child, element, path)
            if new is not child:
                made = made.copy() if made is value else made
                made[name] = new
        return made

    def element(self, value: Any, element: _Element, path: str) -> Any:
        here = f"{path}.{element.path}"
        if type(value) is not list:
            return self.one(value, element, here)
        made = [self.one(child, element, f"{here}[{place}]") for place, child in enumerate(value)]
        return made if any(new is not old for new, old in zip(made, value, strict=True)) else value

    def one(self, value: Any, element: _Element, path: str) -> Any:
        if element.link == "resource":
            return self.resource(value, path)
        if element.link == "object":
            return self.object(value, element.type, path)
        if type(value) is not str:
            return value
        if element.link == "narrative":
            return self.narrative(value, path)
        new = self._rename(value, element.link, path)
        return value if new is None else new

    def narrative(self, text: str, path: str) -> str:
        def link(found: re.Match[str]) -> str:
            new = self._rename(unescape(found["link"]), "narrative", path)
            return found[0] if new is None else f"{found['before']}{found['quote']}{escape(new)}{found['quote']}"

        return IN_NARRATIVE.sub(link, text) if "href" in text or "src" in text else text


class _Element:
    """What of an element matters here: where it stands, its type, and which kind of link it is or may hold."""

    __slots__ = ("link", "path", "type")

    def __init__(self, path: str, type_name: str, link: Kind | Literal["object", "resource"]) -> None:
        self.path, self.type, self.link = path, type_name, link


@lru_cache(maxsize=4096)
def _elements(d: Definitions, type_name: str) -> dict[str, _Element]:
    """The elements of a type that are links or may hold some, by JSON name."""
    found: dict[str, _Element] = {}
    for name, element in d.types[type_name].elements.items():
        kind, path = d.types[element.type].kind, element.choice_of or name
        if link := _link(element, type_name, kind):
            found[name] = _Element(path, element.type, link)
        if kind == "primitive":  # Its extensions.
            found[f"_{name}"] = _Element(path, "Element", "object")
    return found


def _link(element: ElementDef, owner: str, kind: str) -> Kind | Literal["object", "resource"] | None:
    if owner == "Reference" and element.name == "reference":
        return "reference"
    if element.type in LINKED:
        return "uri"
    if element.type == "xhtml":
        return "narrative"
    if kind == "primitive":
        return None
    return "resource" if kind == "resource" else "object"
