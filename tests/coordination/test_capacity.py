"""Which unit can take what now: hours in Swedish time, nights and closed days, the order, and whom to call."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from gateway.coordination.capacity import CAPACITY, FREE_PLACES, Hours, rooms
from gateway.coordination.directory import Directory
from gateway.identity.systems import HSA_ID
from tests.coordination import people

ZONE = ZoneInfo("Europe/Stockholm")
OFFICE = {
    "daysOfWeek": ["mon", "tue", "wed", "thu", "fri"],
    "availableStartTime": "08:00:00",
    "availableEndTime": "17:00:00",
}
NIGHTS = {"daysOfWeek": ["fri"], "availableStartTime": "21:00:00", "availableEndTime": "07:00:00"}
ALWAYS = {"daysOfWeek": ["sat", "sun"], "allDay": True}
EVERY_NIGHT = {"availableStartTime": "21:00:00", "availableEndTime": "07:00:00"}
EASTER = {"description": "Påsk", "during": {"start": "2026-04-03", "end": "2026-04-06"}}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


def service(id: str = "s", **more: Any) -> dict[str, Any]:
    return {"resourceType": "HealthcareService", "id": id, "name": id, **more}


@pytest.mark.parametrize(
    ("hours", "when", "is_open", "changes"),
    [
        ([], "2026-03-12T10:00", None, None),
        ([OFFICE], "2026-03-12T10:00", True, "2026-03-12T17:00"),
        ([OFFICE], "2026-03-12T17:00", False, "2026-03-13T08:00"),
        ([OFFICE], "2026-03-13T18:00", False, "2026-03-16T08:00"),
        ([NIGHTS], "2026-03-14T06:59", True, "2026-03-14T07:00"),
        ([NIGHTS], "2026-03-14T07:00", False, "2026-03-20T21:00"),
        ([OFFICE, ALWAYS], "2026-03-15T23:59", True, "2026-03-16T00:00"),
        ([{"allDay": True}], "2026-03-15T03:00", True, None),
        # The night in which the clocks go forward is open from 21 to 7, nine hours.
        (
            [{"availableStartTime": "21:00:00", "availableEndTime": "07:00:00"}],
            "2026-03-29T06:30",
            True,
            "2026-03-29T07:00",
        ),
    ],
)
def test_hours_are_swedish_hours(hours: list[Any], when: str, is_open: bool | None, changes: str | None) -> None:
    found = Hours(service(availableTime=hours), ZONE)
    assert found.open(at(when)) is is_open
    if is_open is not None:
        assert found.changes(at(when)) == (at(changes) if changes else None)


def test_a_day_that_is_not_available_is_closed_whatever_the_weekday() -> None:
    found = Hours(service(availableTime=[OFFICE], notAvailable=[EASTER]), ZONE)
    assert found.open(at("2026-04-03T10:00")) is False
    assert found.changes(at("2026-04-03T10:00")) == at("2026-04-07T08:00")
    assert found.changes(at("2026-04-02T10:00")) == at("2026-04-02T17:00")


def with_places(id: str, state: str, **more: Any) -> dict[str, Any]:
    return service(id, characteristic=[{"coding": [{"system": CAPACITY, "code": state}]}], **more)


def test_those_that_can_take_something_come_first() -> None:
    said = [
        with_places("full", "none"),
        service("silent"),
        with_places("closed", "available", availableTime=[OFFICE]),
        with_places("open", "available"),
        with_places("queue", "waitlist"),
        with_places("assess", "assess"),
        with_places("gone", "available", active=False),
    ]
    found = rooms(said, Directory(), at=at("2026-03-14T10:00"), zone=ZONE)
    assert [one.name for one in found] == ["open", "closed", "assess", "queue", "silent", "full"]


def test_out_of_hours_the_unit_above_is_called_too() -> None:
    ward = {"type": "Organization", "identifier": {"system": HSA_ID, "value": "SE2321000131-T0110"}}
    parts = [
        {"url": "free", "valueInteger": 2},
        {"url": "total", "valueInteger": 24},
        {"url": "at", "valueDateTime": "2026-03-12T10:00:00+01:00"},
    ]
    own = {"system": "phone", "value": "031-390 06 99"}
    said = service(
        "Vårdplatser MÄVA",
        providedBy=ward,
        telecom=[own],
        availableTime=[OFFICE],
        extension=[{"url": FREE_PLACES, "extension": parts}],
    )
    directory = Directory(people.organisations())
    (by_day,) = rooms([said], directory, at=at("2026-03-12T10:00"), zone=ZONE)
    (by_night,) = rooms([said], directory, at=at("2026-03-12T22:00"), zone=ZONE)
    assert (by_day.free, by_day.total, by_day.as_of) == (2, 24, at("2026-03-12T10:00"))
    assert [call.phone for call in by_day.calls] == ["031-390 06 99", "031-390 06 01"]
    assert [call.phone for call in by_night.calls] == ["031-390 06 99", "031-390 06 01", "031-390 06 00"]
    assert by_night.calls[-1].name == "Västra Götalandsregionen"


@pytest.mark.parametrize(
    "odd",
    [
        {"availableTime": [{"availableStartTime": "08:00:60", "availableEndTime": "17:00:00"}]},
        {"availableTime": [{"availableStartTime": "08:00:00"}]},
        {"availableTime": [{"availableStartTime": "08:00:00.5", "availableEndTime": "08:00:00.5"}]},
        {"availableTime": [OFFICE], "notAvailable": [{"during": {"start": "9999-12-31"}}]},
        {"availableTime": [OFFICE], "notAvailable": [{"during": {"end": "0001-01-01"}}]},
        {"availableTime": [OFFICE], "notAvailable": [{"description": "sometimes"}]},
        {"extension": [{"url": FREE_PLACES, "extension": [{"url": "free", "valueString": "two"}]}]},
        {"extension": [{"url": FREE_PLACES, "valueInteger": 3}], "characteristic": [{"text": "full"}]},
        {"providedBy": {"display": "somebody"}},
    ],
)
def test_what_is_oddly_written_makes_no_answer_fail(odd: dict[str, Any]) -> None:
    (found,) = rooms([service(**odd)], Directory(), at=at("2026-03-12T10:00"), zone=ZONE)
    assert found.free is None
    if "availableTime" in odd:
        assert found.open is True
