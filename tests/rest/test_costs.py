"""However much a search asks for, it is answered soon or refused: never a fault of ours, never for long."""

from __future__ import annotations

from time import monotonic

import httpx
import pytest

FORM = {"content-type": "application/x-www-form-urlencoded"}
SECONDS = 30.0
"""Many times what each takes on a busy machine; without a bound they take hours."""
LONG = "part-of.part-of.part-of.part-of"
ANSWERED = [
    ("Task", [("identifier", ",".join(f"urn:a|{n}" for n in range(1000)))]),
    ("Task", [("identifier:not", ",".join(f"{n}" for n in range(1000)))]),
    ("Task", [("patient", ",".join(f"Patient/{n}" for n in range(1000)))]),
    ("Task", [("_id", ",".join(f"{n}" for n in range(1000)))]),
    ("Task", [("authored-on", ",".join(["2026-01"] * 200))]),
    ("Patient", [("name", ",".join(["a"] * 200))]),
    ("Task", [("status", "accepted")] * 50),
    ("Task", [("_sort", ",".join(["authored-on", "-status", "owner", "patient", "code"] * 2))]),
    ("Task", [(f"{LONG}.status", "accepted")]),
    ("Patient", [("_has:Task:patient:_has:Task:part-of:_has:Task:part-of:_has:Task:part-of:status", "accepted")]),
    ("Provenance", [("target.patient.name", "a")]),
]
REFUSED = [
    ("Task", [("identifier", ",".join(f"urn:a|{n}" for n in range(990)))] * 3),
    ("Task", [("identifier", ",".join(f"urn:a|{n}" for n in range(1001)))]),
    ("Task", [("authored-on", ",".join(["2026-01"] * 201))]),
    ("Task", [("_lastUpdated", ",".join(["2026-01"] * 900))]),
    ("Patient", [("name", ",".join(["a"] * 1000))]),
    ("Task", [("status", "accepted")] * 51),
    ("Task", [("_sort", ",".join(["authored-on"] * 70))]),
    ("Task", [(f"{LONG}.{LONG}.status", "accepted")]),
    ("Provenance", [("target._has:Provenance:target:target._has:Provenance:target:_id", "a")]),
    ("List", [("item.subject.subject.subject.name", "a")]),
]


@pytest.mark.parametrize(("kind", "parameters"), ANSWERED)
def test_as_much_as_may_be_asked_is_answered(
    standing: httpx.Client, kind: str, parameters: list[tuple[str, str]]
) -> None:
    started = monotonic()
    answer = standing.post(f"/fhir/{kind}/_search", content=str(httpx.QueryParams(parameters)), headers=FORM)
    assert answer.status_code == 200, answer.text
    assert monotonic() - started < SECONDS


@pytest.mark.parametrize(("kind", "parameters"), REFUSED)
def test_more_is_refused_at_once(standing: httpx.Client, kind: str, parameters: list[tuple[str, str]]) -> None:
    started = monotonic()
    answer = standing.post(f"/fhir/{kind}/_search", content=str(httpx.QueryParams(parameters)), headers=FORM)
    assert answer.status_code == 400, answer.text
    assert monotonic() - started < SECONDS
