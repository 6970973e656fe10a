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
