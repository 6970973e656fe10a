"""Parameters that find the same: `patient` finds of an element what `subject` finds there, where that is a Patient.

What both find of a resource is one row, under a number of theirs together (ADR 80).
https://hl7.org/fhir/R4/searchparameter-registry.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from gateway.definitions import Definitions, SearchParameter
from gateway.search.numbers import number

_OF_A_TYPE = re.compile(r"(.+)\.where\(resolve\(\) is (\w+)\)")
_ELEMENT = re.compile(r"(\w+)\.(\w+)")


@dataclass(frozen=True, slots=True)
class Alike:
    """A reference parameter, and one that finds the same where it leads to a type."""

    wide: str
    narrow: str
    type: str

    @property
    def code(self) -> str:
        """What stands for both codes in the number of their rows; no code has this character."""
        return f"{self.wide}&{self.narrow}"


@lru_cache(maxsize=1024)
def alike(definitions: Definitions, resource_type: str) -> tuple[Alike, ...]:
    """Those of a type. Only of the standard's own, which do not come and go, and of an element that stands once.

    Whoever knows by which number a parameter's values are found without asking here asks for one of a list.
    """
    known = [one for one in definitions.search_parameters(resource_type).values() if _is_plain(one, definitions)]
    wide = {one.expression: one.code for one in reversed(known) if _stands_once(one.expression, definitions)}
    found = [(one.code, _OF_A_TYPE.fullmatch(one.expression)) for one in known]
    return tuple(Alike(wide[told[1]], code, told[2]) for code, told in found if told is not None and told[1] in wide)


def _is_plain(parameter: SearchParameter, definitions: Definitions) -> bool:
    return parameter.type == "reference" and definitions.is_standard(parameter)


def _stands_once(expression: str, definitions: Definitions) -> bool:
    path = _ELEMENT.fullmatch(expression)
    element = None if path is None else definitions.types[path[1]].elements.get(path[2])
    return element is not None and not element.is_list


def shared(definitions: Definitions, types: Iterable[str], code: str) -> tuple[tuple[str, str], ...]:
    """Type and code of what the rows stand under that are this parameter's and another's."""
    return tuple(
        (one, pair.code) for one in types for pair in alike(definitions, one) if code in (pair.wide, pair.narrow)
    )


def numbers(definitions: Definitions, named: Iterable[tuple[str, str]]) -> tuple[int, ...]:
    """By which the values of parameters (type, code) are found."""
    return tuple(number(*each) for one, code in named for each in ((one, code), *shared(definitions, (one,), code)))
