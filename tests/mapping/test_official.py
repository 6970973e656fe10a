"""HL7's own mapping cases, unchanged: the six whose target is JSON.

Four of the manifest's ten write CDA, whose structures are not of FHIR R4; `qr2cda-eval.json` is a StructureMap.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from gateway import formats
from gateway.formats import Format, RecordKind
from gateway.issues import Issues
from tests.mapping.maps import compiled

FOLDER = Path(__file__).parents[2] / "../shared/data/fhir-test-cases/r5/structure-mapping"
MANIFEST = (FOLDER / "manifest.xml").read_text(encoding="utf-8") if FOLDER.is_dir() else ""
CASES = [
    found
    for found in re.findall(r'source="([^"]+)" map="([^"]+)" output="([^"]+)"', MANIFEST)
    if found[2].endswith(".json")
]

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(not FOLDER.is_dir(), reason="HL7's structure-mapping cases are not here"),
]


@pytest.mark.parametrize(("source", "name", "output"), CASES, ids=[name for _, name, _ in CASES])
def test_an_official_case_gives_what_it_should(source: str, name: str, output: str) -> None:
    form = Format("fhir", {}, (RecordKind("resource", "*"),))
    (record,) = formats.read(form, (FOLDER / source).read_bytes(), Issues())
    program = compiled((FOLDER / name).read_text(encoding="utf-8"))
    found, run = program.run(record.node.kids["resource"][0])
    assert found == json.loads((FOLDER / output).read_text(encoding="utf-8"))
    assert not run.found


def test_six_of_them_are_run() -> None:
    assert len(CASES) == 6
