"""What is missing, as files: the statements about a person, and the gaps that follow."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from gateway.coordination import agreements
from gateway.coordination.gaps import GAPS
from gateway.definitions import load
from gateway.definitions.shipped import folder
from tests.coordination import cases
from tests.golden.histories import histories

FOLDER = cases.HERE / "gaps"
CASES = [pytest.param(row, id=f"{row['number']:03}-{row['name']}") for row in cases.index("gaps")]
DOCS = Path(__file__).parents[2] / "docs" / "gaps.md"


@pytest.mark.parametrize("row", CASES)
def test_a_gap_shows_by_the_rule(row: dict[str, Any]) -> None:
    document = cases.read(FOLDER / f"{row['number']:03}-statements.json")
    expected = cases.read(FOLDER / f"{row['number']:03}-expected.json")
    assert [cases.shown_gap(gap) for gap in cases.view(document).gaps] == expected, row["rule"]


@pytest.mark.parametrize("row", CASES)
def test_the_order_of_arrival_shows_no_other_gap(row: dict[str, Any]) -> None:
    document = cases.read(FOLDER / f"{row['number']:03}-statements.json")
    once = cases.view(document).gaps
    for seed in range(5):
        Random(seed).shuffle(document["statements"])
        assert cases.view(document).gaps == once


def test_every_gap_is_shown_by_a_case_or_a_golden_history_and_has_its_words() -> None:
    shown = {
        gap["code"] for row in cases.index("gaps") for gap in cases.read(FOLDER / f"{row['number']:03}-expected.json")
    }
    told = {
        line.partition(":")[0]
        for one in histories()
        for answer in one.answers
        for line in (answer.told or {}).get("gaps", ())
    }
    shown |= {code for code, row in agreements.read("gaps").items() if row["title"]["sv"] in told}
    assert shown == set(GAPS) == set(agreements.read("gaps"))


def test_every_gap_is_a_code_and_a_heading() -> None:
    url = "https://samverka.example/fhir/CodeSystem/gap"
    codes = {concept["code"] for concept in load().resources[url]["concept"]}
    headings = {
        line.removeprefix("## ").strip("`") for line in DOCS.read_text().splitlines() if line.startswith("## `")
    }
    assert codes == headings == set(GAPS)


def test_every_gap_says_whom_to_ask_by_name_and_telephone() -> None:
    for row in cases.index("gaps"):
        for gap in cases.view(cases.read(FOLDER / f"{row['number']:03}-statements.json")).gaps:
            assert gap.who is not None
            assert gap.who.phone
            assert gap.who.name in gap.ask.sv
            assert gap.statements


def test_an_agreement_that_says_no_duration_is_refused() -> None:
    assert agreements.duration("P1DT2H30M").total_seconds() == 95400
    with pytest.raises(ValueError, match="write P7D"):
        agreements.duration("7 days")


def test_the_shipped_agreements_are_files_of_their_own() -> None:
    assert {path.stem for path in (folder("conformance") / "agreements").glob("*.json")} == {
        "authority",
        "example",
        "gaps",
        "plans",
        "requests",
        "weak-links",
        "words",
    }
