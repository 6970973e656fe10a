"""A start loads what the first answers need, and leaves the rest until it is asked for, or loads it beside them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from threading import Event

import pytest
from structlog.testing import capture_logs

from gateway.errors import Unavailable
from gateway.rest.routes import ROUTES, place_of
from gateway.rest.served import FIRST, SAFE
from gateway.settings import Settings
from gateway.wiring import wire
from gateway.workers import Workers

LATER = {
    "alembic": "steps of the tables: where a database is older",
    "cryptography": "links to further pages",
    "fastapi": "the framework of the pages",
    "fhir": "the typed face of resources",
    "gateway.access.door": "whatever is asked but a read",
    "gateway.adapters": "transports: where a source has one",
    "gateway.coordination.look": "who does what, and what is missing",
    "gateway.coordination.recorder": "what is written",
    "gateway.graphql": "GraphQL",
    "gateway.ingest.pipeline": "messages",
    "gateway.ingest.worker": "messages that wait",
    "gateway.jobs.watching": "the gap watch",
    "gateway.patch": "patches",
    "gateway.rest.routes": "every handler of the API",
    "gateway.search.conditions": "searches",
    "gateway.search.index": "what is written",
    "gateway.store.exports": "bulk exports",
    "gateway.validation": "what is written",
    "gateway.web": "the pages",
    "graphql": "GraphQL",
    "httpx": "asking other servers",
    "jinja2": "the pages",
    "joserfc": "tokens",
    "psycopg": "the other database",
    "rich": "progress bars",
}
"""Modules that no start on SQLite may wait for, and what they are for."""
FIRST_ANSWERS = """
import asyncio, json, sys
from gateway.cli import loaded
loaded("serve")
from gateway.app import create_app, wire
from gateway.settings import Settings

def scope(path):
    return {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "root_path": "", "scheme": "http",
            "query_string": b"",
            "headers": [(b"host", b"localhost")], "client": ("127.0.0.1", 1), "server": ("localhost", 80)}

async def status(app, path):
    sent = []
    async def receive():
        return {"type": "http.request", "body": b""}
    async def send(message):
        sent.append(message)
    await app(scope(path), receive, send)
    return sent[0]["status"]

async def answers():
    app = create_app(wire(Settings(database_url=sys.argv[1])))
    return [await status(app, path) for path in ("/health", "/fhir/Patient/none", "/ready")]

print(json.dumps([asyncio.run(answers()), sorted(sys.modules)]))
"""


def python(words: str, *given: str) -> str:
    """What a process prints that runs some words of Python."""
    return subprocess.run([sys.executable, "-c", words, *given], check=True, capture_output=True, text=True).stdout


def test_the_first_answers_wait_for_nothing_that_they_do_not_need(tmp_path: Path) -> None:
    statuses, modules = json.loads(python(FIRST_ANSWERS, f"sqlite:///{tmp_path}/start.db"))
    assert statuses == [200, 404, 200]
    assert sorted(LATER.keys() & set(modules)) == []


def test_the_commands_are_listed_and_refused_without_a_gateway() -> None:
    modules = python("import sys, gateway.cli; print(*sys.modules)").split()
    assert {"fastapi", "gateway.app", "gateway.wiring", "gateway.mapping", "lxml", "sqlalchemy"}.isdisjoint(modules)


@pytest.mark.parametrize("method", SAFE)
def test_where_a_read_is_answered_before_the_table_is_loaded_nothing_else_would_be(method: str) -> None:
    paths = {path.format_map(Filled()) for _, path, _ in ROUTES}
    first = {path for path in paths if FIRST.fullmatch(path)}
    assert first == {"/fhir/Patient/none"}
    place, _ = place_of(*first) or pytest.fail("Nothing answers there.")
    assert place.handlers[method].__name__ == "read"


def test_work_that_could_not_begin_begins_when_it_can(tmp_path: Path) -> None:
    tries: list[str] = []
    begun = Event()

    def load() -> None:
        tries.append("load")
        if len(tries) == 1:
            raise Unavailable("The database does not answer.", rule="database-unavailable")

    gateway = wire(Settings(database_url=f"sqlite:///{tmp_path}/begun.db"))
    with capture_logs() as logged:
        workers = Workers(gateway, lambda _: None, load=load, beside=begun.set)
        workers.start()
        assert begun.wait(20)
        workers.stop()
    gateway.close()
    assert len(tries) == 2
    assert [one["event"] for one in logged] == ["work-not-begun"]


class Filled(dict[str, str]):
    """What stands for the parts of a path."""

    def __missing__(self, name: str) -> str:
        return "Patient" if name in ("resource_type", "compartment") else "none"
