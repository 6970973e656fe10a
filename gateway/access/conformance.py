"""Conformance resources by their canonical url, wherever they lie: stored, or in a mapping package that is in use."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from gateway.access.caller import Asking
from gateway.access.conditions import narrowing
from gateway.access.decision import Decision
from gateway.access.searching import Searching
from gateway.errors import Gone
from gateway.fhir.json import parse
from gateway.mapping import Package
from gateway.records import Resource
from gateway.search.query import Limits
from gateway.search.query import parse as parse_query
from gateway.store import Stored, UnitOfWork

MOST = 1000
"""Stored resources of one type that are looked through."""


class Canonicals(Searching):
    """by_id, stored and packaged."""

    def by_id(self, asking: Asking, resource_type: str, id: str) -> Resource:
        """The current version, or what is shipped under the id; decided on and recorded. NotFound, Gone."""

        def ask(uow: UnitOfWork) -> tuple[Stored | None, Decision]:
            found = uow.resources.read(resource_type, id)
            return found, self.judge(uow, asking, found)

        stored, decision = self._rooms.store.read(ask)
        published = self._rooms.definitions.published(resource_type, id) if stored is None else None
        if published is not None:
            self.audit(asking, decision)
            return published
        found = self.known(asking, stored, decision)
        if found.deleted:
            raise Gone()
        return found.resource()

    def stored(self, asking: Asking, resource_type: str, url: str | None = None) -> list[Stored]:
        """The current resources of a conformance type, of one url or all, the latest first."""
        params = [("_sort", "-_lastUpdated"), ("_count", str(MOST))]
        if url:
            params.append(
                ("url", url.replace("\\", "\\\\").replace(",", "\\,").replace("$", "\\$").replace("|", "\\|"))
            )
        query = parse_query(
            resource_type,
            params,
            self._rooms.definitions,
            lenient=False,
            zone=self._rooms.zone,
            bases=(),
            now=self._rooms.clock(),
            limits=Limits(count=MOST),
        )
        visible = narrowing(self, asking.caller)
        found = self._rooms.store.read(lambda uow: uow.searches.page(query, narrowing=visible))
        return [one for one in found.matches if not one.deleted]

    def packaged(self, kind: str) -> Iterator[Resource]:
        """What lies in the packages' folder of that name (`conceptmaps`, `models`), each url once."""
        seen: set[Any] = set()
        for package in self._rooms.packages.values():
            for one in _resources(package, kind):
                if one.get("url") not in seen:
                    seen.add(one.get("url"))
                    yield one


@lru_cache(maxsize=256)
def _resources(package: Package, kind: str) -> tuple[Resource, ...]:
    """By the package itself: another version of it is another object."""
    names = [name for name in package.files if f"/{kind}/" in name]
    return tuple(parse(package.files[name].encode()) for name in names)


def of_version(found: list[Resource], version: str | None) -> list[Resource]:
    """Those of a version, where one is asked for."""
    return [one for one in found if not version or one.get("version") == version]
