"""What many tests stand on: an empty store, on SQLite and on a real PostgreSQL alike."""

from __future__ import annotations

import asyncio
import fcntl
import gc
import importlib
import os
import shutil
import ssl
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import hypothesis
import psycopg
import pytest
import structlog
from sqlalchemy import Engine, create_engine, make_url, text

from gateway.store import Store, database
from gateway.store.migrations import migrate
from gateway.tables import metadata
from tests import memory, postgres

memory.use()
# Tests count what is stored: gaps are raised where they are what is tested (tests/golden/test_watch.py).
os.environ.setdefault("SAMVERKA_WATCH_GAPS", "false")
# How long an example takes says something of the machine, not of the code. EXAMPLES=1000 looks longer.
hypothesis.settings.register_profile("samverka", deadline=None, max_examples=int(os.environ.get("EXAMPLES", "50")))
hypothesis.settings.load_profile("samverka")


LONGEST = (
    "test_docs.py",
    "rest/test_search_parameters.py",
    "search/test_cases.py",
    "rest/test_hidden.py",
    "web/test_browser.py",
    "web/test_task.py",
    "test_package.py",
    "ingest/test_orders.py",
    "rest/test_terminology.py",
    "web/test_workbench.py",
    "rest/test_plans.py",
    "rest/test_every_route_is_decided.py",
    "ingest/test_kill.py",
    "ingest/test_bad_input.py",
    "golden/test_golden.py",
    "rest/test_examples.py",
    "mapping/test_pytest_plugin.py",
    "model/test_schemathesis.py",
    "web/test_measures.py",
    "web/test_sip.py",
)
"""The files that take half a minute or so, with the longest first."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files: begun last, one process would be at them when the others have ended."""
    places = {Path(__file__).parent / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Let each process of a run begin with other tests: what one has compiled, with its assertions, the others read."""
    here = Path(__file__).parent
    whole = [Path(one).resolve() for one in session.config.args] == [here]
    if not whole or "PYTEST_XDIST_WORKER" not in os.environ or sys.dont_write_bytecode:
        return
    place, places = int(os.environ["PYTEST_XDIST_WORKER"][2:]), int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    files = sorted(here.rglob("test_*.py"))
    first = len(files) * place // places
    for path in files[first:] + files[:first]:
        with suppress(Exception, pytest.skip.Exception):  # Told when the file is collected.
            importlib.import_module(".".join(path.relative_to(here.parent).with_suffix("").parts))


def pytest_collection_finish() -> None:
    """Leave what was loaded for the tests out of the search for garbage, which took a sixth of their time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000)


@pytest.fixture(scope="session", autouse=True)
def certificates_are_read_once() -> Iterator[None]:
    """Each HTTP client reads the certificates of the world, for some 40 ms; no test leaves this machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ssl, "create_default_context", cache(ssl.create_default_context))
        yield


@pytest.fixture(scope="session", autouse=True)
def servers_end_soon() -> Iterator[None]:
    """A server looks ten times a second whether it is to end, and gives its connections a tenth more: 0.15 s in all."""
    sooner = ModuleType("asyncio")
    vars(sooner).update(vars(asyncio), sleep=lambda seconds: asyncio.sleep(seconds / 5))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("uvicorn.server.asyncio", sooner)
        yield


@pytest.fixture(autouse=True)
def logs_are_left_as_they_were() -> Iterator[None]:
    """A server or a command sets them up for its whole process: tests after it would not see a line of theirs."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@pytest.fixture(scope="session", autouse=True)
def loggers_are_not_kept() -> Iterator[None]:
    """A logger that is kept goes on as it was first used, whatever is set up afterwards."""
    configure = structlog.configure
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(structlog, "configure", lambda **given: configure(**given | {"cache_logger_on_first_use": False}))
        yield


class Statements(dict[tuple[Any, ...], Any]):
    """SQL by what it says, for one kind of database: the dialect, which comes first, is each engine's own object."""

    def get(self, key: tuple[Any, ...], default: Any = None) -> Any:
        return super().get(key[1:], default)

    def __setitem__(self, key: tuple[Any, ...], compiled: Any) -> None:
        super().__setitem__(key[1:], compiled)


@pytest.fixture(scope="session", autouse=True)
def statements_are_compiled_once() -> Iterator[None]:
    """Each test has engines of its own, which would write the same SQL anew: half of what a first request costs."""
    kept = {"sqlite": Statements(), "postgresql": Statements()}

    def made(url: Any, **options: Any) -> Engine:
        engine = create_engine(url, **options)
        engine.update_execution_options(compiled_cache=kept[engine.dialect.name])
        return engine

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "create_engine", made)
        yield


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of a server, the same for all processes of a run."""
    if postgres.binaries() is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return postgres.start(os.getpid())
    shared = tmp_path_factory.getbasetemp().parent / "postgres-url"
    with shared.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not shared.exists():
            shared.write_text(postgres.start(os.getppid()))
        return shared.read_text()


@pytest.fixture(scope="session")
def postgres_database(postgres_server: str) -> Iterator[str]:
    """A migrated database of this process's own."""
    yield from _made(postgres_server, "test")


@pytest.fixture(scope="session")
def other_postgres_database(postgres_server: str) -> Iterator[str]:
    """Another one, for what stands while the tests of a module empty the first."""
    yield from _made(postgres_server, "standing")


EMPTYING: dict[str, psycopg.Connection[Any]] = {}
"""By database, the connection that empties it: a new one would read the definitions of all tables first."""


def _made(server: str, kind: str) -> Iterator[str]:
    name = f"{kind}_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    admin = create_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    admin.dispose()
    url = f"{server}/{name}"
    engine = create_engine(url)
    migrate(engine)
    engine.dispose()
    yield url
    if url in EMPTYING:
        EMPTYING.pop(url).close()


@pytest.fixture
def postgres_url(postgres_database: str) -> str:
    """A PostgreSQL database whose tables are empty."""
    return emptied(postgres_database)


def emptied(database: str) -> str:
    """The same database, its tables empty."""
    # Forty small tables are emptied faster by rows than by TRUNCATE, which makes new files for each.
    away = [f"DELETE FROM {table.name}" for table in reversed(metadata.sorted_tables)]
    anew = "SELECT setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S'"
    statements = "; ".join([*away, anew])
    try:
        _emptying(database).execute(statements)
    except psycopg.OperationalError:  # Some tests let the server end all connections.
        EMPTYING.pop(database).close()
        _emptying(database).execute(statements)
    return database


def _emptying(database: str) -> psycopg.Connection[Any]:
    if database not in EMPTYING:
        address = make_url(database).set(drivername="postgresql").render_as_string(False)
        EMPTYING[database] = psycopg.connect(address, autocommit=True)
    return EMPTYING[database]


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    Store.open(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """An SQLite database whose tables are empty."""
    shutil.copy(sqlite_template, tmp_path / "test.db")
    return f"sqlite:///{tmp_path}/test.db"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> str:
    """Both databases, one after the other."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    assert make_url(url).get_backend_name() == request.param
    return url


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def standing_url(
    request: pytest.FixtureRequest, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """Both databases, one after the other, each the same for all tests of a module: they leave one another alone."""
    if request.param == "postgresql":
        return emptied(request.getfixturevalue("other_postgres_database"))
    path = tmp_path_factory.mktemp("standing") / "standing.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with Store.open(database_url) as opened:
        yield opened
