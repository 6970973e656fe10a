"""Profiles: slices by each discriminator, their order and closing, values, targets, and profiles on profiles."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.issues import Issue
from tests.validation.conftest import Validate

URL = "http://example.org/fhir/StructureDefinition/"
CORE = "http://hl7.org/fhir/StructureDefinition/"
DIV = {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">x</div>'}
PATIENT: dict[str, Any] = {"resourceType": "Patient", "text": DIV}
OBSERVATION: dict[str, Any] = {"resourceType": "Observation", "text": DIV, "status": "final", "code": {"text": "x"}}


def profile(kind: str, *elements: dict[str, Any], name: str = "mine", base: str = "", **more: Any) -> dict[str, Any]:
    """A profile of a type by its differential."""
    return {
        "resourceType": "StructureDefinition",
        "url": URL + name,
        "name": name.title(),
        "status": "active",
        "kind": "complex-type" if kind == "Extension" else "resource",
        "abstract": False,
        "type": kind,
        "derivation": "constraint",
        "baseDefinition": base or CORE + kind,
        "differential": {"element": list(elements)},
        **more,
    }


def element(id: str, **held: Any) -> dict[str, Any]:
    path = ".".join(part.partition(":")[0] for part in id.split("."))
    slice = id.rpartition(".")[2].partition(":")[2]
    return {"id": id, "path": path, **({"sliceName": slice} if slice else {}), **held}


def sliced(path: str, kind: str, by: str, rules: str = "open", *, ordered: bool = False) -> dict[str, Any]:
    slicing = {"discriminator": [{"type": kind, "path": by}], "rules": rules, "ordered": ordered}
    return element(path, slicing=slicing)


def errors(issues: list[Issue]) -> list[tuple[str, str | None]]:
    return [(one.rule, one.expression) for one in issues if one.severity in ("fatal", "error")]


def identifier(system: str, value: str = "1") -> dict[str, Any]:
    return {"system": f"http://example.org/{system}", "value": value}


BY_SYSTEM = (
    sliced("Patient.identifier", "value", "system"),
    element("Patient.identifier:a", min=1, max="1"),
    element("Patient.identifier:a.system", min=1, fixedUri="http://example.org/a"),
    element("Patient.identifier:a.value", maxLength=3),
)


def test_a_slice_by_value_is_counted_and_held(validating: Validate) -> None:
    mine = profile("Patient", *BY_SYSTEM)
    good = PATIENT | {"identifier": [identifier("b", "12345"), identifier("a")]}
    assert errors(validating(good, mine, profiles=(mine["url"],))) == []
    none = PATIENT | {"identifier": [identifier("b")]}
    assert errors(validating(none, mine, profiles=(mine["url"],))) == [("slice-min", "Patient.identifier")]
    two = PATIENT | {"identifier": [identifier("a"), identifier("a", "12345")]}
    assert errors(validating(two, mine, profiles=(mine["url"],))) == [
        ("slice-max", "Patient.identifier[1]"),
        ("profile-max-length", "Patient.identifier[1].value"),
    ]


def test_closed_slicing_has_no_others(validating: Validate) -> None:
    mine = profile("Patient", sliced("Patient.identifier", "value", "system", "closed"), *BY_SYSTEM[1:])
    found = errors(
        validating(PATIENT | {"identifier": [identifier("a"), identifier("b")]}, mine, profiles=(mine["url"],))
    )
    assert found == [("slice-closed", "Patient.identifier[1]")]


def test_open_at_the_end_has_others_behind_only(validating: Validate) -> None:
    mine = profile("Patient", sliced("Patient.identifier", "value", "system", "openAtEnd"), *BY_SYSTEM[1:])
    behind = PATIENT | {"identifier": [identifier("a"), identifier("b")]}
    assert errors(validating(behind, mine, profiles=(mine["url"],))) == []
    before = PATIENT | {"identifier": [identifier("b"), identifier("a")]}
    assert errors(validating(before, mine, profiles=(mine["url"],))) == [("slice-order", "Patient.identifier[1]")]


def test_ordered_slices_come_in_their_order(validating: Validate) -> None:
    mine = profile(
        "Patient",
        sliced("Patient.identifier", "value", "system", ordered=True),
        *BY_SYSTEM[1:],
        element("Patient.identifier:b", max="1"),
        element("Patient.identifier:b.system", fixedUri="http://example.org/b"),
    )
    wrong = PATIENT | {"identifier": [identifier("b"), identifier("a")]}
    assert errors(validating(wrong, mine, profiles=(mine["url"],))) == [("slice-order", "Patient.identifier[1]")]


def test_a_slice_by_pattern_needs_no_more_than_the_pattern_has(validating: Validate) -> None:
    coded = {"coding": [{"system": "http://example.org/s", "code": "x"}]}
    mine = profile(
        "Observation",
        sliced("Observation.component", "pattern", "code"),
        element("Observation.component:x", min=1),
        element("Observation.component:x.code", patternCodeableConcept=coded),
        element("Observation.component:x.value[x]", min=1, type=[{"code": "Quantity"}]),
    )
    more = {"coding": [{"system": "http://example.org/other", "code": "y"}, coded["coding"][0] | {"display": "X"}]}
    good = OBSERVATION | {"component": [{"code": more, "valueQuantity": {"value": 1}}]}
    assert errors(validating(good, mine, profiles=(mine["url"],))) == []
    text = OBSERVATION | {"component": [{"code": more, "valueString": "one"}]}
    assert errors(validating(text, mine, profiles=(mine["url"],))) == [
        ("profile-type", "Observation.component[0].value.ofType(string)")
    ]


def test_a_slice_by_existence(validating: Validate) -> None:
    mine = profile(
        "Patient",
        sliced("Patient.name", "exists", "period"),
        element("Patient.name:old", max="1"),
        element("Patient.name:old.period", min=1),
        element("Patient.name:current", max="1"),
        element("Patient.name:current.period", max="0"),
    )
    old = {"family": "B", "period": {"end": "2020"}}
    assert errors(validating(PATIENT | {"name": [{"family": "A"}, old]}, mine, profiles=(mine["url"],))) == []
    two = PATIENT | {"name": [{"family": "A"}, {"family": "C"}]}
    assert errors(validating(two, mine, profiles=(mine["url"],))) == [("slice-max", "Patient.name[1]")]


def test_a_choice_is_sliced_by_type(validating: Validate) -> None:
    mine = profile(
        "Observation",
        element("Observation.value[x]:valueQuantity", min=1),
        element("Observation.value[x]:valueQuantity.unit", min=1),
    )
    assert errors(validating(OBSERVATION | {"valueString": "x"}, mine, profiles=(mine["url"],))) == [
        ("slice-min", "Observation.value")
    ]
    assert errors(validating(OBSERVATION | {"valueQuantity": {"value": 1}}, mine, profiles=(mine["url"],))) == [
        ("profile-min", "Observation.value.ofType(Quantity).unit")
    ]


def test_entries_are_sliced_by_the_type_of_their_resource(validating: Validate) -> None:
    mine = profile(
        "Bundle",
        sliced("Bundle.entry", "type", "resource", "closed"),
        element("Bundle.entry:patient", min=1, max="1"),
        element("Bundle.entry:patient.resource", type=[{"code": "Patient"}]),
    )
    bundle = {"resourceType": "Bundle", "type": "collection"}
    one, other = {"fullUrl": "urn:uuid:8a3e7a52-1d4f-4a43-9f0c-3a5f1f0a2b11"}, {"fullUrl": "http://a.example/Basic/1"}
    good = bundle | {"entry": [one | {"resource": PATIENT}]}
    assert errors(validating(good, mine, profiles=(mine["url"],))) == []
    more = bundle | {"entry": [one | {"resource": PATIENT}, other | {"resource": OBSERVATION}]}
    assert errors(validating(more, mine, profiles=(mine["url"],))) == [("slice-closed", "Bundle.entry[1]")]


def test_a_slice_by_the_profile_of_what_is_referred_to(validating: Validate) -> None:
    named = profile("Patient", element("Patient.name", min=1), name="named")
    mine = profile(
        "Observation",
        sliced("Observation.performer", "profile", "resolve()"),
        element("Observation.performer:named", min=1, type=[{"code": "Reference", "targetProfile": [named["url"]]}]),
    )
    known = PATIENT | {"id": "1", "name": [{"family": "A"}]}
    good = OBSERVATION | {"performer": [{"reference": "Patient/1"}]}
    assert errors(validating(good, mine, named, known, profiles=(mine["url"],))) == []
    nobody = PATIENT | {"id": "1"}
    assert errors(validating(good, mine, named, nobody, profiles=(mine["url"],))) == [
        ("slice-min", "Observation.performer")
    ]


def test_a_target_meets_its_profile_where_it_can_be_looked_at(validating: Validate) -> None:
    named = profile("Patient", element("Patient.name", min=1), name="named")
    target = [{"code": "Reference", "targetProfile": [named["url"]]}]
    mine = profile("Observation", element("Observation.subject", type=target))
    contained = OBSERVATION | {"contained": [{"resourceType": "Patient", "id": "p"}], "subject": {"reference": "#p"}}
    assert errors(validating(contained, mine, named, profiles=(mine["url"],))) == [
        ("profile-target", "Observation.subject.reference")
    ]
    elsewhere = OBSERVATION | {"subject": {"reference": "Patient/elsewhere"}}
    assert errors(validating(elsewhere, mine, named, profiles=(mine["url"],))) == []
    group = OBSERVATION | {"subject": {"reference": "Group/1"}}
    assert errors(validating(group, mine, named, profiles=(mine["url"],))) == [
        ("profile-target", "Observation.subject.reference")
    ]


def test_a_slice_of_a_slice_is_held_to_both(validating: Validate) -> None:
    mine = profile(
        "Patient",
        *BY_SYSTEM[:3],
        element(
            "Patient.identifier:a",
            max="*",
            slicing={"discriminator": [{"type": "value", "path": "use"}], "rules": "open"},
        ),
        element("Patient.identifier:a/old", max="1"),
        element("Patient.identifier:a/old.use", min=1, fixedCode="old"),
    )
    old = identifier("a") | {"use": "old"}
    assert errors(validating(PATIENT | {"identifier": [old, identifier("a")]}, mine, profiles=(mine["url"],))) == []
    found = errors(validating(PATIENT | {"identifier": [old, old]}, mine, profiles=(mine["url"],)))
    assert found == [("slice-max", "Patient.identifier[1]")]


def test_nested_items_are_held_to_what_they_are_defined_by(validating: Validate) -> None:
    mine = profile("Questionnaire", element("Questionnaire.item.prefix", min=1))
    item = {"linkId": "1", "type": "group", "prefix": "1", "item": [{"linkId": "1.1", "type": "string"}]}
    asked = {"resourceType": "Questionnaire", "text": DIV, "status": "draft", "item": [item]}
    assert errors(validating(asked, mine, profiles=(mine["url"],))) == [
        ("profile-min", "Questionnaire.item[0].item[0].prefix")
    ]


def test_a_profile_on_a_profile_asks_for_both_and_can_mend_a_slice(validating: Validate) -> None:
    below = profile("Patient", *BY_SYSTEM, name="below")
    mine = profile(
        "Patient", element("Patient.identifier:a.period", min=1), element("Patient.birthDate", min=1), base=below["url"]
    )
    found = errors(
        validating(PATIENT | {"identifier": [identifier("a", "12345")]}, mine, below, profiles=(mine["url"],))
    )
    assert set(found) == {
        ("profile-max-length", "Patient.identifier[0].value"),
        ("profile-min", "Patient.identifier[0].period"),
        ("profile-min", "Patient.birthDate"),
    }


def test_paths_alone_say_what_an_element_belongs_to(validating: Validate) -> None:
    mine = profile("Patient", *({name: value for name, value in one.items() if name != "id"} for one in BY_SYSTEM))
    found = errors(validating(PATIENT | {"identifier": [identifier("a", "12345")]}, mine, profiles=(mine["url"],)))
    assert found == [("profile-max-length", "Patient.identifier[0].value")]


def test_values_have_their_limits_and_their_value_set(validating: Validate) -> None:
    codes = {
        "resourceType": "ValueSet",
        "url": "http://example.org/ValueSet/few",
        "status": "active",
        "compose": {"include": [{"system": "http://example.org/s", "concept": [{"code": "x"}]}]},
    }
    mine = profile(
        "Observation",
        element("Observation.value[x]", type=[{"code": "integer"}, {"code": "CodeableConcept"}], minValueInteger=3),
        element("Observation.method", binding={"strength": "required", "valueSet": codes["url"]}),
        element("Observation.bodySite", binding={"strength": "extensible", "valueSet": codes["url"]}),
    )
    other = {"coding": [{"system": "http://example.org/s", "code": "y"}]}
    found = validating(
        OBSERVATION | {"valueInteger": 2, "method": other, "bodySite": other}, mine, codes, profiles=(mine["url"],)
    )
    assert set(errors(found)) == {
        ("profile-binding", "Observation.method"),
        ("profile-min-value", "Observation.value.ofType(integer)"),
    }
    assert ("warning", "extensible-binding", "Observation.bodySite") in [
        (one.severity, one.rule, one.expression) for one in found
    ]


def test_a_profile_that_is_not_held_is_an_error_where_asked_for_and_else_a_warning(validating: Validate) -> None:
    asked = validating(PATIENT, profiles=(URL + "nowhere",))
    assert [(one.severity, one.rule) for one in asked] == [("error", "profile-unknown")]
    said = validating(PATIENT | {"meta": {"profile": [URL + "nowhere"]}})
    assert [(one.severity, one.rule, one.expression) for one in said] == [
        ("warning", "profile-unknown", "Patient.meta.profile[0]")
    ]


def test_profiles_in_a_circle_and_without_their_base_are_told(validating: Validate) -> None:
    first = profile("Patient", element("Patient.name", min=1), name="first", base=URL + "second")
    second = profile("Patient", element("Patient.name", min=1), name="second", base=first["url"])
    assert errors(validating(PATIENT, first, second, profiles=(first["url"],))) == [("profile-circular", "Patient")]
    [issue] = validating(PATIENT, first, profiles=(first["url"],))
    assert issue.rule == "profile-unknown"
    assert URL + "second" in issue.text


def test_a_profile_of_another_type_is_told(validating: Validate) -> None:
    mine = profile("Observation", element("Observation.subject", min=1))
    assert errors(validating(PATIENT, mine, profiles=(mine["url"],))) == [("profile-type", "Patient")]


COLOUR = profile(
    "Extension",
    element("Extension", max="1"),
    element("Extension.url", fixedUri=URL + "colour"),
    element("Extension.value[x]", min=1, type=[{"code": "code"}]),
    name="colour",
    context=[{"type": "element", "expression": "Patient.name"}],
)


@pytest.mark.parametrize(
    ("holder", "found"),
    [
        ({"name": [{"family": "A", "extension": [{"url": URL + "colour", "valueCode": "red"}]}]}, []),
        (
            {"name": [{"family": "A", "extension": [{"url": URL + "colour", "valueString": "red"}]}]},
            [("profile-type", "Patient.name[0].extension[0].value.ofType(string)")],
        ),
        (
            {"extension": [{"url": URL + "colour", "valueCode": "red"}]},
            [("extension-context", "Patient.extension[0].url")],
        ),
        (
            {"modifierExtension": [{"url": "http://nowhere.test/colour", "valueCode": "red"}]},
            [("modifier-extension-unknown", "Patient.modifierExtension[0].url")],
        ),
    ],
)
def test_an_extension_is_what_its_definition_says_where_it_may_be(
    validating: Validate, holder: dict[str, Any], found: list[tuple[str, str]]
) -> None:
    assert errors(validating(PATIENT | holder, COLOUR)) == found


def test_a_slice_of_extensions_is_told_by_the_url_of_its_profile(validating: Validate) -> None:
    types = [{"code": "Extension", "profile": [COLOUR["url"]]}]
    mine = profile("Patient", element("Patient.name.extension:colour", min=1, max="1", type=types))
    good = PATIENT | {"name": [{"family": "A", "extension": [{"url": URL + "colour", "valueCode": "red"}]}]}
    assert errors(validating(good, mine, COLOUR, profiles=(mine["url"],))) == []
    assert errors(validating(PATIENT | {"name": [{"family": "A"}]}, mine, COLOUR, profiles=(mine["url"],))) == [
        ("slice-min", "Patient.name[0].extension")
    ]


def test_a_rule_of_a_profile_is_true_or_broken(validating: Validate) -> None:
    rule = {
        "key": "named-1",
        "severity": "error",
        "human": "A name.",
        "expression": "name.where(use='official').exists()",
    }
    mine = profile("Patient", element("Patient", constraint=[rule]))
    assert errors(validating(PATIENT, mine, profiles=(mine["url"],))) == [("named-1", "Patient")]


def test_values_of_simple_quantities_have_no_comparator(validating: Validate) -> None:
    low = {"low": {"value": 1, "comparator": "<"}, "text": "few"}
    found = errors(validating(OBSERVATION | {"referenceRange": [low]}))
    assert ("sqty-1", "Observation.referenceRange[0].low") in found
