"""Months of measures: counted when the month turns, stored in one organisation's name, and read by every party."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.app import Gateway, background, wire
from gateway.definitions import CANONICAL
from gateway.identity.systems import HSA_ID
from gateway.ingest.rebuild import rebuild
from gateway.jobs.months import MONTHS, Counting
from gateway.jobs.runner import Runner
from gateway.settings import Settings
from gateway.store import UnitOfWork
from tests.conftest import emptied
from tests.coordination.measuring import at, in_short, task
from tests.rest.conftest import as_organisation

REGION, CALLERS, NURSES = "SE2321000131-T0001", "SE2321000131-T0300", "SE2120001348-T0100"
STRANGER = "SE2321000081-T0900"
MEASURE = f"{CANONICAL}/Measure/time-to-accept"
URL = f"{MEASURE}|1.0.0"


@dataclass
class Here:
    """A gateway whose clock is set, and what is asked of it."""

    gateway: Gateway
    client: httpx.Client
    clock: list[datetime]

    def missions(self, month: str, *numbers: int) -> None:
        """Asked for on a day of the month at ten, each for another person, and accepted after five minutes."""
        entries = []
        for number in numbers:
            day = f"{month}-{1 + number % 28:02}T10"
            row: dict[str, Any] = {"id": f"{month}-{number}", "mission": "1177-uppdrag", "from": CALLERS}
            row["steps"] = [[f"{day}:00", "requested", NURSES], [f"{day}:05", "accepted"]]
            person = {"resourceType": "Patient", "id": f"p{number}-{month}"}
            mission = task(row) | {"for": {"reference": f"Patient/{person['id']}"}}
            entries += [put(person), put(mission)]
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
        answer = self.client.post("/fhir", content=json.dumps(bundle))
        assert answer.is_success, answer.text

    def turn(self, moment: str) -> None:
        """It is that time, and the job has done what there was to do."""
        self.clock[0] = at(moment)
        runner = self.gateway.months(REGION)
        while runner.run_due():
            pass

    def stored(self, hsa_id: str = "", **params: str) -> list[dict[str, Any]]:
        headers = as_organisation(self.gateway, hsa_id) if hsa_id else None
        answer = self.client.get("/fhir/MeasureReport", params=params | {"_sort": "period"}, headers=headers)
        assert answer.status_code == 200, answer.text
        return [one["resource"] for one in answer.json().get("entry", ())]

    def accepted(self, month: str) -> dict[str, Any]:
        """What is stored of the time until the missions of a month were accepted."""
        (found,) = self.stored(measure=MEASURE, period=month)
        return found


def put(resource: dict[str, Any]) -> dict[str, Any]:
    return {"resource": resource, "request": {"method": "PUT", "url": f"{resource['resourceType']}/{resource['id']}"}}


def runner(gateway: Gateway) -> Runner:
    """Another process, which takes over at once."""
    counting = Counting(gateway.door, REGION)
    return Runner(gateway.store, {}, standing={MONTHS: counting}, lease=timedelta(), clock=gateway.clock)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def here(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Here]:
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "months.db")
        url = f"sqlite:///{tmp_path / 'months.db'}"
    else:
        url = emptied(request.getfixturevalue("postgres_database"))
    clock = [at("2026-02-10T12:00")]
    gateway = wire(Settings(database_url=url, worker=False), lambda: clock[0])
    headers = {"content-type": "application/fhir+json"}
    with background(gateway) as base, httpx.Client(base_url=base, headers=headers, timeout=60) as client:
        yield Here(gateway, client, clock)
    gateway.close()


def test_a_month_is_stored_when_it_turns_and_every_party_may_read_it(here: Here) -> None:
    here.missions("2026-01", *range(13))
    unit = {"resourceType": "Organization", "id": "region", "identifier": [{"system": HSA_ID, "value": REGION}]}
    assert here.client.put("/fhir/Organization/region", content=json.dumps(unit)).is_success
    here.turn("2026-02-10T12:00")
    made = here.accepted("2026-01")
    assert (made["type"], made["measure"], made["status"]) == ("summary", URL, "complete")
    assert made["period"] == {"start": "2026-01-01", "end": "2026-01-31"}
    assert made["reporter"] == {
        "type": "Organization",
        "identifier": {"system": HSA_ID, "value": REGION},
        "reference": "Organization/region",
    }
    assert in_short(made)["median"]["party"] == {NURSES: {"measure-population": 13, "score": 5}}
    asked = {"periodStart": "2026-01", "periodEnd": "2026-01"}
    live = here.client.get("/fhir/Measure/time-to-accept/$evaluate-measure", params=asked).json()
    assert made["group"] == live["group"]
    outcome = here.client.post("/fhir/MeasureReport/$validate", content=json.dumps(made)).json()
    assert [one for one in outcome["issue"] if one["severity"] in ("fatal", "error")] == []
    for params in (
        {"measure": MEASURE},
        {"measure": URL, "period": "2026-01"},
        {"measure": MEASURE, "date": "2026-02-10"},
        {"measure": MEASURE, "reporter": "Organization/region"},
        {"measure": MEASURE, "reporter:identifier": f"{HSA_ID}|{REGION}"},
    ):
        assert here.stored(STRANGER, **params) == [made], params
    assert here.stored(STRANGER, measure=MEASURE, period="2025-12") == []
    stranger = as_organisation(here.gateway, STRANGER)
    one = f"/fhir/MeasureReport/{made['id']}"
    assert here.client.get(one, headers=stranger).json() == made
    assert here.client.get(f"{one}/_history", headers=stranger).json()["total"] == 1
    assert here.client.get("/fhir/MeasureReport/_history", headers=stranger).json()["total"] == len(here.stored())
    assert here.client.put(one, content=json.dumps(made), headers=stranger).status_code == 403
    assert here.client.get("/fhir/Task/2026-01-1", headers=stranger).status_code == 404


def test_nothing_is_stored_anew_until_something_is_told_otherwise(here: Here) -> None:
    here.missions("2026-01", *range(7))
    here.turn("2026-02-01T00:00")
    first = here.accepted("2026-01")
    here.turn("2026-02-20T00:00")
    here.turn("2026-03-01T00:00")
    assert here.accepted("2026-01") == first
    assert {one["period"]["start"] for one in here.stored()} == {"2026-01-01"}


def test_the_month_turns_at_swedish_midnight(here: Here) -> None:
    here.turn("2026-02-10T12:00")
    here.missions("2026-02", *range(7))
    here.turn("2026-02-28T23:59")
    assert here.stored() == []
    here.turn("2026-03-01T00:00")
    assert in_short(here.accepted("2026-02"))["median"]["measure-population"] == 7


def test_one_that_is_told_late_waits_for_four_more(here: Here) -> None:
    here.missions("2026-01", *range(7))
    here.turn("2026-02-01T00:00")
    first = here.accepted("2026-01")
    here.missions("2026-01", 7)
    here.turn("2026-03-01T00:00")
    assert here.accepted("2026-01") == first
    here.missions("2026-01", *range(8, 12))
    here.turn("2026-04-01T00:00")
    second = here.accepted("2026-01")
    assert second["id"] == first["id"]
    assert second["meta"]["versionId"] != first["meta"]["versionId"]
    assert (first["date"][:10], second["date"][:10]) == ("2026-02-01", "2026-04-01")
    assert in_short(second)["median"]["measure-population"] == 12
    assert here.client.get(f"/fhir/MeasureReport/{first['id']}/_history").json()["total"] == 2
    assert rebuild(here.gateway.store, here.gateway.ingest.recorder, lambda done, total: None).different == []


def test_a_step_that_is_broken_off_leaves_nothing_and_the_next_goes_on(here: Here) -> None:
    here.missions("2026-01", *range(7))
    here.clock[0] = at("2026-02-01T00:00")
    here.gateway.months(REGION)
    keep = here.gateway.door.keep_month

    def fails(uow: UnitOfWork, counted: Any) -> None:
        keep(uow, counted)
        raise InterruptedError

    door: Any = here.gateway.door
    door.keep_month = fails
    with pytest.raises(InterruptedError):
        runner(here.gateway).run_due()
    assert here.stored() == []
    door.keep_month = keep
    while runner(here.gateway).run_due():
        pass
    assert in_short(here.accepted("2026-01"))["median"]["measure-population"] == 7


def test_what_others_store_of_nobody_is_no_month(here: Here) -> None:
    here.missions("2026-01", *range(7))
    here.turn("2026-02-01T00:00")
    made = here.accepted("2026-01")
    other = {name: value for name, value in made.items() if name not in ("id", "meta")}
    answer = here.client.post("/fhir/MeasureReport", content=json.dumps(other))
    assert answer.status_code == 201
    stranger = as_organisation(here.gateway, STRANGER)
    assert here.client.get(answer.headers["location"], headers=stranger).status_code == 404
    assert here.stored(STRANGER, measure=MEASURE) == [made]
    # The operator has the word on what he writes himself: it is his, and no longer counted for all.
    one = f"/fhir/MeasureReport/{made['id']}"
    assert here.client.put(one, content=json.dumps(made | {"status": "error"})).is_success
    assert here.client.get(one, headers=stranger).status_code == 404
    here.missions("2026-01", *range(7, 20))
    here.turn("2026-03-01T00:00")
    assert here.client.get(one).json()["status"] == "error"
