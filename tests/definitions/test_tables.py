"""The shipped R4 tables say what the specification says."""

import pytest

from gateway.definitions import Definitions, load


@pytest.fixture(scope="module")
def d() -> Definitions:
    return load()


def test_every_r4_resource_type_is_there_and_no_abstract_one(d: Definitions) -> None:
    assert len(d.resource_types) == 146
    assert "MedicinalProduct" in d.resource_types
    assert not {"Resource", "DomainResource", "Citation"} & set(d.resource_types)


def test_every_type_and_every_rule_can_be_built(d: Definitions) -> None:
    for name in d.types:
        definition = d.types[name]
        assert all(element.type in d.types for element in definition.elements.values()), name
        assert all(rule.expression for rule in d.invariants[name])


def test_a_type_has_what_it_inherits_before_its_own(d: Definitions) -> None:
    names = list(d.types["Patient"].elements)
    assert names[:4] == ["id", "meta", "implicitRules", "language"]
    assert names[-1] == "link"
    assert [element.order for element in d.types["Patient"].elements.values()] == sorted(
        element.order for element in d.types["Patient"].elements.values()
    )


def test_a_choice_stands_under_each_of_its_json_names(d: Definitions) -> None:
    patient = d.types["Patient"]
    assert patient.choices["deceased"] == {"boolean": "deceasedBoolean", "dateTime": "deceasedDateTime"}
    assert patient.elements["deceasedDateTime"].choice_of == "deceased"
    assert patient.elements["deceasedDateTime"].type == "dateTime"


def test_a_content_reference_has_the_type_that_it_points_to(d: Definitions) -> None:
    assert d.types["Bundle.entry"].elements["link"].type == "Bundle.link"
    assert d.types["Questionnaire.item"].elements["item"].type == "Questionnaire.item"


@pytest.mark.parametrize(
    ("type_name", "element", "expected"),
    [
        ("Task", "status", (1, 1, "code")),
        ("Task", "for", (0, 1, "Reference")),
        ("Observation", "code", (1, 1, "CodeableConcept")),
        ("HumanName", "given", (0, None, "string")),
        ("Patient", "id", (0, 1, "id")),
        ("Extension", "url", (1, 1, "uri")),
    ],
)
def test_elements_have_their_cardinality_and_type(
    d: Definitions, type_name: str, element: str, expected: tuple[int, int | None, str]
) -> None:
    found = d.types[type_name].elements[element]
    assert (found.min, found.max, found.type) == expected


def test_bindings_targets_and_flags_are_kept(d: Definitions) -> None:
    status = d.types["Task"].elements["status"]
    assert status.binding == ("required", "http://hl7.org/fhir/ValueSet/task-status")
    assert status.is_summary
    assert status.is_modifier
    assert d.types["Encounter"].elements["subject"].targets == ("Patient", "Group")


def test_invariants_of_the_bases_hold_too(d: Definitions) -> None:
    keys = [rule.key for rule in d.invariants["Observation"]]
    assert {"dom-2", "obs-6"} <= set(keys)
    assert [rule.key for rule in d.invariants["Patient.contact"]] == ["ele-1", "pat-1"]
    assert {"Organization.telecom"} <= {rule.path for rule in d.invariants["Organization"]}


def test_compartments_name_the_parameters_that_put_a_resource_in(d: Definitions) -> None:
    assert d.compartments["Patient"]["CarePlan"] == ("patient", "performer")
    assert d.compartments["Patient"]["Task"] == ("patient", "focus")  # Ours: R4 left it out.
    assert set(d.compartments) == {"Device", "Encounter", "Patient", "Practitioner", "RelatedPerson"}


def test_operations_say_where_they_can_be_invoked(d: Definitions) -> None:
    everything = d.operations["Patient-everything"]
    assert (everything.system, everything.type, everything.instance) == (False, True, True)
    assert [parameter.name for parameter in everything.parameters if parameter.use == "in"][:2] == ["start", "end"]


def test_types_know_what_they_inherit_from(d: Definitions) -> None:
    assert d.is_a("Age", "Quantity")
    assert d.is_a("Patient", "Resource")
    assert not d.is_a("Bundle", "DomainResource")
