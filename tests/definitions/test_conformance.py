"""The conformance resources that we ship are valid R4 and complete in both languages."""

from pathlib import Path

import pytest

from gateway.definitions import load
from gateway.definitions.shipped import folder
from gateway.fhir.check import check
from gateway.fhir.json import parse

FILES = sorted(folder("conformance").glob("*.json"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_conformance_resource_is_valid_and_named_after_its_type_and_id(file: Path) -> None:
    resource = parse(file.read_bytes())
    assert check(resource, load()) == []
    assert file.stem == f"{resource['resourceType']}-{resource['id']}"


@pytest.mark.parametrize("code_system", ["mission", "task"])
def test_every_code_of_ours_has_a_swedish_word(code_system: str) -> None:
    resource = load().resources[f"https://samverka.example/fhir/CodeSystem/{code_system}"]
    for concept in resource["concept"]:
        assert concept["display"]
        assert [designation["language"] for designation in concept["designation"]] == ["sv"]


def test_each_identifier_system_is_named_once() -> None:
    systems = [
        unique["value"] for naming in load().of("NamingSystem") for unique in naming["uniqueId"] if unique["preferred"]
    ]
    assert len(systems) == len(set(systems))
    assert "http://electronichealth.se/identifier/personnummer" in systems


def test_a_folder_that_is_not_shipped_is_said_to_be_missing() -> None:
    with pytest.raises(FileNotFoundError, match="ships no folder"):
        folder("no-such-folder")
