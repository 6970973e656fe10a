"""Every package: its cases hold, fire every rule, and notice when a rule is altered."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.mapping import Packages
from gateway.mapping.cases import Case, cases, differences, rendered
from gateway.mapping.coverage import Coverage, coverage, written
from gateway.mapping.files import Files
from gateway.mapping.mutate import mutate

FOLDER = Path(__file__).parents[2] / "mappings"
PACKAGES = Packages.shipped()
CASES = [case for package in PACKAGES.values() for case in cases(package)]
SAMPLE = 20

each_package = pytest.mark.parametrize("name", PACKAGES.ids)


@pytest.fixture(scope="module")
def covered() -> dict[str, Coverage]:
    return {name: coverage(package) for name, package in PACKAGES.items()}


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_case_gives_what_is_expected(case: Case) -> None:
    assert case.check() == []


@each_package
def test_every_rule_of_a_package_is_fired_by_a_case(name: str, covered: dict[str, Coverage]) -> None:
    assert [f"{rule.file}:{rule.line} {rule.text}" for rule in covered[name].missed] == []


def test_every_rule_in_common_is_fired_by_a_case_of_some_package(covered: dict[str, Coverage]) -> None:
    common = Coverage(rules=list(written(Files(FOLDER / "common").parsed[0])))
    for found in covered.values():
        common.add(found)
    assert [f"{rule.file}:{rule.line} {rule.text}" for rule in common.missed] == []


@each_package
def test_altering_a_rule_is_noticed_by_a_case(name: str) -> None:
    """A seeded sample; `samverka map mutate` alters every rule."""
    report = mutate(PACKAGES[name], sample=SAMPLE)
    assert report.rule_share >= 0.9, [str(mutant) for mutant in report.survived]


def test_a_difference_is_told_with_its_path_and_both_values() -> None:
    expected = {"drafts": [{"a": 1, "b": [1, 2]}], "issues": []}
    actual = {"drafts": [{"a": True, "b": [1], "c": "x"}], "issues": []}
    assert list(differences(expected, actual)) == [
        "drafts[0].a: expected 1, came true",
        "drafts[0].b[1]: missing, expected 2",
        'drafts[0].c: not expected, came "x"',
    ]


def test_expected_json_is_written_for_people() -> None:
    assert rendered({"a": [1, 2], "b": {"c": "å"}}) == '{"a": [1, 2], "b": {"c": "å"}}'
    assert rendered({"a": "x" * 100, "b": []}).splitlines() == ["{", '  "a": "' + "x" * 100 + '",', '  "b": []', "}"]
