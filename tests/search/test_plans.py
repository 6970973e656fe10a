"""Searches as PostgreSQL plans them: it looks up what a search finds, and never goes through all resources for it."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from gateway.search import sql
from tests.search.shelf import Shelf

pytestmark = pytest.mark.postgres

SEARCHES = (
    "Observation?subject:Patient.identifier=urn:x|1",
    "Observation?subject=Patient/1&code=a",
    "Observation?subject=Patient/1&performer:missing=true",
    "Patient?_has:Observation:patient:code=a",
    "Patient?_has:Observation:patient:code=a,b",
    "QuestionnaireResponse?questionnaire.status=active",
)
INCLUDES = ("Observation?_include=Observation:subject", "Observation?_include=*", "Patient?_revinclude=*")


@pytest.mark.parametrize("search", SEARCHES)
def test_what_a_search_finds_is_looked_up(postgres_url: str, search: str) -> None:
    shelf = Shelf([], create_engine(postgres_url, poolclass=NullPool))
    for asked in (sql.count(shelf.query(search)), sql.select(shelf.query(search))):
        plan = _plan(shelf, asked)
        # As a subplan a set would be a test on every resource.
        assert "SubPlan" not in plan
        assert "Seq Scan" not in plan


@pytest.mark.parametrize("search", INCLUDES)
def test_what_a_page_includes_is_looked_up(postgres_url: str, search: str) -> None:
    shelf = Shelf([], create_engine(postgres_url, poolclass=NullPool))
    kind = search.partition("?")[0]
    for asked in sql.included(shelf.query(search), [(n, kind, f"id-{n}") for n in range(20)]):
        plan = _plan(shelf, asked)
        assert "SubPlan" not in plan
        assert "Seq Scan" not in plan
        if "_include" in search:
            assert "Index Cond: ((id = (search_reference.target_id)::text)" in plan


def _plan(shelf: Shelf, asked: object) -> str:
    """As for tables that are large: of small ones it would rather read the whole."""
    statement = asked.compile(shelf.engine, compile_kwargs={"literal_binds": True})  # type: ignore[attr-defined]
    with shelf.engine.begin() as connection:
        for setting in ("enable_seqscan", "enable_hashjoin", "enable_mergejoin", "enable_bitmapscan"):
            connection.execute(text(f"SET LOCAL {setting} = off"))
        found = connection.exec_driver_sql(f"EXPLAIN {statement}")
        return "\n".join(row[0] for row in found)
