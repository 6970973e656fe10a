"""search-type and search-system: decided, narrowed to what the caller may see, answered and audited.

Unknown parameters are refused unless the client asks for lenient handling. Links to further pages are sealed: they say
nothing to anyone but this installation.

https://hl7.org/fhir/R4/http.html#search
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from gateway.access.caller import Asking
from gateway.access.conditions import narrowing, terminology
from gateway.access.decision import Decision, decide, source_of
from gateway.access.reading import Reading
from gateway.errors import BadRequest, GatewayError, NotFound
from gateway.fhir import bundle
from gateway.fhir.primitives import ID
from gateway.issues import Issue, operation_outcome
from gateway.records import Resource
from gateway.search.cursor import END, START, Cursor
from gateway.search.links import Page
from gateway.search.query import Compartment, Limits, Query, parse
from gateway.store import Event, TakesLong
from gateway.store.finding import Answer, Asked
from gateway.store.narrowing import Narrowing
from gateway.store.searching import SearchPage

__all__ = [
    "MOST_INCLUDED",
    "PAGE",
    "Params",
    "Scope",
    "Searching",
    "Sought",
    "TakesLong",
    "left_out",
    "others",
    "url_of",
]

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
class Sought:
    """One search, as somebody asks for it.

    `shown` says how the answer is shown, and nothing of what is asked; so does every link to a further page.
    """

    asking: Asking
    scope: Scope
    params: Params
    lenient: bool
    base: str
    shown: Params = ()

    @property
    def form(self) -> tuple[str, ...]:
        """What it asks about, without the values: searches of one form take about as long."""
        within = "" if self.scope.within is None else self.scope.within.type
        return self.scope.resource_type, within, *(name for name, _ in self.params)


@dataclass(frozen=True, slots=True)
class _Read:
    """A search as it is understood, by the page that it goes on from."""

    sought: Sought
    params: Params
    cursor: Cursor
    query: Query
    decision: Decision
    visible: Narrowing | None


class Searching(Reading):
    """search over one type or all of them, everywhere or within a compartment."""

    def search(self, sought: Sought) -> bytes:
        """A searchset Bundle. BadRequest for parameters that cannot be used."""
        read = self._understood(sought)
        (found,) = self._rooms.store.read(lambda uow: uow.findings.find([_asked(read)]), once=_asks_once(read))
        self.audit(sought.asking, read.decision, *found.page.matches, *found.included)
        return self._bundle(read, found)

    def search_all(self, sought: Sequence[Sought]) -> list[bytes | GatewayError]:
        """Several searches, of whomever, each understood and decided on by itself, and recorded together.

        TakesLong stands for one that is no quick look, and is to be asked by itself.
        """
        refused: dict[int, GatewayError] = {}
        alike: dict[Hashable, list[tuple[int, _Read]]] = defaultdict(list)
        for place, one in enumerate(sought):
            try:
                alike[one.form].append((place, self._understood(one)))
            except GatewayError as error:
                refused[place] = error
        answers: dict[int, bytes | GatewayError] = {**refused}
        events: list[Event] = []
        for group in alike.values():
            for (place, read), its in zip(group, self._each_found([read for _, read in group]), strict=True):
                if isinstance(its, GatewayError):
                    answers[place] = its
                    continue
                events += self.events(read.sought.asking, read.decision, *its.page.matches, *its.included)
                answers[place] = self._bundle(read, its)
        if events:
            self._rooms.store.record(events, now=self._rooms.clock())
        return [answers[place] for place in range(len(sought))]

    def _each_found(self, read: Sequence[_Read]) -> Sequence[Answer | GatewayError]:
        """What each finds. A value that the database does not take is its own search's fault, and no other's."""
        try:
            return self._found(read)
        except GatewayError as error:
            if len(read) == 1 or isinstance(error, TakesLong):
                return [error] * len(read)
        return [found for one in read for found in self._each_found([one])]

    def _found(self, read: Sequence[_Read]) -> list[Answer]:
        asked = [_asked(one) for one in read]
        return self._rooms.store.read(lambda uow: uow.findings.find(asked), briefly=True)

    def _understood(self, sought: Sought) -> _Read:
        self._known(sought.scope)
        params, cursor, lenient = sought.params, START, sought.lenient
        sealed = dict(params).get(PAGE)
        if sealed is not None:
            page = self._rooms.links.open(sealed, source_of(sought.asking.caller))
            if page.path != sought.scope.path:
                raise BadRequest("This page belongs to another search.", rule="page-link")
            # What was left out of the first page is left out of the others.
            params, cursor, lenient = page.params, page.cursor, True
        query = parse(
            sought.scope.resource_type,
            params,
            self._rooms.definitions,
            within=sought.scope.within,
            progress=self._rooms.known.percent,
            lenient=lenient,
            zone=self._rooms.zone,
            bases=(sought.base,),
            now=self._rooms.clock(),
            limits=Limits(count=self._rooms.page_size),
            terminology=terminology(self._rooms, sought.base),
        )
        decision = decide(sought.asking.caller, sought.scope.resource_type, takes_part=None)
        return _Read(sought, params, cursor, query, decision, narrowing(self, sought.asking.caller))

    def _bundle(self, read: _Read, found: Answer) -> bytes:
        """The answer, as it is sent."""
        sought = read.sought
        base, path, shown = sought.base, sought.scope.path, sought.shown
        owner = source_of(sought.asking.caller)

        further = f"&{urlencode(shown)}" if shown else ""

        def to(cursor: Cursor) -> str:
            # What is sealed stands in a url as it is.
            sealed = self._rooms.links.seal(Page(path, read.params, cursor), owner)
            return f"{url_of(base, path, ())}?{PAGE}={sealed}{further}"

        this = tuple(pair for pair in sought.params if pair[0] == PAGE)[-1:]
        links = {"self": url_of(base, path, (*read.query.used, *this, *shown))}
        links |= {relation: to(place) for relation, place in others(read.query, found.page, found.total).items()}
        return bundle.searchset_of_kept(
            found.page.matches,
            found.included,
            base=base,
            links=links,
            total=found.total,
            outcome=left_out(read.query, found.whole),
        )

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


def _asked(read: _Read) -> Asked:
    return Asked(read.query, read.cursor, read.visible, MOST_INCLUDED)


def _asks_once(read: _Read) -> bool:
    """Whether one statement finds all of it."""
    return read.cursor == START and not read.query.includes and not read.query.revincludes


def others(query: Query, page: SearchPage[Any], total: int | None) -> dict[str, Cursor]:
    """The other pages, by relation; none where there is one page only."""
    if page.before is None and page.behind is None:
        return {}
    # The last page holds what is left when all before it are full, and so is the same whether come to from either side.
    last = END if not total else replace(END, most=(total - 1) % query.count + 1)
    places = {"first": START, "prev": page.before, "next": page.behind, "last": last}
    return {relation: place for relation, place in places.items() if place is not None}


def left_out(query: Query, whole: bool) -> Resource | None:
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
