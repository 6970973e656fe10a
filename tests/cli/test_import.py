"""`samverka import`: every line of the files is written once under its own id, or told with where it stands and why."""

from __future__ import annotations

import gzip
import json
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from gateway.access.caller import OPERATOR, Asking
from gateway.access.importing import Input
from gateway.app import Gateway, wire
from gateway.settings import Settings
from gateway.store import LeaseLost
from tests.cli.conftest import Run

ASKING = Asking(OPERATOR, "import", request_id="test")
SUBSETTED = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"
URN = "urn:uuid:0d6e8b52-6d24-4c1e-8c5c-3f1f4a3b1c11"


def patient(id: str | None, **more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", **({} if id is None else {"id": id}), **more}


def observation(id: str, subject: str) -> dict[str, Any]:
    said = {"status": "final", "code": {"text": "weight"}, "subject": {"reference": subject}}
    return {"resourceType": "Observation", "id": id, **said}


def lines(*resources: Any) -> bytes:
    return b"".join((one if isinstance(one, bytes) else json.dumps(one).encode()) + b"\n" for one in resources)


def bundle(kind: str, *entries: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": kind, "entry": [*entries], **more}


def entry(resource: dict[str, Any], method: str | None = None, url: str = "", **more: Any) -> dict[str, Any]:
    return {"resource": resource, **({"request": {"method": method, "url": url}} if method else {}), **more}


@pytest.fixture
def wired(database_url: str) -> Iterator[Gateway]:
    gateway = wire(Settings(database_url=database_url, worker=False))
    yield gateway
    gateway.close()


def stored(gateway: Gateway) -> dict[str, int]:
    """How many versions there are of each resource, by type and id."""
    found = gateway.store.read(lambda uow: uow.resources.history(limit=10_000))
    versions: dict[str, int] = {}
    for one in found:
        key = f"{one.resource_type}/{one.id}"
        versions[key] = versions.get(key, 0) + 1
    return versions


def read(gateway: Gateway, kind: str, id: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(gateway.door.read(ASKING, kind, id).body)
    return found


def refused(told: Any) -> list[tuple[str, int | None, str]]:
    return [(one["file"], one["line"], one["rule"]) for one in told["refused"]]


def test_the_lines_of_files_are_written_under_their_own_ids(samverka: Run, tmp_path: Path) -> None:
    folder = tmp_path / "out" / "deep"
    folder.mkdir(parents=True)
    (folder / "Patient.ndjson").write_bytes(lines(patient("anna", active=True), patient("bo")))
    (folder / "Observation.ndjson.gz").write_bytes(gzip.compress(lines(observation("o", "Patient/anna"))))
    (folder / "readme.txt").write_text("of no kind that is read")

    told = samverka("import", "out", "--json")
    assert told.code == 0
    assert [(Path(one["file"]).name, one["lines"], one["imported"]) for one in told.json["files"]] == [
        ("Observation.ndjson.gz", 1, 1),
        ("Patient.ndjson", 2, 2),
    ]
    with_id = wire(Settings())
    try:
        assert stored(with_id) == {"Patient/anna": 1, "Patient/bo": 1, "Observation/o": 1}
        assert read(with_id, "Patient", "anna")["active"] is True
    finally:
        with_id.close()


def test_what_cannot_be_used_is_told_by_file_line_and_rule_and_kept(samverka: Run, tmp_path: Path) -> None:
    wrong = lines(
        patient("a"),
        b'{"resourceType":',
        b"",
        patient("b", gender="m"),
        patient(None),
        patient("no spaces"),
        {"resourceType": "Animal", "id": "x"},
        patient("c", meta={"tag": [{"system": SUBSETTED, "code": "SUBSETTED"}]}),
        json.dumps(observation("d", "Patient?identifier=1")).replace("?", "\\u003f").encode(),
        patient("e"),
    )
    (tmp_path / "all.ndjson").write_bytes(wrong)
    told = samverka("import", "all.ndjson", "--json", "--all-issues")

    assert told.code == 3
    assert refused(told.json) == [
        ("all.ndjson", 2, "json-syntax"),
        ("all.ndjson", 4, "required-binding"),
        ("all.ndjson", 5, "id-missing"),
        ("all.ndjson", 6, "id-malformed"),
        ("all.ndjson", 7, "unknown-resource-type"),
        ("all.ndjson", 8, "subsetted"),
        ("all.ndjson", 9, "conditional-reference"),
    ]
    (counts,) = told.json["files"]
    assert (counts["lines"], counts["imported"], counts["refused"]) == (10, 2, 7)
    syntax = told.json["refused"][0]
    assert syntax["where"].startswith("line 2, column") and "line 2" in syntax["text"], "of the file, not of the line"
    assert "Patient.gender" in samverka("import", "all.ndjson").out, "told again, for people"
    (kept,) = samverka("inbox", "list", "--state", "held", "--json").json
    assert kept["held"] == 7
    shown = samverka("inbox", "show", kept["id"], "--json").json["items"]
    assert wrong[shown[0]["start"] : shown[0]["end"]] == b'{"resourceType":'
    again = samverka("inbox", "replay", kept["id"])
    assert (again.code, "import what is wanted" in again.err) == (1, True), "no map reads it"
    assert samverka("inbox", "replay").code == 0, "and so it is none of those that are tried again"


def test_what_was_imported_is_imported_again_only_where_that_is_asked_for(samverka: Run, tmp_path: Path) -> None:
    file = tmp_path / "a.ndjson"
    file.write_bytes(lines(patient("a", active=True)))
    first = samverka("import", file, "--json").json["import"]
    assert samverka("import", file, "--json").json["import"] == first
    assert "imported already" in samverka("import", file).err
    assert samverka("import", file, "--json", "--again").json["import"] != first
    file.write_bytes(lines(patient("a", active=False)))
    assert samverka("import", file, "--json").json["import"] != first, "other bytes, another import"


def test_nothing_to_import_is_wrong_usage(samverka: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert samverka("import", "empty").code == 2


def test_a_file_that_breaks_off_counts_as_far_as_it_can_be_read(samverka: Run, tmp_path: Path) -> None:
    packed = gzip.compress(lines(*(patient(f"p{n}") for n in range(1200))), 0)
    (tmp_path / "broken.ndjson.gz").write_bytes(packed[: len(packed) * 3 // 4])
    told = samverka("import", "broken.ndjson.gz", "--json")
    (file,) = told.json["files"]
    assert told.code == 3
    assert [one["rule"] for one in file["issues"]] == ["gzip-broken"]
    assert file["imported"] == 500, "whole parts"


# --- Bundles


@pytest.mark.parametrize("name", ["document.json", "lines.ndjson"])
@pytest.mark.parametrize("kind", ["collection", "searchset"])
def test_the_resources_of_a_bundle_are_written_and_its_links_lead_to_them(
    samverka: Run, tmp_path: Path, kind: str, name: str
) -> None:
    mode = {"search": {"mode": "match"}} if kind == "searchset" else {}
    outcome = {"resource": {"resourceType": "OperationOutcome"}, "search": {"mode": "outcome"}}
    made = bundle(
        kind,
        entry(patient(None), fullUrl=URN, **mode),
        entry(patient("b"), fullUrl="https://ehr.example/fhir/Patient/b", **mode),
        entry(observation("1", URN), **mode),
        entry(observation("2", "https://ehr.example/fhir/Patient/b"), **mode),
        entry(observation("3", "https://else.example/fhir/Patient/b"), **mode),
        *([outcome] if kind == "searchset" else []),
    )
    (tmp_path / name).write_bytes(lines(made))
    assert samverka("import", name).code == 0
    gateway = wire(Settings())
    try:
        id = URN.removeprefix("urn:uuid:")
        subjects = [read(gateway, "Observation", n)["subject"]["reference"] for n in "123"]
        assert subjects == [f"Patient/{id}", "Patient/b", "https://else.example/fhir/Patient/b"]
        assert read(gateway, "Patient", id)["id"] == id
    finally:
        gateway.close()


ODD: tuple[Any, ...] = (
    [],
    {},
    {"resourceType": ["Patient"]},
    {"resourceType": "Bundle", "type": ["batch"]},
    {"resourceType": "Bundle", "type": "collection", "entry": 7},
    {"resourceType": "Bundle", "type": "collection", "entry": [7, {"resource": 7}, {"resource": {"resourceType": 7}}]},
    {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": {"resourceType": "Patient", "id": 7}}]},
    {"resourceType": "Bundle", "type": "searchset", "entry": [{"search": [], "resource": {"resourceType": "Patient"}}]},
    {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"fullUrl": 7, "resource": {"resourceType": "Patient"}}],
    },
    {"resourceType": "Bundle", "type": "batch", "entry": [7, {"request": {"method": "PUT", "url": "Patient/a/b"}}]},
    {"resourceType": "Bundle", "type": "batch", "entry": [{"request": {"method": "PUT", "url": 7}}]},
    {"resourceType": "Bundle", "type": "batch", "entry": [{"request": {"method": "DELETE", "url": "Patient?_id=%ff"}}]},
    {"resourceType": "Bundle", "type": "transaction", "entry": [{"request": {"method": "PUT", "url": "Patient/"}}]},
    {"resourceType": "Bundle", "type": "transaction", "entry": {"request": 7}},
    {"resourceType": "Patient", "id": "a", "meta": 7},
    {"resourceType": "Patient", "id": "a", "meta": {"tag": 7}},
    {"resourceType": "Patient", "id": ["a"]},
)


def test_whatever_stands_there_is_told_and_breaks_nothing(samverka: Run, tmp_path: Path) -> None:
    (tmp_path / "odd.ndjson").write_bytes(lines(*ODD))
    for number, one in enumerate(ODD):
        (tmp_path / f"odd-{number}.json").write_text(json.dumps(one))
    told = samverka("import", tmp_path, "--json", "--all-issues")
    assert told.code == 3
    refusals = refused(told.json)
    assert {line for file, line, _ in refusals if file.endswith(".ndjson")} == {*range(1, len(ODD) + 1)}
    assert {Path(file).name for file, line, _ in refusals if line is None} == {f"odd-{n}.json" for n in range(len(ODD))}
    assert "unforeseen" not in {found for _, _, found in refusals}


def test_a_transaction_is_done_as_a_whole_or_not_at_all(wired: Gateway) -> None:
    good = bundle(
        "transaction",
        entry(patient(None), "POST", "Patient", fullUrl=URN),
        entry(observation("of", URN), "PUT", "Observation/of"),
        {"request": {"method": "GET", "url": "Patient"}},
    )
    bad = bundle(
        "transaction",
        entry(patient("x"), "PUT", "Patient/x"),
        entry(observation("y", "Patient?identifier=none|such"), "PUT", "Observation/y"),
    )
    deletion = bundle("transaction", {"request": {"method": "DELETE", "url": "Patient/gone"}})
    body = lines(patient("gone"), good, bad, deletion, patient("last"))
    done = take(wired, body)

    assert (done.total.stored, done.total.held) == (5, 1)
    (held,) = wired.door.held_of_import(done.id)
    assert (held.line, held.issues[0].rule) == (3, "condition-unmet")
    assert str(held.issues[0].expression).startswith("Bundle.entry[1].resource.subject")
    found = stored(wired)
    assert "Patient/x" not in found and found["Patient/gone"] == 2
    created = read(wired, "Observation", "of")["subject"]["reference"].removeprefix("Patient/")
    assert read(wired, "Patient", created)


def test_the_entries_of_a_batch_are_written_each_by_itself(samverka: Run, tmp_path: Path) -> None:
    made = bundle(
        "batch",
        entry(patient("a"), "PUT", "Patient/a"),
        entry(patient("b", gender="m"), "PUT", "Patient/b"),
        entry(patient("a", active=True), "PUT", "Patient/a"),
        entry(patient("c"), "PUT", "Patient/other"),
    )
    (tmp_path / "batch.json").write_text(json.dumps(made, indent=1))
    told = samverka("import", "batch.json", "--json").json
    assert [(one["rule"], one["expression"], one["line"]) for one in told["refused"]] == [
        ("required-binding", "Bundle.entry[1].resource.gender", None),
        ("id-differs", "Bundle.entry[3].resource.id", None),
    ]
    assert told["files"][0]["imported"] == 2


def test_any_other_bundle_is_a_resource_like_others(wired: Gateway) -> None:
    asked = bundle("transaction", entry(patient("x"), "PUT", "Patient/x"), id="stored")
    assert take(wired, lines(asked)).total.held == 0
    assert stored(wired) == {"Bundle/stored": 1}


def test_who_is_named_by_an_identifier_of_the_same_lines_is_known_in_the_audit_trail(wired: Gateway) -> None:
    number = {"system": "http://electronichealth.se/identifier/personnummer", "value": "191212121212"}
    named = observation("o", "") | {"subject": {"type": "Patient", "identifier": number}}
    assert take(wired, lines(patient("anna", identifier=[number]), named)).total.held == 0
    rows = wired.store.read(lambda uow: uow.audit.latest(limit=100))
    assert [row.person for row in rows if "Observation/o" in str(row)] == ["anna"]


# --- Cut off, and gone on with


def take(gateway: Gateway, body: bytes, stop: int = 0) -> Any:
    """Import the body; cut off after so many steps, where that is said."""
    left = stop

    def told() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise InterruptedError

    begun = gateway.door.begin_import(ASKING, [Input("all.ndjson", hash=str(hash(body)))])
    gateway.door.import_file(ASKING, begun.id, 0, BytesIO(body), told)
    return gateway.door.end_import(begun.id)


def test_cut_off_anywhere_it_goes_on_where_it_was(wired: Gateway) -> None:
    # Two parts of several steps each. A resource that were written twice would have two versions: its text says when.
    body = lines(*(patient(f"p{n}", active=True) for n in range(620)), patient("bad", gender="m"))
    for stop in (1, 2, 2):
        with pytest.raises(InterruptedError):
            take(wired, body, stop)
    statements = wired.store.read(lambda uow: uow.statements.count())
    assert 0 < statements < 620
    done = take(wired, body)
    assert (done.total.units, done.total.stored, done.total.held) == (621, 620, 1)
    assert set(stored(wired).values()) == {1}
    assert wired.store.read(lambda uow: uow.statements.count()) == 620, "said once each"
    (held,) = wired.door.held_of_import(done.id)
    assert held.line == 621


def test_two_that_do_the_same_import_do_it_once(wired: Gateway) -> None:
    body = lines(*(patient(f"p{n}") for n in range(250)))
    begun = wired.door.begin_import(ASKING, [Input("all.ndjson")])
    others: list[Any] = []

    def told() -> None:
        if not others:
            others.append(True)
            wired.door.import_file(ASKING, begun.id, 0, BytesIO(body))

    with pytest.raises(LeaseLost):
        wired.door.import_file(ASKING, begun.id, 0, BytesIO(body), told)
    assert wired.door.end_import(begun.id).total.stored == 250
    assert wired.store.read(lambda uow: uow.statements.count()) == 250


def test_of_two_that_keep_the_same_part_one_is_refused_and_the_file_is_not_at_fault(wired: Gateway) -> None:
    body = lines(*(patient(f"p{n}") for n in range(620)))
    begun = wired.door.begin_import(ASKING, [Input("all.ndjson")])
    steps: list[Any] = []

    def told() -> None:
        steps.append(True)
        if len(steps) == 5:  # The first part is written, and nobody has kept the second.
            wired.door.import_file(ASKING, begun.id, 0, BytesIO(body))

    with pytest.raises(LeaseLost):
        wired.door.import_file(ASKING, begun.id, 0, BytesIO(body), told)
    done = wired.door.end_import(begun.id)
    assert (done.total.stored, [file.issues for file, _ in done.files]) == (620, [()])


def test_another_file_is_not_taken_for_the_one_that_was_begun(wired: Gateway) -> None:
    body = lines(*(patient(f"p{n}") for n in range(250)))
    begun = wired.door.begin_import(ASKING, [Input("all.ndjson")])
    wired.door.import_file(ASKING, begun.id, 0, BytesIO(body))
    with pytest.raises(Exception, match="not the file") as refusal:
        wired.door.import_file(ASKING, begun.id, 0, BytesIO(body.replace(b"p7", b"q7")))
    assert refusal.value.issues[0].rule == "input-changed"  # type: ignore[attr-defined]


def _import_it(url: str, file: Path) -> None:
    gateway = wire(Settings(database_url=url, worker=False))
    begun = gateway.door.begin_import(ASKING, [Input("all.ndjson")])
    with file.open("rb") as stream:
        gateway.door.import_file(ASKING, begun.id, 0, stream)
    os._exit(0)


def test_a_process_that_is_killed_has_lost_nothing_and_done_nothing_twice(database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "all.ndjson"
    file.write_bytes(lines(*(patient(f"p{n}") for n in range(1500))))
    gateway = wire(Settings(database_url=database_url, worker=False))
    try:
        begun = gateway.door.begin_import(ASKING, [Input("all.ndjson")])

        def done() -> int:
            counts = gateway.store.read(lambda uow: uow.imports.counts(begun.id))
            return counts[0].done if counts else 0

        child = multiprocessing.get_context("fork").Process(target=_import_it, args=(database_url, file))
        child.start()
        until = time.monotonic() + 60
        while not done() and child.is_alive() and time.monotonic() < until:
            time.sleep(0.01)
        os.kill(child.pid or 0, signal.SIGKILL)
        child.join()
        assert child.exitcode == -signal.SIGKILL
        assert 0 < done() < 1500
        with file.open("rb") as stream:
            gateway.door.import_file(ASKING, begun.id, 0, stream)
        assert gateway.door.end_import(begun.id).total.stored == 1500
        assert gateway.store.read(lambda uow: uow.statements.count()) == 1500
    finally:
        gateway.close()
