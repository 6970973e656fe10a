"""How alike two Patients are: the table, and what must hold of it whoever they are."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.identity.matching import WEIGHTS, likeness, similar, slips, telephone, traits

PNR = "http://electronichealth.se/identifier/personnummer"
TOLVAN: dict[str, Any] = {
    "resourceType": "Patient",
    "name": [{"family": "Åström", "given": ["Anna-Karin"]}],
    "birthDate": "1912-11-12",
    "gender": "female",
    "address": [{"postalCode": "451 50"}],
    "telecom": [{"system": "phone", "value": "+46 70-174 06 05"}],
}


def numbered(value: str, **others: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "identifier": [{"system": PNR, "value": value}], **others}


@pytest.mark.parametrize(
    ("one", "other", "grade", "reasons"),
    [
        (numbered("191212121212"), numbered("19121212-1212"), "certain", {"number-of-personnummer", "birth-date"}),
        (numbered("191212121212", **TOLVAN), numbered("194107142384", **TOLVAN), "certainly-not", {"another-number"}),
        (
            numbered("191212121212", name=[{"family": "A"}], birthDate="1912-12-12"),
            numbered("191212121212", name=[{"family": "Berg"}], birthDate="1990-01-01"),
            "probable",
            {"number-of-personnummer", "family-name-differs", "birth-date-differs"},
        ),
        (TOLVAN, TOLVAN, "probable", {"family-name", "given-name", "birth-date", "gender", "postal-code", "telephone"}),
        (
            TOLVAN,
            {"name": [{"family": "ASTROM", "given": ["Anna"]}], "birthDate": "1912-11-12"},
            "probable",
            {"family-name"},
        ),
        (TOLVAN, {"name": [{"family": "Åström"}], "birthDate": "1912-12-11"}, "certainly-not", {"birth-date-slip"}),
        (TOLVAN, TOLVAN | {"birthDate": "1912-12-11"}, "probable", {"birth-date-slip"}),
        (TOLVAN, TOLVAN | {"birthDate": "1912"}, "probable", {"birth-year"}),
        (TOLVAN, TOLVAN | {"birthDate": "1950-01-01"}, "certainly-not", {"birth-date-differs"}),
        (TOLVAN, {"telecom": [{"value": "0701740605"}]}, "certainly-not", {"telephone"}),
        (TOLVAN, {"name": [{"text": "Anna Åström"}], "birthDate": "1912-11-12"}, "probable", {"given-name"}),
    ],
)
def test_the_table_grades(one: dict[str, Any], other: dict[str, Any], grade: str, reasons: set[str]) -> None:
    found = likeness(traits(one), traits(other))
    assert (found.grade, reasons - set(found.reasons)) == (grade, set()), found


def test_without_a_number_nobody_is_certainly_the_same() -> None:
    assert likeness(traits(TOLVAN), traits(TOLVAN)).score == Decimal("0.94")
    local = {"identifier": [{"system": "urn:local", "value": "1"}]}
    found = likeness(traits(TOLVAN | local), traits(TOLVAN | local))
    assert (found.score, found.grade) == (Decimal("0.97"), "certain")


def test_slips_and_spellings() -> None:
    assert {"1912-12-11", "1921-11-12", "1912-11-13"} <= slips("1912-11-12")
    assert "1912-11-12" not in slips("1912-11-12") and all("01" <= one[5:7] <= "12" for one in slips("1912-11-12"))
    assert telephone("+46 (0)70-174 06 05") == telephone("0046701740605") == telephone("070-1740605") == "0701740605"
    assert similar("johansson", "johanson") and similar("kristina", "kris") and not similar("ek", "al")


NAMES = st.sampled_from(["Åström", "Astrom", "Berg", "Bergh", "von Berg", "Ek"])
PATIENTS = st.fixed_dictionaries(
    {},
    optional={
        "name": st.lists(
            st.fixed_dictionaries({}, optional={"family": NAMES, "given": st.lists(NAMES, max_size=2)}), max_size=2
        ),
        "birthDate": st.sampled_from(["1912-11-12", "1912-12-11", "1912", "1912-11", "1950-01-01"]),
        "gender": st.sampled_from(["male", "female", "unknown"]),
        "address": st.lists(
            st.fixed_dictionaries({"postalCode": st.sampled_from(["451 50", "45150", "1"])}), max_size=2
        ),
        "telecom": st.lists(
            st.fixed_dictionaries({"value": st.sampled_from(["0701740605", "+46701740605", "1"])}), max_size=2
        ),
        "identifier": st.lists(
            st.fixed_dictionaries(
                {
                    "system": st.sampled_from([PNR, "urn:local"]),
                    "value": st.sampled_from(["191212121212", "194107142384"]),
                }
            ),
            max_size=2,
        ),
    },
)


@given(PATIENTS, PATIENTS)
def test_likeness_is_the_same_both_ways_and_between_nought_and_one(one: dict[str, Any], other: dict[str, Any]) -> None:
    found = likeness(traits(one), traits(other))
    assert found == likeness(traits(other), traits(one))
    assert 0 <= found.score <= 1


@given(PATIENTS, PATIENTS, st.sampled_from(["gender", "address", "telecom", "name", "birthDate"]))
def test_what_agrees_never_lowers_the_likeness(one: dict[str, Any], other: dict[str, Any], name: str) -> None:
    without = [{key: value for key, value in some.items() if key != name} for some in (one, other)]
    agreed = [some | {name: TOLVAN[name]} for some in without]
    before, after = (likeness(traits(a), traits(b)) for a, b in (without, agreed))
    assert after.score >= before.score


def test_every_reason_of_the_table_is_told_by_the_page() -> None:
    from tests.examples import ROOT

    page = (ROOT / "docs/api/match.md").read_text(encoding="utf-8")
    for reason, weight in WEIGHTS.items():
        assert f"| `{reason}` | {weight} |" in page, reason
