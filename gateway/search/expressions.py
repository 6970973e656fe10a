"""What the expression of a search parameter tells without running it.

https://hl7.org/fhir/R4/searchparameter-definitions.html#SearchParameter.expression
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.definitions import Definitions, TypeDef
from gateway.fhirpath.syntax import Binary, Call, Indexer, Member, Syntax, TypeOperation


def entrances(definition: TypeDef, syntax: Syntax) -> frozenset[str] | None:
    """The members of a resource without which the expression finds nothing; None where that cannot be told."""
    firsts = _firsts(syntax)
    if firsts is None:
        return None
    keys: set[str] = set()
    for first in firsts:
        keys.update(definition.choices[first].values() if first in definition.choices else (first,))
    return frozenset(keys)


def code_systems(definitions: Definitions, resource_type: str, syntax: Syntax) -> Mapping[str, str] | None:
    """Each code's system, where the expression is a plain path to an element with a bound value set."""
    names = _plain_path(syntax)
    if not names:
        return None
    current, binding = resource_type, None
    for name in names[1:] if names[0] == resource_type else names:
        element = definitions.types[current].elements.get(name)
        if element is None:
            return None
        current, binding = element.type, element.binding
    codes = None if binding is None else definitions.codes(binding[1])
    return None if codes is None else {code: system for system, code in codes}


def _firsts(syntax: Syntax) -> frozenset[str] | None:
    """The elements that a path begins with, below the resource; None for an expression that is more than paths."""
    match syntax:
        case Binary(op="|", left=left, right=right):
            one, other = _firsts(left), _firsts(right)
            return None if one is None or other is None else one | other
        case TypeOperation(op="as", operand=operand):
            return _firsts(operand)
        case Indexer(target=target):
            return _firsts(target)
        case Call(target=target, name="where" | "ofType" | "as" | "resolve" | "extension" | "first") if target:
            return _firsts(target)
        case Member(target=Member(target=None, name=resource), name=name) if resource[:1].isupper():
            return frozenset({name})
        case Member(target=target) if target is not None:
            return _firsts(target)
        case Member(name=name) if not name[:1].isupper():
            return frozenset({name})
        case _:
            return None


def _plain_path(syntax: Syntax) -> list[str]:
    """The names of a path without filters, or nothing."""
    names: list[str] = []
    current: Syntax | None = syntax
    while isinstance(current, Member):
        names.append(current.name)
        current = current.target
    return names[::-1] if current is None else []
