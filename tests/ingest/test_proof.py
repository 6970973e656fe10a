"""What is stored proves itself: rebuild finds what was tampered with, the audit chains verify, changes have no gap."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import create_engine, text

from tests.ingest.inlet import Inlet
from tests.ingest.samples import TOLVAN, alarm, dispatch, municipal, visit


@pytest.fixture
def filled(inlet: Inlet) -> Inlet:
    inlet.send("municipal-csv", municipal(*(visit(f"B-{n}") for n in range(5))))
    inlet.send("dispatch-json", dispatch(alarm("1"), alarm("2", person={"id": "1234", "idType": "personnummer"})))
    return inlet


def tamper(url: str, sql: str, **values: Any) -> int:
    engine = create_engine(url)
    with engine.begin() as connection:
        changed = connection.execute(text(sql), values).rowcount
    engine.dispose()
    return changed


def test_rebuild_agrees_with_what_ingest_has_stored(filled: Inlet) -> None:
    rebuilt = filled.rebuilt()

    assert rebuilt.different == []
    assert rebuilt.resources == rebuilt.equal == 9
    assert rebuilt.statements == filled.read(lambda uow: uow.statements.count())


TAMPERED = {
    "a value": "UPDATE resource SET body = CAST(replace(CAST(body AS TEXT), 'accepted', 'rejected') AS BLOB)"
    " WHERE id = :id",
    "who contributed": "UPDATE resource SET contributors = '[\"dispatch-json\"]' WHERE id = :id",
    "whom it is about": "UPDATE resource SET person = 'somebody-else' WHERE id = :id",
    "a row that is gone": "DELETE FROM resource WHERE id = :id",
    "a row that is marked deleted": "UPDATE resource SET deleted = true WHERE id = :id",
}
"""In SQLite's words; PostgreSQL's are made of them."""


@pytest.mark.parametrize("how", TAMPERED)
def test_rebuild_finds_what_was_tampered_with(filled: Inlet, database_url: str, how: str) -> None:
    victim = filled.resources("Task")[2]["id"]
    sql = TAMPERED[how]
    if database_url.startswith("postgresql"):
        sql = sql.replace("CAST(body AS TEXT)", "convert_from(body, 'UTF8')").replace("AS BLOB", "AS bytea")
        sql = sql.replace("CAST(replace(", "convert_to(replace(").replace("AS bytea)", ", 'UTF8')")
    assert tamper(database_url, sql, id=victim) == 1

    assert filled.rebuilt().different == [f"Task/{victim}"]


def test_rebuild_finds_what_nobody_has_stated(filled: Inlet, database_url: str) -> None:
    """The statements of a resource are gone: what is stored under its id is not their fold any more."""
    victim = filled.resources("Task")[2]["id"]
    assert tamper(database_url, "DELETE FROM statement WHERE resource_id = :id", id=victim) == 1

    assert filled.rebuilt().different == [f"Task/{victim}"]


AGREED_OTHERWISE = {
    "a value": "UPDATE resource SET body = {other}, digest = {none} WHERE id = :id",
    "who contributed": TAMPERED["who contributed"],
    "whom it is about": TAMPERED["whom it is about"],
}
"""What another version of the gateway may have stored."""


def agree_otherwise(url: str, how: str, id: str) -> None:
    empty = {"other": "CAST('{}' AS BLOB)", "none": "CAST('' AS BLOB)"}
    if url.startswith("postgresql"):
        empty = {"other": "convert_to('{}', 'UTF8')", "none": "convert_to('', 'UTF8')"}
    assert tamper(url, AGREED_OTHERWISE[how].format(**empty), id=id) == 1


@pytest.mark.parametrize("how", AGREED_OTHERWISE)
def test_what_was_agreed_by_other_rules_is_stored_anew_where_asked(filled: Inlet, database_url: str, how: str) -> None:
    task = filled.resources("Task")[2]
    agree_otherwise(database_url, how, task["id"])
    before = len(filled.read(lambda uow: uow.audit.latest(limit=100)))

    told = filled.rebuilt_and_stored()

    assert (told.different, told.stored, told.left) == ([f"Task/{task['id']}"], 1, [])
    assert filled.rebuilt().different == []
    now = next(one for one in filled.resources("Task") if one["id"] == task["id"])
    assert {**now, "meta": None} == {**task, "meta": None}
    events = filled.read(lambda uow: uow.audit.latest(limit=100))
    assert len(events) == before + 1
    assert events[0].event["subtype"][0]["code"] == "rebuild"
    assert f"Task/{task['id']}" in str(events[0].event["entity"])


def test_another_value_stored_anew_is_a_version_of_its_own(filled: Inlet, database_url: str) -> None:
    task = filled.resources("Task")[2]
    agree_otherwise(database_url, "a value", task["id"])
    filled.rebuilt_and_stored()

    now = next(one for one in filled.resources("Task") if one["id"] == task["id"])
    assert now["meta"]["versionId"] != task["meta"]["versionId"]
    filled.store.number_changes()
    assert [one.version for one in filled.read(lambda uow: uow.changes.after(0)) if one.id == task["id"]] == [
        task["meta"]["versionId"],
        now["meta"]["versionId"],
    ]


def test_what_nobody_states_is_left_and_said(filled: Inlet, database_url: str) -> None:
    victim = filled.resources("Task")[2]["id"]
    tamper(database_url, "DELETE FROM statement WHERE resource_id = :id", id=victim)

    told = filled.rebuilt_and_stored()

    assert (told.stored, told.left) == (0, [f"Task/{victim}"])
    assert victim in {task["id"] for task in filled.resources("Task")}


def test_a_row_that_is_gone_is_left_and_said_and_keeps_no_other_from_being_stored(
    filled: Inlet, database_url: str
) -> None:
    tasks = filled.resources("Task")
    tamper(database_url, TAMPERED["a row that is gone"], id=tasks[2]["id"])
    agree_otherwise(database_url, "a value", tasks[1]["id"])

    told = filled.rebuilt_and_stored()

    assert (told.stored, told.left) == (1, [f"Task/{tasks[2]['id']}"])


def test_storing_anew_goes_on_where_it_was_interrupted(
    filled: Inlet, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = filled.resources("Task")
    for task in tasks:
        agree_otherwise(database_url, "a value", task["id"])
    monkeypatch.setattr("gateway.ingest.rebuild.SLICE", 2)

    def interrupted(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        filled.rebuilt_and_stored(interrupted)
    assert len(filled.rebuilt().different) == len(tasks) - 2
    told = filled.rebuilt_and_stored()
    assert (told.stored, told.left) == (len(tasks) - 2, [])
    assert filled.rebuilt().different == []


def test_ingest_says_in_the_audit_trail_who_stated_what_about_whom(filled: Inlet) -> None:
    rows = filled.read(lambda uow: uow.audit.latest(limit=100))
    patient = filled.resources("Patient")[0]["id"]
    about = [row for row in rows if row.person == patient]

    assert {row.event["agent"][0]["who"]["identifier"]["value"] for row in about} == {
        "SE2120001348-T9001",
        "SE2321000131-T9004",
    }
    told = {entity["what"].get("reference") for row in about for entity in row.event["entity"]}
    assert {f"Task/{task['id']}" for task in filled.resources("Task")} <= told
    assert TOLVAN not in str([row.event for row in rows])
    assert filled.read(lambda uow: uow.audit.verify()) == []


def test_an_altered_audit_row_is_found(filled: Inlet, database_url: str) -> None:
    filled.store.write(lambda uow: uow.audit.seal())
    assert tamper(database_url, "UPDATE audit SET person = 'somebody-else' WHERE number = 2") >= 1

    assert [found.what for found in filled.read(lambda uow: uow.audit.verify())] == [
        "the row or one before it was changed"
    ]


def test_changes_are_numbered_without_a_gap(filled: Inlet) -> None:
    filled.store.number_changes()
    changes = filled.read(lambda uow: uow.changes.after(0))

    assert [change.seq for change in changes] == list(range(1, len(changes) + 1))
    assert len({(change.resource_type, change.id, change.version) for change in changes}) == len(changes)
    assert {change.id for change in changes} == {one.id for one in filled.read(lambda uow: list(uow.resources.all()))}
