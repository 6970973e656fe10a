"""Every case of `cases/`: a resource of our own, one alteration, and exactly the errors that R4 asks for.

A family is a file, with the paragraph of the specification that it is about. A case has a `base` (of `bases.yaml`) that
it alters by `set` (path: value) and `drop` (paths), or a whole `resource`, or JSON as `text`; `breaks` lists rule and
FHIRPath of each error, `warns` of each warning that must be there. A case without `breaks` is a right neighbour.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.definitions import load
from gateway.errors import BadRequest
from gateway.fhir.json import parse
from gateway.issues import Issue
from tests.validation.conftest import Validate

FOLDER = Path(__file__).parent / "cases"
NARRATIVE = {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">A test.</div>'}
URL = "http://example.org/fhir/StructureDefinition/"


class Reader(yaml.CSafeLoader):
    """YAML whose dates stay text, as they are in JSON."""


Reader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in some if not tag.endswith("timestamp")]
    for first, some in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read(name: str) -> Any:
    return yaml.load((FOLDER / f"{name}.yaml").read_text(), Reader)


BASES: dict[str, Any] = read("bases")
FAMILIES = {name: read(name) for name in sorted(file.stem for file in FOLDER.glob("*.yaml")) if name != "bases"}
CASES = [
    pytest.param(family, case, id=f"{name}: {case['case']}")
    for name, family in FAMILIES.items()
    for case in family["cases"]
]


def body(case: dict[str, Any]) -> bytes:
    """What is sent."""
    if "text" in case:
        return str(case["text"]).encode()
    resource = deepcopy(case["resource"] if "resource" in case else BASES[case["base"]])
    for path in case.get("drop", ()):
        holder, last = walked(resource, path)
        del holder[last]
    for path, value in case.get("set", {}).items():
        holder, last = walked(resource, path)
        holder[last] = deepcopy(value)
    return json.dumps(resource).encode()


def walked(node: Any, path: str) -> tuple[Any, Any]:
    *steps, last = [int(step) if step.isdigit() else step for step in path.split("/")]
    for step in steps:
        node = node[step]
    return node, last


def profiles(family: dict[str, Any]) -> list[dict[str, Any]]:
    """A family's profiles and value sets; profiles are written by what their differential says."""
    return [*(structure(one) for one in family.get("profiles", ())), *family.get("kept", ())]


def structure(profile: dict[str, Any]) -> dict[str, Any]:
    kind = profile["type"]
    name = profile["name"]
    return {
        "resourceType": "StructureDefinition",
        "url": URL + name,
        "name": name,
        "status": "active",
        "kind": kind_of(kind),
        "abstract": False,
        "type": kind,
        "derivation": "constraint",
        "baseDefinition": profile.get("base", f"http://hl7.org/fhir/StructureDefinition/{kind}"),
        "differential": {"element": list(elements(profile["says"]))},
        **{name: profile[name] for name in ("context", "contextInvariant", "version") if name in profile},
    }


def kind_of(type: str) -> str:
    kind = load().types[type].kind
    return kind if kind == "resource" else f"{kind}-type"


def elements(says: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for id, held in says.items():
        path = ".".join(step.partition(":")[0] for step in id.split("."))
        slice = id.rpartition(".")[2].partition(":")[2]
        yield {"id": id, "path": path, **({"sliceName": slice} if slice else {}), **held}


def found(validating: Validate, family: dict[str, Any], case: dict[str, Any]) -> list[Issue]:
    asked = tuple(URL + name for name in case.get("profiles", ()))
    return validating(parse(body(case)), *profiles(family), profiles=asked)


def expected(said: list[str]) -> list[tuple[str, ...]]:
    return sorted(tuple(one.split(" ", 1)) for one in said)


@pytest.mark.parametrize(("family", "case"), CASES)
def test_exactly_what_is_wrong_is_said(validating: Validate, family: dict[str, Any], case: dict[str, Any]) -> None:
    if case.get("breaks") == ["unreadable"]:
        with pytest.raises(BadRequest):
            parse(body(case))
        return
    issues = found(validating, family, case)
    errors = sorted((one.rule, one.expression or "") for one in issues if one.severity in ("fatal", "error"))
    assert errors == expected(case.get("breaks", [])), case.get("why")
    warned = {(one.rule, one.expression or "") for one in issues if one.severity == "warning"}
    assert warned >= set(expected(case.get("warns", [])))


@pytest.mark.parametrize("name", BASES)
def test_what_the_cases_alter_is_right_itself(validating: Validate, name: str) -> None:
    assert [one for one in validating(parse(json.dumps(BASES[name]).encode())) if one.severity == "error"] == []


def test_there_are_enough_of_them() -> None:
    broken = [one.values[1] for one in CASES if one.values[1].get("breaks")]
    assert len(broken) >= 300
    assert len(CASES) - len(broken) >= 50
    assert all("why" in one for one in broken)
    assert all("paragraph" in family for family in FAMILIES.values())
