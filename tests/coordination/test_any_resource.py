"""The fold and the answer take any R4 resource: no type is named in the engine."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.coordination.agree import agree
from gateway.coordination.look import look
from gateway.coordination.see import see
from gateway.coordination.statements import Origin, canonical, make
from gateway.coordination.who_does_what import document
from gateway.definitions import load
from gateway.fhir.check import check
from gateway.records import Statement
from tests.coordination import people

EXAMPLES = Path(__file__).parents[2] / "../shared/data/fhir-test-cases/r4/examples"
AT = datetime.fromisoformat("2026-03-12T12:00:00+01:00")
OURS = {"meta"}
"""What the fold may add: how a resource came about."""


def examples() -> list[Any]:
    found = sorted(EXAMPLES.glob("*.json"))
    if not found:
        return [pytest.param(None, marks=pytest.mark.skip(reason="the public examples are not here: ../shared/data"))]
    return [pytest.param(path, id=path.stem) for path in found]


def stated(resource: dict[str, Any], source: str) -> Statement:
    body = {**resource, "id": resource.get("id", "x")}
    return make(body=body, origin=Origin(source), record_key="k", person=None, effective=AT, recorded=AT)


@pytest.mark.corpus
@pytest.mark.parametrize("path", examples())
def test_an_example_of_any_type_survives_the_fold(path: Path) -> None:
    resource = json.loads(path.read_text(), parse_float=str)
    if "resourceType" not in resource or resource["resourceType"] == "Bundle":
        pytest.skip("no resource that is stored by itself")
    one, two = stated(resource, "a"), stated(resource, "b")
    agreed = agree([one])
    kept = {name: value for name, value in agreed.resource.items() if name not in OURS}
    if resource["resourceType"] != "Task":
        assert canonical(kept) == canonical({"id": "x"} | {n: v for n, v in resource.items() if n not in OURS})
    assert agree([one, two]).contradictions == ()
    assert not {i.rule for i in check(agreed.resource, load())} - {
        i.rule for i in check(one.body | {"id": "x"}, load())
    }
    document(look(see(people.PATIENT, [one, two], at=AT, known_at=AT)), "http://127.0.0.1/fhir")
