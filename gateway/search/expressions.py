"""What the expression of a search parameter tells without running it.

https://hl7.org/fhir/R4/searchparameter-definitions.html#SearchParameter.expression
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.definitions import Definitions, ElementDef
from gateway.fhirpath.syntax import Binary, Call, Indexer, Member, Syntax, TypeOperation


def entrances(definitions: Definitions, type: str, syntax: Syntax) -> frozenset[str] | None:
    """The members of an element without which the expression finds nothing; None where that cannot be told."""
    firsts = _firsts(syntax)
    if firsts is None:
        return None
    choices, keys = definitions.types[type].choices, set[str]()
    for name, wanted in firsts:
        if name in choices:
            keys.update(key for one, key in choices[name].items() if not wanted or definitions.is_a(one, wanted))
        else:
            keys.add(name)
    return frozenset(keys)


def code_systems(definitions: Definitions, type: str, syntax: Syntax) -> Mapping[str, str] | None:
    """Each code's system, where the expression is a plain path to an element with a bound value set."""
    last = last_element(definitions, type, syntax)
    codes = None if last is None or last.binding is None else definitions.codes(last.binding[1])
    return None if codes is None else {code: system for system, code in codes}


def last_element(definitions: Definitions, type: str, syntax: Syntax) -> ElementDef | None:
    """The element that a plain path leads to."""
    names = _plain_path(syntax)
    current, found = type, None
    for name in names[1:] if names[:1] == [type] else names:
        found = definitions.types[current].elements.get(name)
        if found is None:
            return None
        current = found.type
    return found


def _firsts(syntax: Syntax) -> frozenset[tuple[str, str]] | None:
    """The elements that a path begins with, below the resource, and the type that one is cast to, or none.

    None for an expression that is more than paths.
    """
    match syntax:
        case Binary(op="|", left=left, right=right):
            one, other = _firsts(left), _firsts(right)
            return None if one is None or other is None else one | other
        case (
            TypeOperation(op="as", operand=operand, type=type)
            | Call(target=operand, name="as" | "ofType", args=(Member(target=None, name=type),))
        ) if operand:
            found = _firsts(operand)
            return frozenset((name, type) for name, _ in found) if found and _is_first(operand) else found
        case Indexer(target=target):
            return _firsts(target)
        case Call(target=target, name="where" | "ofType" | "as" | "resolve" | "extension" | "first") if target:
            return _firsts(target)
        case Member(target=Member(target=None, name=resource), name=name) if resource[:1].isupper():
            return frozenset({(name, "")})
        case Member(target=target) if target is not None:
            return _firsts(target)
        case Member(name=name) if not name[:1].isupper():
            return frozenset({(name, "")})
        case _:
            return None


def _is_first(syntax: Syntax) -> bool:
    """Whether it is the first element itself, and nothing below it."""
    names = _plain_path(syntax)
    return len(names) == (2 if names[0][:1].isupper() else 1) if names else False


def _plain_path(syntax: Syntax) -> list[str]:
    """The names of a path without filters, or nothing."""
    names: list[str] = []
    current: Syntax | None = syntax
    while isinstance(current, Member):
        names.append(current.name)
        current = current.target
    return names[::-1] if current is None else []
