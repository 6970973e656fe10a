"""What a ConceptMap says of a code: R4's elements one by one, from the specification's text."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.mapping.translation import Asked, parameters, translate

A, B, C = "http://example.org/a", "http://example.org/b", "http://example.org/c"
URL = "http://example.org/ConceptMap/a-to-b"


def concept_map(*elements: dict[str, Any], **more: Any) -> dict[str, Any]:
    group = {"source": A, "target": B, "element": list(elements)} | more.pop("group", {})
    return {"resourceType": "ConceptMap", "url": URL, "status": "active", "group": [group], **more}


def element(code: str, *targets: dict[str, Any]) -> dict[str, Any]:
    return {"code": code, "target": list(targets)} if targets else {"code": code}


def to(code: str | None, equivalence: str = "equivalent", **more: Any) -> dict[str, Any]:
    return {**({"code": code} if code else {}), "equivalence": equivalence, **more}


def said(maps: list[dict[str, Any]], code: str = "x", system: str = A, **more: Any) -> list[tuple[str, str | None]]:
    found = translate(maps, Asked([{"system": system, "code": code}], **more))
    return [(match.equivalence, (match.concept or {}).get("code")) for match in found.matches]


def test_each_target_is_a_match_with_its_equivalence() -> None:
    one = concept_map(element("x", to("1"), to("2", "wider")))
    assert said([one]) == [("equivalent", "1"), ("wider", "2")]


def test_an_element_without_target_says_that_there_is_no_match() -> None:
    found = translate([concept_map(element("x"))], Asked([{"system": A, "code": "x"}]))
    assert ([match.equivalence for match in found.matches], found.result) == (["unmatched"], False)


@pytest.mark.parametrize("equivalence", ["unmatched", "disjoint"])
def test_what_is_unmatched_or_disjoint_is_no_success(equivalence: str) -> None:
    found = translate([concept_map(element("x", to("1", equivalence)))], Asked([{"system": A, "code": "x"}]))
    assert not found.result


def test_a_code_of_another_system_or_version_is_not_translated() -> None:
    one = concept_map(element("x", to("1")), group={"sourceVersion": "2"})
    assert said([one], system=C) == []
    assert translate([one], Asked([{"system": A, "code": "x", "version": "1"}])).matches == []
    assert translate([one], Asked([{"system": A, "code": "x", "version": "2"}])).matches != []


def test_a_target_system_narrows() -> None:
    one = concept_map(element("x", to("1")))
    assert said([one], target_system=B) == [("equivalent", "1")]
    assert said([one], target_system=C) == []


@pytest.mark.parametrize(("source", "target", "many"), [(A, B, 1), (C, B, 0), (A, C, 0), (None, None, 1)])
def test_value_sets_choose_the_maps(source: str | None, target: str | None, many: int) -> None:
    one = concept_map(element("x", to("1")), sourceUri=A, targetCanonical=B)
    assert len(said([one], source=source, target=target)) == many


def test_reversed_the_source_is_what_may_be_mapped_to_the_code() -> None:
    one = concept_map(element("x", to("1", "wider")), element("y", to("1", "equal")), sourceUri=A, targetUri=B)
    assert said([one], "1", B, reverse=True, source=B, target=A) == [("narrower", "x"), ("equal", "y")]
    assert said([one], "1", B, reverse=True, source=A) == []


def test_a_mapping_that_depends_on_another_value_needs_it() -> None:
    when = {"property": "http://example.org/sex", "system": C, "value": "F"}
    one = concept_map(element("x", to("1", dependsOn=[when]), to("2", "relatedto")))
    asked = [{"system": A, "code": "x"}]

    without = translate([one], Asked(asked))
    assert [match.concept and match.concept["code"] for match in without.matches] == ["2"]
    assert "http://example.org/sex" in (without.message() or "")

    given = {"http://example.org/sex": [{"system": C, "code": "F"}]}
    assert said([one], dependencies=given) == [("equivalent", "1"), ("relatedto", "2")]
    assert said([one], dependencies={"http://example.org/sex": [{"system": C, "code": "M"}]}) == [("relatedto", "2")]


def test_products_come_with_their_match() -> None:
    product = {"property": "http://example.org/side", "system": C, "value": "L", "display": "left"}
    one = concept_map(element("x", to("1", product=[product])))
    found = parameters(translate([one], Asked([{"system": A, "code": "x"}])))
    match = next(part for part in found["parameter"] if part["name"] == "match")
    assert match["part"] == [
        {"name": "equivalence", "valueCode": "equivalent"},
        {"name": "concept", "valueCoding": {"system": B, "code": "1"}},
        {
            "name": "product",
            "part": [
                {"name": "element", "valueUri": "http://example.org/side"},
                {"name": "concept", "valueCoding": {"system": C, "code": "L", "display": "left"}},
            ],
        },
        {"name": "source", "valueUri": URL},
    ]


@pytest.mark.parametrize(
    ("unmapped", "expected"),
    [
        ({"mode": "provided"}, [("equal", "z")]),
        ({"mode": "fixed", "code": "?"}, [("relatedto", "?")]),
        ({"mode": "other-map", "url": "http://example.org/other"}, [("equivalent", "9")]),
    ],
    ids=["provided", "fixed", "other map"],
)
def test_codes_that_no_element_names(unmapped: dict[str, str], expected: list[tuple[str, str]]) -> None:
    one = concept_map(element("x", to("1")), group={"unmapped": unmapped})
    other = concept_map(element("z", to("9"))) | {"url": "http://example.org/other"}
    found = translate([one], Asked([{"system": A, "code": "z"}]), {other["url"]: other}.get)
    assert [(match.equivalence, (match.concept or {}).get("code")) for match in found.matches] == expected


def test_maps_that_send_on_to_one_another_come_to_an_end() -> None:
    one = concept_map(group={"unmapped": {"mode": "other-map", "url": URL}})
    assert translate([one], Asked([{"system": A, "code": "z"}]), lambda _: one).matches == []


def test_each_coding_of_a_concept_is_translated_and_what_is_said_twice_is_said_once() -> None:
    one = concept_map(element("x", to("1")), element("y", to("2")))
    codings = [{"system": A, "code": "x"}, {"system": A, "code": "y"}, {"system": A, "code": "x"}]
    assert [match.concept and match.concept["code"] for match in translate([one], Asked(codings)).matches] == ["1", "2"]


def test_an_answer_is_bounded() -> None:
    one = concept_map(element("x", *(to(str(n)) for n in range(1200))))
    found = translate([one], Asked([{"system": A, "code": "x"}]))
    assert (len(found.matches), "the rest is left out" in (found.message() or "")) == (1000, True)
