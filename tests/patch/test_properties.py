"""What holds for any patch: nothing but a refusal comes of nonsense, and a copy that is tracked loses nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from gateway import patch
from gateway.definitions import load
from gateway.errors import GatewayError
from gateway.fhir.json import dump, parse
from gateway.patch.places import plain, tracked
from gateway.patch.selector import SelectorError, select
from tests.fhir.test_check_corpus import folder

PATIENT = parse(
    b'{"resourceType":"Patient","id":"p","name":[{"family":"A","given":["B",null],"_given":[null,{"id":"x"}]}],'
    b'"_birthDate":{"id":"b"},"birthDate":"1912-12-12","multipleBirthInteger":2}'
)
TREE = etree.fromstring(
    '<Patient xmlns="http://hl7.org/fhir"><name><given value="A"/></name><gender value="male"/></Patient>'
)
STEPS = st.sampled_from(["", "name", "0", "1", "-", "given", "_given", "birthDate", "_birthDate", "id", "family"])
POINTERS = st.lists(STEPS, max_size=4).map(lambda steps: "".join(f"/{step}" for step in steps))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["A", "B", ""]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["family", "id"]), inner, max_size=2),
    max_leaves=4,
)
OPERATIONS = st.fixed_dictionaries(
    {
        "op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]),
        "path": POINTERS,
        "from": POINTERS,
        "value": VALUES,
    }
)
PIECES = st.sampled_from(
    [
        "f:Patient",
        "Patient",
        "f:name",
        "/",
        "//",
        "[1]",
        "[last()]",
        "[",
        "]",
        "@value",
        "text()",
        "*",
        ".",
        "='A'",
        "9",
    ]
)
PATHS = st.lists(
    st.sampled_from(
        ["Patient", ".name", ".given", "[0]", "[9]", ".where(", ")", "$this", "=", "'A'", ".birthDate", ".first()", "|"]
    ),
    max_size=8,
).map("".join)


@settings(max_examples=60, deadline=None)
@given(st.lists(OPERATIONS, max_size=4))
def test_any_json_patch_gives_a_patient_of_the_same_id_or_a_refusal(operations: list[dict[str, Any]]) -> None:
    before = dump(PATIENT)
    try:
        after = patch.read(dump(operations), "application/json-patch+json", "Patient", load())(PATIENT)
        assert (after["resourceType"], after["id"]) == ("Patient", "p")
    except GatewayError as refusal:
        assert refusal.status in (400, 409, 422)
    assert dump(PATIENT) == before


@settings(max_examples=60, deadline=None)
@given(POINTERS, VALUES)
def test_what_json_patch_adds_it_removes_again(path: str, value: Any) -> None:
    add, remove = {"op": "add", "path": path, "value": value}, {"op": "remove", "path": path}
    try:
        patch.read(dump([{"op": "test", "path": path, "value": 0}]), "application/json-patch+json", "Patient", load())(
            PATIENT
        )
    except GatewayError as refusal:
        if refusal.status != 422 or path.endswith("/-"):
            return  # It is there already, so that add replaces it or moves others; or it has no place of its own.
    try:
        patch.read(dump([add]), "application/json-patch+json", "Patient", load())(PATIENT)
    except GatewayError:
        return
    assert patch.read(dump([add, remove]), "application/json-patch+json", "Patient", load())(PATIENT) == PATIENT


@settings(max_examples=60, deadline=None)
@given(st.lists(PIECES, max_size=8).map("".join) | st.text(max_size=20))
def test_any_selector_finds_nodes_or_is_refused(selector: str) -> None:
    try:
        assert isinstance(select(selector, TREE, {}), list)
    except SelectorError as refusal:
        assert str(refusal)


@settings(max_examples=60, deadline=None)
@given(PATHS | st.text(max_size=20), st.sampled_from(["delete", "replace"]))
def test_any_fhirpath_patch_gives_a_patient_or_a_refusal(path: str, kind: str) -> None:
    parts = [{"name": "type", "valueCode": kind}, {"name": "path", "valueString": path}]
    if kind == "replace":
        parts.append({"name": "value", "valueString": "C"})
    parameters = {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": parts}]}
    try:
        after = patch.of_parameters(parameters, "Patient", load())(PATIENT)
        assert after["resourceType"] == "Patient"
    except GatewayError as refusal:
        assert refusal.status in (400, 422)


@pytest.mark.corpus
def test_every_example_is_the_same_after_it_was_tracked() -> None:
    for file in sorted((folder("r4/examples") / "json").glob("*.json")):
        resource = parse(file.read_bytes())
        assert plain(tracked(resource)) == resource, file.name
