"""FHIR Shorthand: what its rules become, and HL7 Sweden's base profiles, where they are at hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.definitions import load
from gateway.definitions.fsh import compiled
from gateway.definitions.packages import read
from gateway.fhir.check import check
from gateway.fhir.json import parse
from tests.validation.conftest import Validate, validating

__all__ = ["validating"]

SWEDEN = Path(__file__).parents[2] / "../shared/data/hl7se-base-r4"
BASE = "http://example.org/fhir"
TEXT = """
Alias: $wards = http://example.org/wards // where patients lie

Profile: WardPatient
Parent: Patient
Id: ward-patient
Title: "A patient of a ward"
* ^status = #active
* ^contact[+].name = "A"
* ^contact[=].telecom[+].system = #phone
* identifier ^slicing.discriminator.type = #value
* identifier ^slicing.discriminator.path = "system"
* identifier ^slicing.rules = #closed
* identifier contains pnr 1..1 and other 0..1
* identifier[pnr].system = "http://example.org/pnr" (exactly)
* identifier[other]
  * system 1..1 MS
* maritalStatus from Wards (extensible)
* generalPractitioner only Reference(Practitioner or Organization)
* extension contains Ward named ward 0..1
* obeys named-1

Invariant: named-1
Description: "A patient has a name."
Expression: "name.exists()"
Severity: #error

Extension: Ward
* ^context.type = #element
* ^context.expression = "Patient"
* value[x] only Coding
* valueCoding = $wards#med "Medicine"
* insert Nothing

RuleSet: Nothing
* ^experimental = false

ValueSet: Wards
* $wards#med "Medicine"
* include codes from system $wards where concept is-a #surg and valueset http://example.org/more

CodeSystem: WardCodes
* #med "Medicine" "Where one lies."
  * #card "Cardiology"

Instance: Someone
InstanceOf: WardPatient
* name.family = "A"
"""


def made(text: str = TEXT) -> tuple[dict[str, dict[str, Any]], list[str]]:
    resources, problems = compiled({"a.fsh": text}, BASE, "1.0.0", load().types)
    return {one["name"]: one for one in resources}, problems


def test_all_that_is_made_is_structurally_right() -> None:
    found, problems = made()
    assert problems == []
    assert set(found) == {"WardPatient", "Ward", "Wards", "WardCodes"}
    for one in found.values():
        assert check(one, load()) == []


def test_rules_become_the_elements_of_a_differential() -> None:
    profile = made()[0]["WardPatient"]
    elements = {one["id"]: one for one in profile["differential"]["element"]}
    assert (profile["url"], profile["type"]) == (f"{BASE}/StructureDefinition/ward-patient", "Patient")
    assert profile["contact"] == [{"name": "A", "telecom": [{"system": "phone"}]}]
    slicing = {"discriminator": [{"type": "value", "path": "system"}], "rules": "closed"}
    assert elements["Patient.identifier"]["slicing"] == slicing
    assert (elements["Patient.identifier:pnr"]["min"], elements["Patient.identifier:pnr"]["max"]) == (1, "1")
    assert elements["Patient.identifier:pnr.system"]["fixedUri"] == "http://example.org/pnr"
    assert elements["Patient.identifier:other.system"]["min"] == 1
    assert elements["Patient.maritalStatus"]["binding"] == {
        "strength": "extensible",
        "valueSet": f"{BASE}/ValueSet/Wards",
    }
    core = "http://hl7.org/fhir/StructureDefinition/"
    assert elements["Patient.generalPractitioner"]["type"] == [
        {"code": "Reference", "targetProfile": [core + "Practitioner", core + "Organization"]}
    ]
    types = [{"code": "Extension", "profile": [f"{BASE}/StructureDefinition/Ward"]}]
    assert elements["Patient.extension:ward"]["type"] == types
    assert [one["key"] for one in elements["Patient"]["constraint"]] == ["named-1"]


def test_value_sets_and_code_systems_have_their_codes() -> None:
    found = made()[0]
    assert found["Wards"]["compose"]["include"] == [
        {"system": "http://example.org/wards", "concept": [{"code": "med", "display": "Medicine"}]},
        {
            "system": "http://example.org/wards",
            "filter": [{"property": "concept", "op": "is-a", "value": "surg"}],
            "valueSet": ["http://example.org/more"],
        },
    ]
    [concept] = found["WardCodes"]["concept"]
    assert (concept["code"], concept["definition"]) == ("med", "Where one lies.")
    assert concept["concept"] == [{"code": "card", "display": "Cardiology"}]


def test_what_cannot_be_read_is_told_with_its_line_and_the_rest_is_kept() -> None:
    found, problems = made("Profile: P\nParent: Patient\n* colour = #red\n* name 1..1\n")
    assert [one.partition(": ")[0] for one in problems] == ["a.fsh:3"]
    assert {one["id"] for one in found["P"]["differential"]["element"]} >= {"Patient.name"}


def elements(text: str, kind: str = "Profile: P\nParent: Patient\n") -> dict[str, dict[str, Any]]:
    """The elements of a profile by their ids, all of whose rules are read."""
    found, problems = made(kind + text)
    assert problems == []
    return {one["id"]: one for one in found["P"]["differential"]["element"]}


def told(text: str) -> list[str]:
    """Where something is told."""
    return [one.partition(": ")[0] for one in made(text)[1]]


def test_flags_are_kept() -> None:
    found = elements(
        "* . ?!\n* name 1..1 MS SU\n* gender and birthDate MS TU\n* identifier contains pnr 1..1 MS and other 0..1\n"
        "* maritalStatus MS from http://example.org/vs (required)\n"
    )
    assert found["Patient"] == {"id": "Patient", "path": "Patient", "isModifier": True}
    assert (found["Patient.name"]["mustSupport"], found["Patient.name"]["isSummary"]) == (True, True)
    status = {
        "url": "http://hl7.org/fhir/StructureDefinition/structuredefinition-standards-status",
        "valueCode": "trial-use",
    }
    for name in ("Patient.gender", "Patient.birthDate"):
        assert found[name] == {"id": name, "path": name, "mustSupport": True, "extension": [status]}
    assert found["Patient.identifier:pnr"]["mustSupport"] is True
    assert "mustSupport" not in found["Patient.identifier:other"]
    assert found["Patient.maritalStatus"]["mustSupport"] is True
    assert found["Patient.maritalStatus"]["binding"]["strength"] == "required"


def test_the_context_of_an_extension_is_kept() -> None:
    text = (
        "Profile: P\nParent: Patient\n\nExtension: Inner\n* value[x] only string\n\n"
        "Extension: Outer\nContext: Patient.contact, Inner, P.name, \"Patient.name.where(use = 'usual')\"\n"
    )
    found, problems = made(text)
    assert problems == []
    assert found["Inner"]["context"] == [{"type": "element", "expression": "Element"}]
    assert found["Outer"]["context"] == [
        {"type": "element", "expression": "Patient.contact"},
        {"type": "extension", "expression": f"{BASE}/StructureDefinition/Inner"},
        {"type": "element", "expression": f"{BASE}/StructureDefinition/P#Patient.name"},
        {"type": "fhirpath", "expression": "Patient.name.where(use = 'usual')"},
    ]


def test_a_header_that_is_not_read_is_told() -> None:
    assert told("Extension: E\nCharacteristics: #modifier\n* value[x] only string\n") == ["a.fsh:2"]
    assert told("Logical: L\nCharacteristics: #can-be-target\n") == []


def test_text_that_looks_like_rules_is_text() -> None:
    text = (
        'Profile: P\nParent: Patient\nDescription: """\nTwo things:\n\n* name\n* gender 1..1\n\nId: no header\n"""\n'
        '* ^purpose = """\n  First\n    * second\n  """\n* birthDate 1..1\n'
    )
    found, problems = made(text)
    assert problems == []
    assert found["P"]["description"] == "Two things:\n\n* name\n* gender 1..1\n\nId: no header"
    assert found["P"]["purpose"] == "First\n  * second"
    assert [one["id"] for one in found["P"]["differential"]["element"]] == ["Patient.birthDate"]


def test_a_plain_string_that_is_broken_off_by_what_looks_like_a_rule_is_told() -> None:
    assert told('Profile: P\nParent: Patient\nDescription: "Two:\n* name\n* gender"\n') == [
        "a.fsh:3",
        "a.fsh:5",
        "a.fsh:5",
    ]


def test_a_rule_that_is_not_read_leaves_no_element() -> None:
    found, problems = made("Profile: P\nParent: Patient\n* insert Foo(a, b)\n* colour = #red\n* name 1..1\n")
    assert [one.partition(": ")[0] for one in problems] == ["a.fsh:3", "a.fsh:4"]
    assert [one["id"] for one in found["P"]["differential"]["element"]] == ["Patient.name"]


def test_what_is_indented_belongs_to_what_is_above_it() -> None:
    found = elements(
        '* name\n  * ^short = "What one is called"\n  * insert Family\n',
        "RuleSet: Family\n* family 1..1\n\nProfile: P\nParent: Patient\n",
    )
    assert found["Patient.name"]["short"] == "What one is called"
    assert found["Patient.name.family"]["min"] == 1
    assert "Patient.family" not in found
    assert told('CodeSystem: C\n* #a\n  * ^designation[0].value = "A"\n') == ["a.fsh:3"]


def test_indexes_and_rule_sets_are_bounded() -> None:
    assert told('Profile: P\nParent: Patient\n* ^contact[999999999].name = "A"\n') == ["a.fsh:3"]
    assert told('Profile: P\nParent: Patient\n* ^contact[-1].name = "A"\n') == ["a.fsh:3"]
    fan = "".join(f"RuleSet: R{at}\n" + f"* insert R{at + 1}\n" * 10 for at in range(9))
    _, problems = made(fan + "RuleSet: R9\n* name 1..1\n\nProfile: P\nParent: Patient\n* insert R0\n")
    assert len(problems) == 1

    twice = "".join(f"RuleSet: R{at}(a)\n* insert R{at + 1}([[{{a}}{{a}}{{a}}{{a}}]])\n" for at in range(9))
    text = "x" * 1000
    _, problems = made(
        twice + f"RuleSet: R9(a)\n* ^title = {{a}}\n\nProfile: P\nParent: Patient\n* insert R0({text})\n"
    )
    assert len(problems) == 1 and "too long" in problems[0]


def test_a_rule_set_has_parameters() -> None:
    sets = (
        "RuleSet: Text(element, words, strength)\n"
        '* {element} ^short = "{words}"\n* { element } from http://example.org/v ({strength})\n\n'
        "RuleSet: Outer(words)\n* insert Text(gender, [[{words}]], required)\n\n"
        "Profile: P\nParent: Patient\n"
    )
    plain = elements("* insert Text(gender, One\\, two (and three\\), required)\n", sets)["Patient.gender"]
    assert plain["short"] == "One, two (and three)"
    assert plain["binding"] == {"strength": "required", "valueSet": "http://example.org/v"}
    bracketed = elements("* insert Text(gender, [[One, two (and three)]], required)\n", sets)
    assert bracketed["Patient.gender"]["short"] == "One, two (and three)"
    passed_on = elements("* insert Outer([[One, two (and three)]])\n", sets)
    assert passed_on["Patient.gender"]["short"] == "One, two (and three)"
    within = elements("* contact\n  * insert Text(gender, Sex, required)\n", sets)
    assert within["Patient.contact.gender"]["short"] == "Sex"


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("Two(a)", "the rule set Two has 2 parameters, and 1 are given"),
        ("Two", "the rule set Two has 2 parameters, and 0 are given"),
        ("Two(a, b, c)", "the rule set Two has 2 parameters, and 3 are given"),
        (
            "Two(Reference(Patient), b)",
            "a closing parenthesis in a value is written \\), or the value within [[ and ]]",
        ),
        ("One(a)", "there is no rule set One"),
    ],
)
def test_a_rule_set_that_is_given_other_values_than_it_takes_is_told(rule: str, why: str) -> None:
    _, problems = made(f"RuleSet: Two(a, b)\n* {{a}} 1..1\n\nProfile: P\nParent: Patient\n* insert {rule}\n")
    assert problems == [f"a.fsh:6: {why}"]


@pytest.mark.parametrize(
    "rule", ["* ^version.extension.url = 1", "* multipleBirthInteger = x", "* ^fhirVersion.id.x = 1"]
)
def test_odd_rules_are_told_and_not_stumbled_over(rule: str) -> None:
    assert told(f'Profile: P\nParent: Patient\n* ^version = "1"\n{rule}\n') == ["a.fsh:4"]


@pytest.mark.corpus
def test_the_base_profiles_of_sweden_are_read_and_hold_patients(validating: Validate) -> None:
    if not SWEDEN.exists():
        pytest.skip("HL7 Sweden's base profiles are not at hand")
    package = read([SWEDEN], load().types)
    assert (package.name, package.version, package.problems) == ("hl7se.fhir.base", "1.1.0", ())
    kept = [parse(body) for body in package.files.values()]
    assert sum(one["resourceType"] == "StructureDefinition" for one in kept) == 9
    profile = "http://hl7.se/fhir/ig/base/StructureDefinition/SEBasePatient"
    number = {"system": "http://electronichealth.se/identifier/personnummer", "value": "195009072553"}
    address = {
        "url": "http://hl7.se/fhir/ig/base/StructureDefinition/SEBaseAddressPersonExtension",
        "valueCodeableConcept": {"coding": [{"system": "http://snomed.info/sct", "code": "63381000052101"}]},
    }
    good = {
        "resourceType": "Patient",
        "identifier": [number],
        "name": [{"family": "A"}],
        "address": [{"city": "B", "extension": [address]}],
    }

    def rules(resource: dict[str, Any]) -> set[str]:
        return {one.rule for one in validating(resource, *kept, profiles=(profile,)) if one.severity == "error"}

    assert rules(good) == set()
    assert rules(good | {"identifier": [number, number]}) == {"slice-max"}
    assert rules(good | {"name": [{"family": "A"}, {"family": "B"}]}) == {"profile-max"}
    other = {"valueCodeableConcept": {"coding": [{"system": "http://snomed.info/sct", "code": "1"}]}}
    assert rules(good | {"address": [{"city": "B", "extension": [address | other]}]}) == {"profile-binding"}
    assert rules(good | {"extension": [address]}) == {"extension-context"}
