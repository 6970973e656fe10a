"""`samverka package`: what a package brings is used, kept once, replaced by another version, and removed."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

from tests.cli.conftest import Run

PROFILE: dict[str, Any] = {
    "resourceType": "StructureDefinition",
    "id": "named",
    "url": "http://example.org/fhir/StructureDefinition/named",
    "name": "Named",
    "status": "active",
    "kind": "resource",
    "abstract": False,
    "type": "Patient",
    "derivation": "constraint",
    "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Patient",
    "differential": {"element": [{"id": "Patient.name", "path": "Patient.name", "min": 1}]},
}
CODES: dict[str, Any] = {
    "resourceType": "CodeSystem",
    "id": "wards",
    "url": "http://example.org/wards",
    "status": "active",
    "content": "complete",
    "concept": [{"code": "med"}],
}
EXAMPLE = {"resourceType": "Patient", "id": "example"}


def package(at: Path, version: str, *resources: dict[str, Any], needs: dict[str, str] | None = None) -> Path:
    """A package as it is published."""
    manifest = {
        "name": "example.wards",
        "version": version,
        "dependencies": {"hl7.fhir.r4.core": "4.0.1", **(needs or {})},
    }
    files = {"package.json": manifest, ".index.json": {"files": []}}
    files |= {f"{one['resourceType']}-{one['id']}.json": one for one in resources}
    path = at / f"example.wards-{version}.tgz"
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            body = json.dumps(content).encode()
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(body)
            archive.addfile(entry, io.BytesIO(body))
    return path


def test_what_a_package_brings_is_kept_once_and_listed(samverka: Run, tmp_path: Path) -> None:
    path = package(tmp_path, "1.0.0", PROFILE, CODES, EXAMPLE, needs={"hl7.terminology.r4": "5.0.0"})
    first = samverka("package", "add", path, "--json")
    assert first.code == 0
    assert first.json == {
        "name": "example.wards",
        "version": "1.0.0",
        "created": 3,
        "changed": 0,
        "same": 0,
        "removed": 0,
        "refused": [],
        "missing": ["hl7.terminology.r4#5.0.0"],
    }
    again = samverka("package", "add", path, "--json").json
    assert (again["created"], again["changed"], again["same"]) == (0, 0, 3)
    [listed] = samverka("package", "list", "--json").json
    assert (listed["name"], listed["version"], listed["resources"]) == ("example.wards", "1.0.0", 2)
    assert listed["missing"] == ["hl7.terminology.r4#5.0.0"]


def test_another_version_takes_its_place_and_removing_leaves_nothing(samverka: Run, tmp_path: Path) -> None:
    samverka("package", "add", package(tmp_path, "1.0.0", PROFILE, CODES))
    next_one = samverka("package", "add", package(tmp_path, "1.1.0", PROFILE), "--json").json
    assert (next_one["changed"], next_one["removed"]) == (2, 1)
    assert samverka("package", "remove", "example.wards").out == "example.wards: 1 resources removed\n"
    assert samverka("package", "list", "--json").json == []
    assert samverka("package", "remove", "example.wards").code == 1


def test_what_is_wrong_in_a_package_is_told_and_the_rest_is_kept(samverka: Run, tmp_path: Path) -> None:
    broken = CODES | {"status": "done"}
    told = samverka("package", "add", package(tmp_path, "1.0.0", PROFILE, broken), "--json")
    assert told.code == 1
    assert told.json["created"] == 2
    [(file, why)] = told.json["refused"]
    assert file == "CodeSystem-wards.json"
    assert "CodeSystem.status" in why


def test_a_package_that_cannot_be_read_is_refused(samverka: Run, tmp_path: Path) -> None:
    path = tmp_path / "broken.tgz"
    path.write_bytes(b"no archive")
    told = samverka("package", "add", path)
    assert told.code == 1
    assert "cannot be read" in told.err


def test_single_resources_are_a_package_of_the_files_name(samverka: Run, tmp_path: Path) -> None:
    path = tmp_path / "named.json"
    path.write_text(json.dumps(PROFILE))
    assert samverka("package", "add", path, "--json").json["name"] == "named"


def test_files_are_validated_by_line_and_by_the_profiles_that_are_kept(samverka: Run, tmp_path: Path) -> None:
    samverka("package", "add", package(tmp_path, "1.0.0", PROFILE))
    good, broken = tmp_path / "good.json", tmp_path / "broken.xml"
    good.write_text('{"resourceType": "Patient", "active": true}')
    broken.write_text('<Patient xmlns="http://hl7.org/fhir">\n  <birthDate value="noon"/>\n</Patient>')
    assert samverka("validate", good).code == 0
    told = samverka("validate", good, broken, "--profile", PROFILE["url"])
    assert told.code == 1
    assert f"{broken}:2:3: error: Patient.birthDate: This is not a date" in told.out
    assert f"{good}:1:1: error: Patient.name: The profile says that name is required." in told.out
    assert len(samverka("validate", good, "--json").json) == 1
