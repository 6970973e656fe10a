"""history of one resource, of a type and of everything: narrowed to what the caller may see, answered and audited.

Pages follow one another by the time and place of their last version, sealed in the link: what is written meanwhile
moves no version to another page, so that each comes once.

https://hl7.org/fhir/R4/http.html#history
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from urllib.parse import urlencode

from gateway.access.caller import Asking, Caller
from gateway.access.decision import DIRECTORY, SHARED, Decision, decide, source_of
from gateway.access.reading import Reading, Rooms
from gateway.errors import BadRequest
from gateway.fhir import bundle
from gateway.fhir.datetime import parameter, text
from gateway.fhir.json import dump
from gateway.search.cursor import Cursor
from gateway.search.dates import HIGHEST, LOWEST, micros, moment_of, span
from gateway.search.links import Page
from gateway.store import Stored, UnitOfWork
from gateway.store.history import Concerning, Keyset

PAGE = "_page"
MOST_VERSIONS = 1000
MOST_PASSED_OVER = 20
"""How many times more than a page is looked at for versions that are not withheld, before a page is left short."""

Params = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked of a history; `used` are the parameters that say so."""

    count: int
    since: datetime | None = None
    at: tuple[datetime, datetime] | None = None
    ascending: bool = False
    only_counted: bool = False
    used: Params = ()
    until: datetime | None = None
    """What was recorded later waits for the next question: something older may still be on its way."""


@dataclass(frozen=True, slots=True)
class _Result:
    versions: list[Stored]
    following: Keyset | None
    total: int | None
    latest: Stored | None
    decision: Decision


class Histories(Reading):
    """history-instance, history-type, history-system."""

    def history(
        self,
        asking: Asking,
        resource_type: str | None,
        id: str | None,
        params: list[tuple[str, str]],
        base: str,
        *,
        shown: Params = (),
    ) -> bytes:
        """Versions, newest first, as a history Bundle. NotFound; BadRequest for parameters that cannot be used.

        `shown` says how the answer is shown, and so does every link to a further page.
        """
        if resource_type is not None:
            self.known_type(resource_type)
        path = "/".join(part for part in (resource_type, id, "_history") if part)
        before: Keyset | None = None
        if sealed := dict(params).get(PAGE):
            page = self._rooms.links.open(sealed, source_of(asking.caller))
            if page.path != path or not page.cursor.keys:
                raise BadRequest("This page belongs to another history.", rule="page-link")
            params = list(page.params)
            before = (moment_of(int(str(page.cursor.keys[0]))), page.cursor.rid or 0)
        ask = _asked(params, self._rooms)
        if ask.ascending:  # Who goes on from the last version that he saw must not miss one that is committed late.
            ask = replace(ask, until=self._rooms.store.read(lambda uow: uow.resources.settled()))
        found = self._rooms.store.read(lambda uow: self._versions(uow, asking, resource_type, id, ask, before))
        if id is not None:
            self.known(asking, found.latest, found.decision)
        else:
            self.audit(asking, found.decision, *found.versions)

        def url(*pairs: tuple[str, str]) -> str:
            query = urlencode((*pairs, *shown))
            return f"{base}/{path}" + (f"?{query}" if query else "")

        links = {"self": url(*ask.used, *(((PAGE, sealed),) if sealed else ()))}
        if before is not None:
            links["first"] = url(*ask.used)
        if found.following is not None:
            time, rid = found.following
            page = Page(path, tuple(params), Cursor((micros(time),), rid))
            links["next"] = url((PAGE, self._rooms.links.seal(page, source_of(asking.caller))))
        entries = [_version(one) for one in found.versions]
        return dump(bundle.history(entries, base=base, links=links, total=found.total))

    def _versions(
        self,
        uow: UnitOfWork,
        asking: Asking,
        resource_type: str | None,
        id: str | None,
        ask: Ask,
        before: Keyset | None,
    ) -> _Result:
        """A page of what the caller may see, of one snapshot."""
        latest = None
        decision = decide(asking.caller, resource_type or "", takes_part=None)
        if id is not None and resource_type is not None:
            latest = uow.resources.read(resource_type, id)
            decision = self.judge(uow, asking, latest)
            if latest is None or not decision.allowed:
                return _Result([], None, None, latest, decision)
        total: int | None = None
        if asking.caller.operator:
            total = uow.resources.count_history(resource_type, id, since=ask.since, at=ask.at)
            if ask.only_counted:
                return _Result([], None, total, latest, decision)
        most = MOST_VERSIONS if ask.only_counted else ask.count
        versions, following = self._seen_versions(uow, asking, resource_type, id, ask, before, most)
        if (
            total is None and before is None and following is None
        ):  # What he may not see must not be told from a difference.
            total = len(versions)
        if ask.only_counted:
            return _Result([], None, total, latest, decision)
        return _Result(versions, following, total, latest, decision)

    def _seen_versions(
        self,
        uow: UnitOfWork,
        asking: Asking,
        resource_type: str | None,
        id: str | None,
        ask: Ask,
        before: Keyset | None,
        most: int,
    ) -> tuple[list[Stored], Keyset | None]:
        """So many versions that the caller may see, and where to go on; None where these are the last."""
        caller = asking.caller
        concerning = None if caller.operator else Concerning(caller.organisations, DIRECTORY, SHARED)
        found: list[Stored] = []
        for _ in range(MOST_PASSED_OVER):
            batch = uow.resources.history(
                resource_type,
                id,
                since=ask.since,
                at=ask.at,
                before=before,
                limit=most + 1,
                ascending=ask.ascending,
                concerning=concerning,
                until=ask.until,
            )
            found += [one for one in batch if caller.operator or not self._is_kept(uow, caller, one)]
            if len(found) > most:
                return found[:most], (found[most - 1].last_updated, found[most - 1].rid)
            if len(batch) <= most:
                return found, None
            before = (batch[-1].last_updated, batch[-1].rid)
        return found, before

    def _is_kept(self, uow: UnitOfWork, caller: Caller, one: Stored) -> bool:
        return self.withheld(uow, caller, one) or self.closed_since(uow, caller, one)


def _version(one: Stored) -> bundle.Version:
    methods: dict[str, Literal["POST", "PUT", "DELETE"]] = {"POST": "POST", "DELETE": "DELETE"}
    body = None if one.deleted else one.body
    # A patch's version is told as what it made, which is what PUT would have made.
    method = methods.get(one.method, "PUT")
    return bundle.Version(one.resource_type, one.id, one.version, text(one.last_updated), method, body)


def _asked(params: list[tuple[str, str]], rooms: Rooms) -> Ask:
    count, since, at, ascending, only_counted = rooms.page_size, None, None, False, False
    used = []
    for name, value in params:
        match name:
            case "_count" if value.isdecimal() and int(value) <= MOST_VERSIONS:
                count = int(value)
            case "_since":
                since = parameter(name, value, rooms.zone)
            case "_at":
                at = _period(value, rooms)
            case "_sort" if value in ("-_lastUpdated", "_lastUpdated"):
                ascending = value == "_lastUpdated"
            case "_summary" if value == "count":
                only_counted = True
            case "_count" | "_sort":
                known = f"_count is 0 to {MOST_VERSIONS}, _sort is -_lastUpdated or _lastUpdated."
                raise BadRequest(known, rule="parameter-malformed", where=name)
            case _:
                known = "A history takes _count, _since, _at and _sort."
                raise BadRequest(known, rule="unknown-parameter", where=name[:64])
        used.append((name, value))
    return Ask(count, since, at, ascending, only_counted or count == 0, tuple(used))


def _period(value: str, rooms: Rooms) -> tuple[datetime, datetime]:
    """The period that a date of any precision stands for."""
    found = span(value.strip().replace(" ", "+"), rooms.zone)
    if found is None or not LOWEST < found[0] <= found[1] < HIGHEST:
        raise BadRequest("_at must be a date or a time, like 2026-11-20.", rule="parameter-malformed", where="_at")
    try:
        return moment_of(found[0]), moment_of(found[1])
    except OverflowError:
        raise BadRequest("_at is out of range.", rule="parameter-malformed", where="_at") from None
