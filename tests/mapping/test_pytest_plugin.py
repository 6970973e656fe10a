"""`pytest mappings/` runs the cases of anybody's packages, and says what differs."""

from __future__ import annotations

import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from gateway.mapping import Packages
from gateway.mapping.cases import cases
from tests.mapping.folders import package

pytest_plugins = ["pytester"]

RULES = "src.number as v -> pat.identifier = id('http://example.org', v);\n{more}"
MORE = "  src.name as v -> pat.name as n, n.text = v;"
CASES = {"one": [{"number": "1", "name": "Agda"}], "two": [{"number": "2"}]}


@pytest.fixture
def ran(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    """Runs pytest in a folder of its own (without arguments: in a process of its own), with the plug-in."""
    known = any(one.name == "samverka" for one in entry_points(group="pytest11"))

    def run(*arguments: str) -> pytest.RunResult:
        plugin = () if known else ("-p", "gateway.pytest_plugin")
        apart = pytester.runpytest_subprocess if not arguments else pytester.runpytest_inprocess
        return apart("-p", "no:cacheprovider", *plugin, *arguments)

    return run


@pytest.fixture
def folder(pytester: pytest.Pytester) -> Path:
    found = pytester.path / "mappings"
    written = package(found, RULES.format(more=MORE), cases=CASES)
    for case in cases(written):
        case.update()
    return found


def test_every_case_is_a_test_and_so_is_that_the_package_compiles(ran, folder: Path) -> None:
    result = ran("mappings/", "-v")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines_random(
        ["*map.yaml::compiles PASSED*", "*map.yaml::one PASSED*", "*map.yaml::two PASSED*"]
    )


def test_a_case_that_fails_says_where_without_a_traceback(ran, folder: Path) -> None:
    package(folder, RULES.format(more=""))
    result = ran("mappings/")
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        ["drafts[[]0[]].name: missing, expected *", "samverka map test example --case one --update*"]
    )
    assert "Traceback" not in result.stdout.str()


def test_a_map_that_does_not_compile_fails_by_its_place(ran, folder: Path) -> None:
    package(folder, RULES.format(more="  src.name as v -> pat.nam = v;"))
    result = ran("mappings/", "-k", "compiles")
    result.assert_outcomes(failed=1, deselected=2)
    result.stdout.fnmatch_lines(["example/example.fml:4:*: *no element 'nam'*"])


def test_a_manifest_that_cannot_be_read_is_an_error_of_collecting(ran, folder: Path) -> None:
    (folder / "example/map.yaml").write_text("id: [")
    result = ran("mappings/")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*example/map.yaml:*: not YAML*"])


def test_other_files_of_the_name_are_left_alone(ran, pytester: pytest.Pytester) -> None:
    (pytester.path / "map.yaml").write_text("a: 1")
    assert ran(".").ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_nothing_of_the_gateway_is_loaded_until_a_package_is_met(ran, pytester: pytest.Pytester) -> None:
    pytester.makepyfile("import sys\ndef test_it():\n    assert 'gateway.mapping.package' not in sys.modules")
    ran().assert_outcomes(passed=1)


def test_it_is_registered_for_whoever_installs_the_gateway() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["pytest11"] == {"samverka": "gateway.pytest_plugin"}


def test_updating_a_case_makes_it_hold(folder: Path) -> None:
    changed = package(folder, RULES.format(more="  src.name as v -> pat.name as n, n.family = v;"))
    one = next(iter(cases(changed)))
    assert one.check() != []
    assert one.update()
    assert one.check() == []
    assert not one.update()
    assert Packages.load(folder)["example"].hash == changed.hash
