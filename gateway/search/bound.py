"""The codes that a token parameter may find: those that its elements are bound to, where there can be no others.

https://hl7.org/fhir/R4/terminologies.html#required
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from weakref import WeakKeyDictionary

from gateway.definitions import Definitions, ElementDef
from gateway.fhir.elements import GRAMMARS
from gateway.fhirpath import FHIRPathError
from gateway.fhirpath import parse as parse_path
from gateway.fhirpath.syntax import Binary, Syntax
from gateway.search.conditions import Condition, TokenIs
from gateway.search.expressions import last_element
from gateway.search.parameters import Types

MOST_NAMED = 20
"""Of more codes, the value set is named, and those that are most like what was asked for."""


@dataclass(frozen=True, slots=True)
class Bound:
    """The codes of the value sets, by themselves and as (system, code), and their systems."""

    urls: tuple[str, ...]
    codes: frozenset[str]
    pairs: frozenset[tuple[str, str]]
    systems: frozenset[str]

    def has(self, token: TokenIs) -> bool:
        if token.code is None:
            return token.system in self.systems
        return token.exact in self.codes if token.system is None else (token.system, token.exact) in self.pairs


_found: WeakKeyDictionary[Definitions, dict[tuple[Types, str], Bound | None]] = WeakKeyDictionary()


def unknown(types: Types, code: str, asked: Iterable[Condition], definitions: Definitions) -> str | None:
    """What to say where one of the tokens is none that a resource can have; None where each may be found.

    `code` is a parameter of all the types.
    """
    known = _found.setdefault(definitions, {})
    if (types, code) not in known:
        known[types, code] = _bound(types, code, definitions)
    bound = known[types, code]
    if bound is None:
        return None
    strange = next((one for one in asked if isinstance(one, TokenIs) and not bound.has(one)), None)
    return None if strange is None else _text(strange, bound)


def _text(strange: TokenIs, bound: Bound) -> str:
    """It does not repeat the value, which may be anything."""
    many = len(bound.codes) > MOST_NAMED
    named = get_close_matches(strange.exact, sorted(bound.codes)) if many else sorted(bound.codes)
    known = f" {'The nearest are' if many else 'There are'}: {', '.join(named)}." if named else ""
    whole = " Before the bar stands " + " or ".join(sorted(bound.systems)) + "." if strange.system is not None else ""
    return f"No resource has a value that is asked for: it is no code of {', '.join(bound.urls)}.{known}{whole}"


def _bound(types: Types, code: str, definitions: Definitions) -> Bound | None:
    """None where an element may have other codes, or codes in another case, or none can say which."""
    urls: dict[str, None] = {}
    pairs: set[tuple[str, str]] = set()
    for element in _elements(types, code, definitions):
        url = None if element is None or element.type not in ("code", "Coding") else _limit(element)
        codes = None if url is None or url in GRAMMARS else definitions.codes(url)
        if url is None or not codes:
            return None
        urls[url.partition("|")[0]] = None
        pairs |= codes
    systems = frozenset(system for system, _ in pairs)
    if not pairs or not all(_minds_case(system, definitions) for system in systems):
        return None
    return Bound(tuple(urls), frozenset(code for _, code in pairs), frozenset(pairs), systems)


def _limit(element: ElementDef) -> str | None:
    """The value set beyond which the element has no codes."""
    if element.limit is not None:
        return element.limit
    return element.binding[1] if element.binding is not None and element.binding[0] == "required" else None


def _minds_case(system: str, definitions: Definitions) -> bool:
    found = definitions.code_system(system)
    return found is not None and found.cased


def _elements(types: Types, code: str, definitions: Definitions) -> Iterator[ElementDef | None]:
    """The elements that the parameter reads in each type; None for what is no plain path."""
    for type in types:
        try:
            syntax = parse_path(definitions.search_parameters(type)[code].expression)
        except FHIRPathError:
            yield None
            continue
        for path in _paths(syntax):
            yield last_element(definitions, type, path)


def _paths(syntax: Syntax) -> Sequence[Syntax]:
    match syntax:
        case Binary(op="|", left=left, right=right):
            return *_paths(left), *_paths(right)
    return (syntax,)
