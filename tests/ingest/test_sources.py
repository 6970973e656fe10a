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
