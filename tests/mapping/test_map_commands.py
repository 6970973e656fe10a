"""The commands of `samverka map` give text for people and JSON for machines, and exit codes for scripts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli import app
from gateway.definitions.shipped import folder
from gateway.errors import Conflict
from gateway.mapping import CompileError, parse
from gateway.mapping.structuremap import structure_map

RUNNER = CliRunner()
CASE = folder("mappings") / "directory-csv/cases/units/source.csv"
FML = folder("mappings") / "directory-csv/DirectoryCsv.fml"


def run(*words: str | Path, code: int = 0, group: str = "map") -> str:
    result = RUNNER.invoke(app, [group, *map(str, words)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.output


def test_why_not_tells_text_and_json() -> None:
    assert "the source has no src.name_en (row 4)" in run("why-not", "directory-csv", CASE, "Organization.alias")
    data = json.loads(run("why-not", "directory-csv", CASE, "Organization.alias", "--json"))
    assert data[-1]["candidates"][0]["stops"][0]["kind"] == "source-absent"


def test_unread_data_is_listed_for_cases_and_for_files() -> None:
    assert run("coverage", "directory-csv", "--unread").startswith("directory-csv: 0 of 44 values")
    source = folder("mappings") / "dispatch-json/cases/ivpa-alarm/source.json"
    (found,) = json.loads(run("coverage", "dispatch-json", "--unread", "--file", source, "--json"))
    assert all(one["example"].startswith("source.json: line") for one in found["unread"])
    run("coverage", "--unread", "--file", source, code=2)


def test_codes_are_listed() -> None:
    assert run("codes", "directory-csv", CASE).strip() == "every code is in its table"


def test_a_map_is_printed_in_both_forms(tmp_path: Path) -> None:
    resource = json.loads(run("print", FML, "--json"))
    assert resource["resourceType"] == "StructureMap"
    path = tmp_path / "map.json"
    path.write_text(json.dumps(resource))
    assert structure_map(parse(run("print", path), "m")) == resource
    assert run("print", path, "--fml") == run("print", FML, "--fml")
    path.write_text("{")
    with pytest.raises(CompileError, match="not JSON"):
        run("print", path)


def test_maps_are_laid_out_or_only_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "m.fml"
    path.write_text("/// url = 'u'\ngroup A(source s, target t) {s.a->t.b;}\n")
    assert json.loads(run("fmt", path, "--check", "--json", code=1)) == {"changed": [str(path)]}
    assert run("fmt", path).endswith("1 map changed\n")
    assert path.read_text() == "/// url = 'u'\ngroup A(source s, target t) { s.a -> t.b; }\n"
    assert run("fmt", path, "--check") == "0 maps would be changed\n"
    assert run("fmt", "--check") == "0 maps would be changed\n"


def test_models_are_printed_or_written(tmp_path: Path) -> None:
    schema = Path(__file__).parent / "schemas/visit.xsd"
    made = json.loads(run("from-xsd", schema, group="models"))
    assert {entry["resource"]["kind"] for entry in made["entry"]} == {"logical"}
    out = tmp_path / "models/visit.json"
    assert "3 models in" in run("from-xsd", schema, "--out", out, group="models")
    assert json.loads(out.read_bytes()) == made
    (row,) = json.loads(run("from-csv", CASE, "--name", "row", "--out", out, "--json", group="models"))
    assert row == {"name": "Row", "url": "https://samverka.example/fhir/StructureDefinition/row", "elements": 13}


def test_the_csv_packages_models_are_what_their_cases_headers_give() -> None:
    for package, case in (("directory-csv", "units"), ("municipal-csv", "home-health-care")):
        source = folder("mappings") / package / "cases" / case / "source.csv"
        made = run("from-csv", source, "--name", f"{package}-row", group="models")
        assert json.loads(made) == json.loads((folder("mappings") / package / "models/row.json").read_bytes())


def test_two_versions_of_a_package_are_compared(tmp_path: Path) -> None:
    own, old = folder("mappings") / "directory-csv", tmp_path / "directory-csv"
    (tmp_path / "common").symlink_to(folder("mappings") / "common")
    shutil.copytree(own, old)
    assert run("diff", old, own).strip() == "0 of 7 records would differ"
    text = (old / "DirectoryCsv.fml").read_text(encoding="utf-8")
    (old / "DirectoryCsv.fml").write_text(text.replace("t.use = 'work'", "t.use = 'old'"), encoding="utf-8")
    (change,) = json.loads(run("diff", old, own, "--corpus", CASE, "--json", code=1))["changes"]
    assert (change["kind"], change["path"]) == ("changed", "Organization.telecom.use")


def test_a_package_is_begun_from_a_sample(tmp_path: Path) -> None:
    words = ("new", "--from", CASE, "--to", "Organization", "--id", "units")
    assert 'uses "http://hl7.org/fhir/StructureDefinition/Organization" as target' in run(*words)
    assert "now: samverka map check units" in run(*words, "--out", tmp_path)
    assert run("check", "units", "--mappings", tmp_path) == "units: 1 map, 1 kind of record: ok\n"
    with pytest.raises(Conflict, match="is there already"):
        run(*words, "--out", tmp_path)


def test_the_speed_of_a_package_is_measured() -> None:
    (found,) = json.loads(run("bench", "directory-csv", "--seconds", "0.01", "--json"))
    assert found["records"] >= 7
    assert found["recordsPerSecond"] > 0
    assert "records/s" in run("bench", "directory-csv", "--seconds", "0.01")
