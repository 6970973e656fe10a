"""FHIR as a source: each part has its type, a choice both its names, a primitive its extensions.

https://hl7.org/fhir/R4/fhirpath.html#types
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway import formats
from gateway.definitions import load
from gateway.fhir import xml
from gateway.formats import Format, Node, RecordKind
from gateway.issues import Issues
from tests.mapping.maps import STOCKHOLM, compiled, made, text_of

FORM = Format("fhir", {}, (RecordKind("r", "*"),))
OFFICIAL = Path(__file__).parents[2] / "../shared/data/fhir-test-cases/r5/structure-mapping"
PATIENT: dict[str, Any] = {
    "resourceType": "Patient", "id": "p", "active": True, "birthDate": "1970-03-01", "gender": "male",
    "_birthDate": {"extension": [{"url": "http://e", "valueCode": "x"}]},
    "name": [{"family": "A", "given": ["B", "C"], "_given": [None, {"id": "g2"}]}],
    "deceasedBoolean": False, "managingOrganization": {"reference": "#o"},
    "contained": [{"resourceType": "Organization", "id": "o", "name": "O"}],
    "extension": [{"url": "http://a", "valueString": "s"}],
}  # fmt: skip
OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation", "status": "final", "effectiveDateTime": "2024-02-03T10:00:00Z",
    "code": {"coding": [{"system": "http://loinc.org", "code": "1"}]},
    "valueQuantity": {"value": 5.5, "unit": "milligram", "system": "http://unitsofmeasure.org", "code": "mg"},
    "component": [{"code": {"text": "a"}, "valueString": "a"}, {"code": {"text": "b"}, "valueInteger": 3}],
}  # fmt: skip


def source(resource: dict[str, Any], *, as_xml: bool = False) -> Node:
    body = xml.dump(resource, load()) if as_xml else json.dumps(resource).encode()
    issues = Issues()
    (record,) = formats.read(FORM, body, issues)
    assert not issues
    return record.node.kids["resource"][0]


@pytest.mark.parametrize("as_xml", [False, True], ids=["JSON", "XML"])
@pytest.mark.parametrize(
    ("condition", "resource"),
    [
        ("value.unit = 'milligram'", OBSERVATION),
        ("value is Quantity", OBSERVATION),
        ("value.ofType(Quantity).value > 5", OBSERVATION),
        ("value = 5.5 'mg'", OBSERVATION),
        ("value < 1 'g'", OBSERVATION),
        ("(value as Quantity).code = 'mg'", OBSERVATION),
        ("component.value.ofType(integer) = 3", OBSERVATION),
        ("component.where(value is string).code.text = 'a'", OBSERVATION),
        ("effective >= @2024-02-03T11:00:00+01:00", OBSERVATION),
        ("code.coding.where(system = %loinc).exists()", OBSERVATION),
        ("status.type().name = 'code'", OBSERVATION),
        ("src is DomainResource and src is Observation", OBSERVATION),
        ("src is Patient", PATIENT),
        ("birthDate < @1980", PATIENT),
        ("birthDate.is(date) and birthDate.is(System.Date).not()", PATIENT),
        ("birthDate.extension('http://e').value = 'x'", PATIENT),
        ("extension('http://a').value = 's'", PATIENT),
        ("deceased = false", PATIENT),
        ("managingOrganization.resolve().name = 'O'", PATIENT),
        ("gender.memberOf('http://hl7.org/fhir/ValueSet/administrative-gender')", PATIENT),
        ("gender.memberOf('http://hl7.org/fhir/ValueSet/task-status').not()", PATIENT),
        ("conformsTo('http://hl7.org/fhir/StructureDefinition/Patient')", PATIENT),
        ("name.given.last().id = 'g2'", PATIENT),
        ("name.given.count() = 2 and name.given.join('+') = 'B+C'", PATIENT),
    ],
)
def test_a_condition_knows_the_types_of_fhir(condition: str, resource: dict[str, Any], as_xml: bool) -> None:
    rules = f"src where ({condition}) -> tgt.active = true;"
    assert made(rules, source(resource, as_xml=as_xml)) == {"active": True}


@pytest.mark.parametrize(
    ("rules", "resource", "target", "expected"),
    [
        ("src.value -> tgt.value;", OBSERVATION, "Observation", {"valueQuantity": OBSERVATION["valueQuantity"]}),
        ("src.value : Quantity as q -> tgt.value = q;", OBSERVATION, "Observation",
         {"valueQuantity": OBSERVATION["valueQuantity"]}),
        ("src.value : string as q -> tgt.value = q;", OBSERVATION, "Observation", {}),
        ("src.component as c -> tgt.component as d then { c.value -> d.value; };", OBSERVATION, "Observation",
         {"component": [{"valueString": "a"}, {"valueInteger": 3}]}),
        ("src.effective as e -> tgt.effective = e;", OBSERVATION, "Observation",
         {"effectiveDateTime": "2024-02-03T10:00:00Z"}),
        ("src.birthDate as v -> tgt.birthDate = (v + 5 days);", PATIENT, "Patient", {"birthDate": "1970-03-06"}),
        ("src -> tgt.birthDate = (%src.birthDate + 1 month);", PATIENT, "Patient", {"birthDate": "1970-04-01"}),
        ("src.deceased -> tgt.deceased;", PATIENT, "Patient", {"deceasedBoolean": False}),
        ("src -> tgt: active, gender, name;", PATIENT, "Patient",
         {"active": True, "gender": "male", "name": PATIENT["name"]}),
    ],
)  # fmt: skip
def test_a_choice_and_a_date_are_what_they_are_in_fhir(
    rules: str, resource: dict[str, Any], target: str, expected: dict[str, Any]
) -> None:
    found = json.loads(json.dumps(made(rules, source(resource), target=target), default=float))
    assert found == expected


BIRTH = {"birthDate": "1970-03-01", "_birthDate": PATIENT["_birthDate"]}
ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
UNKNOWN = {"extension": [{"url": ABSENT, "valueCode": "unknown"}]}
PRIMITIVES = """
group date(source s : date, target t : date) extends Element <<type+>> { s.value as v -> t.value = v; }
group boolean(source s : boolean, target t : boolean) extends Element <<type+>> { s.value as v -> t.value = v; }
group string(source s : string, target t : string) extends Element <<type+>> { s.value as v -> t.value = v; }
group Element(source src, target tgt) { src.id as v -> tgt.id = v; src.extension -> tgt.extension; }
"""


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ("src.birthDate -> tgt.birthDate;", BIRTH),
        ("src.birthDate as b -> tgt.birthDate = b;", BIRTH),
        ("src.birthDate as b then { b.value as v -> tgt.birthDate = v; };", {"birthDate": "1970-03-01"}),
        ("src.birthDate as b then { b.extension as e -> tgt.extension = e; };",
         {"extension": PATIENT["_birthDate"]["extension"]}),
        ("src.birthDate as b -> tgt.birthDate = '2000-01-01' as d, d.id = 'd1';",
         {"birthDate": "2000-01-01", "_birthDate": {"id": "d1"}}),
        ("src.birthDate as b -> tgt.birthDate = b as d, d.extension as e, e.url = 'u', e.value = 'x';",
         {"birthDate": "1970-03-01", "_birthDate": {"extension": [
             {"url": "http://e", "valueCode": "x"}, {"url": "u", "valueString": "x"}]}}),
        (f"src -> tgt.birthDate as d, d.extension as e, e.url = '{ABSENT}', e.value = cast('unknown', 'code');",
         {"_birthDate": UNKNOWN}),
        (f"src -> tgt.birthDate.extension as e, e.url = '{ABSENT}', e.value = cast('unknown', 'code');",
         {"_birthDate": UNKNOWN}),
        ("src -> tgt.birthDate as d, d = '2000-01-01';", {"birthDate": "2000-01-01"}),
        ("src -> tgt.birthDate as d;", {}),
        ("src.name as n -> tgt.name as m then { n.given as g -> m.given = g; };",
         {"name": [{"given": ["B", "C"], "_given": [None, {"id": "g2"}]}]}),
        ("src.name as n -> tgt.name as m then { n.given as g -> m.given as h, h.value = g, h.id = 'x'; };",
         {"name": [{"given": ["B", "C"], "_given": [{"id": "x"}, {"id": "x"}]}]}),
        ("src -> tgt.deceased = create('dateTime') as d, d.value = '2020';", {"deceasedDateTime": "2020"}),
        ("src.name as n -> tgt.name as m then { n.given first as g -> m.given = g, m.given = 'Z' as z, z.id = 'zz'; };",
         {"name": [{"given": ["B", "Z"], "_given": [None, {"id": "zz"}]}]}),
    ],
)  # fmt: skip
def test_a_primitive_is_copied_and_made_with_its_extensions(rules: str, expected: dict[str, Any]) -> None:
    assert made(rules, source(PATIENT)) == expected


def test_default_groups_of_primitives_are_those_of_the_cross_version_maps() -> None:
    """`<<type+>>` groups that copy value and extensions, as in HL7's primitives.fml."""
    rules = "src.birthDate -> tgt.birthDate; src.active -> tgt.active; src.name as n -> tgt.name as m then Name(n, m);"
    more = PRIMITIVES + "group Name(source n : HumanName, target m : HumanName) { n.given -> m.given; }"
    text = text_of(rules, more=more).replace("source src,", "source src : Patient,")
    program = compiled(text)
    found, run = program.run(source(PATIENT))
    assert not run.found
    assert found == {
        "resourceType": "Patient", **BIRTH, "active": True,
        "name": [{"given": ["B", "C"], "_given": [None, {"id": "g2"}]}],
    }  # fmt: skip


def test_a_default_group_of_a_primitive_decides_what_is_written() -> None:
    more = "group Upper(source s : string, target t : string) <<types>> { s -> t.value = (%s.upper()); }"
    text = text_of("src.name as n -> tgt.name as m then Name(n, m);", more=more
                   + "group Name(source n : HumanName, target m : HumanName) { n.family -> m.family; }")  # fmt: skip
    found, run = compiled(text.replace("source src,", "source src : Patient,")).run(source({**PATIENT, "name": [
        {"family": "berg"}]}))  # fmt: skip
    assert not run.found
    assert found["name"] == [{"family": "BERG"}]


def test_resolve_finds_the_other_entries_of_the_source() -> None:
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [
        {"fullUrl": "urn:uuid:1", "resource": {"resourceType": "Encounter", "id": "e", "status": "planned",
         "subject": {"reference": "Patient/p"}, "serviceProvider": {"reference": "urn:uuid:2"}}},
        {"resource": PATIENT},
        {"fullUrl": "urn:uuid:2", "resource": {"resourceType": "Organization", "name": "Unit"}},
    ]}  # fmt: skip
    rules = """src.entry as e then { e.resource as r where (r is Encounter) then {
        r -> tgt.birthDate = (r.subject.resolve().birthDate);
        r -> tgt.name as n, n.text = (r.serviceProvider.resolve().name); }; };"""
    root = Node(
        "", None, {"entry": [record.node for record in formats.read(FORM, json.dumps(bundle).encode(), Issues())]}
    )
    assert made(rules, root) == {"birthDate": "1970-03-01", "name": [{"text": "Unit"}]}


def test_the_clock_of_a_map_is_when_the_record_was_received() -> None:
    program = compiled(text_of("src -> tgt.birthDate = (today()), tgt.deceased = (now());"))
    found, run = program.run(source(PATIENT), zone=STOCKHOLM, now=datetime(2026, 1, 1, 23, 30, tzinfo=UTC))
    assert not run.found
    assert (found["birthDate"], found["deceasedDateTime"]) == ("2026-01-02", "2026-01-02T00:30:00.000+01:00")


@pytest.mark.corpus
@pytest.mark.skipif(not OFFICIAL.is_dir(), reason="HL7's structure-mapping cases are not here")
@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("qr2patfordates", {"resourceType": "QuestionnaireResponse", "extension": [
            {"url": "urn:date", "valueDate": "2023-10-26"},
            {"url": "urn:dateTime", "valueDateTime": "2023-09-20T13:19:13.502Z"}]},
         {"resourceType": "Patient", "birthDate": "2023-10-31", "deceasedDateTime": "2023-09-15T13:19:13.502Z"}),
        ("cast", {"resourceType": "QuestionnaireResponse", "extension": [
            {"url": "urn:implicitstring", "valueString": "a"}, {"url": "urn:explicitstring", "valueString": "b"},
            {"url": "urn:positiveInt", "valuePositiveInt": 5}, {"url": "urn:positiveIntString", "valueString": "7"}]},
         {"resourceType": "Observation", "extension": [
            {"url": "urn:implicitstring", "valueString": "a"}, {"url": "urn:explicitstring", "valueString": "b"},
            {"url": "urn:positiveInt", "valuePositiveInt": 5},
            {"url": "urn:positiveIntString", "valuePositiveInt": 7}]}),
        ("whereclause", {"resourceType": "CapabilityStatement", "rest": [{"resource": [
            {"interaction": [{"code": "read"}, {"code": "vread"}]}]}]},
         {"resourceType": "CapabilityStatement", "rest": [{"resource": [{"interaction": [{"code": "vread"}]}]}]}),
        ("syntaxshort", {"resourceType": "CapabilityStatement", "name": "N", "title": "T", "kind": "instance"},
         {"resourceType": "CapabilityStatement", "name": "N", "title": "T"}),
    ],
)  # fmt: skip
def test_an_official_map_that_the_manifest_does_not_run(
    name: str, given: dict[str, Any], expected: dict[str, Any]
) -> None:
    """Maps of HL7's suite that its unit tests run, not its manifest: what should come is read from the map."""
    program = compiled((OFFICIAL / f"{name}.map").read_text(encoding="utf-8"))
    found, run = program.run(source(given))
    assert not run.found
    assert found == expected
