"""The guide's example is a package that works, and its tables name what there is."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway import formats
from gateway.definitions.shipped import folder
from gateway.issues import Issues
from gateway.mapping import Package, Packages
from gateway.mapping.facts import of_source
from gateway.mapping.transforms import NAMES
from gateway.records import Source

GUIDE = (Path(__file__).parents[2] / "docs/mapping.md").read_text(encoding="utf-8")
SOURCE = Source("example", "example", "Example", "SE1-S", "SE1-C")
STATES = """{"resourceType": "ConceptMap", "id": "example-state", "url": "https://samverka.example/fhir/ConceptMap/x",
"group": [{"element": [{"code": "P", "target": [{"code": "planned"}]}]}]}"""


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)
    assert found
    return found.group(1)


@pytest.fixture
def package(tmp_path: Path) -> Package:
    (tmp_path / "example/conceptmaps").mkdir(parents=True)
    (tmp_path / "common").symlink_to(folder("mappings") / "common")
    (tmp_path / "example/map.yaml").write_text(block("yaml"), encoding="utf-8")
    map_text = re.search(r"```\n(/// url.*?)```", GUIDE, re.DOTALL)
    assert map_text
    (tmp_path / "example/example.fml").write_text(map_text.group(1), encoding="utf-8")
    (tmp_path / "example/conceptmaps/state.json").write_text(STATES)
    return Packages.load(tmp_path)["example"]


def test_the_guides_package_maps_a_visit(package: Package) -> None:
    body = (
        b'{"type":"visit","id":"7","updated":"20260102","state":"P","start":"202601030900","revision":2,'
        b'"person":{"id":"191212121212"}}'
    )
    (record,) = formats.read(package.format, body, Issues())
    result = package.apply(record, SOURCE, datetime(2026, 1, 4, tzinfo=UTC), body=body)
    # `class` is what the example leaves out for brevity: R4 demands it, so the record would be held.
    assert [issue.rule for issue in result.issues] == ["required-element-missing"]
    (draft,) = result.drafts
    assert draft.resource == {
        "resourceType": "Encounter",
        "identifier": [{"system": "urn:oid:1.2.752.129.2.1.4.1#SE1-S", "value": "7"}],
        "status": "planned",
        "period": {"start": "2026-01-03T09:00:00+01:00"},
    }
    assert (draft.version, result.key) == ("2", "7")


def test_the_guide_names_every_transform() -> None:
    line = re.search(r"\*\*Transforms:\*\* `([^`]+)`", GUIDE)
    assert line
    assert set(line.group(1).split()) == set(NAMES)


def test_the_guide_names_every_fact_of_the_source() -> None:
    line = re.search(r"Always there: (.*?) \(the system", GUIDE, re.DOTALL)
    assert line
    assert {name.rpartition(".")[2] for name in re.findall(r"`([^`]+)`", line.group(1))} == set(of_source(SOURCE))


def test_the_guide_names_every_rule_that_the_engine_tells() -> None:
    code = Path(__file__).parents[2] / "gateway/mapping"
    severity = r"(?:report\(\s*(?:\"\w+\"|run\.field|self\.field), |issues\.(?:error|warning|information)\(\s*)"
    told = re.compile(severity + r'"[\w-]+", "([a-z-]+)"')
    rules = {rule for path in code.glob("*.py") for rule in told.findall(path.read_text(encoding="utf-8"))}
    assert len(rules) > 10
    assert {rule for rule in rules if f"`{rule}`" not in GUIDE} == set()
