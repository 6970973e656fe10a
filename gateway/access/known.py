"""The definitions that are in force: those that are shipped, and those that were written here.

Every process looks for new ones before it goes on with what it knows for longer than FRESH seconds. What is taken in is
indexed from then on, and searched by when everything that was there before is indexed too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from threading import Lock
from time import monotonic

from gateway.definitions import Definitions
from gateway.issues import Issue
from gateway.records import Resource
from gateway.search import own
from gateway.store import IndexRows, Job, Store, UnitOfWork, Upload

FRESH = 1.0
REINDEX = "reindex"
Indexing = Callable[[Resource], IndexRows]


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A search parameter that was written here, and how much is indexed of what it is to find."""

    code: str
    type: str
    base: tuple[str, ...]
    url: str
    percent: int


class Known:
    """Thread-safe. Call `watch` with the store before anything is asked."""

    def __init__(self, shipped: Definitions, indexer: Callable[[Definitions], Indexing]) -> None:
        self._shipped = shipped
        self._indexer = indexer
        self._store: Store | None = None
        self._lock = Lock()
        self._looked = float("-inf")
        self._uploads: dict[tuple[str, str], Upload] = {}
        self._last = 0
        self._jobs: Mapping[int, Job] = {}
        self._done: set[int] = set()
        self._touched = False
        self._index = cache(partial(indexer, shipped))  # Made when something is first indexed: no read needs it.
        self._current = shipped
        self.on_put: Callable[[], None] = lambda: None
        """Called when there is something to be indexed."""

    def watch(self, store: Store) -> None:
        """Look for definitions there, now and from now on."""
        self._store = store
        self._fresh()

    @property
    def current(self) -> Definitions:
        """What searches and capabilities go by: without what is still being indexed."""
        self._fresh()
        return self._current

    @property
    def percent(self) -> Mapping[str, int]:
        """How far the indexing is, by url, of what is not ready."""
        self._fresh()
        return {
            one.url: self._jobs[one.job].percent for one in self._uploads.values() if one.job and one.job in self._jobs
        }

    def index(self, resource: Resource) -> IndexRows:
        """The search rows of a resource, by everything that is defined."""
        self._fresh()
        return self._index()(resource)

    def uploaded(self) -> list[Uploaded]:
        """What was written here and is in force, or will be."""
        current, percent = self.current, self.percent
        urls = [one.url for one in self._uploads.values() if one.resource is not None]
        found = [(url, current.search_parameter(url) or current.preparing[url]) for url in urls]
        return [Uploaded(one.code, one.type, one.base, url, percent.get(url, 100)) for url, one in found]

    def reindex(self) -> int:
        """Let everything that is there be indexed anew; the job's number."""
        assert self._store is not None
        number = self._store.write(lambda uow: uow.jobs.put(REINDEX, {"after": uow.changes.last()}))
        self.on_put()
        return number

    def take_in(self, uow: UnitOfWork, changed: Iterable[tuple[str, str, Resource | None]]) -> None:
        """Make the next snapshot of what was just written: type, id and content, None where it was deleted."""
        for resource_type, id, resource in changed:
            if resource_type == own.TYPE:
                self._take_in(uow, id, resource)

    def _take_in(self, uow: UnitOfWork, id: str, resource: Resource | None) -> None:
        before = uow.uploads.latest(own.TYPE, id)
        was = None if before is None else before.resource
        wanted = resource if resource is not None and own.in_use(resource) else None
        if was == wanted:
            return
        if before is not None and was is not None and (wanted is None or wanted["url"] != before.url):
            uow.uploads.add(own.TYPE, id, before.url, None)
        if wanted is not None:
            uow.uploads.add(own.TYPE, id, wanted["url"], wanted, job=self._put(uow, wanted))
        self._touched = True

    def committed(self) -> None:
        """What was taken in is there now: look at it before anything else is asked."""
        if self._touched:
            self._touched = False
            self.look()
            self.on_put()

    def look(self) -> None:
        """Look for what is new, however lately that was done."""
        self._looked = float("-inf")
        self._fresh()

    def problems(self, resource: Resource) -> list[Issue]:
        """What keeps a definition from being taken in."""
        if resource["resourceType"] != own.TYPE or not own.in_use(resource):
            return []
        from gateway.search import usable  # It compiles expressions, which no read does.

        found = usable.problems(resource, self.current)
        url, id = resource["url"], resource.get("id")
        others = (one for one in self._uploads.values() if one.resource is not None and one.resource_id != id)
        if url in self._shipped.resources or any(one.url == url for one in others):
            text = "Another search parameter has this url. Change that one, or give yours a url of its own."
            found.append(Issue("error", "duplicate", "search-parameter-url-taken", text, expression=f"{own.TYPE}.url"))
        return found

    def _put(self, uow: UnitOfWork, resource: Resource) -> int:
        """The job that indexes what is there; one that nobody has begun yet does it along."""
        types = own.types_of(resource, self._shipped)
        waiting = next(iter(uow.jobs.of_kind(REINDEX, unfinished=True, limit=1)), None)
        if waiting is not None:
            together = dict(waiting.input)
            if "types" in together:  # Otherwise it does all.
                together["types"] = sorted({*together["types"], *types})
            if uow.jobs.extend(waiting.number, together):
                return waiting.number
        return uow.jobs.put(REINDEX, {"types": types, "after": uow.changes.last()})

    def _fresh(self) -> None:
        if self._store is None or monotonic() - self._looked < FRESH:
            return
        with self._lock:
            looked = monotonic()
            if looked - self._looked < FRESH:
                return
            uploads, jobs = self._store.read(self._look)
            self._looked = looked
            if uploads or jobs.keys() != self._jobs.keys():
                for one in uploads:
                    self._uploads[one.resource_type, one.resource_id] = one
                    self._last = one.number
                self._compose(jobs)
            self._jobs = jobs

    def _look(self, uow: UnitOfWork) -> tuple[list[Upload], dict[int, Job]]:
        """What is new, and the jobs that are not done."""
        uploads = uow.uploads.after(self._last) if uow.uploads.last() > self._last else []
        wanted = {one.job for one in (*self._uploads.values(), *uploads) if one.job and one.resource is not None}
        jobs = {number: uow.jobs.get(number) for number in sorted(wanted - self._done)}
        found = {number: job for number, job in jobs.items() if job is not None and job.state != "done"}
        self._done |= wanted - found.keys()
        return uploads, found

    def _compose(self, jobs: Mapping[int, Job]) -> None:
        resources = [one.resource for one in self._uploads.values() if one.resource is not None]
        preparing = {one.url for one in self._uploads.values() if one.job in jobs}
        number = self._shipped.number + self._last
        self._index = cache(partial(self._indexer, self._shipped.with_resources(resources, number)))
        self._current = self._shipped.with_resources(resources, number, preparing=preparing)
