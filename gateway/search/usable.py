"""Whether a SearchParameter that somebody wrote can be taken into use; if not, why, element by element.

https://hl7.org/fhir/R4/searchparameter.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from gateway.definitions import Definitions, SearchParameter
from gateway.definitions.searchparameters import HEAD, alternatives, for_type, from_resource
from gateway.fhirpath import FHIRPathError, compile
from gateway.issues import Issue
from gateway.records import Resource
from gateway.search.index import numbers_of
from gateway.search.own import TYPE, types_of
from gateway.search.rows import READERS

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
_ANY = ("Resource", "DomainResource")
"""Bases that stand for all types which inherit from them."""


def problems(resource: Resource, definitions: Definitions) -> list[Issue]:
    """What keeps it from being taken into use beside `definitions`. The resource is structurally sound."""
    known = (*definitions.resource_types, *_ANY)
    strangers = [(place, name) for place, name in enumerate(resource["base"]) if name not in known]
    if strangers:
        return [
            _issue("base", f"base[{place}]", f"{name} is no resource type of R4.", code="not-found")
            for place, name in strangers
        ]
    return [*_form(resource, definitions), *_expressions(resource, definitions)]


def _form(resource: Resource, definitions: Definitions) -> Iterator[Issue]:
    parameter = from_resource(resource)
    if parameter.type not in READERS:
        yield _issue("type", "type", f"Parameters of these types can be added: {', '.join(READERS)}.")
    if not _CODE.fullmatch(parameter.code):
        yield _issue("code", "code", "A code is a letter and up to 63 letters, digits and hyphens.")
    if definitions.shipped_parameter(parameter.url):
        text = "R4 has a search parameter of this url, which stays as it is. Give yours a url of your own."
        yield _issue("url-taken", "url", text)
    for resource_type in types_of(resource, definitions):
        if found := _taken(parameter, resource_type, definitions):
            text = f"{resource_type} has a search parameter of this code: {found}. Choose another code."
            yield _issue("code-taken", "code", text)
            return
    for place, name in enumerate(resource.get("target", ())):
        if name not in (*definitions.resource_types, *_ANY):
            yield _issue("target", f"target[{place}]", f"{name} is no resource type of R4.")
    numbers = set(_numbers(definitions, parameter))
    if any(numbers & set(numbers_of(one, parameter)) for one in types_of(resource, definitions)):
        yield _issue("code-taken", "code", "The number of this code is another's already. Choose another code.")


def _expressions(resource: Resource, definitions: Definitions) -> Iterator[Issue]:
    parameter = from_resource(resource)
    if "." not in parameter.expression:
        yield _issue("expression", "expression", "An expression is needed that leads to values, such as Task.status.")
        return
    for resource_type in types_of(resource, definitions):
        expression = for_type(parameter, resource_type).expression
        if not _begins_at(resource_type, expression, definitions):
            yield _issue("expression", "expression", f"Nothing in it begins at {resource_type}, a base.")
            return
        try:
            compile(expression, resource_type, definitions)
        except FHIRPathError as error:
            yield _issue("expression", "expression", f"For {resource_type}, {error.text}")
            return


def _begins_at(resource_type: str, expression: str, definitions: Definitions) -> bool:
    """Whether a path begins at the type, or at no type in particular."""
    heads = [found[1] for part in alternatives(expression) if (found := HEAD.match(part))]
    named = [one for one in heads if one in definitions.types]
    return not named or any(definitions.is_a(resource_type, one) for one in named)


def _taken(parameter: SearchParameter, resource_type: str, definitions: Definitions) -> str | None:
    """The url of another parameter that has the code."""
    found = definitions.search_parameters(resource_type).get(parameter.code)
    others: Iterable[SearchParameter] = definitions.preparing.values() if found is None else (found,)
    for other in others:
        same = other.code == parameter.code and definitions.applies(other, resource_type)
        if other.url != parameter.url and (found is not None or same):
            return other.url
    return None


def _numbers(definitions: Definitions, but: SearchParameter) -> Iterator[int]:
    """The numbers that are other parameters' already."""
    for resource_type in definitions.resource_types:
        for parameter in definitions.search_parameters(resource_type).values():
            if parameter.url != but.url:
                yield from numbers_of(resource_type, parameter)


def _issue(rule: str, element: str, text: str, *, code: str = "business-rule") -> Issue:
    return Issue("error", code, f"search-parameter-{rule}", text, expression=f"{TYPE}.{element}")
