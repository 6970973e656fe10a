"""The patch cases: what a patch makes of a resource, or by which rule it is refused; one file for each language.

A refusal is status and rule, and where a case says so, the operation and the element that it names.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway import patch
from gateway.definitions import load
from gateway.errors import GatewayError
from gateway.fhir.check import check
from gateway.fhir.json import dump, parse_any

FOLDER = Path(__file__).parent / "cases"
MEDIA_TYPES = {
    "json-patch": "application/json-patch+json",
    "xml-patch": "application/xml-patch+xml",
    "fhirpath-patch": "application/fhir+json",
}
CASES = [
    pytest.param(name, case, id=f"{name}: {case['title']}")
    for name in MEDIA_TYPES
    for case in parse_any((FOLDER / f"{name}.json").read_bytes())
]
SIMPLE = {"type": "valueCode", "path": "valueString", "name": "valueString"}


def body(language: str, given: Any) -> bytes:
    if language == "xml-patch":
        return str(given).encode()
    return dump(parameters(given) if language == "fhirpath-patch" else given)


def parameters(operations: list[dict[str, Any]]) -> dict[str, Any]:
    """The short form of the cases as a Parameters resource."""
    entries = []
    for operation in operations:
        parts: list[dict[str, Any]] = []
        for name, value in operation.items():
            if name == "valueless":
                parts.append({"name": "value"} | value)
            elif name.startswith("value"):
                parts.append({"name": "value", name: value})
            else:
                parts.append({"name": name, SIMPLE.get(name, "valueInteger"): value})
        entries.append({"name": "operation", "part": parts})
    return {"resourceType": "Parameters", "parameter": entries}


@pytest.mark.parametrize(("language", "case"), CASES)
def test_a_patch_does_what_the_case_expects(language: str, case: dict[str, Any]) -> None:
    resource = case["resource"]
    before = dump(resource)
    kind = resource["resourceType"]
    if language == "fhirpath-patch":
        assert not check(parameters(case["patch"]), load())
    if "refused" in case:
        status, rule, *where = case["refused"]
        with pytest.raises(GatewayError) as refusal:
            patch.read(body(language, case["patch"]), MEDIA_TYPES[language], kind, load())(resource)
        issue = refusal.value.issues[0]
        assert (refusal.value.status, issue.rule) == (status, rule)
        assert where == [issue.where, issue.expression][: len(where)]
        assert case.get("text", issue.text) == issue.text
    else:
        after = patch.read(body(language, case["patch"]), MEDIA_TYPES[language], kind, load())(resource)
        assert dump(sorted_members(after)) == dump(sorted_members(case["expect"]))
        assert not check(after, load())
    assert dump(resource) == before, "a patch leaves what it is applied to as it is"


def sorted_members(value: Any) -> Any:
    """JSON with its members in order, to compare with every digit."""
    if isinstance(value, dict):
        return {name: sorted_members(value[name]) for name in sorted(value)}
    return [sorted_members(item) for item in value] if isinstance(value, list) else value


def test_a_media_type_that_is_no_patchs_is_refused() -> None:
    with pytest.raises(GatewayError) as refusal:
        patch.read(b"{}", "application/json", "Patient", load())
    assert refusal.value.status == 415


@pytest.mark.parametrize(
    ("media_type", "content"),
    [
        ("application/json-patch+json", b"{}"),
        ("application/json-patch+json", b"[1]"),
        ("application/json-patch+json", b"1"),
        ("application/json-patch+json", b'[{"op": "remove", "path": "/a", "path": "/b"}]'),
        ("application/xml-patch+xml", b"<diff/>"),
        ("application/xml-patch+xml", b"<patient/>"),
        ("application/fhir+json", b'{"resourceType": "Patient"}'),
    ],
)
def test_a_body_that_is_no_patch_is_refused(media_type: str, content: bytes) -> None:
    with pytest.raises(GatewayError) as refusal:
        patch.read(content, media_type, "Patient", load())
    assert refusal.value.status == 400


def test_a_patch_of_a_thousand_and_one_operations_is_refused() -> None:
    for count, refused in ((1000, False), (1001, True)):
        content = dump([{"op": "test", "path": "/resourceType", "value": "Patient"}] * count)
        try:
            patch.read(content, "application/json-patch+json", "Patient", load())({"resourceType": "Patient"})
        except GatewayError as refusal:
            assert refused and refusal.issues[0].rule == "patch-too-long"
        else:
            assert not refused


def test_copies_of_copies_are_refused_before_they_fill_the_memory() -> None:
    doubling = [{"op": "copy", "from": "/contained", "path": "/contained/-"}] * 60
    with pytest.raises(GatewayError) as refusal:
        patch.read(dump(doubling), "application/json-patch+json", "Patient", load())(
            {"resourceType": "Patient", "contained": [{}]}
        )
    assert refusal.value.issues[0].rule == "patch-inapplicable"
