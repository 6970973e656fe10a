"""The objects of a resource, each with its type and where it stands; shapes that are wrong are passed over.

What is wrong with them the structural check (`gateway.fhir.check`) says.

https://hl7.org/fhir/R4/fhirpath.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from gateway.definitions import Definitions, ElementDef
from gateway.fhirpath import Environment

Object = dict[str, Any]

TEXTS = frozenset(("string", "markdown"))
URIS = frozenset(("uri", "url", "canonical"))
DEEPEST = 100
"""Levels that are looked at; JSON that is nested more deeply than twice as much is not read at all."""


class Spot:
    """A value of a resource where it stands: an object, or a primitive as `Primitive`.

    `name` is its step from `up`, as FHIRPath writes it (`name[0]`, `value.ofType(Quantity)`); `frame` is the resource
    around it.
    """

    __slots__ = ("element", "frame", "name", "type", "up", "value")

    def __init__(
        self, name: str, type: str, value: Any, up: Spot | None, element: ElementDef | None, frame: Frame
    ) -> None:
        self.name = name
        self.type = type
        self.value = value
        self.up = up
        self.element = element
        self.frame = frame

    @property
    def path(self) -> str:
        """The FHIRPath from the beginning of what was sent."""
        parts = []
        spot: Spot | None = self
        while spot is not None:
            parts.append(spot.name)
            spot = spot.up
        return ".".join(reversed(parts))


@dataclass(slots=True)
class Frame:
    """A resource: itself, the one that contains it, and the Bundle that it is an entry of."""

    resource: Object
    container: Frame | None = None
    bundle: Entries | None = None
    url: str | None = None
    """Its fullUrl, where it is an entry."""
    ids: set[str] = field(default_factory=set)
    """Those of its elements that were seen."""
    environment: Environment | None = None
    """What expressions about its values may ask, made when it is first needed."""

    @property
    def root(self) -> Object:
        """`%rootResource`: the container of a contained resource, else the resource itself."""
        return self.resource if self.container is None else self.container.root


@dataclass(frozen=True, slots=True)
class Primitive:
    """A value of a primitive type, and what stands beside it."""

    value: Any
    beside: Object | None


class Entries:
    """The resources of a Bundle by their fullUrl, and by type and id."""

    def __init__(self, bundle: Object) -> None:
        self.kind = str(bundle.get("type"))
        self.by_url: dict[str, Object] = {}
        self.by_name: dict[str, Object] = {}
        self.by_canonical: dict[tuple[str, str], Object] = {}
        """By type and `url`."""
        for entry in listed(bundle.get("entry")):
            resource, url = entry.get("resource"), entry.get("fullUrl")
            if type(resource) is not dict:
                continue
            if type(url) is str:
                self.by_url.setdefault(url, resource)
            kind, id, canonical = resource.get("resourceType"), resource.get("id"), resource.get("url")
            if type(kind) is str and type(id) is str:
                self.by_name.setdefault(f"{kind}/{id}", resource)
            if type(kind) is str and type(canonical) is str:
                self.by_canonical.setdefault((kind, canonical), resource)

    def find(self, reference: str, url: str | None) -> Object | None:
        """What a reference of the entry with that fullUrl means: https://hl7.org/fhir/R4/bundle.html#references"""
        text = reference.partition("/_history/")[0].partition("#")[0]
        if (found := self.by_url.get(text)) is not None:
            return found
        if ":" in text:
            return None
        if url is not None and not url.startswith("urn:"):
            base = "/".join(url.split("/")[:-2])
            if (found := self.by_url.get(f"{base}/{text}")) is not None:
                return found
        return self.by_name.get(text)


Member = tuple[str, str, bool, bool, ElementDef]
"""The step's name, the type, whether it repeats, whether it is a primitive, the element."""


@lru_cache(maxsize=4)
def members_of(d: Definitions) -> Members:
    return Members(d)


class Members:
    """What each type has, by its name in JSON; made when the type is first met."""

    def __init__(self, d: Definitions) -> None:
        self.d = d
        self.resource_types = frozenset(d.resource_types)
        self._made: dict[str, Mapping[str, Member]] = {}

    def of(self, type: str) -> Mapping[str, Member]:
        found = self._made.get(type)
        if found is None:
            found = self._made[type] = {name: self._member(one) for name, one in self.d.types[type].elements.items()}
        return found

    def _member(self, element: ElementDef) -> Member:
        step = element.name if element.choice_of is None else f"{element.choice_of}.ofType({element.type})"
        is_primitive = self.d.types[element.type].kind == "primitive"
        return step, element.type, element.is_list, is_primitive, element

    def children(self, spot: Spot, *, telling: bool = False) -> Iterator[Spot]:
        """The values right below an object, primitives among them; `telling`: only those with more than their form."""
        if type(spot.value) is not dict:
            return
        members = self.of(spot.type)
        for name, item in spot.value.items():
            member = members.get(name)
            if member is None:
                member = members.get(name[1:]) if name[:1] == "_" else None
                if member is not None and member[3] and name[1:] not in spot.value:
                    yield from self._primitives(spot, member, None, item)
            elif member[3]:
                beside = spot.value.get("_" + name)
                if not telling or beside is not None or _tells(member[1], item):
                    yield from self._primitives(spot, member, item, beside)
            else:
                yield from self._objects(spot, member, item)

    def _objects(self, spot: Spot, member: Member, item: Any) -> Iterator[Spot]:
        step, kind, many, _, element = member
        if many:
            for place, one in enumerate(item if type(item) is list else ()):
                if type(one) is dict:
                    yield self._object(f"{step}[{place}]", kind, one, spot, element)
        elif type(item) is dict:
            yield self._object(step, kind, item, spot, element)

    def _object(self, name: str, kind: str, value: Object, up: Spot, element: ElementDef) -> Spot:
        own = value.get("resourceType") if self.d.types[kind].kind == "resource" else None
        if own is None:
            return Spot(name, kind, value, up, element, up.frame)
        container = up.frame if element.name == "contained" else None
        frame = Frame(value, container)
        if container is not None:
            frame.bundle, frame.url = container.bundle, container.url
        elif up.type == "Bundle.entry":
            url = up.value.get("fullUrl")
            frame.bundle, frame.url = up.frame.bundle, url if type(url) is str else None
        known = own if type(own) is str and own in self.resource_types else "Resource"
        return Spot(name, known, value, up, element, frame)

    def _primitives(self, spot: Spot, member: Member, item: Any, beside: Any) -> Iterator[Spot]:
        step, kind, many, _, element = member
        if not many:
            value = Primitive(item, beside if type(beside) is dict else None)
            yield Spot(step, kind, value, spot, element, spot.frame)
            return
        items = item if type(item) is list else ()
        extensions = beside if type(beside) is list else ()
        for place in range(max(len(items), len(extensions))):
            one = items[place] if place < len(items) else None
            about = extensions[place] if place < len(extensions) else None
            value = Primitive(one, about if type(about) is dict else None)
            if value.value is not None or value.beside is not None:
                yield Spot(f"{step}[{place}]", kind, value, spot, element, spot.frame)

    def extensions(self, spot: Spot) -> Iterator[Spot]:
        """The extensions of a primitive."""
        if type(spot.value) is Primitive and spot.value.beside is not None:
            element = self.d.types["Element"].elements["extension"]
            for place, one in enumerate(listed(spot.value.beside.get("extension"))):
                yield Spot(f"extension[{place}]", "Extension", one, spot, element, spot.frame)

    def root(self, resource: Object, at: str) -> Spot:
        kind = resource.get("resourceType")
        known = kind if type(kind) is str and kind in self.resource_types else "Resource"
        return Spot(at, known, resource, None, None, Frame(resource))

    def walk(self, root: Spot) -> Iterator[Spot]:
        """A spot and all below it, each before what it holds."""
        ahead = [(root, 0)]
        while ahead:
            spot, depth = ahead.pop()
            if spot.type == "Bundle" and spot.frame.resource is spot.value:
                spot.frame.bundle = Entries(spot.value)
            yield spot
            if depth < DEEPEST:
                is_primitive = type(spot.value) is Primitive
                below = self.extensions(spot) if is_primitive else self.children(spot, telling=True)
                ahead += reversed([(one, depth + 1) for one in below])


def _tells(kind: str, value: Any) -> bool:
    """Whether there is more to a primitive, or a list of them, than its form, which the structural check has."""
    if type(value) is str:
        if kind in TEXTS:
            return "<" in value or value.isspace()
        return kind in URIS and (value.startswith("urn:") or (kind == "canonical" and ":" not in value))
    return type(value) is list and any(_tells(kind, one) for one in value)


def listed(value: Any) -> list[Object]:
    """The objects of a list; nothing where it is none."""
    return [one for one in value if type(one) is dict] if type(value) is list else []
