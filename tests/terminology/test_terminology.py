"""Value sets and hierarchies: what is kept before what is shipped, and no answer rather than half of one."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.definitions import load
from gateway.terminology import Terminology, TooLarge

ORGANS: dict[str, Any] = {
    "resourceType": "CodeSystem",
    "url": "http://acme.org/organs",
    "content": "complete",
    "concept": [
        {"code": "body", "concept": [{"code": "heart", "display": "Heart", "concept": [{"code": "valve"}]}]},
        {"code": "lung", "display": "Lung", "property": [{"code": "parent", "valueCode": "body"}]},
        {"code": "tube", "property": [{"code": "child", "valueCode": "valve"}, {"code": "long", "valueBoolean": True}]},
    ],
}


def terminology(*resources: dict[str, Any]) -> Terminology:
    kept = {(one["resourceType"], one["url"]): one for one in (ORGANS, *resources)}
    return Terminology(load(), lambda kind, url: kept.get((kind, url)))


def codes(*filters: tuple[str, str, str]) -> set[str] | None:
    rules = [{"property": property, "op": op, "value": value} for property, op, value in filters]
    include = {"system": "http://acme.org/organs", "filter": rules}
    value_set = {"resourceType": "ValueSet", "url": "http://acme.org/vs", "compose": {"include": [include]}}
    found = terminology(value_set).codes("http://acme.org/vs")
    return None if found is None else {code for _, code in found}


@pytest.mark.parametrize(
    ("filter", "kept"),
    [
        (("concept", "is-a", "body"), {"body", "heart", "valve", "lung"}),
        (("concept", "descendent-of", "body"), {"heart", "valve", "lung"}),
        (("concept", "is-not-a", "body"), {"tube"}),
        (("concept", "generalizes", "valve"), {"valve", "heart", "body", "tube"}),
        (("code", "in", "lung, tube"), {"lung", "tube"}),
        (("code", "not-in", "lung,tube,valve"), {"body", "heart"}),
        (("display", "=", "Heart"), {"heart"}),
        (("display", "exists", "true"), {"heart", "lung"}),
        (("display", "exists", "false"), {"body", "valve", "tube"}),
        (("long", "=", "true"), {"tube"}),
    ],
)
def test_a_filter_keeps_what_the_specification_says(filter: tuple[str, str, str], kept: set[str]) -> None:
    assert codes(filter) == kept


def test_every_filter_must_keep_a_code() -> None:
    assert codes(("concept", "is-a", "body"), ("display", "exists", "true")) == {"heart", "lung"}


def test_a_filter_that_cannot_be_applied_is_no_answer() -> None:
    assert codes(("code", "regex", "l.*")) is None


def test_a_hierarchy_is_read_from_nesting_and_from_properties() -> None:
    assert terminology().below("http://acme.org/organs", "body") == {"body", "heart", "valve", "lung"}
    assert terminology().above("http://acme.org/organs", "valve") == {"valve", "heart", "body", "tube"}


def test_a_system_that_is_not_here_is_no_answer() -> None:
    assert terminology().below("http://nowhere.org", "x") is None
    assert terminology().codes("http://nowhere.org/vs") is None


def test_a_part_of_a_system_is_no_answer() -> None:
    fragment = {"resourceType": "CodeSystem", "url": "http://acme.org/cut", "content": "fragment", "concept": []}
    assert terminology(fragment).below("http://acme.org/cut", "x") is None


def test_what_is_kept_goes_before_what_is_shipped() -> None:
    url = "http://hl7.org/fhir/ValueSet/task-status"
    assert ("http://hl7.org/fhir/task-status", "draft") in (terminology().codes(url) or ())
    include = {"system": "http://acme.org/organs", "concept": [{"code": "lung"}]}
    mine = {"resourceType": "ValueSet", "url": url, "compose": {"include": [include]}}
    assert terminology(mine).codes(url) == {("http://acme.org/organs", "lung")}


def test_a_value_set_of_a_shipped_hierarchy() -> None:
    found = terminology().codes("http://terminology.hl7.org/ValueSet/v3-ActEncounterCode")
    assert {"IMP", "ACUTE", "AMB"} <= {code for _, code in found or ()}


def test_an_implicit_value_set_of_snomed_ct_where_its_hierarchy_is_kept() -> None:
    snomed = {
        "resourceType": "CodeSystem",
        "url": "http://snomed.info/sct",
        "content": "complete",
        "concept": [{"code": "126851005", "concept": [{"code": "93870000"}]}, {"code": "25064002"}],
    }
    found = terminology(snomed).codes("http://snomed.info/sct?fhir_vs=isa/126851005")
    assert {code for _, code in found or ()} == {"126851005", "93870000"}
    assert len(terminology(snomed).codes("http://snomed.info/sct?fhir_vs") or ()) == 3


def test_a_value_set_without_end_is_too_large() -> None:
    url = "http://acme.org/circle"
    circle = {"resourceType": "ValueSet", "url": url, "compose": {"include": [{"valueSet": [url]}]}}
    with pytest.raises(TooLarge):
        terminology(circle).codes(url)


def test_a_value_set_of_very_many_codes_is_too_large() -> None:
    concepts = [{"code": str(number)} for number in range(10_001)]
    include = {"system": "http://acme.org/organs", "concept": concepts}
    many = {"resourceType": "ValueSet", "url": "http://acme.org/many", "compose": {"include": [include]}}
    with pytest.raises(TooLarge):
        terminology(many).codes("http://acme.org/many")


def value_set(name: str, *parts: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "ValueSet", "url": f"http://acme.org/{name}", "compose": {"include": list(parts)}}


def counted(*resources: dict[str, Any]) -> tuple[Terminology, list[str]]:
    """A terminology, and what it looks up."""
    kept = {(one["resourceType"], one["url"]): one for one in (ORGANS, *resources)}
    asked: list[str] = []

    def find(kind: str, url: str) -> dict[str, Any] | None:
        asked.append(url)
        return kept.get((kind, url))

    return Terminology(load(), find), asked


HEART = {"system": "http://acme.org/organs", "concept": [{"code": "heart"}]}


def test_a_value_set_that_others_name_by_many_ways_is_found_out_once() -> None:
    """Ten includes a level, eight levels: by way of each of them it would be a hundred million value sets."""
    levels = [value_set(f"{at}", *[{"valueSet": [f"http://acme.org/{at + 1}"]}] * 10) for at in range(8)]
    terms, asked = counted(*levels, value_set("8", HEART))
    assert terms.codes("http://acme.org/0") == {("http://acme.org/organs", "heart")}
    assert len(asked) == 9


def test_value_sets_that_name_each_other_are_not_told_and_others_still_are() -> None:
    by_another = {"valueSet": ["http://acme.org/b"]}
    terms, _ = counted(
        value_set("a", by_another), value_set("b", {"valueSet": ["http://acme.org/a"]}), value_set("c", HEART)
    )
    for _ in range(2):
        with pytest.raises(TooLarge):
            terms.codes("http://acme.org/a")
    assert terms.codes("http://acme.org/c") == {("http://acme.org/organs", "heart")}


def test_the_value_sets_that_are_looked_up_have_a_bound() -> None:
    many = [value_set(f"of/{at}", HEART) for at in range(5000)]
    terms, asked = counted(*many, value_set("all", *({"valueSet": [one["url"]]} for one in many)))
    with pytest.raises(TooLarge):
        terms.codes("http://acme.org/all")
    assert len(asked) < 1000


def test_the_codes_that_filters_look_at_have_a_bound() -> None:
    grown = ORGANS | {"url": "http://acme.org/grown", "concept": [{"code": f"{at}"} for at in range(9_000)]}
    rule = {"property": "concept", "op": "is-a", "value": "1"}
    terms, _ = counted(grown, value_set("sieve", {"system": grown["url"], "filter": [rule] * 500}))
    with pytest.raises(TooLarge):
        terms.codes("http://acme.org/sieve")
