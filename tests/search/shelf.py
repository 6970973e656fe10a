"""A database with resources and their search rows, and searches on it: what the case files run against."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from sqlalchemy import Engine, create_engine, insert
from sqlalchemy.pool import StaticPool

from gateway.definitions import load
from gateway.search import sql
from gateway.search.cursor import START, Cursor
from gateway.search.index import Indexer
from gateway.search.query import Compartment, Query, parse
from gateway.store import sets
from gateway.store.finding import Asked, Findings
from gateway.store.saving import search_rows
from gateway.store.searching import Searches
from gateway.tables import locator, metadata, partition_key, resource
from gateway.terminology import Terminology

BASE = "https://gateway.example/fhir"
MOST = 1000
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
INDEX = Indexer(load(), bases=[BASE])


class Shelf:
    """On an SQLite database in memory, or on an `engine` whose tables are there and empty."""

    def __init__(self, resources: list[dict[str, Any]], engine: Engine | None = None) -> None:
        self.engine = engine or create_engine("sqlite://", poolclass=StaticPool)
        if engine is None:
            tables = [table for name, table in metadata.tables.items() if name.startswith("search_")]
            metadata.create_all(self.engine, tables=[resource, locator, *tables])
        for rid, content in enumerate(resources, start=1):
            self.put(rid, content)

    def put(self, rid: int, content: dict[str, Any]) -> None:
        kind, id = content["resourceType"], content["id"]
        updated = content.get("meta", {}).get("lastUpdated", "2026-11-01T00:00:00Z")
        partition = partition_key(None, id)
        row = {
            "partition": partition,
            "rid": rid,
            "resource_type": kind,
            "id": id,
            "version": "1",
            "last_updated": datetime.fromisoformat(updated),
            "method": "PUT",
            "deleted": False,
            "digest": b"",
            "contributors": "[]",
            "contradictions": "[]",
            "body": json.dumps(content, default=str).encode(),
        }
        with self.engine.begin() as connection:
            connection.execute(insert(resource), row)
            connection.execute(insert(locator), {"rid": rid, "id": id, "resource_type": kind, "partition": partition})
            sets.insert_all(connection, search_rows(connection, INDEX, [(partition, rid, content)]))

    def query(self, text: str, *, lenient: bool = False) -> Query:
        """`Task?…`, `?…` for all types, `Patient/1/Task?…` or `Patient/1/*?…` within a compartment."""
        path, _, params = text.partition("?")
        *within, resource_type = path.split("/")
        return parse(
            "" if resource_type == "*" else resource_type,
            parse_qsl(params, keep_blank_values=True),
            load(),
            within=Compartment(*within) if within else None,
            bases=[BASE],
            now=NOW,
            lenient=lenient,
            terminology=Terminology(load(), self.find),
        )

    def find(self, kind: str, url: str) -> dict[str, Any] | None:
        """A ValueSet or CodeSystem of the shelf."""
        with self.engine.connect() as connection:
            body = connection.execute(*sql.canonical(kind, url, INDEX.place.bases)).scalar()
        return None if body is None else json.loads(body)

    def page(self, query: Query, after: Cursor = START) -> tuple[list[str], Cursor | None]:
        """The ids of one page, and where the next one begins; of a backward one, where the one before it ends."""
        with self.engine.connect() as connection:
            rows = connection.execute(sql.select(query, resource.c.id, after=after)).all()
            by_kept = Searches(connection).page(query, after=after)
            answers = Findings(connection).find([Asked(query, after, None, MOST)] * 2)
        kept = rows[: sql.size(query, after)]
        further = sql.cursor(query, kept[-1], backward=after.backward) if len(rows) > len(kept) and kept else None
        ids = [row[0] for row in kept]
        ids = ids[::-1] if after.backward else ids
        # By a statement that is kept for all searches of this shape, the same is found.
        assert [one.id for one in by_kept.matches] == ids
        assert (by_kept.before if after.backward else by_kept.behind) == further
        # And where several are alike, by one for all of them.
        for one in answers:
            assert [match.id for match in one.page.matches] == (ids if query.count else [])
            assert (one.page.before, one.page.behind) == (by_kept.before, by_kept.behind)
        return ids, further

    def search(self, text: str) -> list[str]:
        """The ids of all pages, in order."""
        query = self.query(text)
        found, cursor = self.page(query)
        while cursor is not None:
            more, cursor = self.page(query, cursor)
            found += more
        return found

    def count(self, text: str) -> int:
        with self.engine.connect() as connection:
            found: int = connection.execute(sql.count(self.query(text))).scalar_one()
            assert Searches(connection).total(self.query(text)) == found
            return found

    def included(self, text: str) -> list[str]:
        """What the includes of a search add, as Type/id."""
        query = self.query(text)
        columns = (resource.c.rid, resource.c.resource_type, resource.c.id)
        with self.engine.connect() as connection:
            found = [tuple(row[:3]) for row in connection.execute(sql.select(query, *columns)).all()[: query.count]]
            seen, fresh, again = set(found), found, False
            while fresh:
                selects = sql.included(query, fresh, *columns, again=again)
                rows = {tuple(row) for one in selects for row in connection.execute(one)}
                fresh, again = sorted(rows - seen), True
                seen |= rows
            matches = Searches(connection).page(query).matches
            by_kept, _ = Searches(connection).included(query, matches)
            assert {(one.rid, one.resource_type, one.id) for one in by_kept} == seen - set(found)
            for answer in Findings(connection).find([Asked(query, START, None, MOST)] * 2):
                assert [one.rid for one in answer.included] == [one.rid for one in by_kept]
        return sorted(f"{kind}/{id}" for _, kind, id in seen - set(found))
