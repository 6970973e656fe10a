"""A sample becomes a package to begin with: it compiles, maps the sample, and holds nothing that the sample says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway import formats
from gateway.definitions.shipped import folder
from gateway.errors import NotFound, Unprocessable
from gateway.issues import Issues
from gateway.mapping import CompileError, Package, Packages
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
    for name, content in files.files.items():
        (own / name).parent.mkdir(parents=True, exist_ok=True)
        (own / name).write_text(content, encoding="utf-8")
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
    assert '// src.period as v -> tgt.period = ... "period";  // Period; line 1, column 40, /period' in found.map
    assert '// src.unit.name as v -> tgt.... = v "name";  // 2 times, first at line 1' in found.map
    assert not re.search("Agda|Bertil|Cecilia", found.map + found.manifest)
    assert 'at: "visit"' in found.manifest
    assert 'discriminator: "type"' in found.manifest


def test_what_r4_demands_is_said_with_its_codes() -> None:
    found = made(b"id;start\n1;2", "visits.csv", "Encounter")
    assert re.search(r"// src\.\.\. as v -> tgt\.status = \.\.\.;  // code: arrived \| cancelled", found.map)


@pytest.mark.parametrize(
    ("columns", "key"),
    [
        ("Starttid;PatientId;besoksnr", "PatientId"),
        ("starttid;patientid", "patientid"),
        ("SLUTTID;visit_id", "visit_id"),
        ("besokstid;remissnummer", "remissnummer"),
        ("tid;visitID", "visitID"),
    ],
)
def test_a_record_s_key_is_an_id_or_a_number_and_not_a_time(columns: str, key: str) -> None:
    row = ";".join(str(number) for number, _ in enumerate(columns.split(";"), start=1))
    found = made(f"{columns}\n{row}".encode(), "visits.csv", "Encounter")
    assert re.search(rf'key: "`?{key}`?"', found.manifest)


def test_a_name_that_is_no_plain_one_is_quoted(tmp_path: Path) -> None:
    sample = b"row id;b c\n1;2"
    found = made(sample, "visits.csv", "Patient")
    assert 'key: "`row id`"' in found.manifest
    written(tmp_path, found).check()


def test_a_line_offers_only_what_its_element_can_hold() -> None:
    found = made(b"id;status;starts;type\n1;2;3;4", "visits.csv", "Encounter")
    assert "src.status as v -> tgt.status = translate(v, '...', 'code') \"status\";" in found.map
    assert "src.type as v -> tgt.type = translate(v, '...', 'CodeableConcept') \"type\";" in found.map
    assert 'src.starts as v -> tgt.... = v "starts";' in found.map


def test_rules_of_parts_with_one_name_have_two() -> None:
    found = made('{"id":1,"vård":{"namn":"a"},"boende":{"namn":"b"}}'.encode(), "x.json", "Patient")
    assert re.findall(r' = v "(\S+)";', found.map) == ["namn", "boende-namn"]


@pytest.mark.parametrize("mark", [";", ",", "\t", "|"])
def test_a_header_says_what_parts_it_and_becomes_a_model(mark: str, tmp_path: Path) -> None:
    sample = mark.join(["visit", "person", "from"]) + "\n" + mark.join(["1", "2", "3"]) + "\n"
    package = written(tmp_path, made(sample.encode(), "visits.csv", "Encounter"))
    assert package.format.options["delimiter"] == mark
    path = tmp_path / "begun-here/BegunHere.fml"
    path.write_text(path.read_text().replace("src.visit", "src.vist"))
    with pytest.raises(CompileError, match="BegunHereRow has no element 'vist'"):
        Packages.load(tmp_path)["begun-here"].check()


def test_a_list_that_is_all_there_is_may_hold_one_record(tmp_path: Path) -> None:
    sample = b'{"alarms": [{"no": "L-1"}]}'
    package = written(tmp_path, made(sample, "alarms.json", "Encounter"))
    assert package.format.options == {"list": "alarms"}


def test_the_list_in_an_object_around_all_holds_the_records(tmp_path: Path) -> None:
    sample = b'{"made":{"at":"2026"},"visits":[{"id":1},{"id":2}]}'
    package = written(tmp_path, made(sample, "visits.json", "Encounter"))
    found = [package.apply(one, SOURCE, RECEIVED).key for one in formats.read(package.format, sample, Issues())]
    assert found == ["1", "2"]


def test_what_cannot_be_begun_says_why() -> None:
    with pytest.raises(NotFound, match="did you mean 'Encounter'"):
        made(b"a;b\n1;2", "x.csv", "Encountr")
    with pytest.raises(Unprocessable, match="not XML"):
        made(b"<a>", "x.xml", "Patient")
    with pytest.raises(Unprocessable, match=r"no record that can be read as csv: The file is empty"):
        made(b"", "x.csv", "Patient")
    with pytest.raises(Unprocessable, match=r"as json: The message is not JSON here.*line 1, column 2"):
        made(b"{x", "x.json", "Patient")
    with pytest.raises(Unprocessable, match="such as hem-tjanst"):
        skeleton(b"a;b\n1;2", "x.csv", "Patient", DEFINITIONS, package="Hem tjänst")
