"""The structural check against public instances: HL7's examples, a suite of broken resources, Synthea's bundles.

The counts are exact, so that a change in either direction is seen; raise them when the check has become better.
"""

import json
from collections import Counter
from pathlib import Path

import pytest

from gateway.definitions import load
from gateway.errors import BadRequest
from gateway.fhir.check import check
from gateway.fhir.json import dump, parse

DATA = Path(__file__).parents[2] / "../shared/data"

FAULTY = {
    "ActivityDefinition-blood-tubes-supply",
    "ActivityDefinition-heart-valve-replacement",
    "DeviceMetric-example",
    "DeviceUseStatement-example",
    "EventDefinition-example",
    "MedicationRequest-medrx0301",
    "Observation-clinical-gender",
    "Questionnaire-qs1",
    "Questionnaire-zika-virus-exposure-assessment",
}
"""Official examples that break the specification: targets that are not allowed, missing or unbound codes."""

MISSED = {"invariant": 26}
"""Faults by category that need FHIRPath, and so full validation."""

pytestmark = pytest.mark.corpus


def folder(name: str) -> Path:
    found = DATA / name
    if not found.exists():
        pytest.skip(f"the public cases {name} are not at hand")
    return found


def is_refused(body: bytes) -> bool:
    try:
        return bool(check(parse(body), load()))
    except BadRequest:
        return True


def test_every_official_example_is_accepted_but_the_faulty_ones() -> None:
    files = sorted(folder("r4/examples/json").glob("*.json"))
    refused = set()
    for file in files:
        resource = parse(file.read_bytes())
        if check(resource, load()):
            refused.add(f"{resource['resourceType']}-{resource['id']}")
    assert len(files) == 820
    assert refused == FAULTY


def test_every_official_example_is_written_as_it_was_read() -> None:
    def spelled(body: bytes) -> object:
        return json.loads(body, parse_float=lambda digits: ("float", digits), parse_int=lambda digits: ("int", digits))

    for file in sorted(folder("r4/examples/json").glob("*.json"))[::4]:
        body = file.read_bytes()
        assert spelled(dump(parse(body))) == spelled(body), file.name


def test_the_broken_resources_are_refused_and_the_tricky_valid_ones_accepted() -> None:
    cases = json.loads((folder("negative-r4") / "broken.json").read_text())
    missed: Counter[str] = Counter()
    wronged = []
    for case in cases:
        refused = is_refused(case["raw"].encode())
        if case["expect"] == "bad" and not refused:
            missed[case["cat"]] += 1
        elif case["expect"] == "ok" and refused:
            wronged.append(case["id"])
    assert wronged == []
    assert dict(missed) == MISSED


def test_what_synthea_makes_is_accepted() -> None:
    for file in sorted(folder("synthea-r4").glob("*.json"))[::3]:
        assert check(parse(file.read_bytes()), load()) == [], file.name
