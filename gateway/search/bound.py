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


_found: WeakKeyDictionary[Definitions, dict[tuple[str, str], Bound | None]] = WeakKeyDictionary()
"""By type and parameter, of which definitions have so many; what is searched together is put together anew."""


def unknown(types: Types, code: str, asked: Iterable[Condition], definitions: Definitions) -> str | None:
    """What to say where one of the tokens is none that a resource can have; None where each may be found.

    `code` is a parameter of all the types.
    """
    known = _found.setdefault(definitions, {})
    bounds: list[Bound] = []
    for type in types:
        if (type, code) not in known:
            known[type, code] = _bound(type, code, definitions)
        bound = known[type, code]
        if bound is None:
            return None
        bounds.append(bound)
    for one in asked:
        if isinstance(one, TokenIs) and not any(bound.has(one) for bound in bounds):
            return _text(one, bounds)
    return None


def _text(strange: TokenIs, bounds: Sequence[Bound]) -> str:
    """It does not repeat the value, which may be anything."""
    codes = sorted({code for bound in bounds for code in bound.codes})
    systems = sorted({system for bound in bounds for system in bound.systems})
    urls = ", ".join(dict.fromkeys(url for bound in bounds for url in bound.urls))
    many = len(codes) > MOST_NAMED
    named = get_close_matches(strange.exact, codes) if many else codes
    known = f" {'The nearest are' if many else 'There are'}: {', '.join(named)}." if named else ""
    whole = " Before the bar stands " + " or ".join(systems) + "." if strange.system is not None else ""
    return f"No resource has a value that is asked for: it is no code of {urls}.{known}{whole}"


def _bound(type: str, code: str, definitions: Definitions) -> Bound | None:
    """None where an element may have other codes, or codes in another case, or none can say which."""
    urls: dict[str, None] = {}
    pairs: set[tuple[str, str]] = set()
    for element in _elements(type, code, definitions):
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


def _elements(type: str, code: str, definitions: Definitions) -> Iterator[ElementDef | None]:
    """The elements that the parameter reads; None for what is no plain path."""
    try:
        syntax = parse_path(definitions.search_parameters(type)[code].expression)
    except FHIRPathError:
        yield None
        return
    for path in _paths(syntax):
        yield last_element(definitions, type, path)


def _paths(syntax: Syntax) -> Sequence[Syntax]:
    match syntax:
        case Binary(op="|", left=left, right=right):
            return *_paths(left), *_paths(right)
    return (syntax,)
