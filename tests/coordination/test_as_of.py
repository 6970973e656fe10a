"""Two axes of time: what held then, and what was known of it by then."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from gateway.coordination.as_of import as_of
from gateway.coordination.statements import Origin, make
from gateway.records import Statement


def time(clock: str) -> datetime:
    return datetime.fromisoformat(f"2026-03-10T{clock}:00+01:00")


def said(effective: str, recorded: str, **elements: Any) -> Statement:
    body = {"id": "x", **elements}
    return make(
        body=body,
        origin=Origin("ward"),
        record_key="k",
        person=None,
        effective=time(effective),
        recorded=time(recorded),
    )


def status(statements: list[Statement], at: str, known_at: str = "23:00") -> str | None:
    found = as_of(statements, at=time(at), known_at=time(known_at))
    return found[0].resource["status"] if found else None


def visit(effective: str, status: str, start: str, end: str | None = None, recorded: str = "20:00") -> Statement:
    period = {"start": time(start).isoformat()} | ({"end": time(end).isoformat()} if end else {})
    return said(effective, recorded, resourceType="Encounter", status=status, period=period)


def task(effective: str, status: str, **more: Any) -> Statement:
    asked = time("08:00").isoformat()
    return said(effective, "20:00", resourceType="Task", status=status, authoredOn=asked, **more)


def test_a_stay_was_under_way_when_it_says_so_however_late_it_was_told() -> None:
    late = [visit("15:00", "finished", "10:00", "14:00")]
    assert [status(late, at) for at in ("09:00", "11:00", "14:30", "16:00")] == [
        None,
        "in-progress",
        "finished",
        "finished",
    ]


def test_a_stay_that_goes_on_hides_the_end_that_nobody_knew() -> None:
    (found,) = as_of([visit("15:00", "finished", "10:00", "14:00")], at=time("11:00"), known_at=time("21:00"))
    assert "end" not in found.resource["period"]


def test_what_was_planned_then_was_planned_then() -> None:
    both = [visit("08:00", "planned", "10:00"), visit("12:00", "cancelled", "10:00")]
    assert [status(both, at) for at in ("09:00", "11:00", "12:00")] == ["planned", "planned", "cancelled"]


def test_what_was_never_so_was_not_so_then() -> None:
    both = [visit("08:00", "planned", "10:00"), visit("12:00", "entered-in-error", "10:00")]
    assert status(both, "11:00") == "entered-in-error"


def test_what_was_not_recorded_by_then_was_not_known() -> None:
    told = [visit("10:00", "in-progress", "10:00", recorded="12:00")]
    assert (status(told, "11:00", "11:30"), status(told, "11:00", "12:00")) == (None, "in-progress")


def test_a_task_had_been_asked_for_before_it_was_told() -> None:
    late = [task("12:00", "completed", executionPeriod={"start": time("10:00").isoformat()}, output=[{}])]
    assert [status(late, at) for at in ("07:00", "09:00", "11:00", "13:00")] == [
        None,
        "requested",
        "in-progress",
        "completed",
    ]
    (found,) = as_of(late, at=time("09:00"), known_at=time("21:00"))
    assert "output" not in found.resource


def test_a_task_goes_step_by_step() -> None:
    life = [task("09:00", "accepted"), task("10:00", "in-progress"), task("11:00", "completed")]
    assert [status(life, at) for at in ("09:30", "10:30", "11:30")] == ["accepted", "in-progress", "completed"]
