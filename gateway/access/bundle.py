"""Bundles written from stored bytes: what was saved is served as it is, without parsing it again.

https://hl7.org/fhir/R4/bundle.html
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from gateway.store import Stored


def history(versions: Sequence[Stored], url: str, base: str) -> bytes:
    """A history Bundle: each version with the request that made it."""
    entries = [_history_entry(one, base) for one in versions]
    return write("history", entries, total=len(versions), links=[("self", f"{url}/_history")])


def searchset(
    matches: Iterable[Stored],
    included: Iterable[Stored],
    *,
    total: int | None,
    links: Sequence[tuple[str, str]],
    base: str,
) -> bytes:
    """A searchset Bundle: matches, then what they include."""
    entries = [_search_entry(one, "match", base) for one in matches]
    entries += [_search_entry(one, "include", base) for one in included]
    return write("searchset", entries, total=total, links=links)


def write(kind: str, entries: Sequence[Any], *, total: int | None, links: Sequence[tuple[str, str]]) -> bytes:
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": kind}
    if total is not None:
        bundle["total"] = total
    bundle["link"] = [{"relation": relation, "url": url} for relation, url in links]
    if entries:
        bundle["entry"] = entries
    return orjson.dumps(bundle)


def _search_entry(one: Stored, mode: str, base: str) -> dict[str, Any]:
    return {
        "fullUrl": f"{base}/{one.resource_type}/{one.id}",
        "resource": orjson.Fragment(one.body),
        "search": {"mode": mode},
    }


def _history_entry(one: Stored, base: str) -> dict[str, Any]:
    entry: dict[str, Any] = {"fullUrl": f"{base}/{one.resource_type}/{one.id}"}
    if not one.deleted:
        entry["resource"] = orjson.Fragment(one.body)
    url = one.resource_type if one.method == "POST" else f"{one.resource_type}/{one.id}"
    entry["request"] = {"method": one.method, "url": url}
    entry["response"] = {
        "status": {"POST": "201", "DELETE": "204"}.get(one.method, "200"),
        "etag": f'W/"{one.version}"',
        "lastModified": one.last_updated.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    return entry
