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
