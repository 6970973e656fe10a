"""Identifiers and references of a draft in their one spelling, by the short way and by the whole walk."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.identity import systems
from gateway.identity.identifiers import Normal, canonical, normalise
from gateway.identity.resolve import logical_references
from gateway.issues import Issue, Issues

OWN = "urn:x:own"
IDENTIFIERS = st.sampled_from(
    [
        {"system": systems.PERSONNUMMER, "value": "191212121212"},
        {"system": systems.PERSONNUMMER, "value": "19121212-1212"},
        {"system": systems.PERSONNUMMER, "value": "191212121213"},
        {"system": systems.HSA_ID, "value": "SE2321000131-T0110"},
        {"system": systems.HSA_ID, "value": "Okänt"},
        {"system": "urn:x:a", "value": '"identifier":'},
        {"system": "urn:x:a"},
        {"system": "urn:x:a", "value": "1", "type": {"text": "a"}},
        {"system": "urn:x:a", "value": "1", "assigner": {"identifier": {"system": "urn:x:b", "value": "-"}}},
        {"system": "urn:x:a", "value": "1", "assigner": {"reference": "Organization/1"}},
    ]
)
REFERENCES = st.fixed_dictionaries(
    {"identifier": IDENTIFIERS},
    optional={
        "type": st.sampled_from(["Patient", "Organization", "Task"]) | st.just({"text": "no type of a resource"}),
        "reference": st.just("Patient/1"),
        "display": st.just("A"),
        "extension": st.just([{"url": "urn:x", "valueReference": {"type": "Task", "identifier": {"value": "1"}}}]),
        "note": st.just("no member of a Reference"),
    },
)
ELEMENTS = st.recursive(
    REFERENCES | st.just("a") | st.just({"coding": [{"system": "urn:x", "code": "a"}]}),
    lambda below: (
        st.lists(below, min_size=1, max_size=3)
        | st.dictionaries(
            st.sampled_from(["code", "focus", "valueIdentifier", "identifier"]), below, min_size=1, max_size=3
        )
    ),
    max_leaves=6,
)
RESOURCES = st.fixed_dictionaries(
    {"resourceType": st.just("Task")},
    optional={
        "identifier": st.lists(IDENTIFIERS, min_size=1, max_size=2) | IDENTIFIERS,
        "groupIdentifier": IDENTIFIERS,
        "for": REFERENCES,
        "basedOn": st.lists(REFERENCES, min_size=1, max_size=2),
        "input": ELEMENTS,
        "note": ELEMENTS,
    },
)


def told(resource: dict[str, Any], wording: bytes | None) -> tuple[Normal, list[Issue]]:
    issues = Issues()
    return normalise(resource, OWN, issues, wording), list(issues)


@given(RESOURCES)
def test_the_short_way_tells_what_the_walk_tells(resource: dict[str, Any]) -> None:
    before, wording = deepcopy(resource), canonical(resource)
    short, whole = told(resource, wording), told(resource, None)
    assert short == whole
    assert resource == before
    assert [canonical(one) for one, _ in short[0].references] == [canonical(one) for one, _ in whole[0].references]
    assert short[0].respelled == (canonical(short[0].resource) != wording)


@given(RESOURCES)
def test_a_reference_is_a_copy_that_stands_in_the_resource(resource: dict[str, Any]) -> None:
    before = deepcopy(resource)
    made, _ = told(resource, canonical(resource))
    for reference, _ in made.references:
        reference["reference"] = "Task/filled-in"
    assert resource == before
    assert canonical(made.resource).count(b"Task/filled-in") == len(made.references)


def test_what_is_no_reference_names_nothing_by_a_type_that_is_none_of_a_resource() -> None:
    detail = {"identifier": {"system": "urn:x:a", "value": "1"}, "type": {"coding": [{"code": "payment"}]}}
    resource = {"resourceType": "PaymentReconciliation", "detail": [detail]}
    made, issues = told(resource, None)
    assert (made.references, issues, logical_references(resource)) == ([], [], [])
