"""Stories as files: who does what for a person at a time, in the words that people read; and the document."""

from __future__ import annotations

from typing import Any

import pytest
from lxml import etree

from gateway.coordination.statements import canonical
from gateway.coordination.who_does_what import document
from gateway.definitions import load
from gateway.fhir.check import check
from tests.coordination import cases

FOLDER = cases.HERE / "stories"
CASES = [pytest.param(row, id=f"{row['number']:03}-{row['name']}") for row in cases.index("stories")]
BASE = "http://127.0.0.1:8000/fhir"


def story(number: int = 1) -> dict[str, Any]:
    found: dict[str, Any] = cases.read(FOLDER / f"{number:03}-statements.json")
    return found


@pytest.mark.parametrize("row", CASES)
def test_the_answer_reads_as_it_should(row: dict[str, Any]) -> None:
    expected = cases.read(FOLDER / f"{row['number']:03}-expected.json")
    assert cases.told(cases.view(story(row["number"]))) == expected, row["rule"]


@pytest.mark.parametrize("row", CASES)
def test_the_document_is_valid_r4(row: dict[str, Any]) -> None:
    made = document(cases.view(story(row["number"])), BASE)
    assert check(made, load()) == []


def test_the_document_is_the_same_each_time() -> None:
    assert canonical(document(cases.view(story()), BASE)) == canonical(document(cases.view(story()), BASE))


def test_the_document_begins_with_its_composition_and_holds_what_it_names() -> None:
    made = document(cases.view(story()), BASE)
    composition, patient = (entry["resource"] for entry in made["entry"][:2])
    assert (composition["resourceType"], patient["resourceType"]) == ("Composition", "Patient")
    codes = [section["code"]["coding"][0]["code"] for section in composition["section"]]
    assert codes == ["gaps", "now", "next", "awaited", "sources"]
    addresses = [entry["fullUrl"] for entry in made["entry"]]
    assert len(addresses) == len(set(addresses))
    named = [entry["reference"] for section in composition["section"] for entry in section.get("entry", [])]
    issues = [entry["resource"] for entry in made["entry"] if entry["resource"]["resourceType"] == "DetectedIssue"]
    named += [implicated["reference"] for issue in issues for implicated in issue["implicated"]]
    assert issues
    assert set(named) <= set(addresses)


def test_a_detected_issue_says_who_must_act_with_a_telephone_number() -> None:
    made = document(cases.view(story()), BASE)
    issue = next(e["resource"] for e in made["entry"] if e["resource"]["resourceType"] == "DetectedIssue")
    parts = {part["url"]: part for part in issue["extension"][0]["extension"]}
    assert parts["organization"]["valueReference"]["display"] == "Tanums kommun"
    assert parts["telecom"]["valueContactPoint"]["value"] == "0980-319 200"
    assert issue["severity"] == "moderate"


def test_narratives_are_well_formed_bilingual_and_escaped() -> None:
    told = story()
    told["statements"][0]["body"]["code"] = {"text": "<script>alert('x')</script> & so on"}
    made = document(cases.view(told), BASE)
    for section in made["entry"][0]["resource"]["section"]:
        div = etree.fromstring(section["text"]["div"])
        assert [part.get("lang") for part in div] == ["sv", "en"]
        assert not div.xpath("//*[local-name()='script']")


def test_every_line_of_the_answer_names_its_statements() -> None:
    found = cases.view(story())
    assert all(line.statements for lines in (found.now, found.next, found.awaited) for line in lines)
    assert all(item.statements for lane in found.lanes for item in lane.items)


def test_the_care_team_follows_from_the_tasks() -> None:
    made = document(cases.view(story()), BASE)
    (team,) = (e["resource"] for e in made["entry"] if e["resource"]["resourceType"] == "CareTeam")
    ambulance = [p["period"] for p in team["participant"] if p["member"]["display"] == "Ambulansen Tanum"]
    assert [set(period) for period in ambulance] == [{"start", "end"}, {"start", "end"}]


def test_an_empty_person_has_a_document_that_says_so() -> None:
    made = document(cases.view({**story(), "statements": []}), BASE)
    assert check(made, load()) == []
    assert "Inget som källorna visar" in made["entry"][0]["resource"]["section"][0]["text"]["div"]
