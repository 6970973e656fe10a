"""Every step of a run is told: what is entered and left, what is filled, with the variables as they are then."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gateway import formats
from gateway.formats import Record
from gateway.issues import Issues
from gateway.mapping import Package, Packages
from gateway.mapping.cases import cases
from gateway.mapping.coverage import coverage
from gateway.mapping.steps import MOST, Steps, stepped
from tests.mapping.folders import KINDS, RECEIVED, SOURCE, package

RULES = """
  src.number as v -> pat.identifier = id('http://example.org', v) "number";
  src.name as n where (n != '') -> pat.name as m then Name(n, m) "names";
"""
NAME = "group Name(source n, target m) {\n  n -> m.text = n;\n}"
MAPPINGS = Path(__file__).parents[2] / "mappings"


def records(found: Package, value: Any) -> list[Record]:
    return list(formats.read(found.format, json.dumps(value).encode(), Issues()))


def run(tmp_path: Path, value: Any, rules: str = RULES) -> tuple[Any, Steps]:
    found = package(tmp_path, rules, more=NAME)
    (record,) = records(found, value)
    return stepped(found, record, SOURCE, RECEIVED)


def test_each_match_of_a_rule_is_entered_and_left(tmp_path: Path) -> None:
    _, steps = run(tmp_path, {"number": "1", "name": ["A", "", "B"]})
    names = "StructureMap.group[0].rule[1]"
    phases = [step.phase for step in steps.found if step.place.path == names]
    assert phases == ["enter", "exit", "enter", "exit"]
    depth = 0
    for step in steps.found:
        depth -= step.phase == "exit"
        assert step.depth == depth
        depth += step.phase == "enter"
    assert depth == 0


def test_variables_are_what_they_were_at_the_step(tmp_path: Path) -> None:
    _, steps = run(tmp_path, {"number": "1", "name": ["A", "B"]})
    entered = [step for step in steps.found if step.phase == "enter" and step.place.label == "Name"]
    told = [{one.name: json.loads(one.value or "null") for one in step.variables} for step in entered]
    assert told == [{"n": "A", "m": {}}, {"n": "B", "m": {}}]


def test_messages_stand_at_the_step_that_they_came_before(tmp_path: Path) -> None:
    rules = RULES.replace("pat.identifier", "pat.birthDate = v, pat.identifier")
    _, steps = run(tmp_path, {"number": "no date", "name": "A"}, rules)
    (told,) = [step for step in steps.found if step.messages]
    assert told.place.path == "StructureMap.group[0].rule[0].target[0]"
    assert "no date" not in told.messages[0]


def test_what_comes_of_it_is_what_comes_without(tmp_path: Path) -> None:
    for name, found in Packages.shipped().items():
        case = next(cases(found))
        for record in formats.read(found.format, case.body, Issues()):
            plain = found.apply(record, case.source, case.received, body=case.body)
            told, steps = stepped(found, record, case.source, case.received, body=case.body)
            assert [one.resource for one in told.drafts] == [one.resource for one in plain.drafts], name
            assert list(told.issues) == list(plain.issues)
            assert all(step.place.path.startswith("StructureMap.group[") for step in steps.found)


def test_a_trace_has_an_end(tmp_path: Path) -> None:
    result, steps = run(tmp_path, {"number": "1", "name": ["A"] * MOST})
    assert steps.truncated
    assert 1000 < len(steps.found) <= MOST
    assert len(result.drafts[0].resource["name"]) == MOST


def test_a_row_that_maps_to_nothing_is_used_when_it_is_found(tmp_path: Path) -> None:
    rules = """
  src.number as v -> pat.identifier = id('http://example.org', v);
  src.kind as v -> pat.gender = translate(v, '#kinds', 'code');
"""
    found = package(tmp_path, rules, cases={"one": [{"number": "1", "kind": "-"}, {"number": "2", "kind": "M"}]})
    table = json.loads(json.dumps(KINDS))
    table["group"][0]["element"].append({"code": "-", "target": [{"equivalence": "unmatched"}]})
    (found.folder / "conceptmaps/kinds.json").write_text(json.dumps(table))
    covered = coverage(Packages.load(tmp_path)["example"])
    assert [covered.rows[row] for row in covered.unused_rows] == ["K"]
