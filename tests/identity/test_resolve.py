"""Drafts under the gateway's own ids: who is who, and what refers to what."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from random import Random
from typing import Any
from uuid import UUID, uuid5

from gateway.identity import ResolvedItem, mint, resolve, survivors, systems
from gateway.identity.resolve import Key
from gateway.records import Draft, Link, Source

NAMESPACE = UUID(int=7)
NOW = datetime(2026, 3, 12, tzinfo=UTC)
WARD = Source("ward", "rivta-logistics", "Ward", "SE2321000131-T9001", "SE2321000131-T0000")
TOWN = Source("town", "municipal-csv", "Town", "SE2120001348-T9001", "SE2120001348-T0000")
PNR = {"system": systems.PERSONNUMMER, "value": "191212121212"}
SNR = {"system": systems.SAMORDNINGSNUMMER, "value": "196109732393"}
UNIT = {"system": systems.HSA_ID, "value": "SE2321000131-T0110"}


def draft(resource_type: str, *identifiers: dict[str, str], **elements: Any) -> Draft:
    return Draft({"resourceType": resource_type, "identifier": list(identifiers), **elements}, NOW)


def to(resource_type: str, identifier: dict[str, str], **more: str) -> dict[str, Any]:
    return {"type": resource_type, "identifier": dict(identifier), **more}


class Known(dict[Key, str]):
    """Identifiers that a store would hold: what earlier items brought."""

    asked = 0

    def find(self, keys: Collection[Key]) -> dict[Key, str]:
        self.asked += 1
        return {key: self[key] for key in keys if key in self}

    def take(self, *items: list[Draft], source: Source = WARD) -> list[ResolvedItem]:
        found = resolve(items, source, NAMESPACE, self.find, NOW)
        for item in found:
            for key, id in item.identifiers.items():
                self.setdefault(key, id)
        return found


def ids(item: ResolvedItem, resource_type: str) -> list[str]:
    return [one.id for one in item.resolved if one.resource["resourceType"] == resource_type]


def rules(item: ResolvedItem) -> list[str]:
    return [issue.rule for issue in item.issues]


def test_one_personnummer_is_one_patient_whoever_speaks() -> None:
    known = Known()
    (ward,) = known.take([draft("Patient", PNR)])
    (town,) = known.take([draft("Patient", {"system": "1.2.752.129.2.1.3.1", "value": "19121212-1212"})], source=TOWN)
    assert ids(ward, "Patient") == ids(town, "Patient")


def test_an_id_tells_nothing_without_the_namespace_and_never_changes() -> None:
    assert mint(NAMESPACE, "Patient", *PNR.values()) == mint(NAMESPACE, "Patient", *PNR.values())
    assert mint(NAMESPACE, "Patient", *PNR.values()) != mint(UUID(int=8), "Patient", *PNR.values())


def test_an_id_is_the_version_5_uuid_of_what_it_names() -> None:
    for number in range(256):
        namespace, value = UUID(int=number * 7919), f"å{number}"
        assert mint(namespace, "Task", "urn:x", value) == str(uuid5(namespace, f"Task|urn:x|{value}"))


def test_what_all_parties_share_decides_the_id_and_not_who_came_first() -> None:
    local, mission = {"system": "urn:x:local", "value": "1"}, {"system": systems.MISSION, "value": "M-1"}
    here, there = [draft("Task", local, mission)], [draft("Task", mission)]
    one, two = Known(), Known()
    assert ids(one.take(here)[0], "Task") == ids(two.take(there)[0], "Task")
    assert ids(one.take(there)[0], "Task") == ids(two.take(here)[0], "Task")


def test_units_of_one_body_are_not_one_organisation() -> None:
    number = {"system": systems.ORGANISATION_NUMBER, "value": "2321000131"}
    other = {"system": systems.HSA_ID, "value": "SE2321000131-T0120"}
    known = Known()
    (item,) = known.take([draft("Organization", UNIT, number), draft("Organization", other, number)])
    assert len(set(ids(item, "Organization"))) == 2
    assert not item.links


def test_a_batch_asks_once() -> None:
    known = Known()
    known.take(*[[draft("Patient", PNR), draft("Encounter", {"system": "s", "value": str(n)})] for n in range(50)])
    assert known.asked == 1


def test_a_person_or_a_unit_that_is_named_is_known_by_that() -> None:
    visit = draft(
        "Encounter",
        {"system": "s", "value": "1"},
        subject=to("Patient", PNR),
        serviceProvider=to("Organization", UNIT, display="MÄVA"),
    )
    (item,) = Known().take([visit])
    encounter, *mentioned = item.resolved
    assert {one.resource["resourceType"] for one in mentioned} == {"Patient", "Organization"}
    assert encounter.resource["subject"]["reference"] == f"Patient/{ids(item, 'Patient')[0]}"
    assert encounter.resource["serviceProvider"]["identifier"] == UNIT
    assert next(one for one in mentioned if one.person is None).resource["name"] == "MÄVA"
    assert encounter.person == ids(item, "Patient")[0]


def test_what_is_only_mentioned_fits_when_it_arrives_itself() -> None:
    known = Known()
    (first,) = known.take([draft("Encounter", {"system": "s", "value": "1"}, serviceProvider=to("Organization", UNIT))])
    (later,) = known.take([draft("Organization", UNIT, name="MÄVA")])
    assert ids(first, "Organization") == ids(later, "Organization")


def test_a_reference_to_anything_else_stays_logical_in_the_statement_in_any_order() -> None:
    plan, task = {"system": "s", "value": "plan"}, {"system": "s", "value": "task"}
    known = Known()
    known.take([draft("CarePlan", plan)])
    (item,) = known.take([draft("Task", task, basedOn=[to("CarePlan", plan)])])
    assert item.resolved[0].resource["basedOn"] == [to("CarePlan", plan)]


def test_demographics_that_contradict_the_number_are_kept_apart_and_proposed() -> None:
    known = Known()
    known.take([draft("Patient", PNR)])
    (item,) = known.take(
        [
            draft("Patient", PNR, birthDate="1913-01-01"),
            draft("Encounter", {"system": "s", "value": "1"}, subject=to("Patient", PNR)),
        ]
    )
    apart, encounter = item.resolved
    assert apart.id != mint(NAMESPACE, "Patient", *PNR.values())
    assert encounter.person == apart.id
    assert [(link.kind, link.from_id, link.to_id) for link in item.links] == [
        ("proposed", apart.id, mint(NAMESPACE, "Patient", *PNR.values()))
    ]
    assert rules(item) == ["personnummer-contradicted"]
    assert not item.issues.bad
    assert ids(known.take([draft("Patient", PNR, birthDate="1912-12-12", gender="male")])[0], "Patient") != [apart.id]


def test_a_year_of_birth_that_fits_contradicts_nothing() -> None:
    (item,) = Known().take([draft("Patient", PNR, birthDate="1912", gender="unknown")])
    assert not rules(item)


def test_one_record_with_the_numbers_of_two_known_patients_links_them() -> None:
    known = Known()
    known.take([draft("Patient", PNR)], [draft("Patient", SNR)])
    (item,) = known.take([draft("Patient", PNR, SNR)])
    (link,) = item.links
    assert link.kind == "same"
    one, other = sorted((link.from_id, link.to_id))
    assert survivors(item.links) == {("Patient", other): one}


def test_a_second_personnummer_is_never_tied_to_the_first() -> None:
    other = {"system": systems.PERSONNUMMER, "value": "195009072553"}
    known = Known()
    known.take([draft("Patient", other)])
    (item,) = known.take([draft("Patient", PNR, other)])
    assert not item.links
    assert ("Patient", *other.values()) not in item.identifiers


def test_a_merge_that_a_source_states_is_a_link_and_two_personnummer_are_only_proposed() -> None:
    local = {"system": "urn:oid:1.2.752.97.3.1.3", "value": "1"}
    (merged,) = Known().take([draft("Patient", PNR, link=[{"other": to("Patient", local), "type": "replaces"}])])
    assert [link.kind for link in merged.links] == ["same"]
    other = {"system": systems.PERSONNUMMER, "value": "195009072553"}
    (doubtful,) = Known().take([draft("Patient", PNR, link=[{"other": to("Patient", other), "type": "replaces"}])])
    assert [link.kind for link in doubtful.links] == ["proposed"]


def test_a_wrong_number_holds_its_item_and_no_other() -> None:
    wrong = {"system": systems.PERSONNUMMER, "value": "191212121213"}
    bad, good = Known().take([draft("Patient", wrong)], [draft("Patient", PNR)])
    assert (rules(bad), bad.resolved, bad.identifiers) == (["personnummer-check-digit"], [], {})
    assert good.resolved


def test_an_issue_says_where_in_the_draft() -> None:
    wrong = {"system": systems.PERSONNUMMER, "value": "191212121213"}
    (item,) = Known().take([draft("Encounter", {"system": "s", "value": "1"}, subject=to("Patient", wrong))])
    assert [issue.expression for issue in item.issues] == ["Encounter.subject.identifier"]


def test_a_draft_that_nobody_could_name_again_is_held() -> None:
    (item,) = Known().take([draft("Encounter")])
    assert rules(item) == ["identifier-missing"]


def test_a_placeholder_is_left_out_with_its_reference() -> None:
    visit = draft(
        "Encounter", {"system": "s", "value": "1"}, serviceProvider=to("Organization", {**UNIT, "value": "?"})
    )
    (item,) = Known().take([visit])
    assert "serviceProvider" not in item.resolved[0].resource
    assert rules(item) == ["identifier-placeholder"]


def test_a_unit_told_by_the_way_is_one_statement_for_each_day_and_wording() -> None:
    def visit(number: int, name: str) -> list[Draft]:
        return [draft("Encounter", {"system": "s", "value": str(number)}), draft("Organization", UNIT, name=name)]

    keys = {
        item.resolved[1].record_key for item in Known().take(*[visit(n, "MÄVA") for n in range(9)], visit(9, "Mäva"))
    }
    assert len(keys) == 2
    assert Known().take([draft("Organization", UNIT, name="MÄVA")])[0].resolved[0].record_key is None


def test_several_times_told_by_one_record_are_told_apart() -> None:
    task = {"system": systems.MISSION, "value": "M-1"}
    (item,) = Known().take([draft("Task", task, status=status) for status in ("accepted", "in-progress")])
    assert all(one.moment for one in item.resolved)
    assert not Known().take([draft("Task", task)])[0].resolved[0].moment


def test_what_was_decided_last_of_a_pair_counts_and_the_smallest_id_survives() -> None:
    def link(one: str, other: str, kind: Any, day: int) -> Link:
        return Link("Patient", one, other, kind, "", datetime(2026, 1, day, tzinfo=UTC))

    links = [
        link("b", "c", "same", 1),
        link("c", "a", "same", 2),
        link("d", "a", "proposed", 3),
        link("e", "a", "same", 4),
        link("a", "e", "undone", 5),
    ]
    for seed in range(20):
        Random(seed).shuffle(links)
        assert survivors(links) == {("Patient", "b"): "a", ("Patient", "c"): "a"}
