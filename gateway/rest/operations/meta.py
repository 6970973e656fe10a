"""$meta, $meta-add and $meta-delete: profiles, tags and security labels.

https://hl7.org/fhir/R4/resource-operation-meta.html, https://hl7.org/fhir/R4/resource-operation-meta-add.html
"""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.access.caller import Asking
from gateway.access.door import Door
from gateway.access.labels import Meta
from gateway.access.reading import Served
from gateway.errors import Invalid
from gateway.fhir.check import check
from gateway.fhir.json import dump, parse
from gateway.rest import parameters
from gateway.rest.conditions import if_match
from gateway.rest.format import negotiate
from gateway.rest.request import Handler, asking, body, door_of, in_thread
from gateway.rest.response import answered, of_version


async def meta_add(request: Request, resource_type: str, id: str) -> Response:
    return await _change(request, resource_type, id, "meta-add")


async def meta_delete(request: Request, resource_type: str, id: str) -> Response:
    return await _change(request, resource_type, id, "meta-delete")


async def _in_use(request: Request, resource_type: str | None = None) -> Response:
    who, door = await _asked(request)
    return await _told(request, await in_thread(door.labels, who, resource_type))


async def _of_one(request: Request, resource_type: str, id: str, version_id: str | None = None) -> Response:
    who, door = await _asked(request)
    if version_id is None:
        found = await in_thread(door.read, who, resource_type, id)
    else:
        found = await in_thread(door.vread, who, resource_type, id, version_id)
    return await _told(request, _meta_of(found), found)


async def _asked(request: Request) -> tuple[Asking, Door]:
    negotiate(request)
    who, door = asking(request, "meta"), door_of(request)
    op = parameters.operation(door.definitions, "Resource", "meta")
    if request.method == "POST":
        await parameters.sent(request, op, door.definitions)
    else:
        parameters.asked(request, op)
    return who, door


def _reading(name: str) -> Handler:
    """Of all, of a type, of a resource or of a version."""

    async def meta(request: Request) -> Response:
        return await _in_use(request)

    async def meta_type(request: Request, resource_type: str) -> Response:
        return await _in_use(request, resource_type)

    async def meta_instance(request: Request, resource_type: str, id: str) -> Response:
        return await _of_one(request, resource_type, id)

    async def meta_version(request: Request, resource_type: str, id: str, version_id: str) -> Response:
        return await _of_one(request, resource_type, id, version_id)

    known: tuple[Handler, ...] = (meta, meta_type, meta_instance, meta_version)
    handler = next(one for one in known if one.__name__ == name.removesuffix(POSTED))
    handler.__name__ = name
    return handler


POSTED: Final = "_by_post"
READ: Final = (
    ("meta", "/fhir/$meta"),
    ("meta_type", "/fhir/{resource_type}/$meta"),
    ("meta_version", "/fhir/{resource_type}/{id}/_history/{version_id}/$meta"),
    ("meta_instance", "/fhir/{resource_type}/{id}/$meta"),
)
ROUTES: Final[tuple[tuple[str, str, Handler], ...]] = (
    *(("GET", path, _reading(name)) for name, path in READ),
    *(("POST", path, _reading(name + POSTED)) for name, path in READ),
    ("POST", "/fhir/{resource_type}/{id}/$meta-add", meta_add),
    ("POST", "/fhir/{resource_type}/{id}/$meta-delete", meta_delete),
)


async def _change(request: Request, resource_type: str, id: str, code: str) -> Response:
    negotiate(request)
    who, door = asking(request, code), door_of(request)
    came = await body(request)
    op = parameters.operation(door.definitions, "Resource", code)
    given = await parameters.sent(request, op, door.definitions, came=came)
    parts = {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": given.one("meta")}]}
    if wrong := [one for one in check(parts, door.definitions) if one.severity in ("fatal", "error")]:
        raise Invalid(issues=wrong)
    change = door.meta_add if code == "meta-add" else door.meta_delete
    versions = if_match(request)
    done = await in_thread(change, who, resource_type, id, given.one("meta"), came, if_match=versions)
    return await _told(request, _meta_of(done.version), done.version)


def _meta_of(found: Served) -> Meta:
    made: Meta = parse(found.body)["meta"]
    return made


async def _told(request: Request, found: Meta, version: Served | None = None) -> Response:
    told = {"resourceType": "Parameters", "parameter": [{"name": "return", "valueMeta": found}]}
    if not found:  # Nothing is labelled. A value without content is none.
        told["parameter"] = [{"name": "return"}]
    return await answered(request, dump(told), headers=of_version(version) if version else {})
