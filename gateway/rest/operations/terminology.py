"""CodeSystem's $lookup, $subsumes and $validate-code, ValueSet's $validate-code and $expand: by GET, by POST, of one.

https://hl7.org/fhir/R4/codesystem-operations.html, https://hl7.org/fhir/R4/valueset-operations.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.access.caller import Asking
from gateway.access.door import Door
from gateway.access.translating import Which
from gateway.errors import BadRequest
from gateway.fhir.json import dump
from gateway.records import Resource
from gateway.rest import parameters
from gateway.rest.format import negotiate
from gateway.rest.parameters import Given
from gateway.rest.request import Handler, asking, door_of, in_thread
from gateway.rest.response import answered, base_of
from gateway.terminology.concepts import Coding, Wanted
from gateway.terminology.expansion import Page

NOW_ONLY: Final = ("date",)
"""Parameters of R4 that are not answered here, and would change the answer: refused rather than passed over."""
VERSIONS: Final = ("system-version", "check-system-version", "force-system-version")
"""Whichever way a version of a code system is asked for: there is the one that is held."""


@dataclass(frozen=True, slots=True)
class Served:
    """An operation: of which type, its code, what handlers are called, and whether it can be asked of one resource."""

    type: str
    code: str
    name: str
    instance: bool
    answer: Callable[[Door, Asking, Given, str | None, str], Resource]


def _lookup(door: Door, who: Asking, given: Given, _: str | None, base: str) -> Resource:
    coding = _one(given, "code", "coding")
    url = str(coding.get("system", ""))
    which = Which(url=url, version=coding.get("version"))
    wanted = Wanted(tuple(given.all("property")), given.one("displayLanguage"))
    return door.lookup(who, which, str(coding["code"]), wanted, base)


def _subsumes(door: Door, who: Asking, given: Given, id: str | None, base: str) -> Resource:
    a, b = _one(given, "codeA", "codingA"), _one(given, "codeB", "codingB")
    if a.get("system") != b.get("system"):
        text = "Both codes are of one code system: only there one can lie below the other."
        raise BadRequest(text, rule="several-code-systems", where="codingB")
    which = Which(id=id, url=a.get("system"), version=a.get("version"))
    return door.subsumes(who, which, str(a["code"]), str(b["code"]), base)


def _code_in_system(door: Door, who: Asking, given: Given, id: str | None, base: str) -> Resource:
    which = Which(id, given.one("codeSystem"), given.one("url"), given.one("version"))
    return door.code_in_system(who, which, _codings(given), base=base, **_manner(given))


def _code_in_set(door: Door, who: Asking, given: Given, id: str | None, base: str) -> Resource:
    if "code" in given and "system" not in given:
        raise BadRequest("A code has a system: give it too.", rule="parameter-missing", where="system")
    version = given.one("systemVersion")
    versions = [(str(given.one("system")), str(version))] if version is not None and "system" in given else []
    which = _set(door, given, id)
    return door.code_in_set(who, which, _codings(given), base=base, versions=versions, **_manner(given))


def _expand(door: Door, who: Asking, given: Given, id: str | None, base: str) -> Resource:
    offset, count = given.one("offset") or 0, given.one("count")
    if offset < 0 or (count is not None and count < 0):
        raise BadRequest("offset and count are not negative.", rule="parameter-malformed", where="offset")
    page = Page(
        filter=given.one("filter") or "",
        offset=offset,
        count=count,
        language=given.one("displayLanguage"),
        designations=given.flag("includeDesignations") or "designation" in given,
        languages=tuple(given.all("designation")),
        definition=given.flag("includeDefinition"),
        active=given.flag("activeOnly"),
        excluded=frozenset(given.all("exclude-system")),
    )
    asked = [str(one).partition("|") for name in VERSIONS for one in given.all(name)]
    return door.expand(who, _set(door, given, id), page, base, [(url, version) for url, _, version in asked])


def _set(door: Door, given: Given, id: str | None) -> Which:
    """The value set: itself, by its id, by its url, or the one that an element is bound to."""
    url, context = given.one("url"), given.one("context")
    if url is None and context is not None:
        url = door.bound(context)
    return Which(id, given.one("valueSet"), url, given.one("valueSetVersion"))


SERVED: Final = (
    Served("CodeSystem", "lookup", "lookup", False, _lookup),
    Served("CodeSystem", "subsumes", "subsumes", True, _subsumes),
    Served("CodeSystem", "validate-code", "codesystem_validate_code", True, _code_in_system),
    Served("ValueSet", "validate-code", "valueset_validate_code", True, _code_in_set),
    Served("ValueSet", "expand", "expand", True, _expand),
)


def _routes() -> Iterator[tuple[str, str, Handler]]:
    for one in SERVED:
        path = f"/fhir/{one.type}/${one.code}"
        yield "GET", path, _handler(one, one.name)
        yield "POST", path, _handler(one, f"{one.name}_by_post", posted=True)
        if one.instance:
            path = f"/fhir/{one.type}/{{id}}/${one.code}"
            yield "GET", path, _handler(one, f"{one.name}_instance", instance=True)
            yield "POST", path, _handler(one, f"{one.name}_instance_by_post", posted=True, instance=True)


def _handler(one: Served, name: str, *, posted: bool = False, instance: bool = False) -> Handler:
    async def answer(request: Request, id: str | None = None) -> Response:
        negotiate(request)
        who, door = asking(request, one.code), door_of(request)
        op = parameters.operation(door.definitions, one.type, one.code)
        given = await parameters.sent(request, op, door.definitions) if posted else parameters.asked(request, op)
        for parameter in NOW_ONLY:
            if parameter in given:
                text = "This parameter is not answered here. Leave it out: the answer is of what is held now."
                raise BadRequest(text, rule="parameter-not-offered", where=parameter)
        return await answered(request, dump(await in_thread(one.answer, door, who, given, id, base_of(request))))

    async def of_all(request: Request) -> Response:
        return await answer(request)

    async def of_one(request: Request, id: str) -> Response:
        return await answer(request, id)

    if instance:
        of_one.__name__ = name
        return of_one
    of_all.__name__ = name
    return of_all


ROUTES: Final = tuple(_routes())


def _one(given: Given, code: str, coding: str) -> Coding:
    """The one coding of a question: a code with the system that is given beside it, or a Coding."""
    if (code in given) is (coding in given):
        rule = "parameter-repeated" if code in given else "parameter-missing"
        raise BadRequest(f"Give exactly one of {code} and {coding}.", rule=rule, where=code)
    found = given.one(coding) if coding in given else _beside(given, given.one(code))
    if not found.get("code"):
        raise BadRequest("A coding without a code says nothing.", rule="parameter-malformed", where=coding)
    return dict(found)


def _beside(given: Given, code: Any) -> dict[str, Any]:
    beside = {name: given.one(name) for name in ("system", "version", "display") if name in given}
    return {"code": code, **beside}


def _codings(given: Given) -> list[Coding]:
    if [name for name in ("code", "coding", "codeableConcept") if name in given] == ["codeableConcept"]:
        found: list[Coding] = [
            one for one in given.one("codeableConcept").get("coding", ()) if isinstance(one, dict) and one.get("code")
        ]
        if not found:
            text = "The concept has no coding with a code."
            raise BadRequest(text, rule="parameter-malformed", where="codeableConcept")
        return found
    if "codeableConcept" in given:
        text = "Give exactly one of code, coding and codeableConcept."
        raise BadRequest(text, rule="parameter-repeated", where="codeableConcept")
    return [_one(given, "code", "coding")]


def _manner(given: Given) -> dict[str, Any]:
    """R4 leaves what holds without `abstract` to the server: then abstract codes are right too."""
    abstract = given.one("abstract")
    return {"abstract": abstract is not False, "language": given.one("displayLanguage")}
