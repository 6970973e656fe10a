"""What integrators are told: cases that fail, rules that nothing fires, alterations that nobody notices."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.errors import NotFound
from gateway.mapping import Package, Packages, commands, report
from gateway.mapping.cases import cases

MANIFEST = """
id: example
version: 1.0.0
title: An example
source: {format: json}
records:
  - {name: person, map: "http://example.org/StructureMap/example", key: number, asOf: time}
instance: {name: Example, hsa_id: SE1-S, controller: SE1-C}
"""
MAP = """/// url = 'http://example.org/StructureMap/example'
group Person(source src, target pat : Patient) {
  src.number as v -> pat.identifier = id('http://example.org', v) "number";
  src.kind as v where (v != 'none') -> pat.gender = translate(v, '#kinds', 'code') "kind";
  src.never as v -> pat.active = true "never";
  src.name as v -> pat.name as n, n.text = v "name";
}
"""
TABLE = {
    "resourceType": "ConceptMap",
    "id": "kinds",
    "url": "http://example.org/ConceptMap/kinds",
    "group": [{"element": [{"code": c, "target": [{"code": t}]} for c, t in (("M", "male"), ("K", "female"))]}],
}


@pytest.fixture
def package(tmp_path: Path) -> Package:
    folder = tmp_path / "example"
    (folder / "conceptmaps").mkdir(parents=True)
    (folder / "cases/one").mkdir(parents=True)
    (folder / "map.yaml").write_text(MANIFEST)
    (folder / "example.fml").write_text(MAP)
    (folder / "conceptmaps/kinds.json").write_text(json.dumps(TABLE))
    source = {"number": "1", "kind": "M", "name": "A", "time": "2026-01-02"}
    (folder / "cases/one/source.json").write_text(json.dumps(source))
    (folder / "cases/one/case.yaml").write_text("title: A person\nsource: {hsa_id: SE2-S}\n")
    return Packages.load(tmp_path)["example"]


def test_a_case_without_expectation_fails_until_it_is_written(package: Package) -> None:
    text, data, well = report.tests(commands.test([package]))
    assert not well
    assert data[0]["differences"] == ["there is no expected.json: --update writes what comes, for you to read"]
    assert report.tests(commands.test([package], update=True))[2]
    (case,) = cases(package)
    assert case.expected is not None
    assert case.expected["records"] == [
        {
            "kind": "person",
            "key": "1",
            "drafts": 1,
            "effective": "2026-01-02T00:00:00+01:00",
            "party": "SE2-S",
            "provider": "SE1-C",
        }
    ]
    assert not case.update()
    text, _, _ = report.tests(commands.test([package]))
    assert text == "ok   example/one: A person\n1 case, 0 failed"


def test_a_case_that_no_longer_holds_says_where(package: Package) -> None:
    (case,) = cases(package)
    case.update()
    path = case.folder / "expected.json"
    path.write_text(path.read_text().replace('"male"', '"female"'))
    text, _, well = report.tests(commands.test([package]))
    assert not well
    assert 'drafts[0].gender: expected "female", came "male"' in text


def test_what_no_case_fires_or_uses_is_listed(package: Package) -> None:
    text, data, well = report.covered(commands.cover([package]))
    assert not well
    assert text.startswith("example: 3 of 4 rules fired, 1 of 2 ConceptMap rows used")
    assert data[0]["missed"] == ["example/example.fml:5:3"]
    assert data[0]["unusedRows"] == ["http://example.org/ConceptMap/kinds#2"]


def test_what_no_case_notices_is_listed(package: Package) -> None:
    text, data, well = report.altered(commands.alter([package]), least=0.9)
    assert not well
    assert data[0]["unnoticed"] == [
        "example/example.fml:5 dropped",
        "example/example.fml:5 constant of Patient.active changed",
        "example/example.fml:5 Patient.active moved to deceasedBoolean",
    ]
    assert data[0]["ruleShare"] == 0.75
    assert "75.0% of the rules cannot be altered unnoticed" in text


def test_a_message_can_be_mapped_and_explained_without_being_kept(package: Package) -> None:
    (case,) = cases(package)
    body, source, received = case.body, case.source, case.received
    ran = commands.run(package, body, source, received)
    assert [result.key for _, result in ran.records] == ["1"]
    assert '"gender": "male"' in report.ran(ran)[0]
    text, data = report.explained(commands.explain_message(package, body, source, received))
    assert 'Patient.gender <- example/example.fml:4 "kind" <- line 1, column 25, /kind via kinds row 1' in text
    assert "male" not in text
    assert data[0]["values"][1]["conceptMap"] == "http://example.org/ConceptMap/kinds row 1"


def test_checking_lists_every_problem(package: Package) -> None:
    assert report.checks(commands.check([package]))[0] == "example: 1 map, 1 kind of record: ok"
    (package.folder / "example.fml").write_text(MAP.replace("n.text", "n.txt"))
    broken = Packages.load(package.folder.parent)["example"]
    text, data, well = report.checks(commands.check([broken]))
    assert not well
    assert "example/example.fml:6:35" in text
    assert data[0]["problems"][0]["where"] == "example/example.fml:6:35"


def test_an_unknown_package_is_answered_with_those_there_are(package: Package) -> None:
    packages = Packages([package])
    assert commands.chosen(packages, None) == [package]
    with pytest.raises(NotFound, match="did you mean 'example'"):
        commands.chosen(packages, ["exampel"])
