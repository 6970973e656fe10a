"""A package turns records into drafts: who states them, as of when, and what becomes of what is wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway import formats
from gateway.formats import Record
from gateway.issues import Issues
from gateway.mapping import CompileError, MapResult, Package, Packages
from gateway.mapping.explain import explain
from gateway.records import Source

SOURCE = Source("clinic", "example", "Clinic", "SE1-S", "SE1-C")
RECEIVED = datetime(2026, 3, 1, 12, tzinfo=UTC)
MANIFEST = """
id: example
version: 1.0.0
title: An example
source: {format: json, discriminator: type}
records:
  - name: visit
    at: visit
    map: http://example.org/StructureMap/example
    group: Visit
    key: id
    asOf: time
    version: rev
    party: unit
    provider: giver
"""
MAP = """/// url = 'http://example.org/StructureMap/example'
/// name = 'example'
group Visit(source src, target bundle : Bundle) {
  src -> bundle.entry as e, e.resource = create('Encounter') as enc then Encounter(src, enc);
  src.person as p -> bundle.entry as e, e.resource = create('Patient') as pat then Person(p, pat);
}
group Encounter(source src, target enc : Encounter) {
  src.id as v -> enc.identifier = id(%source.idSystem, v) "id";
  src -> enc.class = c('http://terminology.hl7.org/CodeSystem/v3-ActCode', 'AMB') "class";
  src.state as v -> enc.status = v "state";
  src.start as v -> enc.period as p, p.start = v "start";
}
group Person(source p, target pat : Patient) {
  p.number as v -> pat.identifier = id('http://electronichealth.se/identifier/personnummer', v) "number";
  p.born as v -> pat.birthDate = v "born";
}
"""
VISIT = {"type": "visit", "id": "v1", "time": "20260202030405", "state": "planned"}


class Folder:
    """A mappings folder with one package, to be written into."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.write("map.yaml", MANIFEST)
        self.write("example.fml", MAP)

    def write(self, name: str, text: str) -> None:
        path = self.path / "example" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    @property
    def package(self) -> Package:
        return Packages.load(self.path)["example"]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def record_of(package: Package, record: dict[str, Any]) -> tuple[Record, bytes]:
    import orjson

    body = orjson.dumps(record, option=orjson.OPT_INDENT_2)
    (found,) = formats.read(package.format, body, Issues())
    return found, body


def applied(package: Package, record: dict[str, Any], source: Source = SOURCE) -> MapResult:
    found, body = record_of(package, record)
    return package.apply(found, source, RECEIVED, body=body)


def test_a_draft_says_who_states_it_and_as_of_when(folder: Folder) -> None:
    result = applied(folder.package, VISIT | {"rev": 3, "unit": "SE2-U", "giver": "SE2-G"})
    (draft,) = result.drafts
    assert (draft.party, draft.provider, draft.version) == ("SE2-U", "SE2-G", "3")
    assert draft.effective.isoformat() == "2026-02-02T03:04:05+01:00"
    assert result.key == "v1"
    assert draft.resource["identifier"] == [{"system": "urn:oid:1.2.752.129.2.1.4.1#SE1-S", "value": "v1"}]
    assert not result.issues


def test_without_its_own_word_a_record_is_stated_by_its_source(folder: Folder) -> None:
    (draft,) = applied(folder.package, VISIT).drafts
    assert (draft.party, draft.provider, draft.version) == ("SE1-S", "SE1-C", "")


@pytest.mark.parametrize(
    ("time", "rule"), [(None, "as-of-missing"), ("soon", "as-of-not-valid"), ("20250231", "as-of-not-valid")]
)
def test_a_record_without_a_time_holds_as_of_its_arrival_and_says_so(
    folder: Folder, time: str | None, rule: str
) -> None:
    result = applied(folder.package, VISIT | {"time": time})
    assert result.drafts[0].effective == RECEIVED
    assert [(issue.severity, issue.rule) for issue in result.issues] == [("warning", rule)]


def test_the_hour_that_occurs_twice_is_marked_in_a_records_time_too(folder: Folder) -> None:
    result = applied(folder.package, VISIT | {"time": "20261025023000"})
    assert result.drafts[0].effective.isoformat() == "2026-10-25T02:30:00+02:00"
    assert [issue.rule for issue in result.issues] == ["ambiguous-hour"]


def test_a_task_holds_as_of_its_last_modification(folder: Folder) -> None:
    text = MAP.replace("create('Encounter') as enc then Encounter(src, enc);", "create('Task') as t then Job(src, t);")
    job = """group Job(source s, target t : Task) {
        s.id as v -> t.identifier = id('x', v), t.status = 'draft', t.intent = 'order';
        s.start as v -> t.lastModified = v;
    }"""
    folder.write("example.fml", text + job)
    (draft,) = applied(folder.package, VISIT | {"start": "2026-01-05T10:00:00+01:00"}).drafts
    assert draft.effective.isoformat() == "2026-01-05T10:00:00+01:00"
    (other,) = applied(folder.package, VISIT).drafts
    assert other.effective.isoformat() == "2026-02-02T03:04:05+01:00"


def test_an_entry_to_delete_withdraws(folder: Folder) -> None:
    folder.write(
        "example.fml",
        MAP.replace(
            "bundle.entry as e, e.resource = create('Enc",
            "bundle.entry as e, e.request as q, q.method = 'DELETE', e.resource = create('Enc",
        ),
    )
    assert [draft.withdrawn for draft in applied(folder.package, VISIT).drafts] == [True]


def test_a_draft_without_identifier_or_status_holds_the_record(folder: Folder) -> None:
    nobody = applied(folder.package, VISIT | {"person": {"born": "1912-12-12"}})
    assert [(i.severity, i.rule) for i in nobody.issues] == [("error", "draft-without-identifier")]
    nothing = applied(folder.package, {k: v for k, v in VISIT.items() if k != "state"})
    assert [(i.severity, i.rule) for i in nothing.issues] == [("error", "required-element-missing")]
    assert nothing.issues.bad


def test_a_resource_that_says_nothing_is_no_draft(folder: Folder) -> None:
    assert len(applied(folder.package, VISIT | {"person": {"other": "x"}}).drafts) == 1


def test_an_issue_tells_line_and_column_where_the_message_is_at_hand(folder: Folder) -> None:
    record, body = record_of(folder.package, VISIT | {"start": "soon"})
    (issue,) = folder.package.apply(record, SOURCE, RECEIVED, body=body).issues
    assert issue.where == "line 6, column 12, /start"
    assert 'example/example.fml:11 "start"' in issue.text
    (other,) = folder.package.apply(record, SOURCE, RECEIVED).issues
    assert other.where == "line 1, start"


def test_the_manifest_decides_what_errors_do(folder: Folder) -> None:
    folder.write("map.yaml", MANIFEST + "onError: {field: hold}\n")
    assert applied(folder.package, VISIT | {"start": "soon"}).issues.bad
    folder.write("map.yaml", MANIFEST + "onError: {record: skip}\n")
    result = applied(folder.package, {"type": "visit", "id": "v1", "time": "2026"})
    assert (result.drafts, result.issues.bad) == ([], False)
    assert [issue.rule for issue in result.issues] == ["required-element-missing"]


def test_a_record_that_could_not_be_read_is_not_mapped(folder: Folder) -> None:
    record, _ = record_of(folder.package, VISIT)
    record.issues.error("structure", "broken", "Broken.")
    result = folder.package.apply(record, SOURCE, RECEIVED)
    assert (result.drafts, [i.rule for i in result.issues]) == ([], ["broken"])


def test_a_map_that_does_not_compile_holds_its_records_and_says_where(folder: Folder) -> None:
    folder.write("example.fml", MAP.replace("enc.status", "enc.stats"))
    (issue,) = applied(folder.package, VISIT).issues
    assert (issue.severity, issue.rule) == ("error", "map-invalid")
    assert "example/example.fml:10:21" in issue.text
    with pytest.raises(CompileError) as raised:
        folder.package.check()
    assert raised.value.problems[0].hint == "did you mean 'status'?"


def test_the_hash_follows_the_content(folder: Folder) -> None:
    first = folder.package.hash
    assert folder.package.hash == first
    folder.write("example.fml", MAP + "\n")
    second = folder.package.hash
    folder.write("conceptmaps/x.json", '{"resourceType": "ConceptMap", "url": "http://example.org/x"}')
    assert len({first, second, folder.package.hash}) == 3
    assert set(folder.package.files) == {"example/map.yaml", "example/example.fml", "example/conceptmaps/x.json"}


@pytest.mark.parametrize(
    ("old", "new", "place", "text"),
    [
        ("asOf: time", "asof: time", (12, 11), "records.0.asof: the manifest knows no such name here"),
        ("format: json", "format: jsn", (5, 18), "source.format: Input should be"),
        ("id: example", "id: Example", (2, 5), "id: small letters a to z"),
        ("id: example", "id: other", (2, 5), "the id is 'other', the folder 'example'"),
        ("title: An example\n", "", (2, 1), "title: this must be said"),
        ("    group: Visit", "   group: Visit", (10, 4), "not YAML"),
        ("records:\n", "unmapped: {default: guess}\nrecords:\n", (6, 11), "unmapped: Value error, a policy is report"),
    ],
)
def test_a_wrong_manifest_is_told_with_its_place(
    folder: Folder, old: str, new: str, place: tuple[int, int], text: str
) -> None:
    folder.write("map.yaml", MANIFEST.replace(old, new))
    with pytest.raises(CompileError) as raised:
        Packages.load(folder.path)
    (problem,) = raised.value.problems
    assert problem.file == "example/map.yaml"
    assert problem.text.startswith(text)
    assert (problem.line, problem.column) == place


def test_a_misspelt_name_in_the_manifest_is_guessed(folder: Folder) -> None:
    folder.write("map.yaml", MANIFEST.replace("asOf: time", "asof: time"))
    with pytest.raises(CompileError) as raised:
        Packages.load(folder.path)
    assert raised.value.problems[0].hint == "did you mean 'asOf'?"


def test_a_record_whose_map_is_missing_names_those_there_are(folder: Folder) -> None:
    folder.write("map.yaml", MANIFEST.replace("StructureMap/example", "StructureMap/exampel"))
    with pytest.raises(CompileError) as raised:
        folder.package.check()
    assert "there is no map http://example.org/StructureMap/exampel" in str(raised.value)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"resourceType": "ConceptMap"}',
        '{"resourceType": "ConceptMap", "url": "u", "group": [{"element": [{}]}]}',
    ],
)
def test_a_broken_concept_map_is_named(folder: Folder, text: str) -> None:
    folder.write("conceptmaps/x.json", text)
    with pytest.raises(CompileError) as raised:
        folder.package.check()
    assert raised.value.problems[0].file == "example/conceptmaps/x.json"


def test_unmapped_policies_of_the_manifest_apply_where_a_table_has_none(folder: Folder) -> None:
    folder.write(
        "conceptmaps/x.json", '{"resourceType": "ConceptMap", "id": "states", "url": "http://example.org/states"}'
    )
    folder.write("example.fml", MAP.replace("enc.status = v", "enc.status = translate(v, '#states', 'code')"))
    assert [i.rule for i in applied(folder.package, VISIT).issues] == ["unmapped-code", "required-element-missing"]
    folder.write("map.yaml", MANIFEST + "unmapped: {states: 'fixed:unknown'}\n")
    assert applied(folder.package, VISIT).drafts[0].resource["status"] == "unknown"
    folder.write("map.yaml", MANIFEST + "unmapped: {default: provided}\n")
    assert applied(folder.package, VISIT).drafts[0].resource["status"] == "planned"


@pytest.mark.parametrize(
    ("as_of", "moment"), [("max(time)", "2026-02-03T00:00:00+01:00"), ("time", "2026-02-01T00:00:00+01:00")]
)
def test_a_snapshot_speaks_of_the_time_that_the_manifest_names(folder: Folder, as_of: str, moment: str) -> None:
    folder.write("map.yaml", MANIFEST + f"snapshot: {{asOf: {as_of}}}\n")
    package = folder.package
    records = [record_of(package, VISIT | {"time": time})[0] for time in ("20260201", "20260203", "20260202")]
    found = package.snapshot_time(records, SOURCE)
    assert found is not None
    assert found.isoformat() == moment


def test_explaining_gives_path_rule_map_line_and_place_and_withholds_values(folder: Folder) -> None:
    package = folder.package
    record, body = record_of(package, VISIT | {"person": {"number": "191212121212"}})
    found = explain(package, record, SOURCE, RECEIVED, body=body)
    lines = [(one.draft, one.path, one.map_line, one.rule.name, str(one.position)) for one in found]
    assert lines == [
        (0, "Encounter.identifier[0]", "example/example.fml:8", "id", "line 3, column 9, /id"),
        (0, "Encounter.class", "example/example.fml:9", "class", "line 1, column 1"),
        (0, "Encounter.status", "example/example.fml:10", "state", "line 5, column 12, /state"),
        (1, "Patient.identifier[0]", "example/example.fml:14", "number", "line 7, column 15, /person/number"),
    ]
    assert all(one.value is None for one in found)
    shown = explain(package, record, SOURCE, RECEIVED, body=body, values=True)
    assert [one.value for one in shown][2] == "planned"
