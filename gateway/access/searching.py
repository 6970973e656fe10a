"""search-type and search-system: decided, narrowed to what the caller may see, answered and audited.

Unknown parameters are refused unless the client asks for lenient handling. Links to further pages are sealed: they say
nothing to anyone but this installation.

https://hl7.org/fhir/R4/http.html#search
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import urlencode

from gateway.access.caller import Asking
from gateway.access.conditions import narrowing, terminology
from gateway.access.decision import decide, source_of
from gateway.access.reading import Reading
from gateway.errors import BadRequest, NotFound
from gateway.fhir import bundle
from gateway.fhir.json import dump
from gateway.fhir.primitives import ID
from gateway.issues import Issue, operation_outcome
from gateway.search.cursor import END, START, Cursor
from gateway.search.links import Page
from gateway.search.query import Compartment, Limits, Query, parse
from gateway.store import Stored, UnitOfWork
from gateway.store.narrowing import Narrowing
from gateway.store.searching import SearchPage

PAGE = "_page"
MOST_INCLUDED = 1000
Params = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Scope:
    """Where is searched: in one type or (empty) in all of them, and within a compartment or everywhere."""

    resource_type: str = ""
    within: Compartment | None = None

    @property
    def path(self) -> str:
        """Below the base, as in the address."""
        if self.within is None:
            return self.resource_type
        return f"{self.within.type}/{self.within.id}/{self.resource_type or '*'}"


@dataclass(frozen=True, slots=True)
class _Result:
    page: SearchPage
    total: int | None
    included: list[Stored]
    whole: bool


class Searching(Reading):
    """search over one type or all of them, everywhere or within a compartment."""

    def search(
        self,
        asking: Asking,
        scope: Scope,
        params: list[tuple[str, str]],
        *,
        lenient: bool,
        base: str,
        shown: Params = (),
    ) -> bytes:
        """A searchset Bundle. BadRequest for parameters that cannot be used.

        `shown` says how the answer is shown, and nothing of what is asked; so does every link to a further page.
        """
        self._known(scope)
        cursor = START
        sealed = dict(params).get(PAGE)
        if sealed is not None:
            page = self._rooms.links.open(sealed, source_of(asking.caller))
            if page.path != scope.path:
                raise BadRequest("This page belongs to another search.", rule="page-link")
            # What was left out of the first page is left out of the others.
            params, cursor, lenient = list(page.params), page.cursor, True
        query = parse(
            scope.resource_type,
            params,
            self._rooms.definitions,
            within=scope.within,
            progress=self._rooms.known.percent,
            lenient=lenient,
            zone=self._rooms.zone,
            bases=(base,),
            now=self._rooms.clock(),
            limits=Limits(count=self._rooms.page_size),
            terminology=terminology(self._rooms, base),
        )
        decision = decide(asking.caller, scope.resource_type, takes_part=None)
        found = self._found(query, cursor, narrowing(self, asking.caller))
        self.audit(asking, decision, *found.page.matches, *found.included)

        def to(cursor: Cursor) -> str:
            sealed = self._rooms.links.seal(Page(scope.path, tuple(params), cursor), source_of(asking.caller))
            return url_of(base, scope.path, ((PAGE, sealed), *shown))

        this = () if sealed is None else ((PAGE, sealed),)
        links = {"self": url_of(base, scope.path, (*query.used, *this, *shown))}
        links |= {relation: to(place) for relation, place in others(query, found.page, found.total).items()}
        entries = [bundle.Found(one.resource_type, one.id, one.body) for one in found.page.matches]
        entries += [bundle.Found(one.resource_type, one.id, one.body, "include") for one in found.included]
        answer = bundle.searchset(entries, base=base, links=links, total=found.total)
        if outcome := left_out(query, found.whole):
            answer.setdefault("entry", []).append({"resource": outcome, "search": {"mode": "outcome"}})
        return dump(answer)

    def _known(self, scope: Scope) -> None:
        if scope.resource_type:
            self.known_type(scope.resource_type)
        if scope.within is not None:
            known = self._rooms.definitions.compartments
            if scope.within.type not in known:
                text = f"R4 has no compartment of this name. Compartments: {', '.join(sorted(known))}."
                raise NotFound(text, rule="unknown-compartment", where=scope.within.type[:64])
            if not ID.fullmatch(scope.within.id):
                raise BadRequest("An id has 1 to 64 letters, digits, hyphens and dots.", rule="id-malformed")

    def _found(self, query: Query, cursor: Cursor, narrowing: Narrowing | None) -> _Result:
        """Page, count and includes, of one snapshot."""
        only_counted = query.count == 0 or query.summary == "count"

        def ask(uow: UnitOfWork) -> _Result:
            searches = uow.searches
            if only_counted:
                return _Result(SearchPage(), searches.total(query, narrowing=narrowing), [], True)
            page = searches.page(query, after=cursor, narrowing=narrowing, counted=query.total != "none")
            included, whole = searches.included(query, page.matches, narrowing=narrowing, most=MOST_INCLUDED)
            return _Result(page, page.total, included, whole)

        return self._rooms.store.read(ask, once=cursor == START and not query.includes and not query.revincludes)


def others(query: Query, page: SearchPage, total: int | None) -> dict[str, Cursor]:
    """The other pages, by relation; none where there is one page only."""
    if page.before is None and page.behind is None:
        return {}
    # The last page holds what is left when all before it are full, and so is the same whether come to from either side.
    last = END if not total else replace(END, most=(total - 1) % query.count + 1)
    places = {"first": START, "prev": page.before, "next": page.behind, "last": last}
    return {relation: place for relation, place in places.items() if place is not None}


def left_out(query: Query, whole: bool) -> dict[str, object] | None:
    """What was left out, said in the Bundle itself."""
    issues = list(query.ignored)
    if not whole:
        text = f"More than {MOST_INCLUDED} resources are included; the rest is left out. Ask for smaller pages."
        issues.append(Issue("warning", "too-costly", "too-many-included", text))
    return operation_outcome(issues) if issues else None


def url_of(base: str, path: str, used: Params) -> str:
    """An address below the base, with its parameters."""
    address = f"{base}/{path}" if path else base
    return address + (f"?{urlencode(used)}" if used else "")
