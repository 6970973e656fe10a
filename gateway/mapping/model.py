"""Types as maps see them: which element a name is, how often it may stand, what may be put into it.

https://hl7.org/fhir/R4/structuredefinition.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gateway.definitions import Definitions, ElementDef
from gateway.mapping.ir import Element, Step
from gateway.mapping.logical import LogicalType

_NO_MODELS: Mapping[str, LogicalType] = {}
FHIR = "http://hl7.org/fhir/StructureDefinition/"


class Model:
    """The definitions, asked with a map's questions. A type that is None is not known and takes everything."""

    def __init__(self, definitions: Definitions, logical: Mapping[str, LogicalType] = _NO_MODELS) -> None:
        self.definitions = definitions
        self.logical = logical
        """What packages' models say of sources, by url."""
        self._types = definitions.types

    def known(self, name: str | None) -> bool:
        return name is not None and name in self._types

    def is_resource(self, name: str | None) -> bool:
        return name is not None and name in self._types and self._types[name].kind == "resource"

    def is_primitive(self, name: str | None) -> bool:
        return name is not None and name in self._types and self._types[name].kind == "primitive"

    def is_abstract(self, name: str | None) -> bool:
        """Whether something more exact has to be said before an instance can be made."""
        return name is not None and name in self._types and self._types[name].abstract

    def fits(self, name: str | None, wanted: str | None) -> bool:
        """Whether a value of a type can stand where another is wanted; in doubt it can."""
        if name is None or wanted is None or not self.known(name) or not self.known(wanted):
            return True
        return self.definitions.is_a(name, wanted) or self.definitions.is_a(wanted, name)

    def narrower(self, given: str | None, declared: str | None) -> str | None:
        """The more exact of what is given and what the parameter declares."""
        if given is None or declared is None:
            return given or declared
        if not self.known(given) or not self.known(declared):
            return declared
        return given if self.definitions.is_a(given, declared) else declared

    def of_canonical(self, url: str) -> str | None:
        """The FHIR type of a structure's url: a base type, or what a profile we know constrains."""
        name = url.removeprefix(FHIR)
        if name in self._types:
            return name
        if url in self.logical:
            return url
        profile = self.definitions.resources.get(url)
        return str(profile["type"]) if profile and profile["resourceType"] == "StructureDefinition" else None

    def shown(self, type_name: str | None) -> str:
        """A type as people call it."""
        logical = self.logical.get(type_name or "")
        return logical.name if logical else type_name or "it"

    def names(self) -> Iterable[str]:
        return self._types

    def element_names(self, type_name: str) -> list[str]:
        logical = self.logical.get(type_name)
        if logical is not None:
            return list(logical.elements)
        known = self._types[type_name]
        plain = [name for name, element in known.elements.items() if element.choice_of is None]
        return [*plain, *known.choices]

    def target(self, type_name: str | None, name: str) -> Element | None:
        """The element a rule writes, None where the type has no such element."""
        if type_name is None or type_name not in self._types:
            return Element(name, None, many=False, primitive=False, open=True)
        known = self._types[type_name]
        element = known.elements.get(name)
        if element is not None:
            return self._element(element)
        if known.kind == "primitive" and name == "value":
            return Element(name, type_name, many=False, primitive=True)
        choices = known.choices.get(name)
        if choices is None:
            return None
        any_element = known.elements[next(iter(choices.values()))]
        return Element(name, None, any_element.is_list, primitive=False, choices=dict(choices))

    def chosen(self, element: Element, type_name: str) -> Element | None:
        """A choice element as one of its types."""
        key = (element.choices or {}).get(type_name)
        return Element(key, type_name, element.many, self.is_primitive(type_name)) if key else None

    def _element(self, element: ElementDef) -> Element:
        codes = None
        if element.type == "code" and element.binding and element.binding[0] == "required":
            bound = self.definitions.codes(element.binding[1])
            codes = frozenset(code for _, code in bound) if bound else None
        return Element(element.name, element.type, element.is_list, self.is_primitive(element.type), None, codes)

    def source(self, type_name: str | None, name: str, wanted: str | None = None) -> Step | None:
        """The element a rule reads; `wanted` narrows a choice. None where a known type has no such element."""
        logical = self.logical.get(type_name or "")
        if logical is not None:
            return Step((name,), logical.elements[name]) if name in logical.elements else None
        if type_name is None or type_name not in self._types:
            return Step((name,), None)
        known = self._types[type_name]
        element = known.elements.get(name)
        if element is not None:
            return Step((name,), element.type)
        choices = known.choices.get(name)
        if choices is not None:
            if wanted is not None and wanted in choices:
                return Step((choices[wanted],), wanted)
            return Step(tuple(choices.values()), None)
        if known.kind == "primitive" and name == "value":
            return Step((), type_name)
        return Step((name,), None) if known.abstract else None
