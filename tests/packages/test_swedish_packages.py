"""RIV-TA, the municipal CSV and the directory: cases hold, rules and codes are used, no alteration goes unnoticed."""

import pytest

from gateway import formats
from gateway.issues import Issues
from gateway.mapping import Packages
from gateway.mapping.cases import Case, cases
from gateway.mapping.coverage import coverage
from gateway.mapping.mutate import mutate

PACKAGES = Packages.shipped()
NAMES = ("rivta-logistics", "rivta-request", "municipal-csv", "directory-csv")
CASES = [case for name in NAMES for case in cases(PACKAGES[name])]

each_package = pytest.mark.parametrize("name", NAMES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_gives_what_is_expected(case: Case) -> None:
    assert case.check() == []


@each_package
def test_every_rule_is_fired_by_a_case(name: str) -> None:
    assert [f"{rule.file}:{rule.line}" for rule in coverage(PACKAGES[name]).missed] == []


@each_package
def test_every_row_of_its_concept_maps_is_used_by_a_case(name: str) -> None:
    found = coverage(PACKAGES[name])
    assert [(table, found.rows[table, number]) for table, number in found.unused_rows] == []


@each_package
def test_altering_a_rule_is_noticed_by_a_case(name: str) -> None:
    assert mutate(PACKAGES[name], sample=25).share == 1


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "iso-8859-1"])
def test_a_municipal_file_says_the_same_in_each_encoding(encoding: str) -> None:
    case = next(case for case in CASES if case.name == "municipal-csv/social-services")
    package, text = PACKAGES["municipal-csv"], case.body.decode("iso-8859-1")

    read = formats.read(package.format, text.encode(encoding), Issues())
    drafts = [draft.resource for record in read for draft in package.apply(record, case.source, case.received).drafts]
    assert drafts == (case.expected or {})["drafts"]
