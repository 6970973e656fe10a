"""What another version of a package would change is counted by element, with a place, before it is done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gateway.mapping import told
from gateway.mapping.compare import Comparison, compare, differing, package_in
from gateway.mapping.unread import Message
from tests.mapping.folders import RECEIVED, SOURCE, package

OLD = """
  src.number as v -> pat.identifier = id('http://example.org', v) "number";
  src.kind as v -> pat.gender = translate(v, '#kinds', 'code') "kind";
  src.name as v -> pat.name as n, n.text = v "name";
"""
PEOPLE = [{"number": "1", "kind": "M", "name": "Agda"}, {"number": "2", "kind": "K"}, {"number": "3"}]


def compared(tmp_path: Path, new: str, *, values: bool = False) -> Comparison:
    package(tmp_path / "old", OLD)
    package(tmp_path / "new", new)
    before, after = (package_in(tmp_path / name / "example") for name in ("old", "new"))
    message = Message("people.json", json.dumps(PEOPLE).encode(), SOURCE, RECEIVED)
    return compare(before, after, [message], values=values)


def said(found: Comparison) -> list[tuple[str, str, int]]:
    return [(change.kind, change.path, change.count) for change in found.sorted]


def test_the_same_changes_nothing(tmp_path: Path) -> None:
    found = compared(tmp_path, OLD)
    assert (found.records, found.differing, said(found)) == (3, 0, [])
    assert told.compared(found)[0] == "0 of 3 records would differ"


def test_elements_that_come_go_or_change_are_counted(tmp_path: Path) -> None:
    new = OLD.replace("n.text = v", "n.family = v").replace(
        "pat.gender = translate(v, '#kinds', 'code')", "pat.gender = 'other'"
    )
    found = compared(tmp_path, new)
    assert said(found) == [
        ("changed", "Patient.gender", 2),
        ("added", "Patient.name.family", 1),
        ("removed", "Patient.name.text", 1),
    ]
    assert found.differing == 2
    assert found.sorted[0].example == "people.json: line 1, /0"


def test_values_are_withheld_unless_asked_for(tmp_path: Path) -> None:
    new = OLD.replace("n.text = v", "n.family = v")
    text, data = told.compared(compared(tmp_path, new))
    assert "Agda" not in text + json.dumps(data)
    text, _ = told.compared(compared(tmp_path, new, values=True))
    assert 'added  Patient.name.family  people.json: line 1, /0  null -> "Agda"' in text


def test_drafts_that_are_another_and_records_that_are_held_are_told(tmp_path: Path) -> None:
    new = OLD.replace("'http://example.org', v", "'http://example.org/new', v").replace(
        "src.kind as v", "src.kind as v check (v = 'M')"
    )
    kinds = {(kind, path): count for kind, path, count in said(compared(tmp_path, new))}
    assert kinds[("draft-added", "Patient")] == kinds[("draft-removed", "Patient")] == 3
    assert kinds[("held", "record")] == kinds[("issue-added", "check-failed")] == 1


def test_true_is_not_one_and_items_are_compared_in_their_order() -> None:
    def leaves(before: Any, after: Any) -> list[tuple[str, str]]:
        return [(kind, path) for kind, path, _, _ in differing(before, after, "A")]

    assert leaves({"b": True}, {"b": 1}) == [("changed", "A.b")]
    assert leaves({"b": ["x", "y"]}, {"b": ["x"]}) == [("removed", "A.b")]
    assert leaves({"b": [{"c": 1}]}, {"b": [{"c": 1}]}) == []
