"""The sheet of a SIP: what is read of what was written from it is the same sheet, whatever stands in it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.access import sheets
from gateway.access.sheets import Line, Sheet
from gateway.coordination.directory import Directory
from gateway.definitions import load
from gateway.fhir.check import check

HUVUDMAN = "https://samverka.example/fhir/CodeSystem/huvudman"
REGION, TOWN, CENTRE, NURSES = "SE1-R", "SE2-T", "SE1-C", "SE2-N"
NAMED = {REGION: "Regionen", TOWN: "Kommunen", CENTRE: "Vårdcentralen", NURSES: "Hemsjukvården"}
NOW = datetime(2026, 3, 12, 13, 30, tzinfo=UTC)
PATIENT = "Patient/p"
OWN = sheets.organisation(CENTRE, NAMED)


def organisation(hsa_id: str, huvudman: str, above: str | None = None) -> dict[str, Any]:
    made: dict[str, Any] = {"resourceType": "Organization", "id": hsa_id, "name": NAMED[hsa_id]}
    made["identifier"] = [{"system": "urn:oid:1.2.752.29.4.19", "value": hsa_id}]
    made["type"] = [{"coding": [{"system": HUVUDMAN, "code": huvudman}]}]
    return made | ({"partOf": sheets.organisation(above, NAMED)} if above else {})


DIRECTORY = Directory(
    [
        organisation(REGION, "region"),
        organisation(TOWN, "kommun"),
        organisation(CENTRE, "region", REGION),
        organisation(NURSES, "kommun", TOWN),
    ]
)

words = st.text("abcåäö 1", min_size=1, max_size=20).map(str.strip).filter(bool)
maybe = st.just("") | words
days = st.just("") | st.dates(datetime(2026, 4, 1).date(), datetime(2030, 1, 1).date()).map(lambda day: day.isoformat())  # noqa: DTZ001
lines = st.one_of(
    st.builds(
        Line,
        st.uuids().map(str),
        what=words,
        body=st.sampled_from(["", REGION, TOWN]),
        unit=st.sampled_from(["", NURSES, CENTRE]),
        start=days,
    ),
    st.builds(Line, st.uuids().map(str), what=words, body=st.just("other"), name=maybe, start=days),
)
drawn = st.builds(
    Sheet,
    st.uuids().map(str),
    goal=maybe,
    consent=st.sampled_from(["given", "refused"]),
    consent_date=days.filter(bool),
    overall=st.sampled_from(["", REGION, TOWN]),
    present=st.booleans(),
    relatives=st.lists(words, max_size=3).map("\n".join),
    meeting=st.sampled_from(["", "2026-03-29T03:30", "2026-10-25T02:30", "2026-06-12T13:00"]),
    place=maybe,
    invited=st.sets(st.sampled_from([NURSES, REGION])).map(lambda some: tuple(sorted(some))),
    follow_up=days,
    lines=st.lists(lines, max_size=4).map(tuple),
)


def made(sheet: Sheet) -> tuple[dict[str, Any], dict[str, Any], list[dict[str, Any]]]:
    plan = sheets.plan_of(sheet, None, PATIENT, NAMED, NOW)
    consent = sheets.consent_of(sheet, None, PATIENT, OWN, NOW)
    tasks = [sheets.task_of(one, None, plan, OWN, NAMED, DIRECTORY) for one in sheet.lines]
    if sheet.meets:
        calls = (CENTRE, *sheet.invited)
        tasks += [sheets.invitation_of(sheet, to, None, plan, OWN, NAMED) for to in calls]
    return plan, consent, tasks


@settings(max_examples=40)
@given(drawn)
def test_what_is_read_of_what_was_written_is_the_same_sheet(sheet: Sheet) -> None:
    assert sheets.read(*made(sheet), CENTRE) == sheet


@settings(max_examples=40)
@given(drawn)
def test_what_is_written_is_structurally_right(sheet: Sheet) -> None:
    plan, consent, tasks = made(sheet)
    for one in (plan, consent, *tasks):
        assert not [issue for issue in check(one, load()) if issue.severity in ("error", "fatal")]


@settings(max_examples=40)
@given(drawn, drawn)
def test_a_sheet_takes_the_place_of_another_and_leaves_the_rest(before: Sheet, after: Sheet) -> None:
    """What the form does not know stays: a goal, another contributor, an extension."""
    known = {
        "goal": [{"display": "Läkt sår"}],
        "contributor": [sheets.organisation(NURSES, NAMED)],
        "extension": [{"url": "urn:x", "valueCode": "x"}],
    }
    plan = sheets.plan_of(before, None, PATIENT, NAMED, NOW) | known
    changed = sheets.plan_of(replace(after, id=before.id), plan, PATIENT, NAMED, NOW)
    assert sheets.read(changed, None, [], CENTRE).bare() == replace(after, id=before.id, consent="").bare()
    assert changed["goal"] == known["goal"]
    assert changed["contributor"][:1] == known["contributor"]
    assert changed["extension"][:1] == known["extension"]
