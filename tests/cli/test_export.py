"""`samverka export`: files of one moment in a folder; gone on with where it was cut off; imported they are the same."""

from __future__ import annotations

import gzip
import json
import multiprocessing
import os
import signal
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from gateway.access.caller import OPERATOR, Asking
from gateway.access.exporting import Exporting, Wanted
from gateway.access.importing import Input
from gateway.app import wire
from gateway.settings import Settings
from gateway.store.exports import Exports
from tests.cli.conftest import Run
from tests.cli.test_import import lines, observation, patient
from tests.conftest import emptied

ASKING = Asking(OPERATOR, "export", request_id="test")
ROOT = Path(__file__).parents[2]


def exported(folder: Path) -> list[str]:
    """All lines of the folder's files, in an order of their own, without what each server says for itself."""
    found = []
    for path in sorted(folder.glob("*.ndjson")):
        for line in path.read_text().splitlines():
            resource = json.loads(line, parse_float=str)
            for name in ("versionId", "lastUpdated"):
                resource.get("meta", {}).pop(name, None)
            found.append(json.dumps(resource, sort_keys=True))
    return sorted(found)


def test_what_is_exported_and_imported_elsewhere_is_exported_the_same(
    samverka: Run, database_url: str, tmp_path: Path
) -> None:
    weight = observation("w", "Patient/a") | {"valueQuantity": {"value": "V", "unit": "kg"}}
    said = lines(
        patient("a", identifier=[{"system": "urn:oid:1.2.752.129.2.1.3.1", "value": "191212121212"}]),
        json.dumps(weight).replace('"V"', "70.10").encode(),
        patient(
            "b",
            contained=[{"resourceType": "Organization", "id": "o", "name": "Ö"}],
            managingOrganization={"reference": "#o"},
        ),
        {"resourceType": "Bundle", "id": "kept", "type": "transaction"},
    )
    (tmp_path / "in.ndjson").write_bytes(said)
    first = ("--database-url", database_url)
    assert samverka("import", "in.ndjson", *first).code == 0
    message = ROOT / "demo/messages/larm-vast/2026-03-12-inger-assistance.json"
    assert samverka("ingest", "dispatch-json", message, *first).code == 0, "what several sources may say, agreed"
    told = samverka("export", "one", "--json", *first)
    assert told.code == 0
    assert sum(one["count"] for one in told.json["output"]) >= 6
    assert "70.10" in (tmp_path / "one" / "Observation.1.ndjson").read_text(), "every digit"

    second = f"sqlite:///{tmp_path}/second.db" if database_url.startswith("sqlite") else emptied(database_url)
    assert samverka("import", "one", "--database-url", second).code == 0
    assert samverka("export", "two", "--database-url", second).code == 0
    assert exported(tmp_path / "two") == exported(tmp_path / "one")
    assert len(exported(tmp_path / "two")) == sum(one["count"] for one in told.json["output"])


def test_an_export_is_limited_to_types_persons_and_what_came_since(samverka: Run, tmp_path: Path) -> None:
    group = {"resourceType": "Group", "id": "ward", "type": "person", "actual": True}
    group["member"] = [{"entity": {"reference": "Patient/a"}}]
    everything = [patient("a"), patient("b"), observation("oa", "Patient/a"), observation("ob", "Patient/b"), group]
    unit = {"resourceType": "Organization", "id": "unit", "name": "Unit"}
    (tmp_path / "in.ndjson").write_bytes(lines(*everything, unit))
    assert samverka("import", "in.ndjson").code == 0

    def counted(name: str, *options: str) -> dict[str, int]:
        told = samverka("export", name, *options, "--json").json
        assert told == json.loads((tmp_path / name / "manifest.json").read_text())
        assert sorted(one["url"] for one in [*told["output"], *told["deleted"]]) == sorted(
            path.name for path in (tmp_path / name).iterdir() if path.name != "manifest.json"
        )
        return {one["type"]: one["count"] for one in told["output"]}

    assert counted("types", "--type", "Patient,Organization") == {"Organization": 1, "Patient": 2}
    assert counted("patients", "--patients", "--type", "Patient", "--type", "Observation") == {
        "Observation": 2,
        "Patient": 2,
    }
    assert counted("group", "--group", "ward", "--type", "Patient,Observation") == {"Observation": 1, "Patient": 1}
    assert counted("filter", "--type", "Patient", "--filter", "Patient?_id=b") == {"Patient": 1}
    moment = json.loads((tmp_path / "types" / "manifest.json").read_text())["transactionTime"]
    deletion = {"resourceType": "Bundle", "type": "transaction"}
    deletion["entry"] = [{"request": {"method": "DELETE", "url": "Observation/ob"}}]
    (tmp_path / "more.ndjson").write_bytes(lines(patient("c"), deletion))
    assert samverka("import", "more.ndjson").code == 0
    assert counted("since", "--since", moment, "--gzip") == {"Patient": 1}
    packed = (tmp_path / "since" / "deleted.Observation.1.ndjson.gz").read_bytes()
    assert json.loads(gzip.decompress(packed))["entry"] == deletion["entry"]


def test_an_export_ends_before_a_time_and_brings_provenances_as_over_rest(samverka: Run, tmp_path: Path) -> None:
    def provenance(id: str) -> dict[str, Any]:
        return {
            "resourceType": "Provenance",
            "id": id,
            "target": [{"reference": "Patient/a"}],
            "recorded": f"2026-03-0{id[-1]}T08:00:00Z",
            "agent": [{"who": {"display": "Ward"}}],
        }

    (tmp_path / "in.ndjson").write_bytes(lines(patient("a"), provenance("p1"), provenance("p2")))
    assert samverka("import", "in.ndjson").code == 0
    told = samverka("export", "with", "--type", "Patient", "--associated", "LatestProvenanceResources", "--json").json
    assert {one["type"]: one["count"] for one in told["output"]} == {"Patient": 1, "Provenance": 1}
    moment = told["transactionTime"]
    (tmp_path / "more.ndjson").write_bytes(lines(patient("b")))
    assert samverka("import", "more.ndjson").code == 0
    told = samverka("export", "until", "--type", "Patient", "--until", moment, "--json").json
    assert {one["type"]: one["count"] for one in told["output"]} == {"Patient": 1}
    assert samverka("export", "all", "--type", "Patient", "--json").json["output"][0]["count"] == 2


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--patients", "--group", "x"], 2),
        (["--group", "x"], 1),
        (["--type", "Animal"], 1),
        (["--until", "soon"], 1),
        (["--associated", "Everything"], 1),
    ],
)
def test_what_cannot_be_exported_is_refused(samverka: Run, options: list[str], code: int) -> None:
    told = samverka("export", "out", *options)
    assert told.code == code and "Traceback" not in told.err


def test_a_folder_with_other_files_is_left_alone(samverka: Run, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    told = samverka("export", "out")
    assert (told.code, "take an empty one" in told.err) == (1, True)


def test_cut_off_it_goes_on_with_the_same_export(
    samverka: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAMVERKA_EXPORT_LINES", "2")
    (tmp_path / "in.ndjson").write_bytes(lines(*(patient(f"p{n}") for n in range(5))))
    assert samverka("import", "in.ndjson").code == 0
    given = Exporting.exported_lines

    def cut_off(self: Any, asking: Any, one: Any, file: Any) -> Any:
        if file.part == 1:
            raise KeyboardInterrupt
        return given(self, asking, one, file)

    monkeypatch.setattr(Exporting, "exported_lines", cut_off)
    assert samverka("export", "out").code != 0
    whole = tmp_path / "out" / "Patient.1.ndjson"
    before = whole.stat().st_mtime_ns
    assert not (tmp_path / "out" / "manifest.json").exists()
    monkeypatch.setattr(Exporting, "exported_lines", given)
    (tmp_path / "more.ndjson").write_bytes(lines(patient("later")))
    assert samverka("import", "more.ndjson").code == 0
    assert samverka("export", "out", "--type", "Task").code == 1, "another export, and the folder is not empty"

    told = samverka("export", "out", "--json")
    assert [one["count"] for one in told.json["output"]] == [2, 2, 1], "of the moment when it was begun"
    assert whole.stat().st_mtime_ns == before
    assert len(exported(tmp_path / "out")) == 5
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        *(f"Patient.{n}.ndjson" for n in (1, 2, 3)),
        "manifest.json",
    ]


def _settle_and_die(url: str) -> None:
    def die(*_: Any, **__: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    Exports.finish = die  # type: ignore[method-assign]
    gateway = wire(Settings(database_url=url, worker=False))
    gateway.jobs(lease=timedelta(seconds=0.5), exports=True).run_due()


def test_a_process_that_is_killed_while_it_settles_an_export_leaves_it_to_the_next(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.access.exporting.PIECE", 2)
    gateway = wire(Settings(database_url=database_url, worker=False))
    try:
        begun = gateway.door.begin_import(ASKING, [Input("all.ndjson")])
        gateway.door.import_file(ASKING, begun.id, 0, BytesIO(lines(*(patient(f"p{n}") for n in range(5)))))
        id = gateway.door.export(ASKING, Wanted("system"), url="", base="")
        child = multiprocessing.get_context("fork").Process(target=_settle_and_die, args=(database_url,))
        child.start()
        child.join(60)
        assert child.exitcode == -signal.SIGKILL
        assert gateway.door.exported(ASKING, id).files is None, "nobody is told of a part"
        runner = gateway.jobs(exports=True)
        while not runner.run_due():
            pass  # Until the dead one's lease has ended.
        found = gateway.door.exported(ASKING, id)
        (file,) = found.files or ()
        given = [one.id for batch in gateway.door.exported_lines(ASKING, found, file) for one in batch]
        assert (file.count, sorted(given)) == (5, [f"p{n}" for n in range(5)]), "each once"
    finally:
        gateway.close()


def test_an_export_waits_for_who_began_to_write_before_but_not_for_ever(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.access.exporting.PATIENCE", 0.1)
    gateway = wire(Settings(database_url=database_url, worker=False))
    try:
        gateway.door.export(ASKING, Wanted("system"), url="", base="")
        (job,) = gateway.store.read(lambda uow: uow.jobs.of_kind("export"))
        monkeypatch.setattr("gateway.store.jobs.Jobs.older_writers", lambda *_: True)
        with pytest.raises(Exception, match="too long") as refusal:
            gateway.door.settle_export(job)
        assert refusal.value.issues[0].rule == "export-older-writers"  # type: ignore[attr-defined]
    finally:
        gateway.close()
