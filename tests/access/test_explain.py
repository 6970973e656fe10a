"""A statement is explained for ever: by the bytes that were kept and the maps that were archived."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from orjson import OPT_INDENT_2, dumps

from gateway.access.caller import OPERATOR, Asking
from gateway.access.commands import Body
from gateway.access.explain import SourceRecord
from gateway.app import Gateway, wire
from gateway.definitions import shipped
from gateway.errors import NotFound
from gateway.settings import Settings

ASKING = Asking(OPERATOR, "operation", request_id="test")
PERSON = "191212121212"
NOW = datetime.fromisoformat("2026-03-12T14:30:00+01:00")
HEADER = (
    "person_id;person_id_type;municipality_code;unit_hsa_id;provider_hsa_id;record_type;local_id;legal_basis;"
    "service_code;text;scope;start;end;status;responsible_role;updated_at;protected"
)
ROW = (
    f"{PERSON};PNR;1435;SE2120001348-T0100;SE2120001348-T0000;INSATS;I-1;HSL;HSJV;Såromläggning;;"
    "2026-03-01T00:00:00;;PAGAENDE;sjuksköterska;2026-03-10T09:00:00;N"
)
TASK = {
    "resourceType": "Task",
    "id": "t-1",
    "identifier": [{"system": "https://samverka.example/fhir/sid/referral", "value": "R-1"}],
    "status": "accepted",
    "intent": "order",
    "code": {"coding": [{"system": "https://samverka.example/fhir/CodeSystem/task", "code": "referral"}]},
    "description": "Träning",
    "for": {
        "type": "Patient",
        "identifier": {"system": "http://electronichealth.se/identifier/personnummer", "value": PERSON},
    },
    "lastModified": "2026-03-10T09:00:00+01:00",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Mappings that a test may alter: one package and what it imports."""
    whole = shipped.folder("mappings")
    for name in ("common", "municipal-csv"):
        shutil.copytree(whole / name, tmp_path / "mappings" / name)
    return tmp_path / "mappings"


@pytest.fixture
def gateway(sqlite_url: str, folder: Path) -> Iterator[Gateway]:
    wired = wire(Settings(database_url=sqlite_url, mappings=folder, now=NOW))
    wired.ingest.process(tell(wired, ROW))
    yield wired
    wired.close()


def tell(gateway: Gateway, *rows: str) -> str:
    body = "\n".join([HEADER, *rows, ""]).encode("cp1252")
    return gateway.ingest.keep(gateway.sources.get("municipal-csv"), body, "text/csv")


def explained(gateway: Gateway, *, latest: bool = True) -> SourceRecord:
    """The source record of the Task that was told."""
    patient = gateway.door.find_person(ASKING, PERSON)
    assert patient is not None
    said = gateway.store.read(lambda uow: uow.statements.of_person(patient, resource_types=["Task"]))
    return gateway.door.source_record(ASKING, patient, said[-1 if latest else 0].digest)


def test_a_value_has_its_place_its_rule_and_its_row_of_the_code_table(gateway: Gateway) -> None:
    record = explained(gateway)
    assert record.outcome == "same"
    status = next(fact for fact in record.facts if fact.path == "Task.status")
    assert status.value == "in-progress"
    assert str(status.place) == "row 2, column status"
    assert status.map_line.startswith("municipal-csv/MunicipalCsv.fml:")
    assert "status" in status.map_text
    assert status.table.startswith("municipal-task-status: PAGAENDE → in-progress")
    marked = {piece.mark: piece.text for line in record.lines for piece in line.pieces if piece.mark}
    assert marked[status.mark] == "PAGAENDE"
    assert "Såromläggning" in marked.values()


def test_what_the_map_sets_by_itself_has_no_place(gateway: Gateway) -> None:
    intent = next(fact for fact in explained(gateway).facts if fact.path == "Task.intent")
    assert (intent.mark, intent.place) == (0, None)


def test_a_mended_map_does_not_change_how_an_old_statement_came_about(
    gateway: Gateway, folder: Path, sqlite_url: str
) -> None:
    before = explained(gateway)
    path = folder / "municipal-csv" / "MunicipalCsv.fml"
    path.write_text("// Another line.\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    later = wire(Settings(database_url=sqlite_url, mappings=folder, now=NOW))
    try:
        assert later.packages["municipal-csv"].hash != gateway.packages["municipal-csv"].hash
        assert explained(later) == before
    finally:
        later.close()


def test_it_is_said_when_the_record_would_be_read_otherwise_today(gateway: Gateway, sqlite_url: str) -> None:
    source = replace(gateway.sources.get("municipal-csv"), timezone="UTC")
    gateway.door._rooms = replace(gateway.door._rooms, sources={source.id: source})
    record = explained(gateway)
    assert record.outcome == "differs"
    assert any(fact.path == "Task.status" for fact in record.facts)


def test_a_source_that_is_gone_leaves_the_record(gateway: Gateway) -> None:
    gateway.door._rooms = replace(gateway.door._rooms, sources={})
    record = explained(gateway)
    assert record.outcome == "not-replayed"
    assert PERSON in "".join(piece.text for line in record.lines for piece in line.pieces)


def test_what_a_complete_list_no_longer_holds_follows_from_its_absence(gateway: Gateway) -> None:
    other = ROW.replace(PERSON, "195009072553").replace("I-1", "I-2").replace("2026-03-10", "2026-03-11")
    gateway.ingest.process(tell(gateway, other))
    record = explained(gateway)
    assert record.statement.kind == "withdraw"
    assert record.outcome == "absent"
    assert not record.lines
    assert [one.kind for one in record.others] == ["assert"]


def test_what_was_written_as_fhir_is_shown_as_it_was_written(gateway: Gateway) -> None:
    patient = gateway.door.find_person(ASKING, PERSON)
    assert patient is not None
    body = (
        b'{"resourceType": "Task", "status": "requested", "intent": "order", "for": {"reference": "Patient/%s"}}'
        % patient.encode()
    )
    gateway.door.create(ASKING, "Task", Body(body))
    record = explained(gateway)
    assert record.outcome == "not-mapped"
    assert record.lines[0].pieces[0].text == body.decode()
    assert not record.facts


def test_a_record_is_no_way_to_another_person(gateway: Gateway) -> None:
    gateway.ingest.process(tell(gateway, ROW, ROW.replace(PERSON, "195009072553").replace("I-1", "I-2")))
    other = gateway.door.find_person(ASKING, "195009072553")
    assert other is not None
    digest = explained(gateway).statement.digest
    with pytest.raises(NotFound):
        gateway.door.source_record(ASKING, other, digest)


def test_of_what_a_map_copies_whole_each_value_has_its_place(sqlite_url: str) -> None:
    gateway = wire(Settings(database_url=sqlite_url, now=NOW))
    try:
        source = gateway.sources.get("fhir-r4")
        gateway.ingest.process(gateway.ingest.keep(source, dumps(TASK, option=OPT_INDENT_2), "application/fhir+json"))
        record = explained(gateway)
        facts = {fact.path: fact for fact in record.facts}
        marked = {piece.mark: piece.text for line in record.lines for piece in line.pieces if piece.mark}
        assert record.outcome == "same"
        for path, value in (
            ("Task.status", "accepted"),
            ("Task.description", "Träning"),
            ("Task.code.coding[0].code", "referral"),
            ("Task.identifier[0].value", "R-1"),
            ("Task.for.identifier.value", PERSON),
        ):
            assert facts[path].value == marked[facts[path].mark] == value
        assert str(facts["Task.status"].place).endswith("/status")
        assert facts["Task.status"].map_line.startswith("fhir-r4/")
    finally:
        gateway.close()
