"""Bulk export: kept, settled as one moment's versions of what the caller may see, fetched by him alone.

https://hl7.org/fhir/uv/bulkdata/STU2/export.html
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal, Protocol

from gateway.access.caller import Asking, Caller
from gateway.access.conditions import narrowing, terminology
from gateway.access.decision import Decision, decide, is_shared, source_of
from gateway.access.reading import Reading
from gateway.errors import BadRequest, Gone, NotFound, TooManyRequests, Unavailable
from gateway.fhir.datetime import instant
from gateway.issues import Issue
from gateway.records import Resource
from gateway.search import dates
from gateway.search.conditions import AllOf, AnyOf, Criterion, DateIs, Own
from gateway.search.everything import ALWAYS, members
from gateway.search.everything import query as belonging
from gateway.search.numbers import number
from gateway.search.query import Limits, Query, parse
from gateway.search.rows import local
from gateway.store import Stored, UnitOfWork
from gateway.store.exports import Behind, Cut, Export, File, Place

__all__ = ["EXPORT", "Exported", "Exporting", "File", "Level", "Wanted"]

EXPORT: Final = "export"
"""The kind of job that settles what an export holds."""
MOST_WAITING: Final = 5
TOGETHER: Final = 500
"""Resources of a file that are read, recorded and sent at once."""
PIECE: Final = 5000
"""Versions that are put down in one unit of work, where there is one writer."""
PATIENCE: Final = 120.0
"""Seconds for which those who began to write before are waited for; then the job is tried again, ten times."""
DEEPEST: Final = 10
"""Groups within groups."""
OWN: Final = Decision(True, "own-request")
PERSON: Final = "Patient"
PROVENANCE: Final = "Provenance"
LATEST: Final = "LatestProvenanceResources"
ASSOCIATED: Final = (LATEST, "RelevantProvenanceResources")
"""What comes with what is exported: of each resource the latest Provenance, or all. Of both all, the guide says."""

Level = Literal["system", "patient", "group"]
Filter = tuple[str, tuple[tuple[str, str], ...]]
"""A type, and the parameters of a search in it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for; without types all, without patients everybody of the level."""

    level: Level
    group: str | None = None
    types: tuple[str, ...] = ()
    since: datetime | None = None
    filters: tuple[Filter, ...] = ()
    patients: tuple[str, ...] = ()
    elements: tuple[str, ...] = ()
    lenient: bool = False
    until: datetime | None = None
    associated: tuple[str, ...] = ()
    """What is to come with what is exported: names of ASSOCIATED."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What became of an export. `files` is None until it is settled; `ignored` is what was left out of the request."""

    id: str
    url: str
    wanted: Wanted
    created: datetime
    expires: datetime
    begun: bool
    settled: datetime | None
    files: tuple[File, ...] | None
    ignored: tuple[Mapping[str, str], ...]


class Job(Protocol):
    """What is kept of the work to be done."""

    @property
    def input(self) -> Mapping[str, Any]: ...


class Exporting(Reading):
    """export: kick-off, status, files, withdrawal; and, for who works in the background, to settle what it holds."""

    def export(self, asking: Asking, wanted: Wanted, *, url: str, base: str, ignored: Sequence[Issue] = ()) -> str:
        """The id under which it is found. BadRequest, NotFound, Gone, TooManyRequests."""
        decision = decide(asking.caller, "", takes_part=None)
        if wanted.group is not None:
            self._group(asking, wanted.group)
        else:
            self.audit(asking, decision)
        queries, told = self._queries(wanted, base)
        if not queries:
            text = "No type is left to be exported: name some that this export can have."
            raise BadRequest(text, rule="nothing-to-export", where="_type")
        self._rooms.store.read(lambda uow: self._persons(uow, asking, wanted, base))
        owner, id, now = source_of(asking.caller), str(uuid.uuid4()), self._rooms.clock()
        request = {
            "caller": asdict(asking.caller),
            "request_id": asking.request_id,
            "wanted": asdict(wanted) | {name: _iso(getattr(wanted, name)) for name in ("since", "until")},
            "url": url,
            "base": base,
            "ignored": [_plain(one) for one in (*ignored, *told)],
        }

        def work(uow: UnitOfWork) -> None:
            for old in uow.exports.expired(now - self._rooms.export_kept):
                uow.exports.remove(old)
            uow.jobs.forget(EXPORT, now - self._rooms.export_kept)
            if uow.exports.waiting(owner) >= MOST_WAITING:
                text = f"{MOST_WAITING} of your exports are not ready yet: let them come, or delete some."
                raise TooManyRequests(text, rule="too-many-exports")
            uow.exports.put(Export(id, owner, request, now, uow.jobs.put(EXPORT, {"id": id})))

        self._rooms.store.write(work, now=now)
        return id

    def exported(self, asking: Asking, id: str) -> Exported:
        """What became of one's own export. NotFound; Unavailable where it came to nothing."""
        found, failed = self._rooms.store.read(lambda uow: _with_job(uow, id))
        one = None if found is None or found.owner != source_of(asking.caller) else self._told(found)
        if one is None or one.expires <= self._rooms.clock():
            self.audit(asking, Decision(True, "nothing-there"), failure="not-found")
            raise NotFound("There is no such export of yours, or it was too long ago.", rule="export-unknown")
        self.audit(asking, OWN)
        if failed and one.files is None:
            raise Unavailable("This export came to nothing: delete it, and ask again.", rule="export-failed")
        return one

    def drop_export(self, asking: Asking, id: str) -> None:
        """Nobody needs it any more; what is not done of it will not be. NotFound."""
        found = self._rooms.store.read(lambda uow: uow.exports.get(id))
        if found is not None and found.owner == source_of(asking.caller):
            self.audit(asking, OWN)
        else:
            self.exported(asking, id)
        self._rooms.store.write(lambda uow: uow.exports.remove(id))

    def exported_lines(self, asking: Asking, one: Exported, file: File) -> Iterator[list[Stored]]:
        """The versions of a file, some at a time, each recorded before it is given. Gone where it ends too early.

        What the caller may not see any more is left out: each is decided on anew, as it is now and as it was.
        """
        lines = file.lines or self._rooms.export_lines
        after, until, given = file.part * lines, (file.part + 1) * lines, 0
        while True:
            batch = self._items(one.id, file, after, until)
            if not batch:
                break
            seen = self._seen_still(asking, [version for _, version in batch])
            if seen:
                self.audit(asking, OWN, *seen)
                yield seen
            after, given = batch[-1][0], given + len(batch)
        if given < file.count:
            raise Gone("The export was deleted, or is too old, while its file was fetched.", rule="export-gone")

    def _items(self, id: str, file: File, after: int, until: int) -> list[tuple[int, Stored]]:
        return self._rooms.store.read(
            lambda uow: uow.exports.items(
                id, file.resource_type, deleted=file.deleted, after=after, until=until, limit=TOGETHER
            )
        )

    def settle_export(self, job: Job) -> None:
        """Find out what an export holds, and of which time it is."""
        id, store = str(job.input["id"]), self._rooms.store
        found = store.read(lambda uow: uow.exports.get(id))
        if found is None or found.files is not None:  # Withdrawn, or settled by one who was slow.
            return
        settled = self._rooms.clock()
        store.write(lambda uow: uow.exports.begin(id, settled))
        self._await_older_writers(settled)
        wanted, base = _wanted(found.request["wanted"]), str(found.request["base"])
        asking = Asking(Caller(**found.request["caller"]), EXPORT, found.request["request_id"])
        if store.read(lambda uow: uow.alone):
            cut = self._hold_in_pieces(asking, id, settled, wanted, base)
        else:
            cut = store.write(lambda uow: self._hold_at_once(uow, asking, id, settled, wanted, base), now=settled)
        if cut is None:
            return
        if cut.visible is not None and cut.gone:
            self._keep_withheld(asking, id, cut.gone)
        store.write(lambda uow: uow.exports.finish(id, settled, lines=self._rooms.export_lines), now=settled)

    def _await_older_writers(self, settled: datetime) -> None:
        """What was begun before this time must be there: those who ask for what came since rely on it. Unavailable."""
        until = time.monotonic() + PATIENCE
        while self._rooms.store.read(lambda uow: uow.jobs.older_writers(settled)):
            if time.monotonic() > until:
                text = "Somebody has been writing for too long: the export is tried again when that is ended."
                raise Unavailable(text, rule="export-older-writers")
            time.sleep(0.05)

    def _hold_at_once(
        self, uow: UnitOfWork, asking: Asking, id: str, settled: datetime, wanted: Wanted, base: str
    ) -> Cut | None:
        """All that it holds, by one statement. None where it is withdrawn, or settled by somebody else meanwhile."""
        if not uow.exports.mine(id, settled):
            return None
        cut = self._cut(uow, asking, wanted, base)
        uow.exports.hold(id, cut)
        return cut

    def _hold_in_pieces(self, asking: Asking, id: str, settled: datetime, wanted: Wanted, base: str) -> Cut | None:
        """The same where there is one writer, whom it must not keep from the others: read at one moment, then written
        some at a time."""
        store = self._rooms.store

        def put(rows: Sequence[Place]) -> bool:
            def work(uow: UnitOfWork) -> bool:
                mine = uow.exports.mine(id, settled)
                if mine:
                    uow.exports.add(id, rows)
                return mine

            return store.write(work, now=settled)

        def ask(uow: UnitOfWork) -> Cut | None:
            cut = self._cut(uow, asking, wanted, base)
            return cut if all(put(rows) for rows in uow.exports.found(cut, together=PIECE)) else None

        while store.write(lambda uow: uow.exports.clear(id, settled, most=PIECE)):
            pass
        return store.read(ask)

    def _seen_still(self, asking: Asking, versions: list[Stored]) -> list[Stored]:
        """Those that the caller may see now, as they are and as they were."""
        if asking.caller.operator:
            return versions

        def ask(uow: UnitOfWork) -> list[Stored]:
            current = uow.resources.read_many({(one.resource_type, one.id) for one in versions})
            parties = {one.person: uow.persons.parties(one.person) for one in current.values() if one.person}
            mine = {person for person, some in parties.items() if some & {*asking.caller.organisations}}

            def seen(one: Stored) -> bool:
                shared = is_shared(one.resource_type, one.person, one.contributors)
                decision = decide(asking.caller, one.resource_type, takes_part=one.person in mine, shared=shared)
                return decision.allowed and not self.withheld(uow, asking.caller, one)

            now = {key for key, one in current.items() if seen(one)}
            return [one for one in versions if (one.resource_type, one.id) in now and seen(one)]

        return self._rooms.store.read(ask)

    def _keep_withheld(self, asking: Asking, id: str, types: Collection[str]) -> None:
        """What was withheld goes on being unknown when it is gone."""
        for kind in types:
            after: int | None = 0
            while after is not None:
                after = self._keep_some_withheld(asking, id, kind, after)

    def _keep_some_withheld(self, asking: Asking, id: str, kind: str, after: int) -> int | None:
        """Of some of a type, behind a place; the place to go on from, None where there are no more."""

        def ask(uow: UnitOfWork) -> tuple[int | None, list[int]]:
            batch = uow.exports.items(id, kind, deleted=True, after=after, until=2**62, limit=TOGETHER)
            withheld = [seq for seq, one in batch if self.withheld(uow, asking.caller, one)]
            return (batch[-1][0] if batch else None), withheld

        behind, withheld = self._rooms.store.read(ask)
        if withheld:
            self._rooms.store.write(lambda uow: uow.exports.let_go(id, kind, withheld))
        return behind

    def _told(self, found: Export) -> Exported:
        request = found.request
        return Exported(
            found.id,
            request["url"],
            _wanted(request["wanted"]),
            found.created,
            found.created + self._rooms.export_kept,
            found.settled is not None,
            found.settled,
            found.files,
            tuple(request["ignored"]),
        )

    def _cut(self, uow: UnitOfWork, asking: Asking, wanted: Wanted, base: str) -> Cut:
        queries, _ = self._queries(wanted, base)
        return Cut(
            queries,
            narrowing(self, asking.caller),
            self._persons(uow, asking, wanted, base),
            wanted.since,
            self._exported_types(wanted) if wanted.since else (),
            wanted.level != "system",
            wanted.until,
            _behind(wanted),
        )

    def _exported_types(self, wanted: Wanted) -> tuple[str, ...]:
        """Those that the export may have. BadRequest."""
        definitions = self._rooms.definitions
        held = definitions.resource_types if wanted.level == "system" else members(definitions, PERSON)
        for one in wanted.types:
            if one not in definitions.resource_types and not wanted.lenient:
                text = "Name R4's resource types, with commas between them."
                raise BadRequest(text, rule="unknown-resource-type", where="_type")
            if one not in held and not wanted.lenient:
                text = f"{one} is not in the compartment of patients: export it from the system as a whole."
                raise BadRequest(text, rule="type-outside-compartment", where="_type")
        # Where only the latest is to come with each resource, no other is.
        behind = _behind(wanted)
        but = behind.type if behind is not None and behind.time is not None else None
        return tuple(one for one in (wanted.types or held) if one in held and one != but)

    def _queries(self, wanted: Wanted, base: str) -> tuple[list[Query], list[Issue]]:
        """The searches whose results are exported, no resource in two of them; and what was left out."""
        types = self._exported_types(wanted)
        filters: dict[str, list[Criterion]] = {}
        told: list[Issue] = []
        for one in wanted.associated:
            if one not in ASSOCIATED:
                text = f"These can come with what is exported: {', '.join(ASSOCIATED)}."
                if not wanted.lenient:
                    raise BadRequest(text, rule="associated-data-unknown", where="includeAssociatedData")
                found = Issue(
                    "warning", "not-supported", "associated-data-unknown", text, where="includeAssociatedData"
                )
                told.append(found)
        for kind, params in wanted.filters:
            if kind not in types:
                text = f"{kind[:64]} is filtered, and is no type of this export."
                if not wanted.lenient:
                    raise BadRequest(text, rule="filter-without-type", where="_typeFilter")
                told.append(Issue("warning", "not-supported", "filter-without-type", text, where="_typeFilter"))
                continue
            query = self._filter(kind, params, wanted, base)
            told += query.ignored
            filters.setdefault(kind, []).append(AllOf(query.criteria))
        whole = [one for one in types if one not in filters]
        queries = [self._all(wanted, whole)] if whole else []
        for kind, some in filters.items():
            query = self._all(wanted, [kind])
            queries.append(Query(query.types, criteria=(*query.criteria, AnyOf(tuple(some)))))
        return queries, told

    def _all(self, wanted: Wanted, types: Sequence[str]) -> Query:
        since = None if wanted.since is None else dates.micros(wanted.since)
        criteria: tuple[Criterion, ...] = ()
        if wanted.until is not None:
            until = dates.micros(wanted.until)
            criteria = (Own("_lastUpdated", (DateIs("lt", until, until + 1),)),)
        if wanted.level != "system":
            found = belonging(self._rooms.definitions, PERSON, None, types, care=ALWAYS, since=since, count=0)
            return replace(found, criteria=(*found.criteria, *criteria))
        if since is not None:
            criteria = (*criteria, Own("_lastUpdated", (DateIs("ge", since, since + 1),)))
        every = len(types) == len(self._rooms.definitions.resource_types)
        return Query(() if every else tuple(types), criteria=criteria)

    def _filter(self, kind: str, params: Sequence[tuple[str, str]], wanted: Wanted, base: str) -> Query:
        rooms = self._rooms
        query = parse(
            kind,
            params,
            rooms.definitions,
            progress=rooms.known.percent,
            lenient=wanted.lenient,
            zone=rooms.zone,
            bases=(base,),
            now=rooms.clock(),
            limits=Limits(),
            terminology=terminology(rooms, base),
        )
        plain = Query(query.types, criteria=query.criteria, used=query.used, ignored=query.ignored)
        if query != plain or not query.criteria:
            text = "A filter is a search by criteria, like Task?status=accepted; it neither sorts, counts nor includes."
            raise BadRequest(text, rule="filter-not-criteria", where="_typeFilter")
        return query

    def _group(self, asking: Asking, id: str) -> None:
        """The group is there for the caller; that is recorded. NotFound, Gone."""

        def ask(uow: UnitOfWork) -> tuple[Stored | None, Decision]:
            found = uow.resources.read("Group", id)
            return found, self.judge(uow, asking, found)

        found, decision = self._rooms.store.read(ask)
        if self.known(asking, found, decision).deleted:
            raise Gone()

    def _persons(self, uow: UnitOfWork, asking: Asking, wanted: Wanted, base: str) -> Collection[str] | None:
        """The keys of the persons whom the export is about; None for everybody. BadRequest."""
        named = {_local(one, base) for one in wanted.patients}
        ids: set[str] | None = None
        if wanted.group is not None:
            ids = _patients(uow, wanted.group, base)
        elif named:
            ids = {id for id in named if id is not None}
        if ids is None:
            return None
        found = uow.resources.read_many({(PERSON, id) for id in ids})
        seen = {id: one for (_, id), one in found.items() if not one.deleted and self.may_see(uow, asking, one).allowed}
        if named:
            if not all(id is not None and id in seen for id in named):
                raise BadRequest(
                    "Name patients who are here, and in the group where there is one: Patient/ and the id.",
                    rule="patient-unknown",
                    where="patient",
                )
            seen = {id: one for id, one in seen.items() if id in named}
        return {one.person or "" for one in seen.values()}


def _behind(wanted: Wanted) -> Behind | None:
    """What comes with what is exported; of two ways the one that leaves out less."""
    asked = {one for one in wanted.associated if one in ASSOCIATED}
    if not asked:
        return None
    time = number(PROVENANCE, "recorded") if asked == {LATEST} else None
    return Behind(PROVENANCE, number(PROVENANCE, "target"), time)


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _patients(uow: UnitOfWork, group: str, base: str) -> set[str]:
    """The ids of the patients who are in a group, or in one that is in it."""
    found: set[str] = set()
    met, fresh = {group}, {group}
    for _ in range(DEEPEST):
        groups = uow.resources.read_many({("Group", id) for id in fresh})
        fresh = set()
        for one in groups.values():
            for kind, id in () if one.deleted else _members(one.resource(), base):
                if kind == PERSON:
                    found.add(id)
                elif kind == "Group" and id not in met:
                    fresh.add(id)
        met |= fresh
        if not fresh:
            break
    return found


def _members(group: Resource, base: str) -> Iterator[tuple[str, str]]:
    for member in group.get("member", ()):
        entity = member.get("entity", {}).get("reference", "")
        key = None if member.get("inactive") is True else local(entity, (base.rstrip("/") + "/",))
        if key is not None:
            yield key


def _local(reference: str, base: str) -> str | None:
    key = local(reference, (base.rstrip("/") + "/",))
    return key[1] if key is not None and key[0] == PERSON else None


def _with_job(uow: UnitOfWork, id: str) -> tuple[Export | None, bool]:
    found = uow.exports.get(id)
    job = None if found is None else uow.jobs.get(found.job)
    return found, job is not None and job.state == "failed"


def _plain(one: Issue) -> dict[str, str]:
    return {"code": one.code, "rule": one.rule, "text": one.text, "where": one.where or ""}


def _wanted(kept: Mapping[str, Any]) -> Wanted:
    lists = {name: tuple(kept.get(name, ())) for name in ("types", "patients", "elements", "associated")}
    filters = tuple((kind, tuple((name, value) for name, value in params)) for kind, params in kept["filters"])
    times = {name: instant(kept[name]) if kept.get(name) else None for name in ("since", "until")}
    return Wanted(**{**kept, **lists, **times, "filters": filters})
