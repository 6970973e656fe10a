"""A database of an earlier version, with all that sources said in it, is brought up to date and gives the same answers.

It is made of the rows of a new one, as far as its tables had them.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from alembic import command
from sqlalchemy import Connection, MetaData, create_engine, text

from gateway.access.caller import OPERATOR, Asking, Caller
from gateway.adapters.media import media_type
from gateway.app import Gateway, background, wire
from gateway.settings import Settings
from gateway.store.migrations import HEAD, config, revision
from tests.ingest.bad_cases import GOOD
from tests.ingest.samples import alarm, dispatch, municipal, visit

NOW = datetime(2026, 3, 12, 13, 30, tzinfo=UTC)
REVISIONS = ("0002_awaited", "0005_search_values", "0008_words", "0011_watch")
"""The first had not who takes part in whose care, which no later step makes of what was said."""
ASKING = Asking(OPERATOR, "operation", request_id="upgrade")
SEARCHES = (
    "Task?_count=1000",
    "Task?status=requested,accepted,completed&_sort=-authored-on",
    "Task?_content=alarm",
    "Patient?_count=1000&_revinclude=Task:patient",
    "Patient?name=testberg",
    "Encounter?date=ge2026-01-01&_sort=date",
    "Organization?name:contains=tanum",
    "Organization?_count=1000",
    "CarePlan?_count=1000",
    "Provenance?_count=1000",
    "Task/_history?_count=1000",
)


def of(url: str) -> Gateway:
    return wire(Settings(database_url=url, now=NOW, worker=False))


@pytest.fixture(scope="module")
def told(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new database, in which every package's source has spoken, one of them twice."""
    path = tmp_path_factory.mktemp("upgrade") / "new.db"
    shutil.copy(sqlite_template, path)
    gateway = of(f"sqlite:///{path}")
    for package, file in GOOD.items():
        gateway.ingest.take(gateway.sources.get(package), file.read_bytes(), media_type(file))
    for body in (municipal(visit("A"), visit("B")), municipal(visit("A"))):
        gateway.ingest.take(gateway.sources.get("municipal-csv"), body, "text/csv")
    gateway.door.who_does_what(ASKING, _persons(gateway)[0], base="http://gateway/fhir")
    gateway.close()
    return path


@pytest.fixture
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without tables, of either kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/old.db"
        return
    server = request.getfixturevalue("postgres_server")
    admin = create_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text("DROP DATABASE IF EXISTS upgraded"))
        connection.execute(text("CREATE DATABASE upgraded"))
    yield f"{server}/upgraded"
    with admin.connect() as connection:
        connection.execute(text("DROP DATABASE upgraded WITH (FORCE)"))
    admin.dispose()


@pytest.mark.parametrize(
    ("empty", "version"),
    [
        *(("sqlite", version) for version in REVISIONS),
        # The longest way has all the others in it.
        pytest.param("postgresql", REVISIONS[0], marks=pytest.mark.postgres),
    ],
    indirect=["empty"],
)
def test_an_earlier_database_gives_the_same_answers_once_it_is_upgraded(told: Path, empty: str, version: str) -> None:
    _put_back(told, empty, version)
    new, old = of(f"sqlite:///{told}"), of(empty)
    assert (new.store.made, old.store.made) == (False, False)
    while old.jobs(timedelta(0)).run_due():
        pass
    assert _answers(old) == _answers(new)
    assert _bearing(empty) == _bearing(f"sqlite:///{told}")
    assert old.rebuild(lambda *_: None).different == []
    assert old.door.audit_verify(ASKING) == []

    outcome = old.ingest.take(old.sources.get("dispatch-json"), dispatch(alarm("of-today")), "application/json")
    assert (outcome.state, outcome.held, outcome.statements > 0) == ("done", 0, True)
    assert old.rebuild(lambda *_: None).different == []
    for one in (new, old):
        one.close()


def _put_back(told: Path, url: str, version: str) -> None:
    """Put what a database holds into one of an earlier version, as far as its tables have a place for it."""
    source, target = create_engine(f"sqlite:///{told}"), create_engine(url)
    with source.connect() as new, target.begin() as old:
        command.upgrade(config(old), version)
        assert revision(old) == version != HEAD
        tables, before = MetaData(), MetaData()
        tables.reflect(new, only=lambda name, _: not name.startswith("search_text_words"))
        before.reflect(old, only=lambda name, _: not name.startswith(("search_text_words", "alembic")))
        for table in before.sorted_tables:
            columns = [column.name for column in table.columns if column.name in tables.tables[table.name].columns]
            query = (
                tables.tables[table.name]
                .select()
                .with_only_columns(*(tables.tables[table.name].columns[name] for name in columns))
            )
            if rows := [dict(row) for row in new.execute(query).mappings()]:
                old.execute(table.insert(), rows)
        _number_on(old, before, version)
    source.dispose()
    target.dispose()


def _number_on(old: Connection, tables: MetaData, version: str) -> None:
    """Let the database go on where the rows end: PostgreSQL's numbers, SQLite's index of words."""
    if old.dialect.name == "sqlite":
        if version >= "0008":  # Before, a trigger did it.
            old.execute(
                text("INSERT INTO search_text_words(rowid, words) SELECT rid * 2 + edge, words FROM search_text")
            )
        return
    old.execute(text("SELECT setval('rid', (SELECT max(rid) FROM locator))"))
    for table in tables.sorted_tables:
        for column in table.primary_key.columns:
            sequence = old.scalar(text(f"SELECT pg_get_serial_sequence('{table.name}', '{column.name}')"))
            if sequence is not None:
                old.execute(
                    text(f"SELECT setval('{sequence}', (SELECT coalesce(max({column.name}), 1) FROM {table.name}))")
                )


@contextmanager
def _opened(url: str) -> Iterator[Connection]:
    engine = create_engine(url)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def _persons(gateway: Gateway) -> list[str]:
    query = text("SELECT id FROM resource WHERE resource_type = 'Patient' AND NOT deleted ORDER BY id")
    with _opened(gateway.settings.database_url) as connection:
        return list(connection.scalars(query))


def _bearing(url: str) -> list[Any]:
    with _opened(url) as connection:
        rows = connection.execute(
            text("SELECT resource_id, resource_type, person, until, naming, known_by FROM bearing")
        )
        return sorted(map(str, rows))


def _answers(gateway: Gateway) -> dict[str, Any]:
    """What the operator and each organisation are told: resources by their bytes, searches by what they find."""
    found: dict[str, Any] = {}
    units = [one.hsa_id for one in gateway.door.organisations() if one.hsa_id]
    persons = _persons(gateway)
    with background(gateway) as base, httpx.Client(base_url=base, timeout=60) as client:
        for unit in (None, *units[:3]):
            token = gateway.identities.token(Caller("organisation", unit, unit, unit)) if unit else ""
            headers = {"authorization": f"Bearer {token}"} if unit else {}
            for path in (*SEARCHES, *(f"Patient/{one}/$who-does-what" for one in persons)):
                answer = client.get(f"/fhir/{path}", headers=headers)
                said = answer.json()
                found[f"{unit} {path}"] = (answer.status_code, said.get("total"), _entries(said, base))
    return found


def _entries(said: dict[str, Any], base: str) -> list[str]:
    return [str(one).replace(base, "") for one in said.get("entry", ())]
