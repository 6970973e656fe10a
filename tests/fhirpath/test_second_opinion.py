"""What fhirpathpy answers on the specification's examples, where it is right, is what we answer."""

from __future__ import annotations

import json
import logging
import random
import warnings
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from bench import second_opinion
from gateway.definitions import load
from gateway.fhirpath import FHIRPathError, compile
from tests.fhirpath.suite import DATA

EXAMPLES = DATA / "r4/examples/json"

pytestmark = pytest.mark.corpus

if not EXAMPLES.exists():
    pytest.skip("The R4 examples are not in ../shared/data/r4/examples.", allow_module_level=True)

# Asked of every resource, whatever its type.
EXPRESSIONS = [
    "id",
    "meta.profile",
    "identifier.where(system.exists()).value",
    "identifier.first().system",
    "code.coding.code | code.text",
    "name.where(use = 'official').given",
    "(status | id).count()",
    "subject.reference.where(startsWith('Patient/'))",
    "iif(status = 'active', 'yes', 'no')",
    "text.status & '-' & id",
    "contained.id",
    "descendants().where(system = 'http://loinc.org').code.distinct()",
    "note.text.select(length())",
    "(1 | 2 | 3).where($this > 1).select($this * 2)",
    "code.coding.all(system.exists())",
    "repeat(item).linkId.take(3)",
    "children().count() > 3",
]
# One of the specification's examples for each of many types is enough to differ on.
TYPES = ("Patient", "Observation", "Encounter", "CarePlan", "Task", "Questionnaire", "Condition", "Bundle", "ValueSet")


def shown(values: list[Any]) -> list[str]:
    return sorted(json.dumps(value, default=float, sort_keys=True) for value in values)


def test_we_agree_with_fhirpathpy() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import fhirpathpy
        from fhirpathpy.models import models

        others = {text: fhirpathpy.compile(text, models["r4"]) for text in EXPRESSIONS}
        wrong = []
        compared = 0
        for kind in TYPES:
            for example in sorted(EXAMPLES.glob(f"{kind}-*.json"))[:3]:
                content = example.read_text()
                resource = json.loads(content, parse_float=Decimal)
                for text in EXPRESSIONS:
                    try:
                        ours = compile(text, None, load())(resource)
                    except FHIRPathError as problem:
                        ours = [f"refused: {problem}"]
                    theirs = others[text](json.loads(content))
                    compared += 1
                    if shown(ours) != shown(theirs):
                        wrong.append((example.name, text, ours[:3], theirs[:3]))
    assert compared > 300
    assert wrong == []


# The long form is `python -m bench.second_opinion`, over all examples.
SEED = 20261122
NUMBER = 25


def test_what_r4_is_made_of_differs_only_where_it_is_explained(caplog: pytest.LogCaptureFixture) -> None:
    """R4's own search parameters and invariants, on a few of its examples."""
    caplog.set_level(logging.CRITICAL)
    small = [file for file in sorted(EXAMPLES.glob("*.json")) if file.stat().st_size < 20_000]
    counted: Counter[str] = Counter()
    for example in random.Random(SEED).sample(small, NUMBER):
        if json.loads(example.read_text(encoding="utf-8"))["resourceType"] in load().resource_types:
            found, differences, _ = second_opinion.compare(example)
            counted += found
            assert [one for one in differences if one["class"] == "unexplained"] == []
    assert counted["alike"] > 500
