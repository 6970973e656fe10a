"""The sources' configuration: what cannot be one is refused at the start, with all that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.ingest.sources import SourcesError, read

FIELDS = (
    'package = "fhir-r4"\nname = "Hemsjukvården"\nhsa_id = "SE2120001348-T0100"\ncontroller = "SE2120001348-E0001"\n'
)


def configured(tmp_path: Path, *ids: str) -> Path:
    path = tmp_path / "sources.toml"
    path.write_text("".join(f'[source."{id}"]\n{FIELDS}' for id in ids), encoding="utf-8")
    return path


def test_a_source_is_read_by_its_id(tmp_path: Path) -> None:
    assert [one.id for one in read(configured(tmp_path, "hemsjukvarden"), ["fhir-r4"])] == ["hemsjukvarden"]


@pytest.mark.parametrize("id", ["organisation:SE2120001348-T0100", "operator", "gateway"])
def test_no_source_speaks_as_the_operator_an_organisation_or_the_gateway(tmp_path: Path, id: str) -> None:
    """What it reports would be followed as a command, or replace everybody's word."""
    with pytest.raises(SourcesError, match=f"source.{id}: the id is kept for the gateway"):
        read(configured(tmp_path, "hemsjukvarden", id), ["fhir-r4"])


def test_all_that_is_wrong_is_listed(tmp_path: Path) -> None:
    with pytest.raises(SourcesError) as told:
        read(configured(tmp_path, "operator", "another"), ["another-package"])
    assert len(told.value.problems) == 3


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('delivery = "snapshoot"', "delivery is one of event, delta, snapshot"),
        ('role = "cook"', "role is one of care-provider, social-care-provider"),
        ('timezone = "Europe/Stokholm"', "timezone is a zone of the tz database, such as Europe/Stockholm"),
        ('timezone = ""', "timezone is a zone"),
        ("timezone = 1", "timezone is a zone"),
        ('cadence = "86400"', "cadence is a whole number of seconds, above 0 and without quotes"),
        ("cadence = 0", "cadence is a whole number"),
        ("cadence = true", "cadence is a whole number"),
        ("mllp_port = 70000", "mllp_port is a port"),
        ("municipality = 1430", "municipality is text, in quotes"),
    ],
)
def test_a_value_that_a_field_cannot_hold_is_refused_at_the_start(tmp_path: Path, line: str, told: str) -> None:
    """A misspelt delivery was taken for none, and a misspelt zone held every message."""
    path = configured(tmp_path, "hemsjukvarden")
    path.write_text(path.read_text(encoding="utf-8") + line + "\n", encoding="utf-8")
    with pytest.raises(SourcesError, match=f"source.hemsjukvarden: {told}"):
        read(path, ["fhir-r4"])


@pytest.mark.parametrize("value", ["17", '"SE2120001348 T0100"'])
def test_an_hsa_id_is_text_without_blanks(tmp_path: Path, value: str) -> None:
    path = tmp_path / "sources.toml"
    path.write_text("[source.a]\n" + FIELDS.replace('"SE2120001348-T0100"', value), encoding="utf-8")
    with pytest.raises(SourcesError, match=r"source\.a: hsa_id is an HSA-id: text in quotes, without blanks"):
        read(path, ["fhir-r4"])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"[sources.a]\n{FIELDS}", r"sources: a source is a table \[source.ID\]"),
        (f"[[source]]\n{FIELDS}", r"source: a source is a table \[source.ID\], in single brackets"),
        (f"[source]\n{FIELDS}", r"source.name: a source is a table \[source.ID\]: this field stands outside"),
        ("[source.a", "Expected ']'"),
    ],
)
def test_what_is_no_source_is_not_passed_over(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "sources.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SourcesError, match=told):
        read(path, ["fhir-r4"])


@pytest.mark.parametrize("line", ["mllp_port = 2575", 'watch = "/srv/drop"'])
def test_two_sources_do_not_take_each_others_messages(tmp_path: Path, line: str) -> None:
    path = tmp_path / "sources.toml"
    path.write_text("".join(f"[source.{id}]\n{FIELDS}{line}\n" for id in ("one", "two")), encoding="utf-8")
    with pytest.raises(SourcesError, match=r"source\.two: .* is that of source\.one too"):
        read(path, ["fhir-r4"])


def test_the_same_port_on_another_address_is_another_port(tmp_path: Path) -> None:
    path = tmp_path / "sources.toml"
    lines = {"one": "mllp_port = 2575", "two": 'mllp_port = 2575\nmllp_host = "10.0.0.5"'}
    path.write_text("".join(f"[source.{id}]\n{FIELDS}{line}\n" for id, line in lines.items()), encoding="utf-8")
    assert len(read(path, ["fhir-r4"])) == 2


def test_a_file_that_cannot_be_read_says_why_once(tmp_path: Path) -> None:
    with pytest.raises(SourcesError, match=r"none.toml: there is no such file$"):
        read(tmp_path / "none.toml", [])
    (tmp_path / "latin.toml").write_bytes(f"[source.a]\n{FIELDS}".encode("latin-1"))
    with pytest.raises(SourcesError, match="is not written in UTF-8"):
        read(tmp_path / "latin.toml", ["fhir-r4"])
    with pytest.raises(SourcesError, match="cannot be read: Is a directory"):
        read(tmp_path, [])


def test_a_file_that_an_editor_begins_with_a_mark_is_read(tmp_path: Path) -> None:
    path = configured(tmp_path, "hemsjukvarden")
    path.write_text(path.read_text(encoding="utf-8"), encoding="utf-8-sig")
    assert len(read(path, ["fhir-r4"])) == 1
