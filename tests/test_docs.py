"""The documentation says what there is, its links lead somewhere, and its examples run."""

from __future__ import annotations

import dataclasses
import fcntl
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import yaml
from joserfc.jwk import ECKey
from pydantic_core import PydanticUndefined

from gateway import __version__
from gateway.access.issuers import Issuers
from gateway.access.searching import MOST_INCLUDED
from gateway.adapters import mllp
from gateway.app import background, wire
from gateway.cli import every
from gateway.cli.demo import Story
from gateway.fhir.json import DEEPEST, MOST_BYTES
from gateway.formats import LIMITS
from gateway.records import Source
from gateway.rest.routes import ROUTES
from gateway.search.query import MAX_PARAMETERS
from gateway.search.query import Limits as SearchLimits
from gateway.settings import ENV_PREFIX, Settings
from tests.examples import ROOT, Clone, blocks, put_commands

DOCS = ROOT / "docs"
PAGES = sorted(
    path.relative_to(ROOT)
    for pattern in ("*.md", "docs/**/*.md", "mappings/*/README.md")
    for path in ROOT.glob(pattern)
    if ".venv" not in path.parts
)
WITH_EXAMPLES = [
    page
    for page in PAGES
    if page.parts[:2] in {("docs", "api"), ("docs", "guides")}
    or str(page) in {"README.md", "docs/cli.md", "docs/settings.md", "docs/security.md"}
]
FENCED = re.compile(r"^( *)```.*?^\1```", re.MULTILINE | re.DOTALL)


def read(name: str | Path) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def headings(page: str) -> dict[str, str]:
    """Each heading with its text, to the next heading of whatever level."""
    parts = re.split(r"^#+ (.+)$", FENCED.sub(lambda found: re.sub("^#", " #", found[0], flags=re.M), page), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def anchors(page: str) -> set[str]:
    """The names by which headings are linked to, as GitHub makes them."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.+)$", FENCED.sub("", page), re.MULTILINE):
        plain = re.sub(r"[^\w\- ]", "", heading.lower().replace("`", "")).strip().replace(" ", "-")
        found.add(plain)
    return found


# --- what there is is described ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_has_its_heading_variable_default_and_sentence(name: str) -> None:
    field = Settings.model_fields[name]
    section = headings(read("docs/settings.md"))[f"`{name}`"]
    assert f"`{ENV_PREFIX}{name.upper()}`" in section
    assert field.description and field.description in " ".join(section.split())
    assert field.default is not PydanticUndefined
    default = str(field.default).lower() if isinstance(field.default, bool) else str(field.default)
    assert ("no default" if field.default is None else f"default `{default}`") in section


def test_no_setting_is_described_that_there_is_not() -> None:
    described = {heading.strip("`") for heading in headings(read("docs/settings.md")) if heading.startswith("`")}
    assert described == set(Settings.model_fields)


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_used(name: str) -> None:
    """What nothing reads is removed, not described."""
    used = re.compile(rf"settings(_from\([^)]*\))?\.{name}\b|self\.{name}\b")
    assert any(used.search(path.read_text(encoding="utf-8")) for path in (ROOT / "gateway").rglob("*.py"))


def commands(group: Any, name: str) -> Iterator[tuple[str, Any]]:
    """The commands by their whole names; `group` is a command of the library beneath typer."""
    children = getattr(group, "commands", None)
    if children is None:
        yield name, group
    else:
        for child, command in children.items():
            yield from commands(command, f"{name} {child}")


COMMANDS = {whole: one for name, group in every().items() for whole, one in commands(group, f"samverka {name}")}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_its_heading_with_options_and_an_example(name: str) -> None:
    section = headings(read("docs/cli.md"))[f"`{name}`"]
    assert re.search(rf"^(\$ |.*\$\()?{name}\b", section, re.MULTILINE), "an example"
    for parameter in COMMANDS[name].params:
        if parameter.name != "help":
            shown = parameter.opts[0] if parameter.opts[0].startswith("-") else parameter.name.upper()
            assert f"`{shown}`" in section, shown


@pytest.mark.parametrize("name", COMMANDS)
def test_every_commands_help_holds_an_example_and_explains_its_options(name: str) -> None:
    command = COMMANDS[name]
    text = f"{command.help}\n{command.epilog or ''}"
    assert re.search(rf"Examples?:\s.*({name}|curl)\b", text, re.DOTALL), text
    for parameter in command.params:
        assert getattr(parameter, "help", None), parameter.name


def test_no_command_is_described_that_there_is_not() -> None:
    described = {heading.strip("`") for heading in headings(read("docs/cli.md")) if heading.startswith("`samverka ")}
    assert described == set(COMMANDS)


HANDLERS = {inspect.getmodule(handler).__name__.rpartition(".")[2]: path for _, path, handler in ROUTES}  # type: ignore[union-attr]


@pytest.mark.parametrize("module", HANDLERS)
def test_every_interaction_and_operation_has_its_page_with_its_address_examples_and_errors(module: str) -> None:
    page = DOCS / "api" / f"{module}.md"
    text = page.read_text(encoding="utf-8")
    address = re.sub(r"\{resource_type\}", "{type}", HANDLERS[module]).replace("{version_id}", "{version}")
    assert text.startswith(f"# {module}\n")
    assert address in text, address
    assert any(block.kind == "sh" and "curl " in block.text for block in blocks(page))
    assert "| status | rule | when |" in text


def test_rules_that_the_pages_name_are_given_by_the_code() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "gateway").rglob("*.py"))
    # A class without a finer rule gives its own name.
    classes = {re.sub(r"(?<!^)([A-Z])", r"-\1", name).lower() for name in re.findall(r"^class (\w+)\(", code, re.M)}
    for page in (DOCS / "api").glob("*.md"):
        for row in re.findall(r"^\| [\d, ]+ \| ([^|]*`[^|]*) \|", page.read_text(encoding="utf-8"), re.MULTILINE):
            for rule in re.findall(r"`([a-z-]+)`", row):
                assert f'"{rule}"' in code or rule in classes, f"{page.name}: {rule}"


PACKAGES = sorted(path.parent.name for path in (ROOT / "mappings").glob("*/map.yaml"))


@pytest.mark.parametrize("package", PACKAGES)
def test_every_mapping_package_has_its_page_and_its_line(package: str) -> None:
    manifest = yaml.safe_load(read(f"mappings/{package}/map.yaml"))
    assert manifest["id"] == package
    assert read(f"mappings/{package}/README.md").startswith("# ")
    assert f"(../mappings/{package}/README.md)" in read("docs/README.md")


def test_the_index_leads_to_every_page() -> None:
    index = read("docs/README.md")
    for page in PAGES:
        if page.parts[0] == "docs" and page.parts[1] != "adr" and page.name != "README.md":
            assert f"({page.relative_to('docs')})" in index, f"docs/README.md has no line for {page}"


def test_every_event_of_the_log_is_described_and_no_other() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "gateway").rglob("*.py"))
    logged = set(re.findall(r'log\.(?:info|warning|error)\(\s*"([a-z-]+)"', code))
    rows = re.findall(r"^\| (.+?) \| (?:info|warning|error) \|", read("docs/guides/operate.md"), re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`([a-z-]+)`", row)} == logged


def test_every_field_of_a_source_is_described() -> None:
    guide = read("docs/guides/add-a-provider.md")
    for field in dataclasses.fields(Source):
        if field.name != "id":
            assert f"| `{field.name}` |" in guide, field.name


def test_the_bounds_that_are_told_are_those_of_the_code() -> None:
    table = headings(read("docs/security.md"))["What is read"]
    mebi = 1 << 20
    assert f"{Settings.model_fields['max_body'].default // mebi} MiB" in table
    record = f"{LIMITS.depth} levels, {LIMITS.nodes} nodes a record"
    assert f"{LIMITS.bytes // mebi} MiB, {LIMITS.records} records, {record}" in table
    assert f"{mllp.BOUNDS.message // mebi} MiB, {mllp.BOUNDS.connections} connections" in table
    assert f"{MOST_BYTES // mebi} MiB, {DEEPEST} levels" in table
    assert f"{MAX_PARAMETERS} parameters, {SearchLimits().most} resources a page, {MOST_INCLUDED} included" in table


def test_the_example_of_issuers_is_one(tmp_path: Path) -> None:
    (example,) = [block.text for block in blocks(DOCS / "security.md") if block.kind == "toml"]
    (tmp_path / "issuers.toml").write_text(example, encoding="utf-8")
    keys = {"keys": [ECKey.generate_key("P-256").as_dict(private=False)]}
    (tmp_path / "region.jwks.json").write_text(json.dumps(keys))
    assert Issuers.read(tmp_path / "issuers.toml", lambda: datetime.now(UTC))


def test_the_changelog_tells_of_this_version() -> None:
    _, latest, *_ = re.split(r"^## ", read("CHANGELOG.md"), flags=re.MULTILINE)
    assert re.split(r"[, \n]", latest)[0] == __version__
    kinds = headings(latest).keys() & {"Added", "Changed", "Fixed"}
    assert kinds
    assert re.search(r"^- ", latest, re.MULTILINE)


# --- links -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_lead_somewhere(page: Path) -> None:
    text = FENCED.sub("", read(page))
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), f"{page}: {link}"
        if anchor:
            assert anchor in anchors(target.read_text(encoding="utf-8")), f"{page}: {link}"


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_files_that_pages_name_are_there(page: Path) -> None:
    """Paths of the project in backquotes, from its top."""
    folders = "docs|gateway|mappings|conformance|demo|tests|scripts|bench"
    for name in re.findall(rf"`((?:{folders})/[\w./-]+)`", FENCED.sub("", read(page))):
        assert (ROOT / name).exists(), f"{page}: {name}"


# --- examples --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def demo_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo, loaded once a run by the command that readers use."""
    top = tmp_path_factory.getbasetemp()
    shared = (top.parent if "PYTEST_XDIST_WORKER" in os.environ else top) / "docs-demo"
    shared.mkdir(exist_ok=True)
    database = shared / "demo.db"
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not database.exists():
            making = shared / "making.db"
            command = [Path(sys.executable).with_name("samverka"), "demo", "load", "--database-url"]
            subprocess.run([*command, f"sqlite:///{making}"], check=True, capture_output=True, cwd=shared)
            making.rename(database)
    return database


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory, demo_database: Path) -> Iterator[Clone]:
    """A folder like a clone's after `make demo`, with a server of its own over the demo."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("demo", "mappings", "conformance", "docs"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "var").mkdir()
    shutil.copy(demo_database, folder / "var/demo.db")
    (folder / "bin").mkdir()
    endpoint = folder / "commands"
    put_commands(folder / "bin", endpoint)
    story = Story.read()
    database = f"sqlite:///{folder}/var/demo.db"
    gateway = wire(Settings(database_url=database, sources=story.folder / "sources.toml", now=story.now))
    forking = [sys.executable, "-m", "tests.examples", str(endpoint)]
    with subprocess.Popen(forking, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as forker:
        with background(gateway) as base:
            assert forker.stdout is not None
            assert forker.stdout.readline() == b"ready\n"
            yield Clone(folder, base.removeprefix("http://"), folder / "bin")
        forker.communicate()
    gateway.close()


@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=str)
def test_examples_run(clone: Clone, page: Path) -> None:
    clone.run(ROOT / page)


@pytest.mark.parametrize(
    "example",
    [
        "curl -s http://127.0.0.1:8000/fhir/Patient/nobody",
        "curl -s http://127.0.0.1:8000/ready    # 404",
        "samverka inbox show nothing",
        "samverka nothing",
        "test -e nothing",
    ],
)
def test_an_example_that_does_not_do_what_it_says_is_found(clone: Clone, tmp_path: Path, example: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"```sh\n{example}\n```\n")
    with pytest.raises(AssertionError, match=r"page\.md"):
        clone.run(page)


def test_output_that_is_not_printed_is_found(clone: Clone, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```sh\necho one\necho two\n```\n```output\ntwo\n```\n")
    clone.run(page)
    page.write_text("```sh\necho one\necho two\n```\n```output\ntwo\n```\n```output\none\n```\n")
    with pytest.raises(AssertionError, match=r"page\.md:9: not printed"):
        clone.run(page)


@pytest.mark.parametrize("page", ["README.md", "docs/api/README.md", "docs/guides/read-the-answer.md"])
def test_pages_that_must_have_examples_have_them(page: str) -> None:
    assert any(block.kind == "sh" and "curl " in block.text for block in blocks(ROOT / page))
