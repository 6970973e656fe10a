"""What the workbench is told of a try: each step, the values it wrote, what is never read, and where it went wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.mapping.cases import cases
from gateway.mapping.package import Package
from gateway.mapping.problems import CompileError
from gateway.mapping.workbench import MOST_RECORDS, Tried, as_edited, attempt, verdict
from tests.mapping import folders

RULES = """\
  src.number as v -> pat.identifier = id('http://example.org', v) "number";
  src.name as n -> pat.name as name then {
    n.family as f -> name.family = f "family";
  } "name";
  src.born as b -> pat.birthDate = b "born";"""
NAME = "example/example.fml"
SOURCE = """{
  "number": "1",
  "name": {"family": "Testberg", "nick": "T"},
  "born": "soon",
  "shoe": 44
}"""


@pytest.fixture
def package(tmp_path: Path) -> Package:
    found = folders.package(tmp_path, RULES, cases={"one": {}})
    (case,) = cases(found)
    (case.folder / "source.json").write_text(SOURCE)
    case.update()
    return found


def edit(package: Package, *swaps: tuple[str, str]) -> Package:
    text = package.own_files[NAME]
    for old, new in swaps:
        assert old in text
        text = text.replace(old, new)
    return as_edited(package, {NAME: text})


def tried(package: Package, body: str = SOURCE) -> Tried:
    (case,) = cases(package)
    return attempt(package, body.encode(), case.source, case.received)


def test_a_value_leads_to_the_step_that_wrote_it_with_its_rule_and_its_place(package: Package) -> None:
    (worked,) = tried(package).records
    step = worked.steps[worked.writer(0, "Patient.name[0].family") or 0]
    assert (step.rule.label, step.lines, str(step.place)) == ('"family"', (5, 5), "line 3, column 22, /name/family")


def test_a_value_within_one_that_was_written_whole_leads_to_the_step_of_the_whole(package: Package) -> None:
    (worked,) = tried(package).records
    step = worked.steps[worked.writer(0, "Patient.identifier[0].value") or 0]
    assert step.rule.label == '"number"'
    assert worked.writer(0, "Patient.gender") is None


def test_steps_come_in_the_order_of_the_run_and_those_that_write_nothing_are_among_them(package: Package) -> None:
    (worked,) = tried(package).records
    order = list(dict.fromkeys(step.rule.label for step in worked.steps))
    assert order == ['"number"', '"name"', '"family"']
    assert [step.rule.label for step in worked.steps if step.written is None] == ['"name"']


def test_a_rules_own_lines_end_where_its_dependent_rules_begin(package: Package) -> None:
    (worked,) = tried(package).records
    assert {step.lines for step in worked.steps if step.rule.label == '"name"'} == {(4, 4)}


def test_what_no_rule_reads_is_told_with_its_place(package: Package) -> None:
    (worked,) = tried(package).records
    assert [place.path for place in worked.unread] == ["/name/nick", "/shoe"]


def test_an_issue_has_the_rule_that_met_it_and_the_place_in_the_source(package: Package) -> None:
    (worked,) = tried(package).records
    (trouble,) = worked.troubles
    assert trouble.rule is not None
    assert (trouble.issue.rule, trouble.rule.label) == ("value-not-valid", '"born"')
    assert str(trouble.place) == "line 4, column 11, /born"


def test_an_edit_is_tried_and_changes_nothing_that_is_in_force(package: Package) -> None:
    edited = edit(package, ("pat.birthDate = b", "pat.active = true"))
    (worked,) = tried(edited).records
    assert worked.drafts[0]["active"] is True
    assert "active" not in tried(package).records[0].drafts[0]
    assert edited.hash != package.hash


def test_an_edit_that_changes_the_output_fails_the_case(package: Package) -> None:
    edited = edit(package, ("example.org', v", "example.com', v"))
    (report,) = verdict(edited)
    assert not report.passed
    assert any("identifier[0].system" in line for line in report.differences)
    assert verdict(package)[0].passed


def test_an_edit_that_does_not_compile_says_every_problem_with_its_place(package: Package) -> None:
    with pytest.raises(CompileError) as refused:
        edit(package, ("pat.birthDate", "pat.birthdate"), ("name.family = f", "name.famly = f"))
    assert [(one.file, one.line) for one in refused.value.problems] == [(NAME, 5), (NAME, 7)]


def test_a_text_that_says_nothing_new_is_no_edit(package: Package) -> None:
    assert (
        as_edited(package, {NAME: package.own_files[NAME], "example/other.fml": "group", "../escape.fml": "x"})
        is package
    )


def test_a_delivery_is_shown_in_part(package: Package) -> None:
    found = tried(package, "[" + ",".join([SOURCE] * (MOST_RECORDS + 3)) + "]")
    assert (len(found.records), found.more) == (MOST_RECORDS, True)
