"""The structural check: what it refuses, where it says the fault is, and that it never tells the value."""

from decimal import Decimal
from typing import Any

import pytest

from gateway.definitions import load
from gateway.fhir.check import MOST, check

PATIENT: dict[str, Any] = {"resourceType": "Patient"}
OBSERVATION: dict[str, Any] = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
ENCOUNTER: dict[str, Any] = {
    "resourceType": "Encounter",
    "status": "planned",
    "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
}
EXTENSION = {"url": "http://example.org/e", "valueString": "x"}


def faults(resource: dict[str, Any], base: str | None = None) -> list[tuple[str, str | None]]:
    return [(issue.rule, issue.expression) for issue in check(resource, load(), base=base)]


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        (PATIENT | {"foo": 1}, ("unknown-element", "Patient.foo")),
        (PATIENT | {"contact": [{"gender": "male"}, {"sex": "x"}]}, ("unknown-element", "Patient.contact[1].sex")),
        (PATIENT | {"19121212": 1}, ("unknown-element", "Patient")),
        (PATIENT | {"_name": [{"id": "x"}]}, ("unknown-element", "Patient._name")),
        (
            PATIENT | {"name": [{"id": "1", "_id": {"extension": [EXTENSION]}, "text": "x"}]},
            ("unknown-element", "Patient.name[0]._id"),
        ),
        (
            PATIENT | {"extension": [EXTENSION | {"_url": {"extension": [EXTENSION]}}]},
            ("unknown-element", "Patient.extension[0]._url"),
        ),
        (PATIENT | {"language": "\x01"}, ("primitive-format", "Patient.language")),
        (PATIENT | {"implicitRules": "urn:\x01"}, ("primitive-format", "Patient.implicitRules")),
        (PATIENT | {"name": [{"text": "\uffff"}]}, ("primitive-format", "Patient.name[0].text")),
        (PATIENT | {"photo": [{"contentType": "a/b;\x01"}]}, ("primitive-format", "Patient.photo[0].contentType")),
        (PATIENT | {"gender": ["male"]}, ("json-type", "Patient.gender")),
        (PATIENT | {"name": {"family": "x"}}, ("json-type", "Patient.name")),
        (PATIENT | {"maritalStatus": "M"}, ("json-type", "Patient.maritalStatus")),
        (PATIENT | {"birthDate": None}, ("empty-element", "Patient.birthDate")),
        (PATIENT | {"name": []}, ("empty-element", "Patient.name")),
        (PATIENT | {"name": [{}]}, ("empty-element", "Patient.name[0]")),
        (PATIENT | {"name": [{"given": ["a", None]}]}, ("empty-element", "Patient.name[0].given[1]")),
        (PATIENT | {"name": [{"given": ["a"], "_given": {"id": "1"}}]}, ("json-type", "Patient.name[0].given")),
        (PATIENT | {"name": [{"id": "1"}]}, ("ele-1", "Patient.name[0]")),
        (PATIENT | {"_birthDate": {"id": "1"}}, ("ele-1", "Patient.birthDate")),
        (PATIENT | {"birthDate": "2023-02-29"}, ("primitive-format", "Patient.birthDate")),
        (PATIENT | {"gender": "man"}, ("required-binding", "Patient.gender")),
        (PATIENT | {"deceasedBoolean": True, "deceasedDateTime": "2020"}, ("two-choices", "Patient.deceased")),
        (PATIENT | {"deceasedString": "yes"}, ("unknown-element", "Patient.deceasedString")),
        (PATIENT | {"extension": [{"url": "e", "valueString": "x"}]}, ("extension-url", "Patient.extension[0].url")),
        (PATIENT | {"extension": [{"url": "http://e.org"}]}, ("ext-1", "Patient.extension[0]")),
        (PATIENT | {"name": [{"modifierExtension": [EXTENSION]}]}, ("unknown-element", None)),
        (PATIENT | {"managingOrganization": {"reference": "#o"}}, ("ref-1", "Patient.managingOrganization.reference")),
        (
            PATIENT | {"contained": [{"resourceType": "Organization", "id": "o", "name": "x"}]},
            ("dom-3", "Patient.contained[0]"),
        ),
        (PATIENT | {"contained": [{"id": "o"}]}, ("unknown-resource-type", "Patient.contained[0]")),
        (PATIENT | {"text": {"status": "generated", "div": "<p/>"}}, ("txt-1", "Patient.text.div")),
        ({"resourceType": "Observation", "code": {"text": "x"}}, ("missing-element", "Observation.status")),
        (
            OBSERVATION | {"valueQuantity": {"value": "6"}},
            ("primitive-format", "Observation.value.ofType(Quantity).value"),
        ),
        (OBSERVATION | {"value": {"value": 6}}, ("unknown-element", "Observation.value")),
        (OBSERVATION | {"valueTime": "10:00"}, ("primitive-format", "Observation.value.ofType(time)")),
        (ENCOUNTER | {"subject": {"reference": "Organization/1"}}, ("reference-target", "Encounter.subject.reference")),
        (ENCOUNTER | {"subject": {"reference": "Foo/1"}}, ("reference-target", "Encounter.subject.reference")),
        (
            ENCOUNTER | {"subject": {"reference": "Patient/1", "type": "Group"}},
            ("reference-target", "Encounter.subject.type"),
        ),
        (
            ENCOUNTER | {"subject": {"type": "Organization", "identifier": {"value": "1"}}},
            ("reference-target", "Encounter.subject.type"),
        ),
        (ENCOUNTER | {"period": {"start": "2024-02-01", "end": "2024-01"}}, ("per-1", "Encounter.period")),
        (
            {"resourceType": "Condition", "subject": {"display": "x"}, "clinicalStatus": {"text": "active"}},
            ("required-binding", "Condition.clinicalStatus"),
        ),
        ({"resourceType": "Nope"}, ("unknown-resource-type", "Nope")),
        ({"resourceType": "HumanName"}, ("unknown-resource-type", "HumanName")),
        ({"id": "1"}, ("unknown-resource-type", "Resource")),
        ({"resourceType": ["Patient"]}, ("unknown-resource-type", "Resource")),
    ],
)
def test_a_fault_is_found_and_placed(resource: dict[str, Any], expected: tuple[str, str | None]) -> None:
    rule, expression = expected
    found = faults(resource)
    assert rule in [name for name, _ in found]
    assert expression is None or expected in found


@pytest.mark.parametrize(
    "resource",
    [
        PATIENT,
        PATIENT | {"birthDate": "1970-06", "_birthDate": {"id": "1"}},
        PATIENT | {"name": [{"given": ["a", None], "_given": [None, {"extension": [EXTENSION]}]}]},
        PATIENT | {"extension": [{"url": "http://e.org", "extension": [{"url": "a", "valueString": "x"}]}]},
        PATIENT | {"managingOrganization": {"identifier": {"system": "urn:oid:1.2", "value": "1"}}},
        PATIENT
        | {
            "contained": [{"resourceType": "Organization", "id": "o", "name": "x"}],
            "managingOrganization": {"reference": "#o"},
        },
        {"resourceType": "Observation", "_status": {"extension": [EXTENSION]}, "code": {"text": "x"}},
        OBSERVATION | {"valueQuantity": {"value": Decimal("1E-24")}},
        OBSERVATION | {"valueDateTime": "2016-12-31T23:59:60Z"},
        OBSERVATION | {"subject": {"reference": "https://other.example/fhir/Unheard/1"}},
        ENCOUNTER | {"subject": {"reference": "Patient?identifier=a|b"}},
        ENCOUNTER | {"period": {"start": "2024-01-01T10:00:00+02:00", "end": "2024-01-01T09:30:00Z"}},
        {"resourceType": "Parameters", "parameter": [{"name": "r", "resource": PATIENT}]},
    ],
)
def test_a_valid_resource_is_let_through(resource: dict[str, Any]) -> None:
    assert check(resource, load()) == []


def test_all_faults_are_told_at_once_also_in_inner_resources() -> None:
    inner = {"resourceType": "Observation", "valueString": "x", "valueInteger": 1, "foo": 1}
    bundle = {"resourceType": "Bundle", "type": "unheard", "entry": [{"resource": PATIENT}, {"resource": inner}]}
    at = "Bundle.entry[1].resource"
    assert sorted(faults(bundle)) == [
        ("missing-element", f"{at}.code"),
        ("missing-element", f"{at}.status"),
        ("required-binding", "Bundle.type"),
        ("two-choices", f"{at}.value"),
        ("unknown-element", f"{at}.foo"),
    ]


def test_a_missing_choice_names_what_could_be_given() -> None:
    task = {"resourceType": "Task", "status": "draft", "intent": "order", "input": [{"type": {"text": "x"}}]}
    (issue,) = check(task, load())
    assert (issue.rule, issue.expression) == ("missing-element", "Task.input[0].value")


@pytest.mark.parametrize(
    ("resource", "help_text"),
    [
        (PATIENT | {"birthdate": "2020-01-01"}, "birthDate"),
        (OBSERVATION | {"value": 1}, "valueQuantity"),
        (PATIENT | {"gender": "man"}, "female, male, other, unknown"),
        (PATIENT | {"name": {"family": "x"}}, "JSON list"),
        (ENCOUNTER | {"subject": {"reference": "Organization/1"}}, "Group, Patient"),
    ],
)
def test_a_fault_says_what_to_write_instead(resource: dict[str, Any], help_text: str) -> None:
    (issue,) = check(resource, load())
    assert help_text in issue.text


def test_no_text_tells_the_value() -> None:
    secret = "19121212-1212 Tolvan"
    resource = PATIENT | {
        "birthDate": secret,
        "gender": secret,
        "identifier": [{"system": secret, "period": {"start": secret}, "use": secret}],
        "managingOrganization": {"reference": f"Patient/{secret}"},
        "text": {"status": secret, "div": f"<p>{secret}"},
        secret: secret,
    }
    issues = check(resource, load())
    assert len(issues) >= 7
    assert not any("1212" in f"{issue.text} {issue.expression}" for issue in issues)


def test_an_absolute_reference_to_this_server_is_held_to_the_same_types() -> None:
    base = "https://here.example/fhir"
    assert faults(ENCOUNTER | {"subject": {"reference": f"{base}/Foo/1"}}) == []
    assert faults(ENCOUNTER | {"subject": {"reference": f"{base}/Foo/1"}}, base) == [
        ("reference-target", "Encounter.subject.reference")
    ]


def test_an_endless_list_of_faults_is_cut() -> None:
    found = check(PATIENT | {"name": [{}] * (MOST + 1)}, load())
    assert [one.severity for one in found] == ["error"] * MOST + ["warning"]
    assert found[-1].rule == "too-many-issues"
