"""search-type: decided, narrowed to what the caller may see, answered and audited.

Unknown parameters are refused unless the client asks for lenient handling. Links to further pages are sealed: they say
nothing to anyone but this installation.

https://hl7.org/fhir/R4/http.html#search
"""

from __future__ import annotations

from urllib.parse import urlencode

from gateway.access.caller import Asking, Caller
from gateway.access.decision import DIRECTORY, WITHHELD, decide, source_of
from gateway.access.reading import Reading
from gateway.errors import BadRequest
from gateway.fhir import bundle
from gateway.fhir.json import dump
from gateway.issues import Issue, operation_outcome
from gateway.search.links import Page
from gateway.search.query import Limits, Query, parse
from gateway.search.sql import Cursor
from gateway.store import Stored, UnitOfWork
from gateway.store.searching import Narrowing

PAGE = "_page"
MOST_INCLUDED = 1000


class Searching(Reading):
    """search over one type."""

    def search(
        self,
        asking: Asking,
        resource_type: str,
        params: list[tuple[str, str]],
        *,
        lenient: bool,
        base: str,
        shown: tuple[tuple[str, str], ...] = (),
    ) -> bytes:
        """A searchset Bundle. BadRequest for parameters that cannot be used.

        `shown` says how the answer is shown, and nothing of what is asked; so does every link to a further page.
        """
        self.known_type(resource_type)
        links = self._rooms.links
        cursor: Cursor | None = None
        if sealed := dict(params).get(PAGE):
            page = links.open(sealed, source_of(asking.caller))
            if page.resource_type != resource_type:
                raise BadRequest("This page belongs to a search of another type.", rule="page-link")
            params, cursor, lenient = list(page.params), page.cursor, True
        query = parse(
            resource_type,
            params,
            self._rooms.definitions,
            lenient=lenient,
            zone=self._rooms.zone,
            bases=(base,),
            now=self._rooms.clock(),
            limits=Limits(count=self._rooms.page_size),
        )
        decision = decide(asking.caller, resource_type, takes_part=None)
        narrowing = self._narrowing(asking.caller)
        with_matches = query.count > 0 and query.summary != "count"

        def ask(uow: UnitOfWork) -> tuple[list[Stored], Cursor | None, int | None, list[Stored], bool]:
            matches, following = (
                uow.searches.page(query, after=cursor, narrowing=narrowing) if with_matches else ([], None)
            )
            total = None if query.total == "none" else uow.searches.total(query, narrowing=narrowing)
            included, whole = uow.searches.included(query, matches, narrowing=narrowing, most=MOST_INCLUDED)
            return matches, following, total, included, whole

        matches, following, total, included, whole = self._rooms.store.read(ask)
        self.audit(asking, decision, *matches, *included)
        relations = {"self": _url(base, resource_type, (*query.used, *shown))}

        def to(cursor: Cursor | None) -> str:
            sealed = links.seal(Page(resource_type, tuple(params), cursor), source_of(asking.caller))
            return _url(base, resource_type, ((PAGE, sealed), *shown))

        if cursor is not None:
            relations["first"] = to(None)
        if following is not None:
            relations["next"] = to(following)
        found = [bundle.Found(one.resource_type, one.id, one.body) for one in matches]
        found += [bundle.Found(one.resource_type, one.id, one.body, "include") for one in included]
        answer = bundle.searchset(found, base=base, links=relations, total=total)
        if outcome := _outcome(query, whole):
            answer.setdefault("entry", []).append({"resource": outcome, "search": {"mode": "outcome"}})
        return dump(answer)

    def _narrowing(self, caller: Caller) -> Narrowing | None:
        """To what the caller may see. It holds for the directory too: includes and chains lead from it to persons."""
        if caller.operator:
            return None
        return Narrowing(caller.organisations, tuple(sorted(self.own(caller))), WITHHELD, DIRECTORY)


def _outcome(query: Query, whole: bool) -> dict[str, object] | None:
    """What was left out, said in the Bundle itself."""
    issues = list(query.ignored)
    if not whole:
        text = f"More than {MOST_INCLUDED} resources are included; the rest is left out. Ask for smaller pages."
        issues.append(Issue("warning", "too-costly", "too-many-included", text))
    return operation_outcome(issues) if issues else None


def _url(base: str, resource_type: str, used: tuple[tuple[str, str], ...]) -> str:
    return f"{base}/{resource_type}" + (f"?{urlencode(used)}" if used else "")
