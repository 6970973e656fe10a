"""Measures over hand-made histories, counted by hand: see `measures/index.json` for what each shows."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.coordination.measures import read_definition
from gateway.coordination.measures.cases import DIMENSIONS, OBSERVATIONS, POPULATIONS
from gateway.definitions import load
from gateway.errors import Unprocessable
from tests.coordination import cases
from tests.coordination.measuring import evaluate, in_short

FILES = {one["file"]: cases.read(cases.HERE / "measures" / f"{one['file']}.json") for one in cases.index("measures")}
EXPECTED = [
    pytest.param(document, measure, expected, id=f"{name}: {measure}")
    for name, document in FILES.items()
    for measure, expected in document["expected"].items()
]


@pytest.mark.parametrize(("document", "measure", "expected"), EXPECTED)
def test_a_history_comes_to_what_was_counted_by_hand(
    document: dict[str, Any], measure: str, expected: dict[str, Any]
) -> None:
    found = in_short(evaluate(document, measure))
    assert {statistic: found[statistic] for statistic in expected} == expected


def test_every_measure_has_a_case() -> None:
    assert {measure for _, measure, _ in (one.values for one in EXPECTED)} == {
        one["id"] for one in load().of("Measure")
    }


def test_every_fact_is_used_by_a_measure() -> None:
    definitions = [read_definition(one) for one in load().of("Measure")]
    groups = [group for one in definitions for group in one.groups]
    used = {group.every for group in groups} | {group.counted for group in groups} - {None}
    assert used == {name for names in POPULATIONS.values() for name in names}
    assert {group.observation for group in groups} - {None} == set(OBSERVATIONS)
    assert {dimension for group in groups for _, _, dimension in group.stratifiers} == set(DIMENSIONS)


def test_only_what_is_asked_for_divides_a_report() -> None:
    found = in_short(evaluate(FILES["1177-fallback"], "refusals", by=["reason"]))
    assert found["count"].keys() == {"initial-population", "score", "reason"}


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"group": []}, "Measure.group"),
        ({"group": [{"population": []}]}, "Measure.group[0]"),
        (
            {"group": [{"population": [{"criteria": {"language": "text/cql", "expression": "x"}}]}]},
            "Measure.group[0].population[0].criteria.language",
        ),
        (
            {"group": [{"population": [{"criteria": {"language": "text/x.samverka-fact", "expression": "x"}}]}]},
            "Measure.group[0].population[0].criteria.expression",
        ),
    ],
)
def test_a_measure_of_another_language_is_refused_with_its_place(change: dict[str, Any], where: str) -> None:
    with pytest.raises(Unprocessable) as refused:
        read_definition({"resourceType": "Measure", "url": "urn:x"} | change)
    (issue,) = refused.value.issues
    assert (issue.rule, issue.expression) == ("measure-not-evaluated", where)
