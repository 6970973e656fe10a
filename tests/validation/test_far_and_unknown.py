"""What lies far away or is not held here: followed within bounds, and never called wrong because it is not known."""

from __future__ import annotations

from typing import Any

import pytest

from tests.validation.conftest import Validate
from tests.validation.test_profiles import CORE, DIV, OBSERVATION, PATIENT, URL, element, errors, profile, sliced

NAMED = profile("Patient", element("Patient.name", min=1), name="named")


def test_each_target_is_held_for_itself_though_each_is_read_anew(validating: Validate) -> None:
    target = [{"code": "Reference", "targetProfile": [NAMED["url"]]}]
    mine = profile(
        "Observation", element("Observation.subject", type=target), element("Observation.performer", type=target)
    )
    kept = [PATIENT | {"id": "named", "name": [{"family": "Larsson"}]}]
    kept += [PATIENT | {"id": f"bare{n}", "active": True} for n in range(20)]
    refers = [{"reference": f"Patient/{one['id']}"} for one in kept]
    given = OBSERVATION | {"subject": refers[0], "performer": refers}
    assert errors(validating(given, mine, NAMED, *kept, profiles=(mine["url"],))) == [
        ("profile-target", f"Observation.performer[{n}].reference") for n in range(1, 21)
    ]


def test_a_resource_that_refers_to_itself_is_held_to_its_profile_once(validating: Validate) -> None:
    url = URL + "round"
    target = [{"code": "Reference", "targetProfile": [url]}]
    mine = profile("Observation", element("Observation.hasMember", type=target), name="round")
    given = OBSERVATION | {"id": "o", "hasMember": [{"reference": "Observation/o"}]}
    assert errors(validating(given, given, mine, profiles=(url,))) == []


def test_a_long_chain_of_targets_is_followed_so_far(validating: Validate) -> None:
    url = URL + "round"
    target = [{"code": "Reference", "targetProfile": [url]}]
    mine = profile("Observation", element("Observation.hasMember", type=target), name="round")
    chain = [OBSERVATION | {"id": f"o{n}", "hasMember": [{"reference": f"Observation/o{n + 1}"}]} for n in range(300)]
    assert errors(validating(chain[0], mine, *chain, profiles=(url,))) == []


def test_profiles_of_types_that_lead_into_themselves_come_to_an_end(validating: Validate) -> None:
    url = URL + "assigned"
    own = [{"code": "Identifier", "profile": [url]}]
    assigned = profile("Identifier", element("Identifier.assigner.identifier", type=own), name="assigned")
    mine = profile(
        "Patient",
        sliced("Patient.identifier", "value", "$this"),
        element("Patient.identifier:a", type=own),
    )
    given = PATIENT | {"identifier": [{"value": "1", "assigner": {"identifier": {"value": "2"}}}]}
    assert errors(validating(given, mine, assigned, profiles=(mine["url"],))) == []


UNDECIDED: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "no discriminator": (
        element("Observation.category", slicing={"rules": "closed"}),
        element("Observation.category:a", min=1),
        {"category": [{"text": "x"}]},
    ),
    "a profile that is not held": (
        sliced("Observation.performer", "profile", "resolve()", "closed"),
        element("Observation.performer:a", min=1, type=[{"code": "Reference", "targetProfile": [URL + "nowhere"]}]),
        {"performer": [{"reference": "Patient/1"}]},
    ),
    "a value set that is not held": (
        sliced("Observation.category", "value", "$this", "closed"),
        element("Observation.category:a", min=1, binding={"strength": "required", "valueSet": URL + "nowhere"}),
        {"category": [{"coding": [{"system": "http://example.org/s", "code": "x"}]}]},
    ),
    "a path that is not read": (
        sliced("Observation.component", "value", "value.as(Quantity).unit", "closed"),
        element("Observation.component:a", min=1),
        {"component": [{"code": {"text": "x"}, "valueString": "y"}]},
    ),
}


@pytest.mark.parametrize("what", UNDECIDED)
def test_of_which_slice_something_is_is_not_guessed(validating: Validate, what: str) -> None:
    head, slice, held = UNDECIDED[what]
    mine = profile("Observation", head, slice)
    issues = validating(OBSERVATION | held, mine, profiles=(mine["url"],))
    assert errors(issues) == []
    assert "slicing-undecided" in {one.rule for one in issues}


@pytest.mark.parametrize(("reference", "told"), [("Patient/9", []), ("Practitioner/9", ["slice-min"])])
def test_the_type_of_a_reference_that_leads_nowhere_is_what_it_says(
    validating: Validate, reference: str, told: list[str]
) -> None:
    mine = profile(
        "Observation",
        sliced("Observation.performer", "type", "resolve()"),
        element("Observation.performer:a", min=1, type=[{"code": "Reference", "targetProfile": [CORE + "Patient"]}]),
    )
    given = OBSERVATION | {"performer": [{"reference": reference}]}
    assert [rule for rule, _ in errors(validating(given, mine, profiles=(mine["url"],)))] == told


def test_what_tells_a_slice_stands_in_one_coding_not_in_several(validating: Validate) -> None:
    mine = profile(
        "Observation",
        sliced("Observation.component", "value", "code"),
        element("Observation.component:a", max="0"),
        element("Observation.component:a.code.coding.system", fixedUri="http://example.org/s"),
        element("Observation.component:a.code.coding.code", fixedCode="c"),
    )
    apart = [{"system": "http://example.org/s", "code": "x"}, {"system": "http://example.org/t", "code": "c"}]
    together = [{"system": "http://example.org/s", "code": "c"}]
    for codings, told in ((apart, []), (together, ["slice-max"])):
        given = OBSERVATION | {"component": [{"code": {"coding": codings}, "valueString": "y"}]}
        found = errors(validating(given, mine, profiles=(mine["url"],)))
        assert [rule for rule, _ in found if rule == "slice-max"] == told


def extension(name: str, kind: str, expression: str) -> dict[str, Any]:
    context = [{"type": kind, "expression": expression}]
    return profile("Extension", element("Extension"), name=name, context=context)


@pytest.mark.parametrize(
    ("kind", "expression", "fits"),
    [
        ("element", "Patient.name", True),
        ("element", "Patient.contact", False),
        ("element", f"{CORE}Patient#Patient.name", True),
        ("element", f"{CORE}Patient#Patient.contact", False),
        ("element", f"{URL}other#Patient.contact", True),
        ("element", "MetadataResource", True),
        ("extension", f"{URL}outer", False),
    ],
)
def test_an_extension_stands_where_its_definition_lets_it(
    validating: Validate, kind: str, expression: str, fits: bool
) -> None:
    mine = extension("mine", kind, expression)
    given = PATIENT | {"name": [{"family": "Larsson", "extension": [{"url": mine["url"], "valueString": "x"}]}]}
    assert errors(validating(given, mine)) == (
        [] if fits else [("extension-context", "Patient.name[0].extension[0].url")]
    )


@pytest.mark.parametrize(("part", "told"), [("told", []), ("other", ["extension-context"])])
def test_an_extension_of_a_part_stands_in_that_part(validating: Validate, part: str, told: list[str]) -> None:
    mine, outer = extension("mine", "extension", f"{URL}outer#told"), extension("outer", "element", "Patient")
    inner = {"url": part, "extension": [{"url": mine["url"], "valueString": "x"}]}
    given = PATIENT | {"extension": [{"url": outer["url"], "extension": [inner]}]}
    assert [rule for rule, _ in errors(validating(given, mine, outer)) if rule == "extension-context"] == told


SYSTEM = {
    "resourceType": "CodeSystem",
    "url": "http://example.org/s",
    "version": "2",
    "status": "active",
    "content": "complete",
    "concept": [{"code": "a"}],
}


@pytest.mark.parametrize(
    ("coding", "severity"),
    [
        ({"system": "http://example.org/s", "code": "b"}, "error"),
        ({"system": "http://example.org/s", "code": "b", "version": "2"}, "error"),
        ({"system": "http://example.org/s", "code": "b", "version": "1"}, "warning"),
        ({"system": "http://hl7.org/fhir/task-status", "code": "b"}, "error"),
        ({"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "b"}, "warning"),
        ({"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "b"}, "warning"),
    ],
)
def test_a_code_is_wrong_where_its_system_is_held_in_the_version_that_is_meant(
    validating: Validate, coding: dict[str, str], severity: str
) -> None:
    given = OBSERVATION | {"code": {"coding": [coding]}}
    assert {one.severity for one in validating(given, SYSTEM) if one.rule == "code-unknown"} == {severity}


def test_a_canonical_may_have_a_version_behind_a_uuid(validating: Validate) -> None:
    url = "urn:uuid:0b7f4f0b-5b0c-4f7e-9c2f-2f0e1f3a9d11"
    given = {"resourceType": "QuestionnaireResponse", "text": DIV, "status": "completed", "questionnaire": f"{url}|1.0"}
    assert errors(validating(given)) == []
