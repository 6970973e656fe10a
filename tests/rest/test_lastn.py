"""Observation/$lastn: groups by codes that mean the same, ties, and what must be asked."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from gateway.access import lastn
from gateway.access.lastn import last
from gateway.store.latest import Kinds

LOINC = "http://loinc.org"


def observation(id: str, day: int, *codes: str, text: str = "", who: str = "p", **more: Any) -> dict[str, Any]:
    concept: dict[str, Any] = {"coding": [{"system": LOINC, "code": code} for code in codes]} if codes else {}
    return {
        "resourceType": "Observation",
        "id": id,
        "status": "final",
        "category": [{"coding": [{"code": "vital-signs"}]}],
        "code": concept | ({"text": text} if text else {}),
        "subject": {"reference": f"Patient/{who}"},
        "effectiveDateTime": f"2026-01-{day:02}",
        **more,
    }


OBSERVATIONS = (
    observation("a1", 1, "a"),
    observation("a2", 2, "a"),
    observation("a3", 3, "a"),
    observation("a3b", 3, "a"),
    observation("b1", 1, "b"),
    observation("ab", 4, "a", "b"),
    observation("c1", 1, "c"),
    observation("m", 5, text="textM"),
    observation("t", 6, text="Text"),
    observation("q1", 7, "a", who="q"),
    observation("wrong", 8, "a", status="entered-in-error"),
)


def test_more_includes_than_are_given_are_said_to_be_more(
    operator: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for who in ("p", "q"):
        patient = {"resourceType": "Patient", "id": who}
        assert operator.put(f"/fhir/Patient/{who}", content=json.dumps(patient)).is_success
        one = observation(f"of-{who}", 1, who, who=who)
        assert operator.put(f"/fhir/Observation/of-{who}", content=json.dumps(one)).is_success
    monkeypatch.setattr(lastn, "MOST_INCLUDED", 1)
    address = "/fhir/Observation/$lastn?subject=Patient/p,Patient/q&category=vital-signs&_include=Observation:subject"
    answer = operator.get(address).json()
    modes = [entry["search"]["mode"] for entry in answer["entry"]]
    assert (modes, answer["total"]) == (["match", "match", "include", "outcome"], 2)
    told = answer["entry"][-1]["resource"]["issue"][0]
    assert told["details"]["coding"][0]["code"] == "too-many-included"


@pytest.fixture(scope="module")
def measured(standing: httpx.Client) -> httpx.Client:
    for one in OBSERVATIONS:
        assert standing.put(f"/fhir/Observation/{one['id']}", content=json.dumps(one)).is_success
    return standing


def ids(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["type"] == "searchset" and found["total"] == len(found.get("entry", ()))
    return [one["resource"]["id"] for one in found.get("entry", ())]


def test_the_last_of_each_code_comes_the_latest_first(measured: httpx.Client) -> None:
    vital = "/fhir/Observation/$lastn?category=vital-signs"
    assert ids(measured.get(f"{vital}&patient=p")) == ["wrong", "t", "m", "c1"]
    final = f"{vital}&subject=Patient/p&status=final"
    # a and b stand beside each other in one: they are one group.
    assert ids(measured.get(final)) == ["t", "m", "ab", "c1"]
    # The second and the third are of the same time.
    assert ids(measured.get(f"{final}&max=2")) == ["t", "m", "ab", "a3b", "a3", "c1"]
    assert ids(measured.get("/fhir/Observation/$lastn?patient=p&status=final&code=b&max=3")) == ["ab", "b1"]
    form = {"content-type": "application/x-www-form-urlencoded"}
    posted = measured.post("/fhir/Observation/$lastn", content="patient=q&code=a", headers=form)
    assert ids(posted) == ["q1"]
    assert ids(measured.get("/fhir/Observation/$lastn?patient=nobody&code=a")) == []


@pytest.mark.parametrize(
    ("query", "rule"),
    [
        ("code=a", "parameter-missing"),
        ("patient=p", "parameter-missing"),
        ("patient=p&status=final", "parameter-missing"),
        ("patient=p&code=a&max=0", "parameter-malformed"),
        ("patient=p&code=a&max=1&max=2", "parameter-repeated"),
        ("patient=p&code=a&_sort=date", "parameter-not-offered"),
        ("patient=p&code=a&colour=red", "unknown-search-parameter"),
    ],
)
def test_too_little_or_too_much_is_refused(shared: httpx.Client, query: str, rule: str) -> None:
    answer = shared.get(f"/fhir/Observation/$lastn?{query}")
    assert (answer.status_code, answer.json()["issue"][0]["details"]["coding"][0]["code"]) == (400, rule)


@pytest.mark.parametrize(
    ("codes", "groups"),
    [
        ((("a",), ("b",), ("c",)), 3),
        ((("a",), ("b",), ("a", "c")), 2),
        ((("a",), ("b",), ("a", "b")), 1),
        ((("a", "b"), ("c", "d"), ("b", "c")), 1),
    ],
)
def test_translations_are_equal_and_so_is_what_they_equal(codes: tuple[tuple[str, ...], ...], groups: int) -> None:
    """The table of the operation's definition."""
    kinds = {
        rid: Kinds(frozenset((LOINC, code) for code in some), frozenset(), (rid, rid))
        for rid, some in enumerate(codes, 1)
    }
    assert len(last(kinds, 1)) == groups


def test_texts_are_grouped_as_they_are_written_and_what_has_no_time_comes_last() -> None:
    texts = {rid: Kinds(frozenset(), frozenset({text}), None) for rid, text in enumerate(("textM", "Text", "t e x t"))}
    assert len(last(texts, 1)) == 3
    undated = {1: Kinds(frozenset({(LOINC, "a")}), frozenset(), None), 2: Kinds(frozenset({(LOINC, "a")}), time=(1, 0))}
    assert last(undated, 2) == [2, 1]
