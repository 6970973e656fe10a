"""Batches and transactions as case files: what is given, what is sent, the skeleton of the answer, what is there then.

`tests/rest/bundles/<case>.json`: `given` is stored first, `request` sent to the base (`headers` with it), `status` and
`response` expected, and each of `then` asked afterwards. Of an object only the members that are named are looked at, a
list is of the same length; `~` begins a regular expression; `@2` is `Type/id` of the client's entry 2, and `absent` a
member that must not be there. https://hl7.org/fhir/R4/http.html#transaction
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import create_engine

from gateway.app import background, wire
from gateway.settings import Settings
from gateway.tables import metadata

CASES = sorted((Path(__file__).parent / "bundles").glob("*.json"))
KEPT = "meta"
"""The table of what belongs to the installation."""


@pytest.fixture(scope="module")
def database(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("bundles") / "test.db"
    path.write_bytes(sqlite_template.read_bytes())
    return f"sqlite:///{path}"


@pytest.fixture(scope="module")
def server(database: str) -> Iterator[str]:
    gateway = wire(Settings(database_url=database, max_body=1_000_000, worker=False))
    with background(gateway) as address:
        yield address
    gateway.close()


@pytest.fixture
def client(server: str, database: str) -> Iterator[httpx.Client]:
    engine = create_engine(database)
    with engine.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            if table.name != KEPT:
                connection.execute(table.delete())
    engine.dispose()
    with httpx.Client(base_url=server, headers={"content-type": "application/fhir+json"}, timeout=60) as made:
        yield made


def filled(value: Any, ids: list[str]) -> Any:
    """With `@n` as what the client's entry n became."""
    if isinstance(value, dict):
        return {filled(name, ids): filled(child, ids) for name, child in value.items()}
    if isinstance(value, list):
        return [filled(child, ids) for child in value]
    if isinstance(value, str):
        return re.sub(r"@(\d+)", lambda number: ids[int(number[1])], value)
    return value


def differs(wanted: Any, found: Any, path: str = "") -> str | None:
    """Where the answer is not as wanted."""
    if isinstance(wanted, dict):
        for name, child in wanted.items():
            if child == "absent":
                if isinstance(found, dict) and name in found:
                    return f"{path}.{name} is there"
            elif not isinstance(found, dict) or name not in found:
                return f"{path}.{name} is missing"
            elif wrong := differs(child, found[name], f"{path}.{name}"):
                return wrong
        return None
    if isinstance(wanted, list):
        if not isinstance(found, list) or len(found) != len(wanted):
            return f"{path} has not {len(wanted)} items"
        pairs = enumerate(zip(wanted, found, strict=True))
        return next((wrong for n, (one, other) in pairs if (wrong := differs(one, other, f"{path}[{n}]"))), None)
    if isinstance(wanted, str) and wanted.startswith("~"):
        return None if re.search(wanted[1:], str(found)) else f"{path} is {found!r}, not {wanted!r}"
    return None if wanted == found else f"{path} is {found!r}, not {wanted!r}"


def ids_of(answer: httpx.Response) -> list[str]:
    entries = answer.json().get("entry", []) if answer.content else []
    places = [one["response"].get("location", "").partition("/fhir/")[2] for one in entries]
    return [place.partition("/_history/")[0] for place in places]


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case(client: httpx.Client, path: Path) -> None:
    case = json.loads(path.read_text())
    for resource in case.get("given", []):
        stored = client.put(f"/fhir/{resource['resourceType']}/{resource['id']}", json=resource)
        assert stored.status_code == 201, stored.text

    answer = client.post("/fhir", json=case["request"], headers=case.get("headers", {}))
    assert answer.status_code == case["status"], answer.text
    ids = ids_of(answer)
    assert differs(filled(case.get("response", {}), ids), answer.json()) is None, (
        differs(filled(case.get("response", {}), ids), answer.json()),
        answer.text,
    )
    for step in filled(case.get("then", []), ids):
        found = client.get(f"/fhir/{step['get']}")
        assert found.status_code == step.get("status", 200), (step, found.text)
        assert differs(step.get("body", {}), found.json()) is None, (differs(step["body"], found.json()), found.text)


def test_there_are_enough_cases_and_each_has_a_title() -> None:
    titles = [json.loads(path.read_text())["title"] for path in CASES]
    assert len(set(titles)) == len(titles) >= 60
