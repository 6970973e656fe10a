"""Mistakes of those who write their first map: each is told, with its place and what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.errors import NotFound
from gateway.mapping import CompileError
from tests.mapping.maps import told
from tests.mapping.test_map_commands import run

MAP = """/// url = 'https://samverka.example/fhir/StructureMap/Visits'
/// name = 'Visits'
group Visit(source src, target bundle : Bundle) {
  src -> bundle.entry as e, e.resource = create('Encounter') as tgt then Rules(src, tgt) "entry";
}
group Rules(source src, target tgt : Encounter) {
  src.id as v -> tgt.identifier = id(%source.idSystem, v) "id";
  src -> tgt.status = 'planned', tgt.class = c('http://terminology.hl7.org/CodeSystem/v3-ActCode', 'HH') "constants";
  src.start as v -> tgt.period as p, p.start = toDateTime(v, 'yyyy-MM-dd HH:mm') "start";
  src.kind as v -> tgt.type = translate(v, 'https://samverka.example/fhir/ConceptMap/visit-kind', 'CodeableConcept');
}
"""
MANIFEST = """id: visits
version: 1.0.0
title: Visits
source: {format: csv}
records:
  - {name: visit, map: https://samverka.example/fhir/StructureMap/Visits, key: id, needs: [id]}
instance: {name: Example, hsa_id: SE2321000131-T1, controller: SE2321000131-T0}
"""
KINDS = """{"resourceType": "ConceptMap", "url": "https://samverka.example/fhir/ConceptMap/visit-kind", "group": [
{"target": "https://samverka.example/kinds", "element": [{"code": "MEAL", "target": [{"code": "meal"}]}]}]}"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "visits/conceptmaps").mkdir(parents=True)
    (tmp_path / "visits/map.yaml").write_text(MANIFEST)
    (tmp_path / "visits/Visits.fml").write_text(MAP)
    (tmp_path / "visits/conceptmaps/kind.json").write_text(KINDS)
    (tmp_path / "visits.csv").write_text("id;start;kind\nV1;2026-03-16 08:00;MEAL\n")
    return tmp_path


def checked(folder: Path, old: str, new: str, *, file: str = "Visits.fml") -> str:
    path = folder / "visits" / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    return run("check", "visits", "--mappings", folder, code=1)


def ran(folder: Path, *, code: int = 0) -> str:
    return run("run", "visits", folder / "visits.csv", "--mappings", folder, code=code)


@pytest.mark.parametrize(
    ("old", "new", "said", "hint"),
    [
        ("p.start =", "p.begin =", "Period has no element 'begin'", "there are id, extension, start, end"),
        (
            "src.kind as v ->",
            "src.kind as v where v == 'A' ->",
            "Expected a value, found '='.",
            "FHIRPath asks with one =",
        ),
        ("idSystem", "idsystem", "%source has no 'idsystem'", "did you mean 'idSystem'?"),
        (
            "as v -> tgt.type",
            "as v tgt.type",
            "expected ';' here, found 'tgt'",
            "'->' stands before what",
        ),
        ("'yyyy-MM-dd HH:mm'", "'YYYY-MM-DD HH:mm'", "unknown format code 'Y'", "yyyy-MM-dd HH:mm:ss: y year"),
        (
            "'https://samverka.example/fhir/ConceptMap/visit-kind'",
            "'#visit-kind'",
            "there is no ConceptMap '#visit-kind'",
            "did you mean 'https://samverka.example/fhir/ConceptMap/visit-kind'?",
        ),
    ],
)
def test_a_mistake_of_the_map_says_what_is_meant(folder: Path, old: str, new: str, said: str, hint: str) -> None:
    found = checked(folder, old, new)
    assert said in found
    assert f"hint: {hint}" in found


@pytest.mark.parametrize(
    ("old", "new", "said", "hint"),
    [
        ("needs: [id]", "needs: id", "records.0.needs: this is a list", "in brackets: [one, another]"),
        ("key: id", "keys: id", "records.0.keys: the manifest knows no such name here", "did you mean 'key'?"),
        (
            "format: csv",
            "format: csv, delimeter: x",
            "source.delimeter: csv has no such option",
            "did you mean 'delimiter'?",
        ),
        ("format: csv", "format: CSV", "source.format: Input should be", "did you mean 'csv'?"),
    ],
)
def test_a_mistake_of_the_manifest_says_what_is_meant(folder: Path, old: str, new: str, said: str, hint: str) -> None:
    with pytest.raises(CompileError) as raised:
        checked(folder, old, new, file="map.yaml")
    assert said in str(raised.value)
    assert f"hint: {hint}" in str(raised.value)
    assert new.partition(":")[0] in str(raised.value)  # The line itself.


def test_a_plain_value_where_parts_are_expected_is_told_with_what_makes_them() -> None:
    found, issues = told("src.kind as v -> tgt.maritalStatus = v;", {"kind": "MEAL"})
    assert (found, issues) == ({}, ["value-not-valid"])


def test_a_run_names_what_it_never_read_and_the_command_that_says_where(folder: Path) -> None:
    assert "never read" not in ran(folder)
    (folder / "visits.csv").write_text("id;start;kindd\nV1;2026-03-16 08:00;MEAL\n")
    found = ran(folder)
    assert "never read: kindd\n" in found
    assert f"samverka map coverage visits --unread --file {folder / 'visits.csv'}" in found


def test_a_run_tells_what_ingest_would_say_of_a_number(folder: Path) -> None:
    path, rule = folder / "visits/Visits.fml", "  src.kind as v -> tgt.type"
    person = "tgt.subject as s, s.type = 'Patient', s.identifier = id('urn:oid:1.2.752.129.2.1.3.1', v)"
    path.write_text(path.read_text().replace(rule, f"  src.kind as v -> {person};\n{rule}"))
    (folder / "visits.csv").write_text("id;start;kind\nV1;2026-03-16 08:00;194107142385\n")
    assert "error personnummer-check-digit: " in ran(folder, code=1)
    assert "(row 2, column kind)" in ran(folder, code=1)


def test_a_key_that_the_record_does_not_have_is_told_with_its_path(folder: Path) -> None:
    path = folder / "visits/map.yaml"
    path.write_text(path.read_text().replace("key: id", "key: idd"))
    found = ran(folder)
    assert "warning key-missing: There is nothing at idd, where the manifest looks for the record's key" in found


def test_a_run_of_which_nothing_comes_says_so(folder: Path) -> None:
    path = folder / "visits/Visits.fml"
    path.write_text(path.read_text().replace("  src -> bundle", "  src.none -> bundle"))
    assert "nothing came of 1 of 1 records: no rule found what it reads" in ran(folder)


def test_a_record_that_is_held_for_an_empty_element_is_asked_about(folder: Path) -> None:
    path = folder / "visits/Visits.fml"
    path.write_text(path.read_text().replace("tgt.status = 'planned', ", ""))
    found = ran(folder, code=1)
    assert f"samverka map why-not visits {folder / 'visits.csv'} Encounter.status" in found


def test_a_package_without_a_case_says_how_to_make_one(folder: Path) -> None:
    for command in ("test", "coverage", "mutate"):
        assert "no case: put a message into cases/NAME/source.EXT" in run(
            command, "visits", "--mappings", folder, code=1
        )


def test_a_case_without_its_source_says_what_its_folder_holds(folder: Path) -> None:
    case = folder / "visits/cases/one"
    case.mkdir(parents=True)
    (folder / "visits.csv").rename(case / "visits.csv")
    for words in ((), ("--update",)):
        found = run("test", "visits", "--mappings", folder, *words, code=1)
        assert "a case has one source.*, this one has 0: in its folder there is visits.csv" in found
    (case / "visits.csv").rename(case / "source.csv")
    assert "--update writes what comes" in run("test", "visits", "--mappings", folder, code=1)
    run("test", "visits", "--mappings", folder, "--update")
    run("test", "visits", "--mappings", folder, "--case", "one")
    with pytest.raises(NotFound, match="There is no case 'on': did you mean 'one'"):
        run("test", "visits", "--mappings", folder, "--case", "on")


def test_a_folder_without_packages_and_a_package_that_is_elsewhere_are_told_with_the_folder(folder: Path) -> None:
    with pytest.raises(NotFound, match=f"{folder}/nowhere is not there. Name it with --mappings or SAMVERKA_MAPPINGS"):
        run("check", "--mappings", folder / "nowhere")
    with pytest.raises(NotFound, match=r"no folder in it has a map\.yaml"):
        run("check", "--mappings", folder / "visits")
    with pytest.raises(NotFound, match=f"no mapping package 'visit' in {folder}: did you mean 'visits'"):
        run("check", "visit", "--mappings", folder)
