"""What of the source no rule ever reads is listed by path, with counts and a place; so are codes without a row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.mapping import Packages, told
from gateway.mapping.codes import unmapped
from gateway.mapping.unread import Message, Unread, corpus, unread
from tests.mapping.folders import RECEIVED, SOURCE, package

RULES = """
  src.number as v -> pat.identifier = id('http://example.org', v) "number";
  src.kind as v -> pat.gender = translate(v, '#kinds', 'code') "kind";
  src.name as n then { n.first as v -> pat.name as m, m.given = v "given"; } "name";
"""


def message(name: str, *records: dict[str, Any]) -> Message:
    return Message(name, json.dumps(list(records)).encode(), SOURCE, RECEIVED)


def listed(found: Unread) -> list[tuple[str, int, int]]:
    return [(element.shown, element.count, element.values) for element in found.unread]


def test_what_no_rule_reads_is_listed_with_counts_and_a_place(tmp_path: Path) -> None:
    made = package(tmp_path, RULES)
    one = {"number": "1", "name": {"first": "Agda", "last": "B"}, "kin": {"name": "C", "phone": "D"}}
    found = unread(made, [message("a.json", one, {"number": "2", "kin": {"name": "E"}})])
    assert listed(found) == [("kin", 2, 3), ("name.last", 1, 1)]
    assert (found.records, found.values, found.lost) == (2, 7, 4)
    assert found.unread[1].example == "a.json: line 1, column 52, /0/name/last"


def test_the_manifests_paths_read_too_and_an_element_read_once_is_read(tmp_path: Path) -> None:
    made = package(tmp_path, "src.a as a where (a.b = '1') then { a.c as v -> pat.gender = 'male' \"c\"; } \"a\";")
    assert listed(unread(made, [message("m", {"number": "1", "a": {"b": "2", "c": "3"}})])) == [("a.c", 1, 1)]
    both = [message("m", {"number": "1", "a": [{"b": "2", "c": "3"}, {"b": "1", "c": "3"}]})]
    assert listed(unread(made, both)) == []


def test_the_report_holds_no_value(tmp_path: Path) -> None:
    made = package(tmp_path, RULES)
    found = unread(made, [message("a.json", {"number": "1", "secret": "Agda"})])
    text, data = told.unreads([("example", found)])
    assert "secret  1 times  a.json: line 1" in text
    assert "Agda" not in text + json.dumps(data)
    assert data[0]["unreadValues"] == 1


def test_a_package_reads_by_default_the_sources_of_its_cases(tmp_path: Path) -> None:
    made = package(tmp_path, RULES, cases={"one": {"number": "1", "other": "2"}})
    found = unread(made, corpus(made))
    assert found.unread[0].example.startswith("one: line 1")


@pytest.mark.parametrize("name", ["hl7v2-adt", "municipal-csv", "rivta-logistics", "fhir-r4"])
def test_every_format_is_watched(name: str) -> None:
    shipped = Packages.shipped()[name]
    found = unread(shipped, corpus(shipped))
    assert found.records > 10
    assert 0 < found.lost < found.values / 2


def test_a_field_without_components_is_one_value() -> None:
    shipped = Packages.shipped()["hl7v2-adt"]
    found = unread(shipped, corpus(shipped))
    paths = {element.shown: element for element in found.unread}
    assert "MSH.9" not in paths
    assert "MSH.10" in paths
    assert "MSH.10.1" not in {element.shown for element in found.elements.values()}


def test_codes_without_a_row_are_counted_with_table_and_place(tmp_path: Path) -> None:
    made = package(tmp_path, RULES)
    records = [{"number": str(n), "kind": kind} for n, kind in enumerate(("X", "M", "Y", "X"))]
    found = unmapped(made, [message("a.json", *records)])
    assert [(one.code, one.count) for one in found] == [("X", 2), ("Y", 1)]
    assert found[0].table == "http://example.org/ConceptMap/kinds"
    assert found[0].example == "a.json: line 1, column 26, /0/kind"
    assert 'example/example.fml:5 "kind"' in told.missing_codes(found)[0]


def test_a_code_that_may_be_about_a_person_is_withheld(tmp_path: Path) -> None:
    made = package(tmp_path, RULES)
    found = unmapped(made, [message("a.json", {"number": "1", "kind": "191212121212"})])
    assert [(one.code, one.count) for one in found] == [(None, 1)]
    assert "(withheld)" in told.missing_codes(found)[0]


def test_where_every_code_has_a_row_it_is_said(tmp_path: Path) -> None:
    made = package(tmp_path, RULES)
    assert told.missing_codes(unmapped(made, [message("a", {"number": "1"})])) == ("every code is in its table", [])
