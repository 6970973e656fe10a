"""Bundles that the server answers with: search results and histories.

https://hl7.org/fhir/R4/bundle.html

A resource is put in as the JSON that it is, or as the stored bytes, which `gateway.fhir.json.dump` splices in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

from gateway.fhir.json import dump, verbatim
from gateway.records import Resource

Body = Resource | bytes


@dataclass(frozen=True, slots=True)
class Found:
    """One resource of a search result, and why it is there."""

    resource_type: str
    id: str
    body: Body
    mode: Literal["match", "include", "outcome"] = "match"


@dataclass(frozen=True, slots=True)
class Version:
    """One version in a history; `body` is None where it was deleted. `updated` is a FHIR instant."""

    resource_type: str
    id: str
    version: str
    updated: str
    method: Literal["POST", "PUT", "DELETE"]
    body: Body | None


STATUS: Final = {"POST": "201 Created", "PUT": "200 OK", "DELETE": "204 No Content"}


def searchset(found: Iterable[Found], *, base: str, links: Mapping[str, str], total: int | None = None) -> Resource:
    """A page of search results. `links` are relation and url, `self` first; `total` counts matches on all pages."""
    entries = [
        {
            "fullUrl": full_url(base, one.resource_type, one.id),
            "resource": _content(one.body),
            "search": {"mode": one.mode},
        }
        for one in found
    ]
    return _bundle("searchset", entries, links=links, total=total)


class Kept(Protocol):
    """A resource as it is kept."""

    @property
    def resource_type(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def body(self) -> bytes: ...


def searchset_of_kept(
    matches: Iterable[Kept],
    included: Iterable[Kept] = (),
    *,
    base: str,
    links: Mapping[str, str],
    total: int | None = None,
    outcome: Resource | None = None,
) -> bytes:
    """The same as it is sent, of resources that are kept, and with what there is to say of the search itself."""
    start = dump(full_url(base, "", ""))[:-2].decode()  # What follows is a type and an id: nothing in it is escaped.
    entries = [
        b'{"fullUrl":%b","resource":%b,"search":{"mode":"%b"}}'
        % (f"{start}{one.resource_type}/{one.id}".encode(), one.body, mode)
        for mode, some in ((b"match", matches), (b"include", included))
        for one in some
    ]
    if outcome is not None:
        entries.append(dump({"resource": outcome, "search": {"mode": "outcome"}}))
    head = dump(_bundle("searchset", [], links=links, total=total))
    return b'%b,"entry":[%b]}' % (head[:-1], b",".join(entries)) if entries else head


def history(versions: Iterable[Version], *, base: str, links: Mapping[str, str], total: int | None = None) -> Resource:
    """Versions, newest first, each with what was asked and answered when it was made."""
    entries = []
    for one in versions:
        entry: dict[str, Any] = {"fullUrl": full_url(base, one.resource_type, one.id)}
        if one.body is not None:
            entry["resource"] = _content(one.body)
        url = one.resource_type if one.method == "POST" else f"{one.resource_type}/{one.id}"
        entry["request"] = {"method": one.method, "url": url}
        entry["response"] = {
            "status": STATUS[one.method],
            "etag": f'W/"{one.version}"',
            "lastModified": one.updated,
        }
        entries.append(entry)
    return _bundle("history", entries, links=links, total=total)


def full_url(base: str, resource_type: str, resource_id: str) -> str:
    """Where the resource is on this server."""
    return f"{base.rstrip('/')}/{resource_type}/{resource_id}"


def _bundle(kind: str, entries: list[dict[str, Any]], *, links: Mapping[str, str], total: int | None) -> Resource:
    bundle: Resource = {"resourceType": "Bundle", "type": kind}
    if total is not None:
        bundle["total"] = total
    bundle["link"] = [{"relation": relation, "url": url} for relation, url in links.items()]
    if entries:
        bundle["entry"] = entries
    return bundle


def _content(body: Body) -> Any:
    return verbatim(body) if isinstance(body, bytes) else body
