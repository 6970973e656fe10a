"""The team that follows from the Tasks: to accept is to come, to have nothing left in hand is to leave."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from gateway.coordination import agreements
from gateway.coordination.agree import agree_all
from gateway.coordination.careteam import members
from gateway.coordination.directory import Directory
from gateway.coordination.picture import picture
from tests.coordination import cases, people

AMBULANCE, NURSE = "SE2321000131-T0200", "SE2120001348-T0100"


def said(clock: str, status: str, owner: str, task: str = "t1") -> dict[str, Any]:
    body = {"resourceType": "Task", "id": task, "status": status, "owner": {"identifier": {"value": owner}}}
    time = f"2026-03-10T{clock}:00+01:00"
    return {"source": "dispatch", "record_key": f"{task}-{clock}", "effective": time, "body": body}


def team(*rows: dict[str, Any]) -> list[tuple[str, str, str]]:
    at = datetime.fromisoformat("2026-03-12T00:00:00+01:00")
    statements = [cases.statement(row) for row in rows]
    seen = picture(
        people.PATIENT,
        agree_all(statements),
        statements,
        Directory(),
        [],
        agreement=agreements.agreement(),
        authority=agreements.authority(),
        at=at,
        known_at=at,
        since=at,
    )
    found = members(seen.tasks, agreements.authority().steps["Task"])
    return [(m.unit.hsa_id[-5:], f"{m.start:%H:%M}", f"{m.end:%H:%M}" if m.end else "") for m in found]


def test_who_was_only_asked_is_no_member() -> None:
    assert team(said("10:00", "requested", NURSE), said("10:05", "received", NURSE)) == []


def test_to_accept_is_to_come_and_to_complete_is_to_leave() -> None:
    assert team(said("10:00", "accepted", NURSE), said("11:00", "completed", NURSE)) == [("T0100", "10:00", "11:00")]


def test_who_is_on_hold_stays() -> None:
    assert team(said("10:00", "in-progress", NURSE), said("10:30", "on-hold", NURSE)) == [("T0100", "10:00", "")]


def test_another_task_in_hand_keeps_the_member_and_a_finished_one_does_not() -> None:
    rows = [said("10:00", "accepted", NURSE), said("11:00", "completed", NURSE)]
    assert team(*rows, said("10:30", "accepted", NURSE, "t2")) == [("T0100", "10:00", "")]
    over = [said("08:00", "accepted", NURSE, "t2"), said("09:00", "completed", NURSE, "t2")]
    assert team(*rows, *over) == [("T0100", "08:00", "09:00"), ("T0100", "10:00", "11:00")]


def test_a_hand_over_ends_one_membership_and_begins_the_other() -> None:
    rows = [said("10:00", "accepted", NURSE), said("10:30", "accepted", AMBULANCE)]
    assert team(*rows) == [("T0100", "10:00", "10:30"), ("T0200", "10:30", "")]
