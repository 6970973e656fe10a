"""`samverka replay` and `samverka map status`: what an older version mapped, and what may be taken into use."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.ingest.maps import CLASS, STATUS, URL, visits, write

HELD = "src.state as v check (v = 'planned') -> enc.status = v \"status\";"
BODY = [("1", "finished"), ("2", "planned")]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, samverka: Run) -> Path:
    """One message of two visits, mapped by version 1."""
    found = tmp_path / "mappings"
    write(found, case=True)
    monkeypatch.setenv("SAMVERKA_MAPPINGS", str(found))
    (tmp_path / "visits.json").write_bytes(visits(*BODY))
    assert samverka("ingest", "visits", "visits.json").code == 0
    return found


def test_nothing_is_replayed_where_no_older_version_mapped_anything(samverka: Run, folder: Path) -> None:
    told = samverka("replay", "--map", URL, "--yes")
    assert (told.code, "no older version" in told.out) == (0, True)


def test_the_comparison_comes_first_and_changes_nothing(samverka: Run, folder: Path) -> None:
    write(folder, HELD, CLASS, version="2", case=True)
    told = samverka("replay", "--map", URL, "--json")

    assert told.code == 0
    assert [one["version"] for one in told.json["versions"]] == ["1"]
    assert (told.json["messages"], told.json["records"], told.json["differing"]) == (1, 2, 1)
    assert told.json["drafts"] == {"Encounter": {"added": 0, "changed": 0, "removed": 1}}
    assert {(one["kind"], one["path"]) for one in told.json["changes"]} == {
        ("held", "record"),
        ("removed", "Encounter.status"),
        ("removed", "Encounter.class"),
        ("issue-added", "check-failed"),
        ("issue-added", "required-element-missing"),
    }
    assert told.json["replayed"] is None
    assert samverka("replay", "--map", URL, "--json").json == told.json


def test_values_are_withheld_unless_asked_for(samverka: Run, folder: Path) -> None:
    write(folder, "src -> enc.status = 'cancelled' \"status\";", CLASS, version="2", case=True)
    assert "finished" not in samverka("replay", "--map", URL, "--json").out
    (change,) = samverka("replay", "--map", URL, "--json", "--values").json["changes"]
    assert (change["count"], change["before"], change["after"]) == (2, '"finished"', '"cancelled"')


def test_it_is_done_once_and_what_is_done_is_not_done_again(samverka: Run, folder: Path) -> None:
    write(folder, HELD, CLASS, version="2", case=True)
    told = samverka("replay", "--map", URL, "--yes")
    assert (told.code, "1 messages mapped anew" in told.out) == (3, True)
    assert "1 records held" in told.out

    again = samverka("replay", "--map", URL, "--yes")
    assert (again.code, "no older version" in again.out) == (0, True)
    assert samverka("rebuild").code == 0


def test_one_version_may_be_named(samverka: Run, folder: Path) -> None:
    write(folder, version="2", case=True)
    unknown = samverka("replay", "--map", f"{URL}|3", "--json")
    assert (unknown.code, "Versions: 1" in unknown.err) == (1, True)
    assert samverka("replay", "--map", f"{URL}|1", "--json").json["messages"] == 1


def test_a_map_that_is_not_in_use_is_refused(samverka: Run, folder: Path) -> None:
    told = samverka("replay", "--map", "http://example.org/StructureMap/visit")
    assert (told.code, URL in told.err) == (1, True)


@pytest.mark.parametrize(("answer", "code"), [("n\n", 0), ("", 1)], ids=["no", "nobody answers"])
def test_the_question_may_be_declined(
    samverka: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    write(folder, STATUS, CLASS, version="2", case=True)
    monkeypatch.setattr("sys.stdin", StringIO(answer))
    assert samverka("replay", "--map", URL).code == code
    assert samverka("replay", "--map", URL, "--json").json["messages"] == 1


def test_map_status_says_what_may_be_taken(samverka: Run, folder: Path) -> None:
    assert samverka("map", "status").code == 0
    write(folder, "src -> enc.status = 'cancelled' \"status\";", CLASS)
    told = samverka("map", "status", "--json")
    assert told.code == 1
    assert told.json[0]["problems"] == ["case visits/planned fails at drafts[0].status"]


def test_map_status_says_when_no_gateway_answers(samverka: Run, folder: Path) -> None:
    told = samverka("map", "status", "--url", "http://127.0.0.1:9")
    assert (told.code, "No gateway answers" in told.err) == (1, True)
