"""Value sets and the words for codes."""

from typing import Any

import pytest

from gateway.definitions import CANONICAL, Definitions, load

COLOURS = f"{CANONICAL}/CodeSystem/colours"


def with_value_set(compose: dict[str, Any]) -> Definitions:
    system = {
        "resourceType": "CodeSystem",
        "id": "colours",
        "url": COLOURS,
        "content": "complete",
        "concept": [{"code": "red", "concept": [{"code": "crimson"}]}, {"code": "blue"}],
    }
    chosen = {"resourceType": "ValueSet", "id": "chosen", "url": "urn:chosen", "compose": compose}
    return load().with_resources([system, chosen])


def test_a_required_value_set_has_its_codes() -> None:
    codes = load().codes("http://hl7.org/fhir/ValueSet/task-status|4.0.1")
    assert codes is not None
    assert ("http://hl7.org/fhir/task-status", "on-hold") in codes
    assert len(codes) == 12


def test_a_value_set_of_an_outside_terminology_is_not_guessed_at() -> None:
    assert load().codes("http://hl7.org/fhir/ValueSet/observation-codes") is None
    assert load().codes("http://example.org/unknown") is None


def test_a_value_set_that_is_all_of_a_code_system_which_we_ship_is_known() -> None:
    codes = load().codes("http://hl7.org/fhir/ValueSet/currencies")
    assert codes is not None
    assert ("urn:iso:std:iso:4217", "SEK") in codes


@pytest.mark.parametrize(
    ("compose", "expected"),
    [
        ({"include": [{"system": COLOURS}]}, {"red", "crimson", "blue"}),
        ({"include": [{"system": COLOURS, "concept": [{"code": "red"}]}]}, {"red"}),
        (
            {"include": [{"system": COLOURS}], "exclude": [{"system": COLOURS, "concept": [{"code": "red"}]}]},
            {"crimson", "blue"},
        ),
        ({"include": [{"system": COLOURS, "filter": [{"property": "concept", "op": "is-a", "value": "red"}]}]}, None),
        ({"include": [{"system": "http://snomed.info/sct"}]}, None),
    ],
)
def test_a_value_set_of_conformance_is_expanded_from_what_is_here(
    compose: dict[str, Any], expected: set[str] | None
) -> None:
    codes = with_value_set(compose).codes("urn:chosen")
    assert (codes and {code for _, code in codes}) == expected


def test_our_codes_have_words_in_swedish_and_english() -> None:
    d = load()
    assert d.display(f"{CANONICAL}/CodeSystem/mission", "mava-uppdrag", "sv") == "MÄVA-uppdrag"
    assert d.display(f"{CANONICAL}/CodeSystem/mission", "mava-uppdrag", "en") == "MÄVA mission"
    assert d.display(f"{CANONICAL}/CodeSystem/mission", "unheard-of") is None


def test_a_supplement_gives_words_to_the_codes_of_another_system() -> None:
    assert load().display("http://hl7.org/fhir/task-status", "in-progress", "sv-SE") == "Pågår"
