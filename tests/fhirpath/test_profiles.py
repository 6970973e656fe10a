"""What FHIR adds that needs definitions or terminology: subsumption, slices, definitions of elements, modifiers.

https://hl7.org/fhir/R4/fhirpath.html#functions
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.definitions import load
from gateway.fhirpath import Environment, FHIRPathError, compile
from gateway.formats import Format, RecordKind, read
from gateway.issues import Issues
from gateway.mapping import surroundings
from gateway.terminology import Terminology

ROLE = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"
LOINC = "http://loinc.org"


def subsumes(system: str, upper: str, lower: str) -> bool | None:
    below = Terminology(load()).below(system, upper)
    return None if below is None else lower in below


def of(text: str, focus: dict[str, Any], **given: Any) -> list[Any]:
    environment = Environment(subsumes=subsumes, **given)
    return compile(text, focus["resourceType"], load())(focus, environment)


def related(*codings: tuple[str, str]) -> dict[str, Any]:
    return {
        "resourceType": "RelatedPerson",
        "relationship": [{"coding": [{"system": system, "code": code}]} for system, code in codings],
    }


# A mother is a parent, a parent a family member, in HL7's RoleCode.
@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("relationship[0].subsumes(relationship[1])", [True]),
        ("relationship[1].subsumes(relationship[0])", [False]),
        ("relationship[1].subsumedBy(relationship[0])", [True]),
        ("relationship[0].subsumedBy(relationship[1])", [False]),
        ("relationship[1].subsumes(relationship[1])", [True]),
        ("relationship[0].coding.subsumes(relationship[1].coding)", [True]),
        ("relationship[0].coding.subsumes(relationship[1])", [True]),
        ("relationship[0].subsumes({})", []),
        ("patient.subsumes(relationship[0])", []),
    ],
)
def test_a_code_subsumes_itself_and_what_lies_below(text: str, answer: list[bool]) -> None:
    assert of(text, related((ROLE, "PRN"), (ROLE, "MTH"))) == answer


def test_a_system_that_is_not_known_tells_nothing_but_of_a_code_itself() -> None:
    focus = related((LOINC, "1-8"), (LOINC, "2-6"))
    assert of("relationship[0].subsumes(relationship[1])", focus) == []
    assert of("relationship[0].subsumes(relationship[0])", focus) == [True]


def test_codings_of_two_systems_are_not_compared() -> None:
    focus = related((LOINC, "1-8"), (ROLE, "MTH"))
    with pytest.raises(FHIRPathError, match="two systems"):
        of("relationship[0].coding.subsumes(relationship[1].coding)", focus)
    assert of("relationship[0].subsumes(relationship[1])", focus) == [False]


def test_a_text_is_no_coding() -> None:
    with pytest.raises(FHIRPathError, match="Coding"):
        of("'MTH'.subsumes('MTH')", related())


def test_a_map_knows_the_code_systems_that_are_shipped() -> None:
    environment = surroundings.of(None, {}, load(), None, [])
    path = compile("relationship[0].subsumes(relationship[1])", "RelatedPerson", load())
    assert path(related((ROLE, "PRN"), (ROLE, "MTH")), environment) == [True]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("birthDate.elementDefinition().path", ["Patient.birthDate"]),
        ("Patient.birthDate.elementDefinition().type.code", ["date"]),
        ("name.given.elementDefinition().max", ["*", "*"]),
        ("name.first().family.elementDefinition().max", ["1"]),
        ("active.elementDefinition().isModifier", [True]),
        ("gender.elementDefinition().binding.valueSet", ["http://hl7.org/fhir/ValueSet/administrative-gender"]),
        ("gender.elementDefinition().binding.strength", ["required"]),
        ("deceased.elementDefinition().path", ["Patient.deceased[x]"]),
        ("deceased.elementDefinition().type.code", ["boolean", "dateTime"]),
        ("contact.elementDefinition().type.code", ["BackboneElement"]),
        ("contact.name.elementDefinition().path", ["Patient.contact.name"]),
        ("generalPractitioner.elementDefinition().type.targetProfile.count()", [3]),
        ("photo.elementDefinition()", []),
    ],
)
def test_an_element_has_the_definition_of_its_type(text: str, answer: list[Any]) -> None:
    focus = {
        "resourceType": "Patient",
        "active": True,
        "birthDate": "1974-12-25",
        "gender": "female",
        "deceasedBoolean": False,
        "name": [{"family": "Berg", "given": ["Eva", "Lo"]}],
        "contact": [{"name": {"family": "Ek"}}],
        "generalPractitioner": [{"reference": "Practitioner/1"}],
    }
    assert of(text, focus) == answer


def test_a_definition_needs_a_step() -> None:
    with pytest.raises(FHIRPathError, match="element's name"):
        compile("name.first().elementDefinition()", "Patient", load())


def test_modifying_extensions_that_are_not_named_are_refused() -> None:
    focus = {"resourceType": "Patient", "modifierExtension": [{"url": "urn:m"}], "name": [{"family": "Berg"}]}
    assert of("checkModifiers('urn:m').name.family", focus) == ["Berg"]
    assert of("checkModifiers('urn:x' | 'urn:m').name.family", focus) == ["Berg"]
    assert of("name.checkModifiers().family", focus) == ["Berg"]
    for text in ("checkModifiers()", "checkModifiers('urn:x')"):
        with pytest.raises(FHIRPathError, match="urn:m"):
            of(text, focus)


# As a blood pressure's profile has it: components by a pattern of their code, identifiers by their system.
PROFILE = {
    "resourceType": "StructureDefinition",
    "snapshot": {
        "element": [
            {
                "id": "Observation.component",
                "path": "Observation.component",
                "slicing": {"discriminator": [{"type": "pattern", "path": "code"}], "rules": "open"},
            },
            {"id": "Observation.component:systolic", "path": "Observation.component", "sliceName": "systolic"},
            {
                "id": "Observation.component:systolic.code",
                "path": "Observation.component.code",
                "patternCodeableConcept": {"coding": [{"system": LOINC, "code": "8480-6"}]},
            },
            {
                "id": "Observation.value[x]",
                "path": "Observation.value[x]",
                "slicing": {"discriminator": [{"type": "type", "path": "$this"}]},
            },
            {
                "id": "Observation.value[x]:valueQuantity",
                "path": "Observation.value[x]",
                "sliceName": "valueQuantity",
                "type": [{"code": "Quantity"}],
            },
            {
                "id": "Observation.identifier",
                "path": "Observation.identifier",
                "slicing": {
                    "discriminator": [{"type": "value", "path": "system"}, {"type": "exists", "path": "period"}]
                },
            },
            {"id": "Observation.identifier:ours", "path": "Observation.identifier", "sliceName": "ours"},
            {"id": "Observation.identifier:ours.system", "path": "Observation.identifier.system", "fixedUri": "urn:a"},
            {"id": "Observation.identifier:ours.period", "path": "Observation.identifier.period", "max": "0"},
            {
                "id": "Observation.extension:body",
                "path": "Observation.extension",
                "sliceName": "body",
                "type": [{"code": "Extension", "profile": ["urn:body-position"]}],
            },
        ]
    },
}
OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation",
    "extension": [{"url": "urn:body-position", "valueCode": "sitting"}, {"url": "urn:other", "valueCode": "x"}],
    "identifier": [
        {"system": "urn:a", "value": "1"},
        {"system": "urn:a", "value": "2", "period": {"start": "2020"}},
        {"system": "urn:b", "value": "3"},
    ],
    "valueQuantity": {"value": 1},
    "component": [
        {"code": {"coding": [{"system": LOINC, "code": "8480-6", "display": "Systolic"}]}, "valueString": "120"},
        {"code": {"coding": [{"system": LOINC, "code": "8462-4"}]}, "valueString": "80"},
    ],
}
SLICES = [
    ("component.slice('urn:bp', 'systolic').value", ["120"]),
    ("value.slice('urn:bp', 'valueQuantity').count()", [1]),
    ("identifier.slice('urn:bp', 'ours').value", ["1"]),
    ("extension.slice('urn:bp', 'body').value", ["sitting"]),
    ("note.slice('urn:bp', 'body')", []),
]


@pytest.mark.parametrize(("text", "answer"), SLICES)
def test_a_slice_is_told_by_its_discriminators(text: str, answer: list[Any]) -> None:
    assert of(text, OBSERVATION, structure={"urn:bp": PROFILE}.get) == answer


@pytest.mark.parametrize(("text", "answer"), SLICES)
def test_a_slice_of_a_source_is_told_alike(text: str, answer: list[Any]) -> None:
    form = Format("fhir", {}, (RecordKind("r", "*"),))
    (record,) = read(form, json.dumps(OBSERVATION).encode(), Issues())
    path = compile(text, None, load())
    found = path(record.node.kids["resource"][0], Environment(structure={"urn:bp": PROFILE}.get))
    assert [getattr(one, "value", one) for one in found] == answer


@pytest.mark.parametrize("text", ["component.slice('urn:nix', 'systolic')", "component.slice('urn:bp', 'diastolic')"])
def test_a_structure_or_slice_that_is_not_there_is_refused(text: str) -> None:
    with pytest.raises(FHIRPathError):
        of(text, OBSERVATION, structure={"urn:bp": PROFILE}.get)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("%terminologies.expand('x')", "R5"),
        ("%server.read('Patient', '1')", "R5"),
        ("%factory.Coding('a', 'b')", "R5"),
        ("%factory", "R5"),
        ("item.weight()", "Structured Data Capture"),
        ("item.ordinal()", "Structured Data Capture"),
    ],
)
def test_what_is_of_another_version_is_refused_with_a_word(text: str, word: str) -> None:
    with pytest.raises(FHIRPathError, match=word):
        compile(text, None, load())({})
