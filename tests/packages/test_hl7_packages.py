"""HL7 v2 ADT and FHIR R4: cases hold, every rule is fired, no alteration goes unnoticed, drafts are sound R4."""

import pytest

from gateway import definitions
from gateway.fhir.check import check
from gateway.issues import Issue
from gateway.mapping import Packages
from gateway.mapping.cases import Case, cases
from gateway.mapping.coverage import coverage
from gateway.mapping.mutate import mutate
from gateway.records import Resource

PACKAGES = Packages.shipped()
NAMES = ("hl7v2-adt", "fhir-r4")
CASES = [case for name in NAMES for case in cases(PACKAGES[name])]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_gives_what_is_expected(case: Case) -> None:
    assert case.check() == []


@pytest.mark.parametrize("name", NAMES)
def test_every_rule_is_fired_by_a_case(name: str) -> None:
    assert [f"{rule.file}:{rule.line}" for rule in coverage(PACKAGES[name]).missed] == []


@pytest.mark.parametrize("name", NAMES)
def test_altering_a_rule_is_noticed_by_a_case(name: str) -> None:
    assert mutate(PACKAGES[name], sample=25).share == 1


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_drafts_are_sound_r4_but_for_what_the_gateway_adds(case: Case) -> None:
    known = definitions.load()
    for _, result in case.results()[0]:
        stated = [] if result.issues.bad else [draft for draft in result.drafts if not draft.withdrawn]
        for draft in stated:
            assert serious(draft.resource, check(draft.resource, known, base=None)) == []


def serious(resource: Resource, found: list[Issue]) -> list[str]:
    return [f"{resource['resourceType']}: {issue.text}" for issue in found if issue.severity in ("error", "fatal")]


def references(value: object) -> list[Resource]:
    """Every Reference that says where a resource lies."""
    if isinstance(value, list):
        return [found for child in value for found in references(child)]
    if not isinstance(value, dict):
        return []
    own = [value] if isinstance(value.get("reference"), str) else []
    return own + [found for child in value.values() for found in references(child)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_references_are_by_identifier_or_within_the_resource(case: Case) -> None:
    drafts = [draft.resource for _, result in case.results()[0] for draft in result.drafts]
    assert [ref["reference"] for ref in references(drafts) if not ref["reference"].startswith("#")] == []
    assert [draft["id"] for draft in drafts if "id" in draft] == []
