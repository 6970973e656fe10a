"""Searches as they are answered: each the page that it asks for, with what that includes.

Those of one moment that are alike but for their values are asked in one statement: what one costs around its rows is
paid once for all. https://hl7.org/fhir/R4/search.html
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import Connection

from gateway.search import sql
from gateway.search.cursor import START, Cursor
from gateway.search.query import Include, Query
from gateway.search.shape import shape
from gateway.store import kept
from gateway.store.kept import Statement
from gateway.store.narrowing import Narrowing
from gateway.store.searching import Searches, SearchPage, page_of
from gateway.store.versions import FOUND, Found

K = TypeVar("K", bound=Hashable)
Values = Mapping[str, Any]
Leading = tuple[Include, str | None]
"""An include, and where it leads back, from which type."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One search: a page of it, for one who sees so much, and at `most` so many resources that it includes."""

    query: Query
    after: Cursor
    narrowing: Narrowing | None
    most: int

    @property
    def only_counted(self) -> bool:
        return self.query.count == 0 or self.query.summary == "count"

    @property
    def counted(self) -> bool:
        return self.query.total != "none"


@dataclass(slots=True)
class Answer:
    """What was found; `whole`: that is all that is included."""

    page: SearchPage[Found]
    total: int | None
    included: list[Found] = field(default_factory=list)
    whole: bool = True


class Findings:
    """Of one snapshot."""

    def __init__(self, connection: Connection) -> None:
        self._searches = Searches(connection)
        self._connection = connection
        self._dialect = connection.dialect.name

    def find(self, asked: Sequence[Asked]) -> list[Answer]:
        """The answers, in the order of the questions."""
        found: dict[int, Answer] = {}
        alike: dict[tuple[Statement, Narrowing | None], list[tuple[int, Values]]] = defaultdict(list)
        for place, one in enumerate(asked):
            if one.only_counted:
                found[place] = Answer(SearchPage(), self._searches.total(one.query, narrowing=one.narrowing))
            elif (shaped := shape(one.query, one.after)) is None:
                found[place] = self._answer(one, self._written_out(one))
            else:
                narrowed = one.narrowing is not None
                page = kept.page(shaped[0], self._dialect, narrowed=narrowed, counted=one.counted, whole=False)
                alike[page, one.narrowing].append((place, shaped[1]))
        for (page, narrowing), places in alike.items():
            rows = self._searches.rows_of_several(page, [values for _, values in places], narrowing)
            for (place, _), its in zip(places, rows, strict=True):
                found[place] = self._answer(asked[place], its)
        answers = [found[place] for place in range(len(asked))]
        self._include([(one, answer) for one, answer in zip(asked, answers, strict=True) if _includes(one)])
        return answers

    def _written_out(self, one: Asked) -> Sequence[Any]:
        visible = None if one.narrowing is None else one.narrowing.test()
        select = sql.select(one.query, *FOUND, after=one.after, visible=visible, counted=one.counted)
        return self._connection.execute(select).all()

    def _answer(self, one: Asked, rows: Sequence[Any]) -> Answer:
        total: int | None = None
        if one.counted:
            none = 0 if one.after == START else None
            total = rows[0][len(FOUND)] if rows else none
            if total is None:
                total = self._searches.total(one.query, narrowing=one.narrowing)
        return Answer(page_of(one.query, one.after, rows, _found), total)

    def _include(self, given: Sequence[tuple[Asked, Answer]]) -> None:
        """Put to the answers what their matches include, each once: from step to step, for all of them together."""
        walks = [_Walk(one, answer) for one, answer in given]
        again = False
        while walks:
            leading: dict[tuple[Leading, Narrowing | None], list[tuple[_Walk, Values]]] = defaultdict(list)
            for walk in walks:
                for along, values in walk.leads(again=again):
                    leading[along, walk.asked.narrowing].append((walk, values))
            for (along, narrowing), those in leading.items():
                narrowed = narrowing is not None
                statement = kept.included(*along, self._dialect, narrowed=narrowed, whole=False)
                rows = self._searches.rows_of_several(statement, [values for _, values in those], narrowing)
                for (walk, _), its in zip(those, rows, strict=True):
                    walk.meet(map(_found, its))
            walks, again = [walk for walk in walks if walk.goes_on()], True


class _Walk:
    """From the matches of one search to what they include, and on from that."""

    def __init__(self, asked: Asked, answer: Answer) -> None:
        self.asked, self._answer = asked, answer
        self._seen = {one.rid for one in answer.page.matches}
        self._fresh: Sequence[Found] = answer.page.matches
        self._met: list[Found] = []

    def leads(self, *, again: bool) -> Iterable[tuple[Leading, Values]]:
        places = [(one.rid, one.resource_type, one.id) for one in self._fresh]
        for include, kind, group in sql.leading(self.asked.query, places, again=again):
            rids, ids = [rid for rid, _, _ in group], [id for _, _, id in group]
            yield (include, kind), {"rids": rids, "ids": ids, "most": self.asked.most + 1 + len(self._seen)}

    def meet(self, found: Iterable[Found]) -> None:
        for one in found:
            if one.rid not in self._seen:
                self._seen.add(one.rid)
                self._met.append(one)

    def goes_on(self) -> bool:
        """Whether anything is new, and it is not too much."""
        included = self._answer.included
        included += self._met
        self._answer.whole = len(included) <= self.asked.most
        del included[self.asked.most :]
        self._fresh, self._met = self._met, []
        return bool(self._fresh) and self._answer.whole


def _includes(one: Asked) -> bool:
    return bool(one.query.includes or one.query.revincludes)


def _found(row: Any) -> Found:
    return Found._make(row[: len(FOUND)])
