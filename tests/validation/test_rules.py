"""Rules beyond structure and profiles, one broken resource each; the first of each pair is right."""

from __future__ import annotations

from typing import Any

import pytest

from tests.validation.conftest import Validate

DIV = {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml"><a href="#here">x</a></div>'}
UUID = "urn:uuid:8a3e7a52-1d4f-4a43-9f0c-3a5f1f0a2b11"
OBSERVATION: dict[str, Any] = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
PATIENT: dict[str, Any] = {"resourceType": "Patient"}
BUNDLE: dict[str, Any] = {"resourceType": "Bundle", "type": "collection"}
MEDIA: dict[str, Any] = {"contentType": "text/plain", "data": "aGVq"}


def coded(**coding: str) -> dict[str, Any]:
    return OBSERVATION | {"code": {"coding": [coding]}}


def contained(*ids: str) -> dict[str, Any]:
    held = [{"resourceType": "Patient", "id": id, "active": True} for id in ids]
    return OBSERVATION | {"contained": held, "subject": {"reference": f"#{ids[0]}"}}


@pytest.mark.parametrize(
    ("right", "wrong", "rule", "where"),
    [
        (
            coded(system="http://example.org/s", code="x"),
            coded(system="s", code="x"),
            "coding-system-absolute",
            "Observation.code.coding[0].system",
        ),
        (
            coded(system="http://example.org/s", code="x"),
            coded(system="http://hl7.org/fhir/ValueSet/x", code="x"),
            "coding-system-value-set",
            "Observation.code.coding[0].system",
        ),
        (
            coded(system="http://hl7.org/fhir/observation-status", code="final"),
            coded(system="http://hl7.org/fhir/observation-status", code="done"),
            "code-unknown",
            "Observation.code.coding[0].code",
        ),
        (
            PATIENT | {"identifier": [{"system": "urn:oid:1.2.3", "value": "1"}]},
            PATIENT | {"identifier": [{"system": "pnr", "value": "1"}]},
            "identifier-system-absolute",
            "Patient.identifier[0].system",
        ),
        (
            PATIENT | {"photo": [MEDIA | {"size": 3}]},
            PATIENT | {"photo": [MEDIA | {"size": 4}]},
            "attachment-size",
            "Patient.photo[0].size",
        ),
        (
            OBSERVATION | {"subject": {"reference": "Patient/1"}},
            OBSERVATION | {"subject": {"reference": "the patient"}},
            "reference-form",
            "Observation.subject.reference",
        ),
        (
            PATIENT | {"text": DIV | {"div": DIV["div"].replace("<a ", '<a id="here" ')}},
            PATIENT | {"text": DIV},
            "narrative-link",
            "Patient.text.div",
        ),
        (contained("a"), contained("a", "a"), "contained-id-repeated", "Observation.contained[1].id"),
        (
            PATIENT | {"name": [{"id": "a", "text": "A"}, {"id": "b", "text": "B"}]},
            PATIENT | {"name": [{"id": "a", "text": "A"}, {"id": "a", "text": "B"}]},
            "element-id-repeated",
            "Patient.name[1].id",
        ),
        (
            BUNDLE | {"link": [{"relation": "self", "url": "http://a.example"}]},
            BUNDLE | {"link": [{"relation": "self", "url": "http://a.example"}] * 2},
            "bundle-link-repeated",
            "Bundle.link[1].relation",
        ),
        (
            BUNDLE | {"entry": [{"fullUrl": UUID, "resource": PATIENT}]},
            BUNDLE | {"entry": [{"fullUrl": UUID, "resource": PATIENT}] * 2},
            "bdl-7",
            "Bundle",
        ),
        (
            OBSERVATION | {"effectivePeriod": {"start": "2020", "end": "2020-05-01T10:00:00Z"}},
            OBSERVATION | {"effectivePeriod": {"start": "2021", "end": "2020-05-01T10:00:00Z"}},
            "per-1",
            "Observation.effective.ofType(Period)",
        ),
        (
            PATIENT | {"contact": [{"name": {"text": "A"}}]},
            PATIENT | {"contact": [{"gender": "male"}]},
            "pat-1",
            "Patient.contact[0]",
        ),
    ],
)
def test_what_breaks_a_rule_is_told_and_what_does_not_is_not(
    validating: Validate, right: dict[str, Any], wrong: dict[str, Any], rule: str, where: str
) -> None:
    assert [one.rule for one in validating(right) if one.severity == "error"] == []
    assert (rule, where) in [(one.rule, one.expression) for one in validating(wrong) if one.severity == "error"]


def test_no_more_is_told_than_is_read(validating: Validate) -> None:
    names = [{"use": "wrong"}] * 700
    found = validating(PATIENT | {"name": names})
    assert sum(one.severity == "error" for one in found) == 500
    assert [one.rule for one in found if one.rule == "too-many-issues"] == ["too-many-issues"]


def test_no_value_is_quoted(validating: Validate) -> None:
    secret = "Hemligsson"
    broken = PATIENT | {
        "birthDate": secret,
        "gender": secret,
        "name": [{"family": f"<b>{secret}</b>", "period": {"start": "2021", "end": "2020"}}],
        "maritalStatus": {"coding": [{"system": secret, "display": secret}]},
        secret: secret,
    }
    assert not [one for one in validating(broken) if secret in one.text]
