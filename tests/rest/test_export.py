"""$export: begun, settled as one moment's versions, fetched by who asked.

https://hl7.org/fhir/uv/bulkdata/STU2/export.html
"""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from gateway.access.caller import OPERATOR, Asking
from gateway.access.decision import WITHHELD
from gateway.access.exporting import EXPORT
from gateway.app import Gateway, background, wire
from gateway.settings import Settings
from gateway.store import SavedResource, UnitOfWork
from gateway.tables import export_item, takes_part
from tests.rest.conftest import FHIR, REGION
from tests.rest.test_interactions import outcome

LATER = {"prefer": "respond-async"}
PATIENTS = ("anna", "bo", "cia")


def rule(answer: httpx.Response, status: int) -> str:
    found = outcome(answer, status)["details"]["coding"][0]["code"]
    assert isinstance(found, str)
    return found


def manifest(client: httpx.Client, accepted: httpx.Response) -> dict[str, Any]:
    assert accepted.status_code == 202, accepted.text
    for _ in range(400):
        status = client.get(accepted.headers["content-location"])
        if status.status_code != 202:
            break
        assert status.headers["retry-after"] and status.headers["x-progress"]
        time.sleep(0.02)
    assert status.status_code == 200, status.text
    assert status.headers["content-type"] == "application/json"
    assert status.headers["expires"]
    found: dict[str, Any] = status.json()
    return found


def export(client: httpx.Client, where: str = "/fhir/$export", **more: str) -> dict[str, Any]:
    return manifest(client, client.get(where, headers=LATER | more))


def lines(client: httpx.Client, files: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """All lines of the files; each file has as many as its entry says, of the type that it says."""
    found: list[dict[str, Any]] = []
    for one in files:
        answer = client.get(one["url"])
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/fhir+ndjson"
        held = [json.loads(line) for line in answer.text.splitlines()]
        assert len(held) == one["count"]
        assert {line["resourceType"] for line in held} == {one["type"]}
        found += held
    return found


def names(client: httpx.Client, made: dict[str, Any]) -> list[str]:
    return sorted(f"{one['resourceType']}/{one['id']}" for one in lines(client, made["output"]))


def put(client: httpx.Client, resource: dict[str, Any]) -> None:
    answer = client.put(f"/fhir/{resource['resourceType']}/{resource['id']}", json=resource)
    assert answer.status_code in (200, 201), answer.text


def put_all(client: httpx.Client, resources: list[dict[str, Any]]) -> None:
    entries = [
        {"resource": one, "request": {"method": "PUT", "url": f"{one['resourceType']}/{one['id']}"}}
        for one in resources
    ]
    answer = client.post("/fhir", json={"resourceType": "Bundle", "type": "transaction", "entry": entries})
    assert answer.status_code == 200, answer.text


def observation(id: str, patient: str, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": id,
        "status": "final",
        "code": {"text": "weight"},
        "subject": {"reference": f"Patient/{patient}"},
    } | more


@pytest.fixture
def held(operator: httpx.Client) -> httpx.Client:
    """Three patients with an observation each, two of them in a group; an organisation that is in no compartment."""
    made = [{"resourceType": "Patient", "id": id, "active": True} for id in PATIENTS]
    made += [observation(f"of-{id}", id) for id in PATIENTS]
    made.append({"resourceType": "Organization", "id": "unit", "name": "Unit"})
    members = [
        {"entity": {"reference": "Patient/anna"}},
        {"entity": {"reference": "Patient/cia"}, "inactive": True},
        {"entity": {"reference": "Group/inner"}},
    ]
    inner = [{"entity": {"reference": "Patient/bo"}}, {"entity": {"reference": "Group/ward"}}]
    for id, member in (("inner", inner), ("ward", members)):
        made.append({"resourceType": "Group", "id": id, "type": "person", "actual": True, "member": member})
    put_all(operator, made)
    return operator


def test_the_whole_system_is_exported_each_resource_once(held: httpx.Client) -> None:
    made = export(held)
    assert names(held, made) == sorted(
        [
            *(f"Patient/{id}" for id in PATIENTS),
            *(f"Observation/of-{id}" for id in PATIENTS),
            "Group/inner",
            "Group/ward",
            "Organization/unit",
        ]
    )
    assert made["requiresAccessToken"] is True
    assert made["request"].endswith("/fhir/$export")
    assert made["deleted"] == made["error"] == []
    (patients,) = (one for one in made["output"] if one["type"] == "Patient")
    plain = held.get("/fhir/Patient/anna").content
    assert plain in held.get(patients["url"]).content.splitlines(), "as it is served"


def test_patients_and_groups_have_what_is_in_their_compartments(held: httpx.Client) -> None:
    everybody = [*(f"Observation/of-{id}" for id in PATIENTS), *(f"Patient/{id}" for id in PATIENTS)]
    # A group belongs to the compartment of its members.
    assert [one for one in names(held, export(held, "/fhir/Patient/$export")) if "Group" not in one] == everybody
    ward = ["Observation/of-anna", "Observation/of-bo", "Patient/anna", "Patient/bo"]
    assert names(held, export(held, "/fhir/Group/ward/$export?_type=Patient,Observation")) == ward
    assert rule(held.get("/fhir/Group/none/$export", headers=LATER), 404) == "resource-unknown"


def test_patients_are_named_in_parameters(held: httpx.Client) -> None:
    def asked(*ids: str) -> dict[str, Any]:
        named = [{"name": "patient", "valueReference": {"reference": f"Patient/{id}"}} for id in ids]
        return {"resourceType": "Parameters", "parameter": [*named, {"name": "_type", "valueString": "Observation"}]}

    made = manifest(held, held.post("/fhir/Group/ward/$export", json=asked("anna"), headers=LATER))
    assert names(held, made) == ["Observation/of-anna"]
    assert made["request"].endswith("/fhir/Group/ward/$export")
    assert rule(held.post("/fhir/Group/ward/$export", json=asked("cia"), headers=LATER), 400) == "patient-unknown"
    made = manifest(held, held.post("/fhir/Patient/$export", json=asked("cia"), headers=LATER))
    assert names(held, made) == ["Observation/of-cia"]


def test_filters_of_a_type_are_alternatives_and_leave_other_types_alone(held: httpx.Client) -> None:
    put(held, observation("p", "anna", status="preliminary"))
    put(held, observation("a", "anna", status="amended"))
    filters = "_typeFilter=Observation%3Fstatus%3Dpreliminary%26patient%3Danna,Observation%3Fstatus%3Damended,final"
    made = export(held, f"/fhir/$export?_type=Observation,Organization&{filters.removesuffix(',final')}")
    assert names(held, made) == ["Observation/a", "Observation/p", "Organization/unit"]
    made = export(held, f"/fhir/Patient/$export?_type=Observation&{filters}&_typeFilter=Observation%3F_id%3Dof-bo")
    assert names(held, made) == [
        "Observation/a",
        "Observation/of-anna",
        "Observation/of-bo",
        "Observation/of-cia",
        "Observation/p",
    ]


def test_what_was_changed_and_deleted_since_is_told_apart(held: httpx.Client) -> None:
    first = export(held)
    time.sleep(0.002)
    put(held, observation("of-anna", "anna", status="amended"))
    held.delete("/fhir/Observation/of-bo")
    held.delete("/fhir/Organization/unit")
    again = export(held, f"/fhir/$export?_since={first['transactionTime'].replace('+', '%2B')}")

    assert names(held, again) == ["Observation/of-anna"]
    urls = [entry["request"] for one in lines(held, again["deleted"]) for entry in one["entry"]]
    assert sorted(one["url"] for one in urls) == ["Observation/of-bo", "Organization/unit"]
    assert {one["method"] for one in urls} == {"DELETE"}
    assert {one["type"] for one in again["deleted"]} == {"Bundle"}
    of_persons = export(held, f"/fhir/Patient/$export?_since={first['transactionTime'].replace('+', '%2B')}")
    assert [one["entry"][0]["request"]["url"] for one in lines(held, of_persons["deleted"])] == ["Observation/of-bo"]
    # The first one is of its time still.
    assert "Observation/of-bo" in names(held, first)
    (old,) = (one for one in lines(held, first["output"]) if one["id"] == "of-anna")
    assert old["status"] == "final"


def provenance(id: str, recorded: str, *targets: str) -> dict[str, Any]:
    return {
        "resourceType": "Provenance",
        "id": id,
        "target": [{"reference": one} for one in targets],
        "recorded": recorded,
        "agent": [{"who": {"display": "Ward"}}],
    }


@pytest.fixture
def accounted(held: httpx.Client) -> httpx.Client:
    """Provenance of two observations, the newest of one alone; of an organisation; and of a Provenance."""
    both = ("Observation/of-anna", "Observation/of-bo")
    for one in (
        provenance("new", "2026-02-01T08:00:00+01:00", "Observation/of-anna"),
        provenance("old", "2026-01-01T08:00:00+01:00", *both),
        provenance("oldest", "2025-01-01T08:00:00+01:00", *both),
        provenance("unit", "2026-01-01T08:00:00+01:00", "Organization/unit"),
        provenance("of-old", "2026-01-02T08:00:00+01:00", "Provenance/old"),
    ):
        put(held, one)
    return held


ASSOCIATED = {
    # Of each resource the one that was recorded last; one is the latest of the one and not of the other.
    "$export?_type=Observation&includeAssociatedData=LatestProvenanceResources": ["new", "old"],
    "$export?_type=Observation&includeAssociatedData=RelevantProvenanceResources": ["new", "old", "oldest"],
    # Of values in conflict the one that leaves out least.
    "$export?_type=Observation&includeAssociatedData=LatestProvenanceResources,RelevantProvenanceResources": [
        "new",
        "old",
        "oldest",
    ],
    # It is of what is returned: of one observation, of the others none.
    "$export?_type=Observation&_typeFilter=Observation%3F_id%3Dof-bo&includeAssociatedData=LatestProvenanceResources": [
        "old"
    ],
    "$export?_type=Patient&includeAssociatedData=RelevantProvenanceResources": [],
    # No other Provenance is returned, though all types are asked for.
    "$export?includeAssociatedData=LatestProvenanceResources": ["new", "old", "unit"],
    # What is exported as itself comes once.
    "$export?includeAssociatedData=RelevantProvenanceResources": ["new", "of-old", "old", "oldest", "unit"],
    "Patient/$export?_type=Observation&includeAssociatedData=LatestProvenanceResources": ["new", "old"],
    "Group/ward/$export?_type=Observation&includeAssociatedData=RelevantProvenanceResources": ["new", "old", "oldest"],
}


def test_provenance_comes_with_what_it_is_about(accounted: httpx.Client) -> None:
    found = {asked: names(accounted, export(accounted, f"/fhir/{asked}")) for asked in ASSOCIATED}
    assert {
        asked: [one.removeprefix("Provenance/") for one in some if one.startswith("Provenance/")]
        for asked, some in found.items()
    } == ASSOCIATED


def test_provenance_that_the_caller_may_not_read_does_not_come_with_what_he_may(
    accounted: httpx.Client, client_of: Callable[..., httpx.Client], gateway: Gateway
) -> None:
    mine = client_of(REGION)
    gateway.store.write(lambda uow: uow.persons.take_part([(REGION, "anna")]))
    withheld = {"security": [{"system": WITHHELD[0], "code": WITHHELD[1]}]}
    of_anna, of_bo = "Observation/of-anna/_history/1", "Observation/of-bo"
    told = [
        ("anna", provenance("first", "2026-02-02T08:00:00+01:00", of_anna)),
        ("anna", provenance("second", "2026-02-03T08:00:00+01:00", of_anna)),
        ("anna", provenance("withheld", "2026-02-04T08:00:00+01:00", of_anna) | {"meta": withheld}),
        ("bo", provenance("of-bo", "2026-02-05T08:00:00+01:00", of_bo)),
    ]
    saved = [SavedResource(resource_type="Provenance", id=one["id"], resource=one, person=who) for who, one in told]
    gateway.store.write(lambda uow: uow.resources.save(saved))
    asked = "/fhir/Patient/$export?_type=Observation&includeAssociatedData="

    every = names(mine, export(mine, f"{asked}RelevantProvenanceResources"))
    latest = names(mine, export(mine, f"{asked}LatestProvenanceResources"))

    of = ("first", "second", "withheld", "of-bo", "new")
    assert [mine.get(f"/fhir/Provenance/{id}").status_code for id in of] == [200, 200, 404, 404, 404]
    assert [one for one in every if one.startswith("Provenance/")] == ["Provenance/first", "Provenance/second"]
    assert [one for one in latest if one.startswith("Provenance/")] == ["Provenance/second"]


def test_what_is_deleted_is_no_latest_provenance(accounted: httpx.Client) -> None:
    latest = "/fhir/$export?_type=Observation&includeAssociatedData=LatestProvenanceResources"
    accounted.delete("/fhir/Provenance/new")
    found = names(accounted, export(accounted, latest))
    assert [one for one in found if one.startswith("Provenance/")] == ["Provenance/old"]


def test_what_was_changed_until_a_time_is_exported(held: httpx.Client) -> None:
    first = export(held)
    time.sleep(0.002)
    put(held, observation("of-anna", "anna", status="amended"))
    moment = first["transactionTime"].replace("+", "%2B")
    assert names(held, export(held, f"/fhir/$export?_type=Observation&_until={moment}")) == [
        "Observation/of-bo",
        "Observation/of-cia",
    ]
    assert names(held, export(held, f"/fhir/Patient/$export?_type=Observation&_until={moment}")) == [
        "Observation/of-bo",
        "Observation/of-cia",
    ]
    assert names(held, export(held, f"/fhir/$export?_type=Observation&_since={moment}&_until={moment}")) == []


def test_elements_are_left_out_and_files_are_packed(held: httpx.Client) -> None:
    made = export(held, "/fhir/$export?_type=Organization,Patient&_elements=Patient.active")
    patients = [one for one in lines(held, made["output"]) if one["resourceType"] == "Patient"]
    assert all(set(one) == {"resourceType", "id", "meta", "active"} for one in patients)
    assert all(one["meta"]["tag"][0]["code"] == "SUBSETTED" for one in patients)
    with held.stream("GET", made["output"][0]["url"], headers={"accept-encoding": "gzip"}) as answer:
        packed = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == "gzip"
    assert (
        gzip.decompress(packed) == held.get(made["output"][0]["url"], headers={"accept-encoding": "identity"}).content
    )
    assert held.head(made["output"][0]["url"]).status_code == 200
    for refused in ("gzip;q=0", "br, gzip; q=0.0", "identity"):
        plain = held.head(made["output"][0]["url"], headers={"accept-encoding": refused})
        assert "content-encoding" not in plain.headers


@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_a_file_that_ends_too_early_is_not_taken_for_whole(held: httpx.Client, gateway: Gateway, coding: str) -> None:
    file = export(held, "/fhir/$export?_type=Patient")["output"][0]

    def lose(uow: UnitOfWork) -> None:  # As when it is deleted while it is fetched.
        uow._connection.execute(export_item.delete().where(export_item.c.seq == 3))

    gateway.store.write(lose)
    with pytest.raises(httpx.RemoteProtocolError):
        held.get(file["url"], headers={"accept-encoding": coding})


REFUSED = {
    "_type=Cow": "unknown-resource-type",
    "_outputFormat=csv": "format-not-offered",
    "_since=noon": "parameter-malformed",
    "colour=red": "unknown-parameter",
    "includeAssociatedData=Everything": "associated-data-unknown",
    "_until=noon": "parameter-malformed",
    "organizeOutputBy=Patient": "parameter-not-served",
    "_typeFilter=Observation": "parameter-malformed",
    "_typeFilter=Observation%3Fcolour%3Dred": "unknown-search-parameter",
    "_typeFilter=Observation%3F_sort%3Ddate": "filter-not-criteria",
    "_type=Patient&_typeFilter=Observation%3Fstatus%3Dfinal": "filter-without-type",
}


@pytest.mark.parametrize("asked", REFUSED)
def test_what_cannot_be_exported_is_refused_by_rule(shared: httpx.Client, asked: str) -> None:
    assert rule(shared.get(f"/fhir/$export?{asked}", headers=LATER), 400) == REFUSED[asked]


def test_it_is_refused_without_the_preference_and_outside_the_compartment(shared: httpx.Client) -> None:
    assert rule(shared.get("/fhir/$export"), 400) == "respond-async-missing"
    refused = shared.get("/fhir/Patient/$export?_type=Organization", headers=LATER)
    assert rule(refused, 400) == "type-outside-compartment"
    body = {"resourceType": "Parameters", "parameter": [{"name": "colour", "valueString": "red"}]}
    assert rule(shared.post("/fhir/$export", json=body, headers=LATER), 400) == "unknown-parameter"


def test_a_lenient_export_says_what_it_left_out(held: httpx.Client) -> None:
    lenient = {"prefer": "respond-async, handling=lenient"}
    asked = "_type=Organization,Cow&organizeOutputBy=Patient&includeAssociatedData=_ours"
    asked += "&_typeFilter=Patient%3Factive%3Dtrue"
    made = export(held, f"/fhir/$export?{asked}", **lenient)
    assert names(held, made) == ["Organization/unit"]
    (told,) = lines(held, made["error"])
    rules = [issue["details"]["coding"][0]["code"] for issue in told["issue"]]
    assert rules == ["parameter-not-served", "associated-data-unknown", "filter-without-type"]
    body = {"resourceType": "Parameters", "parameter": [{"name": "colour", "valueString": "red"}]}
    posted = manifest(held, held.post("/fhir/$export", json=body, headers=lenient))
    assert posted["error"]


def test_only_who_asked_is_answered_and_only_with_what_he_may_see(
    held: httpx.Client, client_of: Callable[..., httpx.Client]
) -> None:
    mine, others = client_of(REGION), client_of("SE2120001348-T0100")
    accepted = mine.get("/fhir/$export", headers=LATER)
    made = manifest(mine, accepted)
    assert names(mine, made) == ["Organization/unit"], "the directory is open, and nobody's care is this caller's"
    assert rule(mine.get("/fhir/Group/ward/$export", headers=LATER), 404) == "resource-unknown"
    for other in (others, held):
        assert rule(other.get(accepted.headers["content-location"]), 404) == "export-unknown"
        assert rule(other.get(made["output"][0]["url"]), 404) == "export-unknown"
        assert rule(other.delete(accepted.headers["content-location"]), 404) == "export-unknown"


def test_what_the_caller_may_not_see_any_more_is_not_given_to_him(
    held: httpx.Client, client_of: Callable[..., httpx.Client], gateway: Gateway
) -> None:
    mine = client_of(REGION)

    def let_in(uow: UnitOfWork) -> None:
        uow.persons.take_part((REGION, id) for id in ("anna", "bo"))

    gateway.store.write(let_in)
    made = export(mine, "/fhir/Patient/$export?_type=Observation")
    (file,) = made["output"]
    assert {one["id"] for one in lines(mine, [file])} == {"of-anna", "of-bo"}
    # One is withheld from now on, of the other person's care the caller is no part any more.
    withheld = {"system": WITHHELD[0], "code": WITHHELD[1]}
    put(held, observation("of-anna", "anna", meta={"security": [withheld]}))
    left = [json.loads(line)["id"] for line in mine.get(file["url"]).text.splitlines()]
    assert left == ["of-bo"], "though the version that was exported has no label"
    gateway.store.write(lambda uow: uow.persons._connection.execute(takes_part.delete()))
    assert mine.get(file["url"]).text == ""


def test_each_file_is_recorded_for_each_person_who_is_in_it(held: httpx.Client, gateway: Gateway) -> None:
    made = export(held, "/fhir/$export?_type=Observation")
    before = gateway.store.read(lambda uow: len(uow.audit.latest(limit=10_000)))
    lines(held, made["output"])
    rows = gateway.store.read(lambda uow: uow.audit.latest(limit=10_000))
    told = {row.person for row in rows[: len(rows) - before] if row.person}
    assert len(told) == len(PATIENTS)


def test_what_is_deleted_is_gone(held: httpx.Client) -> None:
    accepted = held.get("/fhir/$export", headers=LATER)
    made = manifest(held, accepted)
    where = accepted.headers["content-location"]
    assert held.delete(where).status_code == 202
    assert rule(held.get(where), 404) == rule(held.delete(where), 404) == "export-unknown"
    assert rule(held.get(made["output"][0]["url"]), 404) == "export-unknown"


@dataclass
class Hand:
    """The real clock, set forward by hand."""

    ahead: timedelta = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def slow(database_url: str, hand: Hand) -> Iterator[Gateway]:
    """A gateway whose server settles nothing by itself, with files of two lines that are kept for an hour."""
    wired = wire(Settings(database_url=database_url, worker=False, export_lines=2, export_hours=1), hand)
    yield wired
    wired.close()


def test_files_keep_their_lines_when_the_setting_changes(slow: Gateway, database_url: str) -> None:
    with background(slow) as base, httpx.Client(timeout=60, base_url=base, headers=FHIR) as client:
        for number in range(5):
            put(client, {"resourceType": "Organization", "id": f"o{number}", "name": "O"})
        accepted = client.get("/fhir/$export", headers=LATER)
        (job,) = slow.store.read(lambda uow: uow.jobs.of_kind(EXPORT))
        slow.door.settle_export(job)
        id = accepted.headers["content-location"].rpartition("/")[2]
        held = slow.store.read(lambda uow: uow.exports.get(id))
    assert held is not None and held.files is not None
    other = wire(Settings(database_url=database_url, worker=False, export_lines=3))
    asking = Asking(OPERATOR, "export", "same-request")
    found = other.door.exported(asking, id)
    given = [
        [one.id for batch in other.door.exported_lines(asking, found, file) for one in batch] for file in held.files
    ]
    other.close()
    assert [len(one) for one in given] == [2, 2, 1]
    assert sorted(id for ids in given for id in ids) == [f"o{number}" for number in range(5)]


def test_an_export_that_came_to_nothing_keeps_no_other_waiting(slow: Gateway) -> None:
    with background(slow) as base, httpx.Client(timeout=60, base_url=base, headers=FHIR) as client:
        for _ in range(5):
            assert client.get("/fhir/$export", headers=LATER).status_code == 202
        assert rule(client.get("/fhir/$export", headers=LATER), 429) == "too-many-exports"

        def fail(uow: UnitOfWork) -> None:
            job = uow.jobs.claim("somebody", [EXPORT], lease=timedelta(minutes=1))
            assert job is not None
            uow.jobs.finish(job.number, "somebody", state="failed")

        slow.store.write(fail)
        assert client.get("/fhir/$export", headers=LATER).status_code == 202


def test_files_are_of_limited_size_and_time_and_few_exports_wait(slow: Gateway, hand: Hand) -> None:
    with background(slow) as base, httpx.Client(timeout=60, base_url=base, headers=FHIR) as client:
        for number in range(5):
            put(client, {"resourceType": "Organization", "id": f"o{number}", "name": "O"})
        accepted = client.get("/fhir/$export", headers=LATER)
        waiting = client.get(accepted.headers["content-location"])
        assert (waiting.status_code, waiting.headers["x-progress"]) == (202, "waiting")
        for _ in range(4):
            assert client.get("/fhir/$export", headers=LATER).status_code == 202
        assert rule(client.get("/fhir/$export", headers=LATER), 429) == "too-many-exports"
        # A process that dies has settled nothing of an export; the next one does all of it, and once.
        (job,) = (one for one in slow.store.read(lambda uow: uow.jobs.of_kind(EXPORT)) if one.number == 1)
        slow.door.settle_export(job)
        slow.door.settle_export(job)
        made = manifest(client, accepted)
        assert [one["count"] for one in made["output"]] == [2, 2, 1]
        assert names(client, made) == [f"Organization/o{number}" for number in range(5)]
        hand.ahead = timedelta(minutes=59)
        assert client.get(accepted.headers["content-location"]).status_code == 200
        hand.ahead = timedelta(hours=1)
        assert rule(client.get(accepted.headers["content-location"]), 404) == "export-unknown"
