"""What a parameter asks for with each modifier, by the kind of the parameter: one table.

https://hl7.org/fhir/R4/search.html#modifiers
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TypeVar, cast

from gateway.definitions import Definitions
from gateway.fhirpath import FHIRPathError
from gateway.fhirpath import parse as parse_path
from gateway.search import values
from gateway.search.alike import shared
from gateway.search.conditions import (
    AllOf,
    AnyOf,
    Condition,
    Criterion,
    Hierarchy,
    IdIs,
    Numbers,
    RefersTo,
    StringIs,
    Together,
    TokenIs,
    UriIs,
    VersionIs,
    Where,
)
from gateway.search.expressions import last_element
from gateway.search.index import component_kind, whole
from gateway.search.numbers import component_number, number, text_number, typed_number
from gateway.search.parameters import Parameter, Refused, unknown_modifier
from gateway.search.text import folded
from gateway.search.values import Malformed, Reading
from gateway.terminology import Terminology, TooLarge

T = TypeVar("T")

MAX_RANGES = 200
"""Alternatives that are no plain values, each of which is compared by itself."""
MIME_TYPES = "http://hl7.org/fhir/ValueSet/mimetypes"
PART_OF = ("partof", "part-of")
"""The parameters that lead up a strict hierarchy, where they lead from a type to itself."""


def _url(text: str, _: Reading) -> str:
    return values.unescaped(text)


class Modified:
    """Reads values by a snapshot of definitions, and what terminology says; `spend` counts what a search costs."""

    def __init__(
        self, definitions: Definitions, reading: Reading, terminology: Terminology, spend: Callable[[int], None]
    ) -> None:
        self.definitions = definitions
        self.reading = reading
        self.terminology = terminology
        self.spend = spend

    def criterion(self, parameter: Parameter, modifier: str, value: str) -> Criterion:
        """What the parameter asks for."""
        read = READ.get((parameter.kind, modifier))
        if read is not None:
            return read(self, parameter, value)
        if parameter.kind == "reference" and modifier in self.targets(parameter):
            return self._references(parameter, value, modifier)
        known = [name for kind, name in READ if kind == parameter.kind and name]
        if parameter.kind == "reference":
            known = [*self.targets(parameter), *known]
        raise unknown_modifier(modifier, [*known, "missing"] if parameter.kind not in UNMODIFIED else [])

    def targets(self, parameter: Parameter) -> tuple[str, ...]:
        """The types that a reference parameter may lead to."""
        return parameter.targets or tuple(self.definitions.resource_types)

    def values(self, text: str, read: Callable[[str, Reading], Condition]) -> tuple[Condition, ...]:
        """The alternatives, each read."""
        found = tuple(self._read(part, read) for part in self._alternatives(text))
        if len(found) > MAX_RANGES and not isinstance(found[0], _LOOKED_UP):
            raise Refused("too-costly", f"At most {MAX_RANGES} values of this kind can be given at once.")
        return found

    def _alternatives(self, text: str) -> list[str]:
        try:
            found = values.alternatives(text)
        except Malformed as problem:
            raise Refused("malformed-search-value", str(problem)) from None
        self.spend(len(found))
        return found

    def _read(self, text: str, read: Callable[[str, Reading], T]) -> T:
        try:
            return read(text, self.reading)
        except Malformed as problem:
            raise Refused("malformed-search-value", str(problem)) from None

    # --- plain values

    def plain(self, parameter: Parameter, value: str) -> Criterion:
        return Where(parameter.kind, parameter.numbers, self.values(value, values.PARSERS[parameter.kind]))

    def none_of(self, parameter: Parameter, value: str) -> Criterion:
        return replace(cast(Where, self.plain(parameter, value)), negated=True)

    def words(self, parameter: Parameter, value: str) -> Criterion:
        return Where(parameter.kind, parameter.numbers, self.values(value, values.WORDS[parameter.code]))

    # --- tokens

    def text(self, parameter: Parameter, value: str) -> Criterion:
        return Where("string", parameter.numbered(text_number), self.values(value, values.string))

    def of_type(self, parameter: Parameter, value: str) -> Criterion:
        return Where("token", parameter.numbered(typed_number), self.values(value, values.of_type))

    def in_value_set(self, parameter: Parameter, value: str) -> Criterion:
        codes = {code for part in self._alternatives(value) for code in self._expanded(self._read(part, _url))}
        tokens = tuple(TokenIs(system, folded(code), code) for system, code in sorted(codes))
        return Where("token", parameter.numbers, tokens)

    def not_in_value_set(self, parameter: Parameter, value: str) -> Criterion:
        return replace(cast(Where, self.in_value_set(parameter, value)), negated=True)

    def _expanded(self, url: str) -> Iterable[tuple[str, str]]:
        try:
            codes = self.terminology.codes(url)
        except TooLarge:
            text = "This value set is too large to search by. Ask for the codes that you mean, or for a part of it."
            raise Refused("too-costly", text) from None
        if codes is None:
            text = (
                "This value set is not known here, or not all that it takes its codes from. "
                "Put both here, as a ValueSet and CodeSystems."
            )
            raise Refused("unknown-value-set", text)
        return codes

    def below_code(self, parameter: Parameter, value: str) -> Criterion:
        return self._subsumed(parameter, value, values.mime_below, self.terminology.below)

    def above_code(self, parameter: Parameter, value: str) -> Criterion:
        return self._subsumed(parameter, value, values.mime_above, self.terminology.above)

    def _subsumed(
        self,
        parameter: Parameter,
        value: str,
        mime: Callable[[TokenIs], list[TokenIs]],
        reached: Callable[[str, str], frozenset[str] | None],
    ) -> Criterion:
        tokens: list[TokenIs] = []
        for part in self._alternatives(value):
            token = self._read(part, values.token)
            if token.code is None:
                raise Refused("malformed-search-value", "It is written as system|code.")
            if self._is_mime_type(parameter):
                tokens += mime(token)
                continue
            systems = [token.system] if token.system is not None else list(self.terminology.systems_with(token.exact))
            for system in systems:
                codes = reached(system, token.exact)
                if codes is None:
                    text = "Of this code system it is not known what lies below what. Put it here as a CodeSystem."
                    raise Refused("unknown-code-system", text)
                tokens += [TokenIs(system, folded(code), code) for code in sorted(codes)]
            if not systems:
                raise Refused("unknown-code-system", "No code system here has this code. It is written as system|code.")
        return Where("token", parameter.numbers, tuple(tokens))

    def _is_mime_type(self, parameter: Parameter) -> bool:
        """https://hl7.org/fhir/R4/search.html#mimetype"""
        try:
            syntax = parse_path(parameter.definition.expression)
        except FHIRPathError:
            return False
        element = last_element(self.definitions, parameter.types[0], syntax)
        return element is not None and element.binding is not None and element.binding[1] == MIME_TYPES

    # --- references

    def references(self, parameter: Parameter, value: str) -> Criterion:
        return self._references(parameter, value, "")

    def _references(self, parameter: Parameter, value: str, type: str) -> Criterion:
        found = self.values(value, values.reference)
        return Where(
            "reference", parameter.numbers, tuple(_typed(cast(RefersTo, one), parameter, type) for one in found)
        )

    def identifiers(self, parameter: Parameter, value: str) -> Criterion:
        return Where("token", parameter.identifiers, self.values(value, values.token))

    def below_reference(self, parameter: Parameter, value: str) -> Criterion:
        return self._along(parameter, value, up=False)

    def above_reference(self, parameter: Parameter, value: str) -> Criterion:
        return self._along(parameter, value, up=True)

    def _along(self, parameter: Parameter, value: str, *, up: bool) -> Criterion:
        """A canonical of a version, or up and down a hierarchy: https://hl7.org/fhir/R4/search.html#recursive"""
        trees = {type: place for type in self.targets(parameter) if (place := self._part_of(type)) is not None}
        found: list[Criterion] = []
        plain: list[Condition] = []
        for one in self.values(value, values.reference):
            condition = _typed(cast(RefersTo, one), parameter, "")
            if condition.type == "":
                plain.append(_version(condition) if not up else condition)
                continue
            if not trees:
                raise unknown_modifier("above" if up else "below", [*self.targets(parameter), "identifier", "missing"])
            plain.append(condition)
            roots = [condition.type] if condition.type in trees else list(trees) if condition.type is None else []
            found += [Hierarchy(parameter.numbers, type, condition.id, trees[type], up) for type in roots]
        if plain:
            found.append(Where("reference", parameter.numbers, tuple(plain)))
        return found[0] if len(found) == 1 else AnyOf(tuple(found))

    def _part_of(self, type: str) -> int | None:
        """The number of the parameter that leads from a type up to itself."""
        known = self.definitions.search_parameters(type)
        return next((number(type, code) for code in PART_OF if code in known and type in known[code].target), None)

    # --- uris

    def above_uri(self, parameter: Parameter, value: str) -> Criterion:
        return self._urls(parameter, value, "above")

    def below_uri(self, parameter: Parameter, value: str) -> Criterion:
        return self._urls(parameter, value, "below")

    def _urls(self, parameter: Parameter, value: str, how: str) -> Criterion:
        found = [cast(UriIs, one) for one in self.values(value, values.uri)]
        if any(one.value.lower().startswith("urn:") for one in found):
            raise Refused("malformed-search-value", "It is a url: nothing lies above or below a urn.")
        return Where("uri", parameter.numbers, tuple(replace(one, how=how) for one in found))  # type: ignore[arg-type]

    # --- strings

    def exact(self, parameter: Parameter, value: str) -> Criterion:
        found = self.values(value, values.exact_string)
        return Where("string", parameter.numbers, found)

    def contains(self, parameter: Parameter, value: str) -> Criterion:
        found = self.values(value, values.string)
        return Where("string", parameter.numbers, tuple(replace(cast(StringIs, one), how="contains") for one in found))

    # --- composites

    def composite(self, parameter: Parameter, value: str) -> Criterion:
        """One value of each component, all of one element: https://hl7.org/fhir/R4/search.html#composite"""
        found = tuple(self._composed(parameter, part) for part in self._alternatives(value))
        return found[0] if len(found) == 1 else AnyOf(found)

    def _composed(self, parameter: Parameter, text: str) -> Criterion:
        components = parameter.definition.components
        parts = values.split(text, "$")
        if len(parts) != len(components) or not all(parts):
            names = "$".join(self._component(url).code for url, _ in components)
            raise Refused("malformed-search-value", f"It is written as {names}, with a dollar sign between the values.")
        found = []
        for position, ((url, _), part) in enumerate(zip(components, parts, strict=True)):
            component = self._component(url)
            found.append((component, position, self._values_of(component, part)))
        if all(whole(parameter.definition, one) for one in parameter.types):
            return AllOf(tuple(Where(one.kind, one.numbers, conditions) for one, _, conditions in found))
        return Together(
            tuple(
                (one.kind, self._component_numbers(parameter, position), conditions)
                for one, position, conditions in found
            )
        )

    def _component_numbers(self, parameter: Parameter, position: int) -> Numbers:
        return tuple(component_number(type, parameter.code, position) for type in parameter.types)

    def _component(self, url: str) -> Parameter:
        definition = self.definitions.search_parameter(url)
        kind = component_kind(self.definitions, url)
        if definition is None or kind is None:
            text = "A component of this parameter is not known here."
            raise Refused("unknown-search-parameter", text, unknown=True)
        more = shared(self.definitions, definition.base, definition.code)
        return Parameter(definition.code, kind, definition.base, definition.target, definition, shared=more)

    def _values_of(self, component: Parameter, text: str) -> tuple[Condition, ...]:
        condition = self._read(text, values.PARSERS[component.kind])
        return (_typed(condition, component, "") if isinstance(condition, RefersTo) else condition,)


def _typed(condition: RefersTo, parameter: Parameter, modifier: str) -> RefersTo:
    """A bare id is of the type that the modifier names, or of the only one that the parameter allows."""
    if modifier:
        if condition.type not in (None, modifier):
            raise Refused("malformed-search-value", f"The value does not name a {modifier}.")
        return replace(condition, type=modifier)
    if condition.type is None and len(parameter.targets) == 1:
        return replace(condition, type=parameter.targets[0])
    return condition


def _version(condition: RefersTo) -> Condition:
    url, bar, version = condition.id.partition("|")
    return VersionIs(url, version) if bar else condition


_LOOKED_UP = (TokenIs, RefersTo, IdIs)

UNMODIFIED = frozenset({"composite", "position", "text"})
"""The kinds of parameters that take no modifier, `:missing` neither."""

READ: Mapping[tuple[str, str], Callable[[Modified, Parameter, str], Criterion]] = {
    **{(kind, ""): Modified.plain for kind in values.PARSERS},
    ("string", "exact"): Modified.exact,
    ("string", "contains"): Modified.contains,
    ("token", "not"): Modified.none_of,
    ("token", "text"): Modified.text,
    ("token", "in"): Modified.in_value_set,
    ("token", "not-in"): Modified.not_in_value_set,
    ("token", "above"): Modified.above_code,
    ("token", "below"): Modified.below_code,
    ("token", "of-type"): Modified.of_type,
    ("reference", ""): Modified.references,
    ("reference", "identifier"): Modified.identifiers,
    ("reference", "above"): Modified.above_reference,
    ("reference", "below"): Modified.below_reference,
    ("uri", "above"): Modified.above_uri,
    ("uri", "below"): Modified.below_uri,
    ("composite", ""): Modified.composite,
    ("text", ""): Modified.words,
}
