"""A statement that is kept for all searches of a shape finds what one that is written out for the search finds.

Drawn is whatever the shape leaves out, too: the values, the place to go on from, and what the caller may see.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, insert, update
from sqlalchemy.pool import NullPool

from gateway.errors import BadRequest
from gateway.search import sql
from gateway.search.cursor import START, Cursor
from gateway.search.query import Query
from gateway.search.shape import shape
from gateway.store.finding import Asked, Findings
from gateway.store.narrowing import Narrowing
from gateway.store.searching import Searches
from gateway.store.versions import COLUMNS
from gateway.tables import contributor, metadata, resource, takes_part
from tests.search.shelf import MOST, Shelf

WITHHELD = ("urn:labels", "R")
LABEL = {"meta": {"security": [{"system": WITHHELD[0], "code": WITHHELD[1]}]}}
PARTIES, SOURCES = ("SE-1", "SE-2"), ("first", "second")
CODINGS = ({"system": "urn:a", "code": "A"}, {"system": "urn:b", "code": "a"}, {"code": "b"})
NAMES = ("Anna", "Ann", "Åsa", "bo", "%", "_", "O'Neil", "")


def resources() -> Iterator[dict[str, Any]]:
    """Few of each, alike in most: whatever a search looks at, something is found and something is not."""
    for n in range(6):
        day, of_day = f"2026-03-{n + 1:02}", f"2026-03-{n + 1:02}T{22 + n % 2}:30:00+0{n % 3}:00"
        label = LABEL if n % 3 == 0 else {}
        patient = {"reference": f"Patient/p{n % 3}"}
        yield {
            "resourceType": "Patient",
            "id": f"p{n}",
            "gender": ("male", "female")[n % 2],
            "name": [{"family": NAMES[n], "given": [NAMES[n - 3]]}] if NAMES[n] else [],
            "identifier": [{"system": f"urn:{n % 2}", "value": f"{n // 2}"}],
            **({"birthDate": day} if n % 2 else {}),
        }
        yield {
            "resourceType": "Task",
            "id": f"t{n}",
            "intent": "order",
            "status": ("requested", "completed", "failed")[n % 3],
            "code": {
                "coding": [({"system": "urn:a", "code": "A"}, {"system": "urn:b", "code": "a"}, {"code": "b"})[n % 3]]
            },
            "for": patient,
            **({"authoredOn": of_day} if n != 4 else {}),
            **label,
        }
        yield {
            "resourceType": "Observation",
            "id": f"o{n}",
            "status": "final",
            "code": {"coding": [{"system": "urn:a", "code": ("A", "a", "b")[n % 3]}]},
            "subject": patient,
            "effectiveDateTime": of_day,
            "valueQuantity": {"value": n * 0.5, "system": "http://unitsofmeasure.org", "code": ("mg", "g")[n % 2]},
            **label,
        }


CODES = ("A", "a", "b", "urn:a|A", "urn:a|a", "urn:b|a", "|b", "urn:a|", "urn:none|a")
TIMES = ("2026", "2026-03", "2026-03-02", "2026-03-02T21:30Z", "2026-03-03T00:30:00+02:00", "2026-03-04T23:30:00")
PREFIXES = ("", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")
WHEN = tuple(prefix + time for prefix in PREFIXES for time in TIMES)
AMOUNTS = tuple(
    f"{prefix}{amount}" for prefix in PREFIXES for amount in ("1", "1.0", "0.5|http://unitsofmeasure.org|mg")
)
WHO = ("Patient/p0", "Patient/p1", "p2", "Patient/none")
ASKED: dict[str, tuple[str, ...]] = {
    "_id": ("t1", "o2", "p3", "none"),
    "_lastUpdated": WHEN,
}
OF: dict[str, dict[str, tuple[str, ...]]] = {
    "Patient": {
        **dict.fromkeys(("name", "name:exact", "name:contains", "family"), ("Ann", "anna", "Å", "%", "O", "x")),
        "gender": ("male", "female"),
        "gender:not": ("male", "female"),
        "birthdate": WHEN,
        "birthdate:missing": ("true", "false"),
        "identifier": ("urn:0|0", "urn:1|1", "2", "|2", "urn:0|"),
        "_has:Task:patient:status": ("requested", "completed", "none"),
        **ASKED,
    },
    "Task": {
        "status": ("requested", "completed", "failed"),
        "status:not": ("requested", "completed"),
        "code": CODES,
        "code:not": CODES,
        "patient": WHO,
        "patient:Patient.family": ("Ann", "b", "x"),
        "authored-on": WHEN,
        **ASKED,
    },
    "Observation": {
        "code": CODES,
        "subject": WHO,
        "date": WHEN,
        "value-quantity": AMOUNTS,
        "code-value-quantity": tuple(f"{code}${amount}" for code in ("A", "urn:a|b") for amount in ("gt0.2", "1.0")),
        "subject:Patient.birthdate": WHEN,
        **ASKED,
    },
}
SORTS = {
    "Patient": ("", "name", "-birthdate,gender"),
    "Task": ("", "authored-on", "-code,_lastUpdated"),
    "Observation": ("", "-date", "value-quantity"),
}


@st.composite
def alike(draw: st.DrawFn) -> list[str]:
    """Two searches that ask for the same with other values."""
    kind = draw(st.sampled_from(sorted(OF)))
    names = draw(st.lists(st.sampled_from(sorted(OF[kind])), min_size=1, max_size=3))
    shared = [("_count", draw(st.sampled_from(["0", "2", "50"])))]
    if by := draw(st.sampled_from(SORTS[kind])):
        shared.append(("_sort", by))
    counts = [draw(st.integers(1, 5)) for _ in names]

    def one() -> str:
        given = [
            (name, ",".join(draw(st.sampled_from(OF[kind][name])) for _ in range(count)))
            for name, count in zip(names, counts, strict=True)
        ]
        return f"{kind}?{urlencode(given + shared)}"

    return [one(), one()]


@st.composite
def narrowings(draw: st.DrawFn) -> Narrowing | None:
    def some(of: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(draw(st.lists(st.sampled_from(of), unique=True)))

    if draw(st.booleans()):
        return None
    return Narrowing(
        some(PARTIES), some(SOURCES), draw(st.sampled_from([WITHHELD, ("urn:a", "a")])), some(("Patient",))
    )


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def shelf(request: pytest.FixtureRequest) -> Iterator[Shelf]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
    made = Shelf([*resources()], create_engine(url, poolclass=NullPool) if url else None)
    metadata.create_all(made.engine, tables=[takes_part, contributor])
    with made.engine.begin() as connection:
        for n in range(3):
            about = [f"p{n}", *(f"{kind}{m}" for kind in "to" for m in (n, n + 3))]
            connection.execute(update(resource).where(resource.c.id.in_(about)).values(person=f"person-{n}"))
        parts = [(PARTIES[0], "person-0"), (PARTIES[1], "person-0"), (PARTIES[1], "person-1")]
        connection.execute(insert(takes_part), [{"hsa_id": party, "person": person} for party, person in parts])
        stated = [(rid, source) for rid in range(1, 19) for source in SOURCES[: 1 + rid % 2]]
        connection.execute(
            insert(contributor), [{"partition": 0, "rid": rid, "source": source} for rid, source in stated]
        )
    yield made
    made.engine.dispose()


def differential(shelf: Shelf, query: Query, narrowing: Narrowing | None, *, counted: bool) -> None:
    """Every page, forward and then back again, and the count: by the statement that is kept, and written out."""
    visible = None if narrowing is None else narrowing.test()
    with shelf.engine.connect() as connection:
        searches = Searches(connection)
        assert searches.total(query, narrowing=narrowing) == connection.scalar(sql.count(query, visible=visible))

        def page(after: Cursor) -> tuple[list[str], Cursor | None]:
            wanted = sql.select(query, *COLUMNS, after=after, visible=visible, counted=counted)
            rows = connection.execute(wanted).all()[: sql.size(query, after)]
            found = searches.page(query, after=after, narrowing=narrowing)
            ids = [one.id for one in found.matches]
            assert ids == [row.id for row in (reversed(rows) if after.backward else rows)]
            asked = replace(query, total="accurate" if counted else "none")
            for answer in Findings(connection).find([Asked(asked, after, narrowing, MOST)] * 2):
                assert [one.id for one in answer.page.matches] == ids
                if counted and rows:
                    assert answer.total == rows[0].total
            return ids, found.before if after.backward else found.behind

        for first in (START, Cursor(backward=True)):
            cursor: Cursor | None = first
            while cursor is not None:
                _, cursor = page(cursor)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(texts=["Task?code=urn:a|A,urn:b|a", "Task?code=urn:b|a,urn:a|a"], narrowing=None, counted=True)
@example(texts=["Task?status=failed", "Task?status=requested"], narrowing=Narrowing((), (), WITHHELD, ()), counted=True)
@given(texts=alike(), narrowing=narrowings(), counted=st.booleans())
def test_kept_statements_find_what_statements_that_are_written_out_find(
    shelf: Shelf, texts: list[str], narrowing: Narrowing | None, counted: bool
) -> None:
    queries = []
    for text in texts:
        try:
            queries.append(shelf.query(text))
        except BadRequest:
            event("refused")
            continue
        event("of a shape" if shape(queries[-1], START) else "written out")
        differential(shelf, queries[-1], narrowing, counted=counted)
    # Asked together, each finds its own.
    with shelf.engine.connect() as connection:
        answers = Findings(connection).find([Asked(query, START, narrowing, MOST) for query in queries])
        for query, answer in zip(queries, answers, strict=True):
            assert answer.page == Findings(connection).find([Asked(query, START, narrowing, MOST)])[0].page
