"""What a source's records have comes from schemas and headers; a map that misspells it does not compile."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.fhir.check import check
from gateway.formats import read as read_records
from gateway.issues import Issues
from gateway.mapping import CompileError, Package, Packages, csvmodel, logical, xsd
from gateway.mapping.logical import ModelOf, Part
from tests.mapping.folders import RECEIVED, SOURCE, package
from tests.mapping.maps import DEFINITIONS

HERE = Path(__file__).parent / "schemas"
RIVTA = Path(__file__).parents[2] / "../shared/data/rivta-xsd"
BASE = "https://samverka.example/fhir/StructureDefinition/"


def model(name: str) -> ModelOf:
    (found,) = [one for one in xsd.models([HERE / "visit.xsd"]) if one.name == name]
    return found


def part(owner: ModelOf | Part, name: str) -> Part:
    (found,) = [one for one in owner.parts if one.name == name]
    return found


def test_a_complex_type_is_a_model_with_cardinalities_and_types() -> None:
    visit = model("VisitType")
    assert visit.url == BASE + "example-visits-1-VisitType"
    said = [(one.name, one.type.removeprefix(BASE), one.min, one.max) for one in visit.parts]
    assert said == [
        ("visitId", "example-core-1-IIType", 1, "1"),
        ("reason", "string", 0, "1"),
        ("period", "", 0, "1"),
        ("unit", "example-core-1-IIType", 0, "*"),
        ("count", "integer", 0, "1"),
        ("note", "string", 0, "1"),
        ("version", "string", 1, "1"),
    ]
    assert [one.name for one in part(visit, "period").parts] == ["start", "end"]
    assert part(visit, "version").representation == "xmlAttr"


def test_text_with_attributes_is_a_value_beside_them() -> None:
    assert [(one.name, one.type, one.representation) for one in model("IIType").parts] == [
        ("value", "string", "xmlText"),
        ("root", "uri", "xmlAttr"),
    ]


def test_an_extended_type_has_what_its_base_has() -> None:
    names = [one.name for one in model("LongVisitType").parts]
    assert names[0] == "visitId"
    assert names[-1] == "nights"


def test_models_are_valid_structure_definitions_and_come_back() -> None:
    models = xsd.models([HERE / "visit.xsd"])
    made = logical.bundle(models)
    for entry in made["entry"]:
        assert [one for one in check(entry["resource"], DEFINITIONS) if one.severity == "error"] == []
    types = logical.read(json.dumps(made), "models.json")
    visit = types[BASE + "example-visits-1-VisitType"]
    assert visit.elements["visitId"] == BASE + "example-core-1-IIType"
    assert visit.elements["reason"] is None
    period = visit.elements["period"]
    assert period is not None
    assert list(types[period].elements) == ["start", "end"]


@pytest.mark.corpus
@pytest.mark.skipif(not RIVTA.is_dir(), reason="the RIV-TA schemas are not here")
def test_every_rivta_schema_gives_models_without_loose_ends() -> None:
    count = 0
    files = sorted(RIVTA.rglob("*.xsd"))
    for path in files:
        models = xsd.models([path])
        count += len(models)
        types = logical.read(json.dumps(logical.bundle(models)), path.name)
        ends = {url for one in types.values() for url in one.elements.values() if url}
        assert ends <= set(types), path.name
    assert len(files) == 143
    assert count > 1500


def test_a_schema_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    for content, said in (("<a", "not XML"), ("<a/>", "no XML schema")):
        path = tmp_path / "x.xsd"
        path.write_text(content)
        with pytest.raises(CompileError, match=said):
            xsd.models([path])
    path.write_text('<!DOCTYPE a [<!ENTITY e SYSTEM "/etc/hostname">]><a>&e;</a>')
    with pytest.raises(CompileError, match="no XML schema"):
        xsd.models([path])


def test_a_header_is_a_model_whatever_parts_its_columns() -> None:
    for content in ('a;"b c";d,e\n1;2;3', "\ufeffa\tb c\td,e"):
        found = csvmodel.of_csv(content.encode(), "visits-row")
        assert (found.name, found.url) == ("VisitsRow", BASE + "visits-row")
        assert [one.name for one in found.parts] == ["a", "b c", "d,e"]
    with pytest.raises(CompileError, match="no header"):
        csvmodel.of_csv(b"", "x")


def test_csvw_metadata_say_type_and_need() -> None:
    found = csvmodel.of_csvw((HERE / "visits-metadata.json").read_bytes(), "visits")
    assert [(one.name, one.type, one.min) for one in found.parts] == [
        ("visit id", "string", 1),
        ("start", "dateTime", 0),
        ("count", "integer", 0),
    ]
    with pytest.raises(CompileError, match="no CSVW metadata"):
        csvmodel.of_csvw(b"{}", "x")


MODELS = logical.bundle(
    [
        ModelOf(
            BASE + "person",
            "Person",
            "A person",
            (
                Part("number", "string"),
                Part("name", "", parts=(Part("first", "string"), Part("last", "string"))),
                Part("unit", BASE + "unit", max="*"),
            ),
        ),
        ModelOf(BASE + "unit", "Unit", "A unit", (Part("hsaId", "string"), Part("partOf", BASE + "unit"))),
    ]
)


def with_models(tmp_path: Path, rules: str, models: Any = MODELS, more: str = "") -> Package:
    package(tmp_path, rules)
    folder = tmp_path / "example"
    path = folder / "example.fml"
    text = path.read_text().replace("source src,", "source src : Person,")
    path.write_text(text.replace("group", f'uses "{BASE}person" alias Person as source\n\ngroup', 1) + more)
    (folder / "models").mkdir()
    (folder / "models/person.json").write_text(json.dumps(models))
    return Packages.load(tmp_path)["example"]


def problem(tmp_path: Path, rules: str, **more: Any) -> str:
    with pytest.raises(CompileError) as caught:
        with_models(tmp_path, rules, **more).check()
    (found,) = caught.value.problems
    return f"{found.line}:{found.column} {found.text}; {found.hint}"


def test_a_misspelt_element_does_not_compile(tmp_path: Path) -> None:
    said = problem(tmp_path, "  src.numbr as v -> pat.gender = 'male';")
    assert said == "5:3 Person has no element 'numbr'; did you mean 'number'?"


def test_so_does_one_deeper_in_a_group_that_is_called_or_in_another_type(tmp_path: Path) -> None:
    more = "group Name(source n, target t) { n.frist as v -> t.given = v; }\n"
    said = problem(tmp_path, "  src.name as n -> pat.name as t then Name(n, t);", more=more)
    assert said == "7:34 Person.name has no element 'frist'; did you mean 'first'?"


def test_so_does_one_in_an_expression(tmp_path: Path) -> None:
    rules = "  src.unit as u where (%u.partOf.first().hsaid.exists() and u.hsaId = 'x') -> pat.gender = 'male';"
    said = problem(tmp_path, rules)
    assert said.endswith(" Unit has no element 'hsaid'; did you mean 'hsaId'?")
    assert said.startswith("5:")


def test_a_map_that_is_right_gives_what_it_gave(tmp_path: Path) -> None:
    rules = """
  src.number as v -> pat.identifier = id('http://example.org', v);
  src.name as n where (n.first.exists() and n.last.value.exists()) -> pat.name as t, t.given = (n.first) then {
    n.last -> t.family;
  };
  src.unit.partOf.hsaId as v -> pat.generalPractitioner as g, g.display = v;
"""
    made = with_models(tmp_path, rules)
    body = b'{"number":"1","name":{"first":"A","last":"B"},"unit":[{"partOf":{"hsaId":"H"}}]}'
    (record,) = read_records(made.format, body, Issues())
    result = made.apply(record, SOURCE, RECEIVED, body=body)
    assert list(result.issues) == []
    assert result.drafts[0].resource == {
        "resourceType": "Patient",
        "identifier": [{"system": "http://example.org", "value": "1"}],
        "name": [{"given": ["A"], "family": "B"}],
        "generalPractitioner": [{"display": "H"}],
    }


def test_models_that_cannot_be_read_are_problems_of_the_package(tmp_path: Path) -> None:
    with pytest.raises(CompileError, match="neither a StructureDefinition"):
        with_models(tmp_path, "src.number as v -> pat.gender = 'male';", models={"resourceType": "Bundle"}).check()


def test_models_are_part_of_what_a_package_is(tmp_path: Path) -> None:
    made = with_models(tmp_path, "src.number as v -> pat.gender = 'male';")
    assert "example/models/person.json" in made.files
