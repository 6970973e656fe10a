"""A sample becomes a package to begin with: it compiles, maps the sample, and holds nothing that the sample says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway import formats
from gateway.definitions.shipped import folder
from gateway.errors import NotFound, Unprocessable
from gateway.issues import Issues
from gateway.mapping import Package, Packages
from gateway.mapping.skeleton import Skeleton, skeleton
from tests.mapping.folders import RECEIVED, SOURCE
from tests.mapping.maps import DEFINITIONS

CASES = folder("mappings")
SAMPLES = [
    ("rivta-logistics/cases/contact-3-statuses/source.xml", "Encounter"),
    ("rivta-request/cases/new-referral/source.xml", "Task"),
    ("municipal-csv/cases/home-health-care/source.csv", "Task"),
    ("dispatch-json/cases/ivpa-alarm/source.json", "Task"),
    ("hl7v2-adt/cases/admission/source.hl7", "Encounter"),
    ("fhir-r4/cases/operation-elsewhere/source.json", "Patient"),
]


def made(sample: bytes, file: str, resource: str) -> Skeleton:
    return skeleton(sample, file, resource, DEFINITIONS, package="begun-here")


def written(tmp_path: Path, files: Skeleton) -> Package:
    own = tmp_path / "begun-here"
    own.mkdir()
    (own / "map.yaml").write_text(files.manifest, encoding="utf-8")
    (own / f"{files.map_name}.fml").write_text(files.map, encoding="utf-8")
    return Packages.load(tmp_path)["begun-here"]


@pytest.mark.parametrize(("name", "resource"), SAMPLES, ids=[name.partition("/")[0] for name, _ in SAMPLES])
def test_a_package_that_is_begun_compiles_and_maps_its_sample(name: str, resource: str, tmp_path: Path) -> None:
    sample = (CASES / name).read_bytes()
    package = written(tmp_path, made(sample, name, resource))
    package.check()
    records = [one for one in formats.read(package.format, sample, Issues()) if not one.issues.bad]
    assert records
    drafts = [draft for one in records for draft in package.apply(one, SOURCE, RECEIVED, body=sample).drafts]
    assert {draft.resource["resourceType"] for draft in drafts} == {resource}


def test_each_element_of_the_sample_has_a_line_with_its_place_and_without_its_value() -> None:
    sample = b'{"type":"visit","visitId":"7","period":"Agda","unit":{"name":["Bertil","Cecilia"]}}'
    found = made(sample, "sample.json", "Encounter")
    assert 'src.visitId as v -> tgt.identifier = id(%source.idSystem, v) "identifier";' in found.map
    assert '// src.period as v -> tgt.period = v "period";  // line 1, column 40, /period' in found.map
    assert '// src.unit.name as v -> tgt.... = v "name";  // 2 times, first at line 1' in found.map
    assert not re.search("Agda|Bertil|Cecilia", found.map + found.manifest)
    assert 'at: "visit"' in found.manifest
    assert "discriminator: type" in found.manifest


def test_what_r4_demands_is_said_with_its_codes() -> None:
    found = made(b"id;start\n1;2", "visits.csv", "Encounter")
    assert re.search(r"// src\.\.\. as v -> tgt\.status = \.\.\.;  // code: arrived \| cancelled", found.map)


def test_a_name_that_is_no_plain_one_is_quoted(tmp_path: Path) -> None:
    sample = b"row id;b c\n1;2"
    found = made(sample, "visits.csv", "Patient")
    assert 'key: "`row id`"' in found.manifest
    written(tmp_path, found).check()


def test_what_cannot_be_begun_says_why() -> None:
    with pytest.raises(NotFound, match="did you mean 'Encounter'"):
        made(b"a;b\n1;2", "x.csv", "Encountr")
    with pytest.raises(Unprocessable, match="not XML"):
        made(b"<a>", "x.xml", "Patient")
    with pytest.raises(Unprocessable, match="no record"):
        made(b"", "x.csv", "Patient")
