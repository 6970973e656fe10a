"""The wheel holds all that the gateway needs, and runs where there is nothing else of the project."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

from gateway import __version__

ROOT = Path(__file__).parents[1]
SHIPPED = {"gateway": "gateway"} | {name: f"gateway/_shipped/{name}" for name in ("mappings", "conformance", "demo")}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as the image builds it."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel, and this one's dependencies within reach. Its folder of commands."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin/python"
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    # A path in a .pth file is searched, its own .pth files are not read: the working copy stays out of sight.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([*pip, "--no-index", "--no-deps", str(wheel)], check=True, capture_output=True)
    return folder / "bin"


def run(installed: Path, *arguments: str, cwd: Path) -> str:
    environment = {"PATH": f"{installed}:{os.defpath}", "HOME": str(cwd)}
    done = subprocess.run(arguments, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_holds_every_file_that_is_shipped_and_no_other(wheel: Path) -> None:
    wanted = {
        f"{place}/{path.relative_to(ROOT / folder)}"
        for folder, place in SHIPPED.items()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names == wanted


def test_the_wheel_says_what_it_is_and_what_it_needs(wheel: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    with zipfile.ZipFile(wheel) as archive:
        folder = f"samverka-{__version__}.dist-info"
        about = message_from_string(archive.read(f"{folder}/METADATA").decode())
        assert f"{folder}/licenses/LICENSE" in archive.namelist()
    assert about["Version"] == project["version"] == __version__
    assert len(about.get_all("Requires-Dist") or ()) == len(project["dependencies"])
    assert "who does what" in about.get_payload()


def test_the_locks_hold_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    locked = (ROOT / "requirements.lock").read_text().lower()
    for one in project["project"]["dependencies"]:
        name = re.split(r"[>\[]", one)[0].lower().replace(".", "-")
        assert f"\n{name}==" in f"\n{locked}" or f"\n{name}[" in f"\n{locked}", name


def test_the_installed_package_is_not_the_working_copy(installed: Path, tmp_path: Path) -> None:
    found = run(installed, "python", "-c", "import gateway; print(gateway.__file__)", cwd=tmp_path)
    assert Path(found.strip()).is_relative_to(installed.parent)


def test_mappings_are_found_from_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    sources = json.loads(run(installed, "samverka", "sources", "--json", cwd=tmp_path))
    packages = {path.parent.name for path in (ROOT / "mappings").glob("*/map.yaml")}
    assert {source["package"] for source in sources} == packages
    run(installed, "samverka", "map", "check", cwd=tmp_path)


def test_the_demo_runs_from_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    told = run(installed, "samverka", "demo", "run", "--once", cwd=tmp_path)
    assert "Ansvarig nu" in told and "Fattas" in told
    answer = json.loads(run(installed, "samverka", "demo", "answer", "--json", cwd=tmp_path))
    assert answer["type"] == "document"
    assert {path.name for path in tmp_path.iterdir()} == {"var"}
