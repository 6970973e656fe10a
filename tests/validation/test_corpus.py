"""Validation against public instances: HL7's examples, broken resources, profile cases, Synthea's bundles."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import BadRequest
from gateway.fhir.json import parse
from tests.fhir.test_check_corpus import FAULTY
from tests.validation.conftest import Validate

DATA = Path(__file__).parents[2] / "../shared/data"

pytestmark = pytest.mark.corpus


def folder(name: str) -> Path:
    found = DATA / name
    if not found.exists():
        pytest.skip(f"the public cases {name} are not at hand")
    return found


def is_refused(validating: Validate, raw: bytes, *kept: Any, profiles: tuple[str, ...] = ()) -> bool:
    try:
        resource = parse(raw)
    except BadRequest:
        return True
    return any(one.severity in ("fatal", "error") for one in validating(resource, *kept, profiles=profiles))


def test_all_broken_resources_are_caught_and_all_valid_ones_accepted(validating: Validate) -> None:
    cases = json.loads((folder("negative-r4") / "broken.json").read_text())
    wrong = [one["id"] for one in cases if is_refused(validating, one["raw"].encode()) != (one["expect"] == "bad")]
    assert len(cases) == 250
    assert wrong == []


def test_all_profile_cases_are_decided_rightly(validating: Validate) -> None:
    at = folder("negative-r4")
    cases = json.loads((at / "prof.json").read_text())
    kept = [json.loads((at / name).read_text()) for name in ("prof_sd.json", "prof_vs.json")]
    kept = [one for some in kept for one in (some if isinstance(some, list) else [some])]
    wrong = [
        one["id"]
        for one in cases
        if is_refused(validating, one["raw"].encode(), *kept, profiles=(one["profile"],)) != (one["expect"] == "bad")
    ]
    assert len(cases) == 24
    assert wrong == []


def test_no_official_example_is_refused_but_the_faulty_ones(validating: Validate) -> None:
    refused = set()
    for file in sorted(folder("r4/examples/json").glob("*.json")):
        resource = parse(file.read_bytes())
        if any(one.severity == "error" for one in validating(resource)):
            refused.add(f"{resource['resourceType']}-{resource['id']}")
    # The hash of the one is in hexadecimal digits, and of other data; the other includes `#hacked`, which is not there.
    assert refused == FAULTY | {"DiagnosticReport-example-pgx", "ValueSet-example-hierarchical"}


def test_what_synthea_makes_is_accepted(validating: Validate) -> None:
    for file in sorted(folder("synthea-r4").glob("*.json")):
        assert not is_refused(validating, file.read_bytes()), file.name
