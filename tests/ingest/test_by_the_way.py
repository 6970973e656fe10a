"""What a record about something else says of a unit: one statement a day and wording, and explained like any other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from gateway.access.caller import OPERATOR, Asking
from gateway.app import Gateway, wire
from gateway.records import Statement
from gateway.settings import Settings

CONTACT = Path(__file__).parents[2] / "mappings/rivta-logistics/cases/mava-admission/source.xml"
ASKING = Asking(OPERATOR, "operation")


@pytest.fixture
def gateway(sqlite_url: str) -> Iterator[Gateway]:
    wired = wire(Settings(database_url=sqlite_url))
    kept = wired.ingest.keep(wired.sources.get("rivta-logistics"), CONTACT.read_bytes(), "text/xml")
    wired.ingest.process(kept)
    yield wired
    wired.close()


def of_units(gateway: Gateway) -> list[Statement]:
    said = gateway.store.read(lambda uow: list(uow.statements.all()))
    return [one for one in said if one.resource_type == "Organization" and one.record_key.startswith("about|")]


def test_what_a_contact_says_of_its_unit_holds_from_the_swedish_day_on(gateway: Gateway) -> None:
    said = of_units(gateway)
    assert said
    for one in said:
        local = one.effective.astimezone(ZoneInfo("Europe/Stockholm"))
        assert (local.hour, local.minute, local.second) == (0, 0, 0)


def test_what_a_contact_says_of_its_unit_is_explained_by_its_record(gateway: Gateway) -> None:
    (patient,) = gateway.door.persons(ASKING)
    outcomes = {gateway.door.source_record(ASKING, patient.id, one.digest).outcome for one in of_units(gateway)}
    assert outcomes == {"same"}
