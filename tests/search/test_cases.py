"""The search cases: what a query finds among a few resources, one JSON file for each subject.

A case names the ids it expects (in order when it sorts), what its includes add, or the rule by which it is refused.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

from gateway.errors import BadRequest
from tests.search.shelf import Shelf

FILES = sorted((Path(__file__).parent / "cases").glob("*.json"))


@cache
def content(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())


@cache
def shelf(path: Path) -> Shelf:
    return Shelf(content(path)["resources"])


CASES = [
    pytest.param(path, test, id=f"{path.stem}: {test['title']}") for path in FILES for test in content(path)["tests"]
]


@pytest.mark.parametrize(("path", "test"), CASES)
def test_search_finds_what_the_case_expects(path: Path, test: dict[str, Any]) -> None:
    if "refused" in test:
        with pytest.raises(BadRequest) as refusal:
            shelf(path).query(test["query"])
        assert test["refused"] in {issue.rule for issue in refusal.value.issues}
    else:
        holds(shelf(path), test)


def holds(shelf: Shelf, test: dict[str, Any]) -> None:
    found = shelf.search(test["query"])
    if "_sort=" in test["query"]:
        assert found == test["expect"]
    else:
        assert sorted(found) == sorted(test["expect"])
    assert len(found) == len(set(found))
    assert shelf.count(test["query"]) == len(found)
    if "include" in test:
        assert shelf.included(test["query"]) == sorted(test["include"])


@pytest.mark.postgres
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_postgresql_finds_the_same(path: Path, postgres_url: str) -> None:
    engine = create_engine(postgres_url)
    shelf = Shelf(content(path)["resources"], engine)
    for test in content(path)["tests"]:
        if "refused" not in test:
            holds(shelf, test)
    engine.dispose()
