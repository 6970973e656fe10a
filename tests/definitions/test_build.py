"""The shipped tables are what the script makes of the official package."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "../shared/data/r4/hl7.fhir.r4.core-4.0.1.tgz"


@pytest.mark.corpus
def test_building_the_tables_again_gives_the_same_bytes(tmp_path: Path) -> None:
    if not PACKAGE.exists():
        pytest.skip("the official package hl7.fhir.r4.core-4.0.1.tgz is not at hand")
    script = [sys.executable, ROOT / "scripts/build-definitions", "--package", PACKAGE, "--output", tmp_path]
    subprocess.run(script, check=True, capture_output=True)
    shipped = ROOT / "gateway/definitions/r4"
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(file.name for file in shipped.iterdir())
    for file in tmp_path.iterdir():
        assert file.read_bytes() == (shipped / file.name).read_bytes(), file.name
