"""Why an element is empty is told by each rule that could fill it, with the places and without the values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import NotFound
from gateway.formats import read
from gateway.issues import Issues
from gateway.mapping import Packages, told
from gateway.mapping.cases import cases
from gateway.mapping.probe import Probe
from gateway.mapping.whynot import WhyNot, why_not
from tests.mapping.folders import RECEIVED, SOURCE, package

RULES = """
  src.number as v -> pat.identifier = id('http://example.org', v) "number";
  src.kind as v where (v != 'none' and v != src.number) -> pat.gender = translate(v, '#kinds', 'code') "kind";
  src.name as v -> pat.name as n then Name(v, n) "name";
  src.contact as c where (c.kind = 'next') -> pat.contact as k then { c.name as v -> k.name as n then Name(v, n) "of"; }
    "contact";
"""
NAME = 'group Name(source s, target n) { s.first as v -> n.given = v "given"; }'


def asked(tmp_path: Path, path: str, *, rules: str = RULES, values: bool = False, **source: Any) -> WhyNot:
    made = package(tmp_path, rules, more=NAME)
    body = json.dumps({"number": "1", **source}).encode()
    (found,) = why_not(made, body, SOURCE, RECEIVED, path, values=values)
    return found


def stop(found: WhyNot) -> tuple[str, bool, tuple[str, ...]]:
    (candidate,) = found.candidates
    (one,) = candidate.stops
    return one.kind, candidate.reached, one.where


def test_a_source_that_is_absent_is_named_with_the_place_where_it_would_stand(tmp_path: Path) -> None:
    found = asked(tmp_path, "Patient.gender")
    assert stop(found) == ("source-absent", True, ("line 1, column 1",))
    assert "the source has no src.kind" in told.why_nots([found])[0]


def test_a_false_condition_is_told_with_the_places_of_both_operands(tmp_path: Path) -> None:
    found = asked(tmp_path, "Patient.gender", kind="1")
    kind, reached, where = stop(found)
    assert (kind, reached) == ("condition-false", True)
    assert where == ("line 1, column 25, /kind", "line 1, column 12, /number")
    text = told.why_nots([found])[0]
    assert "the condition is false: (v != 'none' and v != src.number); not so: (v != src.number)" in text
    assert "v has a value at line 1, column 25, /kind" in text


def test_values_are_withheld_unless_asked_for(tmp_path: Path) -> None:
    hidden = told.why_nots([asked(tmp_path, "Patient.gender", number="Agda", kind="Agda")])
    assert "Agda" not in str(hidden)
    shown = asked(tmp_path, "Patient.gender", number="Agda", kind="Agda", values=True)
    assert "v is 'Agda', src.number is 'Agda'" in told.why_nots([shown])[0]


def test_a_code_that_is_not_in_the_table_is_told_with_the_table(tmp_path: Path) -> None:
    found = asked(tmp_path, "Patient.gender", kind="X")
    assert stop(found) == ("unmapped-code", True, ("line 1, column 25, /kind",))
    assert "the code is not in the table http://example.org/ConceptMap/kinds" in told.why_nots([found])[0]


def test_a_rule_that_is_never_reached_names_the_rule_that_stopped_before_it(tmp_path: Path) -> None:
    found = asked(tmp_path, "Patient.contact.name", contact={"kind": "old", "name": {"first": "B"}})
    kind, reached, where = stop(found)
    assert (kind, reached) == ("condition-false", False)
    assert where == ("line 1, column 37, /contact/kind",)
    text = told.why_nots([found])[0]
    assert 'example/example.fml:11 "given" -> Patient.contact.name.given: never reached' in text
    assert 'example/example.fml:7 "contact": the condition is false' in text


def test_a_group_that_is_used_twice_is_told_apart_by_the_way_to_it(tmp_path: Path) -> None:
    found = asked(tmp_path, "Patient.contact.name.given", name={"first": "A"}, contact={"kind": "next"})
    assert stop(found)[:2] == ("source-absent", False)
    filled = asked(tmp_path, "Patient.name.given", name={"first": "A"}, contact={"kind": "next"})
    assert (filled.drafts, filled.filled, filled.candidates) == (1, 1, ())


def test_a_check_that_failed_says_so_for_all_rules_behind_it(tmp_path: Path) -> None:
    rules = """
  src.number as v check (v = '2') -> pat.identifier = id('http://example.org', v) "number";
  src.name as v -> pat.name as n, n.text = v "name";
"""
    found = asked(tmp_path, "Patient.name.text", rules=rules, name="A")
    assert stop(found)[0] == "check-failed"
    own = asked(tmp_path, "Patient.identifier.value", rules=rules, name="A")
    assert stop(own)[:2] == ("check-failed", True)
    assert "check failed: (v = '2')" in told.why_nots([own])[0]


def test_an_element_that_no_rule_writes_is_said_to_be_so(tmp_path: Path) -> None:
    found = asked(tmp_path, "Patient.photo")
    assert found.candidates == ()
    assert "Patient.photo is empty; no rule of the map writes it" in told.why_nots([found])[0]


def test_a_misspelt_element_is_answered_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="did you mean 'gender'"):
        asked(tmp_path, "Patient.gendr")
    with pytest.raises(NotFound, match="did you mean 'Patient'"):
        asked(tmp_path, "Patiant.gender")


@pytest.mark.parametrize("name", ["dispatch-json", "hl7v2-adt", "municipal-csv", "rivta-request"])
def test_a_probed_map_gives_what_the_plain_one_gives(name: str) -> None:
    shipped = Packages.shipped()[name]
    specs = {spec.name: spec for spec in shipped.manifest.records}
    probed = shipped.with_compiled({kind: Probe().of(shipped.compiled(spec)) for kind, spec in specs.items()})
    for case in cases(shipped):
        for record in read(shipped.format, case.body, Issues()):
            given = [one.apply(record, case.source, case.received, traced=True) for one in (shipped, probed)]
            assert given[0].drafts == given[1].drafts, case.name
            assert list(given[0].issues) == list(given[1].issues), case.name
