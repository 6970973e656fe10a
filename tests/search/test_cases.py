"""The search cases: what a query finds among a few resources, one JSON file for each subject.

A case names the ids it expects (in order when it sorts), what its includes add, or the rule by which it is refused.
`cases/prefixes/` holds tables: a row is the cases of all prefixes, by the words of the specification
(https://hl7.org/fhir/R4/search.html#prefix).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import create_engine

from gateway.errors import BadRequest
from tests.search.shelf import Shelf

FOLDER = Path(__file__).parent / "cases"
FILES = sorted(FOLDER.rglob("*.json"))

# How a resource's range lies to the search value's, and the prefixes that find it.
FOUND_BY = {
    "before": ("ne", "lt", "le", "eb"),
    "starts-before": ("ne", "lt", "le"),
    "within": ("", "eq", "ge", "le"),
    "ends-after": ("ne", "gt", "ge"),
    "around": ("ne", "lt", "gt", "le", "ge"),
    "after": ("ne", "gt", "ge", "sa"),
    "near": ("ap",),
}
PREFIXES = ("", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")


@cache
def content(path: Path) -> dict[str, Any]:
    """A file's resources and its tests; those of a table are written out."""
    found: dict[str, Any] = json.loads(path.read_text())
    if "table" in found:
        found["tests"] = [test for row in found["table"] for test in written_out(found["parameter"], row)]
    return found


def written_out(parameter: str, row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for value in row["values"]:
        for prefix in PREFIXES:
            expect = [id for lies, ids in row.items() if prefix in FOUND_BY.get(lies, ()) for id in ids]
            title = f"{prefix or 'no prefix'}, {row['means']}: {value}"
            yield {
                "title": title,
                "query": f"{parameter}={prefix}{quote(value)}",
                "expect": expect,
                "row": row["means"],
            }


@cache
def shelf(path: Path) -> Shelf:
    return Shelf(content(path)["resources"])


CASES = [
    pytest.param(path, test, id=f"{path.stem}: {test['title']}") for path in FILES for test in content(path)["tests"]
]


def test_a_table_places_each_resource_once() -> None:
    for path in (FOLDER / "prefixes").glob("*.json"):
        found = content(path)
        there = {resource["id"] for resource in found["resources"]}
        for row in found["table"]:
            placed = [id for lies, ids in row.items() if lies in FOUND_BY and lies != "near" for id in ids]
            assert len(placed) == len(set(placed)), (path.name, row["means"])
            assert len(there - set(placed)) <= 1, (path.name, row["means"])
            assert set(placed) >= set(row["near"]), (path.name, row["means"])


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
    if "same" not in test:  # Otherwise resources of two types have one id.
        assert len(found) == len(set(found))
    if "row" not in test:
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
