"""FHIR packages as they are read: what is in them is bounded, and what is odd is refused and not stumbled over."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from gateway.definitions import load, packages
from gateway.errors import BadRequest
from gateway.issues import Issue

MANIFEST = ("package/package.json", b'{"name": "example.wards", "version": "1.0.0"}')


def archive(at: Path, *files: tuple[str, bytes], said: dict[str, str] | None = None) -> Path:
    """A package with what is said of its last file besides."""
    path = at / "example.tgz"
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as made:
        for name, body in files:
            entry = tarfile.TarInfo(name)
            entry.size = len(body)
            entry.pax_headers = (said or {}) if name == files[-1][0] else {}
            made.addfile(entry, io.BytesIO(body))
    return path


def refused(*paths: Path) -> Issue:
    with pytest.raises(BadRequest) as raised:
        packages.read(paths, load().types)
    return raised.value.issues[0]


def test_what_lies_right_under_package_is_read(tmp_path: Path) -> None:
    ward, other = ("package/a.json", b"{}"), ("package/other/b.json", b"{}")
    found = packages.read([archive(tmp_path, MANIFEST, ward, other, said={"comment": "å"})], load().types)
    assert (found.name, found.version, dict(found.files)) == ("example.wards", "1.0.0", {"a.json": b"{}"})


def test_what_an_archive_says_of_a_file_is_bounded_as_it_is_unpacked(tmp_path: Path) -> None:
    path = archive(tmp_path, MANIFEST, ("package/a.json", b"{}"), said={"comment": "x" * 30_000_000})
    tracemalloc.start()
    assert refused(path).rule == "package-too-large"
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_what_is_passed_over_counts_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "MOST_BYTES", 100_000)
    path = archive(tmp_path, MANIFEST, *[(f"openapi/{at}.yaml", b" " * 30_000) for at in range(4)])
    assert refused(path).rule == "package-too-large"
    monkeypatch.setattr(packages, "MOST_BYTES", 1_000_000)
    monkeypatch.setattr(packages, "MOST_FILES", 4)
    assert refused(path).rule == "package-too-large"
    monkeypatch.setattr(packages, "MOST_FILES", 5)
    assert packages.read([path], load().types).name == "example.wards"


@pytest.mark.parametrize("most", ["MOST_BYTES", "MOST_FILES"])
def test_folders_and_single_files_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: str) -> None:
    paths = [tmp_path / "a.json", tmp_path / "b.json"]
    for path in paths:
        path.write_text("{}")
    monkeypatch.setattr(packages, most, 1)
    assert refused(tmp_path).rule == "package-too-large"
    assert refused(*paths).rule == "package-too-large"


def test_two_files_of_one_name_are_both_read(tmp_path: Path) -> None:
    paths = [tmp_path / "a/ward.json", tmp_path / "b/ward.json"]
    for path in paths:
        path.parent.mkdir()
        path.write_text(json.dumps({"id": path.parent.name}))
    found: dict[str, Any] = {name: json.loads(body) for name, body in packages.read(paths, load().types).files.items()}
    assert found == {str(paths[0]): {"id": "a"}, str(paths[1]): {"id": "b"}}


@pytest.mark.parametrize(
    "body",
    [b"no archive", gzip.compress(b"no archive" * 100)[:-12], gzip.compress(b"x" * 5000)],
    ids=["not packed", "cut off", "packed, but no archive"],
)
def test_what_is_no_archive_is_refused(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "example.tgz"
    path.write_bytes(body)
    assert refused(path).rule == "package-unreadable"


def project(at: Path, config: str, *files: tuple[str, bytes]) -> Path:
    """A project that publishes its sources."""
    (at / "sushi-config.yaml").write_text(f"canonical: http://example.org/fhir\n{config}")
    for name, body in files:
        path = at / "input/fsh" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return at


def test_a_manifest_without_end_is_refused(tmp_path: Path) -> None:
    assert refused(archive(tmp_path, ("package/package.json", b"[" * 200_000))).rule == "package-unreadable"


@pytest.mark.parametrize(
    ("config", "rule"),
    [
        ("id: example\ndependencies: [x]", "package-unreadable"),
        ("version: 2024-13-45", "package-unreadable"),
        ("x: " + "[" * 5_000, "package-unreadable"),
        ("id: a b/../c", "package-name"),
    ],
)
def test_a_projects_odd_configuration_is_refused(tmp_path: Path, config: str, rule: str) -> None:
    assert refused(project(tmp_path, config)).rule == rule


def test_a_title_that_yaml_makes_of_itself_many_times_over_is_none(tmp_path: Path) -> None:
    """Thirty lines of two: written out, it would be a billion words."""
    lines = "".join(f"x{at + 1}: &x{at + 1} [*x{at}, *x{at}]\n" for at in range(30))
    found = packages.read([project(tmp_path, f"id: example\nx0: &x0 [a, a]\n{lines}title: *x30\n")], load().types)
    assert found.title == tmp_path.name


def test_a_source_that_is_not_utf_8_is_told_and_the_rest_is_kept(tmp_path: Path) -> None:
    ward = b"CodeSystem: Wards\n* #med\n"
    odd, more = ("a.fsh", b"CodeSystem: \xe5\n"), ward.replace(b"Wards", b"More")
    found = packages.read([project(tmp_path, "id: example", odd, ("b.fsh", ward), ("c/b.fsh", more))], load().types)
    assert found.problems == ("a.fsh: is not UTF-8",)
    assert set(found.files) == {"CodeSystem-Wards.json", "CodeSystem-More.json"}
