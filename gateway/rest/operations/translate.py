"""ConceptMap/$translate: what ConceptMaps say of a code.

https://hl7.org/fhir/R4/conceptmap-operation-translate.html; the OperationDefinition is `ConceptMap-translate`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gateway.access.translating import Which
from gateway.errors import BadRequest
from gateway.fhir.json import dump
from gateway.mapping.translation import Asked, Coding
from gateway.rest import parameters
from gateway.rest.format import negotiate
from gateway.rest.parameters import Given
from gateway.rest.request import asking, door_of, in_thread
from gateway.rest.response import answered

CONCEPTS = ("code", "coding", "codeableConcept")


async def translate(request: Request) -> Response:
    return await _translated(request)


async def translate_instance(request: Request, id: str) -> Response:
    return await _translated(request, id)


async def translate_by_post(request: Request) -> Response:
    return await _translated(request, posted=True)


async def translate_instance_by_post(request: Request, id: str) -> Response:
    return await _translated(request, id, posted=True)


async def _translated(request: Request, id: str | None = None, *, posted: bool = False) -> Response:
    negotiate(request)
    who = asking(request, "translate")
    door = door_of(request)
    op = parameters.operation(door.definitions, "ConceptMap", "translate")
    given = await parameters.sent(request, op, door.definitions) if posted else parameters.asked(request, op)
    which, question = _which(given, id), _question(given)
    return await answered(request, dump(await in_thread(door.translate, who, which, question)))


def _which(given: Given, id: str | None) -> Which:
    if id is not None:
        return Which(id=id)
    return Which(sent=given.one("conceptMap"), url=given.one("url"), version=given.one("conceptMapVersion"))


def _question(given: Given) -> Asked:
    concepts = [name for name in CONCEPTS if name in given]
    if len(concepts) != 1:
        text = f"Give exactly one of {', '.join(CONCEPTS)}."
        raise BadRequest(text, rule="parameter-missing" if not concepts else "parameter-repeated", where="code")
    if "code" in given and "system" not in given:
        raise BadRequest("A code has a system: give it too.", rule="parameter-missing", where="system")
    return Asked(
        codings=list(_codings(given)),
        source=given.one("source"),
        target=given.one("target"),
        target_system=given.one("targetsystem"),
        dependencies=_dependencies(given.all("dependency")),
        reverse=given.flag("reverse"),
    )


def _codings(given: Given) -> Iterable[Coding]:
    if "code" in given:
        found = {name: given.one(name) for name in ("system", "version", "code")}
        return [{name: value for name, value in found.items() if value is not None}]
    coding = given.one("coding")
    found_here = [coding] if coding is not None else _of_concept(given.one("codeableConcept"))
    if not any(one.get("code") for one in found_here):
        raise BadRequest("A coding without a code cannot be translated.", rule="parameter-malformed", where="coding")
    return found_here


def _of_concept(concept: Mapping[str, Any]) -> list[Coding]:
    found = concept.get("coding")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _dependencies(given: Iterable[Given]) -> dict[str, list[Coding]]:
    found: dict[str, list[Coding]] = {}
    for one in given:
        element, concept = one.one("element"), one.one("concept")
        if element is not None and concept is not None:
            found.setdefault(str(element), []).extend(_of_concept(concept))
    return found
