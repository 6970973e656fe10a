"""A map is the same as text and as a StructureMap resource: there and back it says the same, and does the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway import formats
from gateway.definitions.shipped import folder
from gateway.fhir.check import check
from gateway.formats import Format, RecordKind
from gateway.issues import Issues
from gateway.mapping import CompileError, Packages, commands, parse, printer
from gateway.mapping.structuremap import structure_map
from gateway.mapping.structuremap_reader import read, text_of
from gateway.mapping.syntax import Map
from tests.mapping.maps import DEFINITIONS, compiled
from tests.mapping.maps import text_of as map_of
from tests.mapping.test_official import CASES, FOLDER

DATA = Path(__file__).parents[2] / "../shared/data"
SHIPPED = sorted(folder("mappings").glob("*/*.fml"))
GUIDE = sorted(DATA.glob("fml-guide/input/examples/*.fml"))
OFFICIAL = sorted(DATA.glob("fhir-test-cases/r5/structure-mapping/*.map"))
RESOURCES = sorted(DATA.glob("fhir-test-cases/r5/structure-mapping/qr2cda-eval.json"))


def there_and_back(found: Map) -> tuple[dict[str, Any], str]:
    resource = structure_map(found)
    return resource, text_of(orjson.loads(orjson.dumps(resource, default=float)))


def stable(path: Path) -> None:
    found = parse(path.read_text(encoding="utf-8"), path.name)
    resource, text = there_and_back(found)
    again, same = there_and_back(parse(text, path.name))
    assert again == resource, path.name
    assert same == text, path.name
    assert structure_map(parse(printer.fml(found), path.name)) == resource, path.name


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_every_shipped_map_is_stable_and_valid(path: Path) -> None:
    stable(path)
    resource = structure_map(parse(path.read_text(encoding="utf-8"), path.name))
    assert [issue for issue in check(resource, DEFINITIONS) if issue.severity in ("error", "fatal")] == []


@pytest.mark.corpus
@pytest.mark.skipif(not GUIDE or not OFFICIAL, reason="the public maps are not here")
def test_every_public_map_is_stable() -> None:
    for path in (*GUIDE, *OFFICIAL):
        stable(path)
    assert len(GUIDE) + len(OFFICIAL) == 70


@pytest.mark.corpus
@pytest.mark.skipif(not RESOURCES, reason="HL7's structure-mapping cases are not here")
def test_what_others_have_compiled_is_read() -> None:
    resource = orjson.loads(RESOURCES[0].read_bytes().removeprefix(b"\xef\xbb\xbf"))
    assert "evaluate(src, iif(src.is(QuestionnaireResponse)" in text_of(resource)
    (rule,) = rules(structure_map(read(resource, "m")))
    for target in rule["target"]:
        assert target.pop("contextType") == "variable"  # R5 has no such element.
    assert rule == resource["group"][0]["rule"][0]


@pytest.mark.corpus
@pytest.mark.skipif(not CASES, reason="HL7's structure-mapping cases are not here")
@pytest.mark.parametrize(("source", "name", "output"), CASES, ids=[name for _, name, _ in CASES])
def test_an_official_case_gives_the_same_from_its_resource(source: str, name: str, output: str) -> None:
    (record,) = formats.read(Format("fhir", {}, (RecordKind("r", "*"),)), (FOLDER / source).read_bytes(), Issues())
    _, text = there_and_back(parse((FOLDER / name).read_text(encoding="utf-8"), name))
    found, run = compiled(text).run(record.node.kids["resource"][0])
    assert found == json.loads((FOLDER / output).read_text(encoding="utf-8"))
    assert not run.found


@pytest.mark.parametrize("package", ["directory-csv", "hl7v2-adt", "rivta-logistics", "dispatch-json"])
def test_the_cases_of_a_package_hold_with_maps_that_were_resources(package: str, tmp_path: Path) -> None:
    for path in SHIPPED:
        if path.parent.name in (package, "common"):
            target = tmp_path / path.parent.name / path.name
            target.parent.mkdir(exist_ok=True)
            target.write_text(there_and_back(parse(path.read_text(encoding="utf-8"), path.name))[1], encoding="utf-8")
    for name in (package, "common"):
        for one in ("map.yaml", "conceptmaps", "cases"):
            if (folder("mappings") / name / one).exists():
                (tmp_path / name / one).symlink_to(folder("mappings") / name / one)
    reports = list(commands.test([Packages.load(tmp_path)[package]]))
    assert reports
    assert [report.differences for report in reports if not report.passed] == []


def rules(resource: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = resource["group"][0]["rule"]
    return found


def test_a_rule_has_r4s_elements() -> None:
    text = map_of(
        "src.a : string 1..* first as x where (x.b) check (x.c) log (x)"
        " -> tgt.e = append(x, '!', 1, true, 2.50) as z share s then G(x, z) { x.g -> z.h; } \"rule\";"
    )
    (rule,) = rules(structure_map(parse(text, "m")))
    assert rule["source"] == [
        {
            "context": "src", "min": 1, "max": "*", "type": "string", "element": "a", "listMode": "first",
            "variable": "x", "condition": "x.b", "check": "x.c", "logMessage": "x",
        }
    ]  # fmt: skip
    (target,) = rule["target"]
    assert (target["listMode"], target["listRuleId"], target["contextType"]) == (["share"], "s", "variable")
    assert [list(one) for one in target["parameter"]] == [
        ["valueId"], ["valueString"], ["valueInteger"], ["valueBoolean"], ["valueDecimal"],
    ]  # fmt: skip
    assert rule["dependent"] == [{"name": "G", "variable": ["x", "z"]}]
    assert rule["rule"][0]["name"] == "rule-1.1"


def test_a_rule_without_a_name_comes_back_without() -> None:
    text = map_of('src.a -> tgt.b;\nsrc.c -> tgt.d "named";')
    back = there_and_back(parse(text, "m"))[1]
    assert "  src.a -> tgt.b;\n" in back
    assert "rule-1" not in back


@pytest.mark.parametrize(
    "rule",
    [
        "src.`3`.`1` as v -> tgt.a = v",
        "src.`a.b`.`c\\`d` as v -> tgt.a = v",
        "src.a default ('x' & 'y') as v -> tgt.a = v",
        'src.a default "x" as v -> tgt.a = v',
        "src.a as v -> tgt.a = toDateTime(v, 'yyyyMMdd')",
        "src.a as v -> tgt.a = append(v & '-', v)",
        "src.a as v -> tgt.a = evaluate(v, given.join(' '))",
        "src.a as v -> tgt.a = evaluate(v, 'given')",
        "src.a as v -> tgt.a = 'it\\'s\\n\\\\' , tgt.b = -2",
        "src.a as v -> tgt.a as x single, tgt.b as y collate",
        "src.a as v -> G(v, tgt)",
        "src.a as v then G(v, 'x', (v & 'y'))",
        "src -> create('Patient') as p, (1 + 1) as n",
        "src.a as v -> tgt.a = 0.000000000000000000000000000001",
        "src.a where a.b = 1 and (c or d) -> tgt.a",
    ],
)
def test_what_r4_has_no_place_for_comes_back_all_the_same(rule: str) -> None:
    found = parse(map_of(f'{rule} "r";'), "m")
    resource, text = there_and_back(found)
    assert structure_map(parse(text, "m")) == resource
    assert printer.fml(found) == text.replace("/// status = 'draft'\n", "")


def test_embedded_concept_maps_are_contained() -> None:
    header = (
        'conceptmap "K" { prefix s = "http://s" prefix t = "http://t"\n'
        ' unmapped for s = provided\n s:a - t:b\n s:c <= t:"d e"\n s:f -- }\nlet max = 20;'
    )
    resource, text = there_and_back(parse(map_of("src.a as v -> tgt.a = truncate(v, max);", header=header), "m"))
    (contained,) = resource["contained"]
    assert contained["id"] == "K"
    assert [one["element"][0]["target"][0]["equivalence"] for one in contained["group"]] == ["relatedto", "unmatched"]
    assert structure_map(parse(text, "m")) == resource
    assert 's1:c <= s2:"d e"' in text
    assert "let max = 20;" in text


def test_r5s_own_elements_are_read() -> None:
    resource = {
        "resourceType": "StructureMap", "url": "u", "name": "n", "status": "draft",
        "const": [{"name": "max", "value": "20"}],
        "group": [{
            "name": "A", "typeMode": "type+",
            "input": [{"name": "s", "mode": "source"}, {"name": "t", "mode": "target"}],
            "rule": [{
                "source": [{"context": "s", "element": "a", "variable": "v", "defaultValue": "1 + 1"}],
                "dependent": [{"name": "B", "parameter": [{"valueId": "v"}, {"valueString": "x"}]}],
            }],
        }],
    }  # fmt: skip
    text = text_of(resource)
    assert "group A(source s, target t) <<type+>> {" in text
    assert "s.a default (1 + 1) as v then B(v, 'x');" in text


def test_a_parameter_without_a_value_is_refused() -> None:
    rule = {"source": [{"context": "s"}], "target": [{"transform": "copy", "parameter": [{}]}]}
    with pytest.raises(CompileError, match=r"value\[x\]"):
        read({"resourceType": "StructureMap", "group": [{"name": "A", "rule": [rule]}]}, "m.json")


def test_what_is_no_structure_map_is_refused() -> None:
    with pytest.raises(CompileError, match="no StructureMap that can be read"):
        read({"resourceType": "StructureMap", "group": [{"rule": [{"source": [{}]}]}]}, "m.json")


def test_comments_are_documentation_both_ways() -> None:
    text = """/// url = 'u'
/// name = 'n'
uses "http://hl7.org/fhir/StructureDefinition/Patient" alias P as target // what is made

// Of a group,
/* over
   lines */
group A(source s, target t : P) { // behind its brace
  // Why
  s.a -> t.active; // and behind it
  s.b -> t.gender;
  // of nothing
}
"""
    resource, again = there_and_back(parse(text, "m"))
    assert resource["structure"][0]["documentation"] == "what is made"
    assert resource["group"][0]["documentation"] == "Of a group,\nover\nlines\nbehind its brace"
    assert [one.get("documentation") for one in rules(resource)] == ["Why\nand behind it", None]
    assert structure_map(parse(again, "m")) == resource
    assert "of nothing" not in again


def test_a_number_that_is_none_is_refused_with_the_map() -> None:
    resource = structure_map(parse(map_of('src.a as v -> tgt.a = v "r";'), "m"))
    resource["group"][0]["rule"][0]["source"][0]["min"] = float("inf")
    with pytest.raises(CompileError):
        read(resource, "m")


def test_what_is_created_without_a_type_is_an_element_that_is_named_alone() -> None:
    made, alone = (
        structure_map(parse(map_of(f'src.a as v -> tgt.a{how} as x "r";'), "m")) for how in (" = create()", "")
    )
    assert made == alone
