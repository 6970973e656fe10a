"""The workbench's pages: three panes that light up together, an edit with its verdict, and who may stand there."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from gateway.app import background, wire
from gateway.definitions import shipped
from gateway.settings import Settings
from tests.web.conftest import Site
from tests.web.test_browser import OVERFLOW, WCAG

BENCH = "/workbench/directory-csv"
MAP = "directory-csv/DirectoryCsv.fml"
Look = Callable[..., Page]


def text(name: str = MAP) -> str:
    return (shipped.folder("mappings") / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, Path]]:
    """A gateway with mappings of its own, which may be changed."""
    folder = tmp_path_factory.mktemp("own")
    mappings = folder / "mappings"
    for name in ("common", "directory-csv"):
        shutil.copytree(shipped.folder("mappings") / name, mappings / name)
    begun = shutil.copytree(mappings / "directory-csv", mappings / "begun", ignore=shutil.ignore_patterns("cases"))
    manifest = (begun / "map.yaml").read_text(encoding="utf-8")
    (begun / "map.yaml").write_text(manifest.replace("id: directory-csv", "id: begun"), encoding="utf-8")
    gateway = wire(Settings(database_url=f"sqlite:///{folder}/own.db", mappings=mappings, worker=False))
    with background(gateway) as base, httpx.Client(base_url=base, headers={"origin": base}, timeout=30) as client:
        yield client, mappings
    gateway.close()


def test_the_workbench_is_the_operators(operator: httpx.Client, nurse: httpx.Client) -> None:
    assert "directory-csv" in operator.get("/workbench").text
    for path in ("/workbench", BENCH):
        assert nurse.get(path).status_code == 404
    assert nurse.post(BENCH, data={"source": ""}).status_code == 404
    assert "/workbench" not in nurse.get("/").text


def test_an_unknown_package_is_not_there(operator: httpx.Client) -> None:
    assert operator.get("/workbench/none").status_code == 404


@pytest.mark.browser
def test_a_click_on_a_value_lights_up_its_rule_and_its_source(look: Look) -> None:
    page = look(BENCH, language="en")
    value = page.get_by_role("region", name="Output").get_by_role("button", name="Tanums kommun").first
    value.click()
    expect(page.locator(".at dd").first).to_contain_text('"name"')
    expect(page.get_by_role("region", name="Map").locator(".line.at")).to_contain_text("org.name")
    lit = page.get_by_role("region", name="Source").locator(".bare.at")
    expect(lit).to_have_text("Tanums kommun")
    for region in ("Source", "Map", "Output"):
        expect(page.get_by_role("region", name=region).locator(".at").first).to_be_in_viewport()
    expect(value).to_be_focused()


@pytest.mark.browser
def test_steps_go_forward_and_back_by_keyboard(look: Look) -> None:
    page = look(BENCH, language="en")
    steps = page.get_by_role("group", name="Steps")
    for n in (1, 2, 3):
        steps.get_by_role("button", name="Forward").press("Enter")
        expect(steps.get_by_role("status")).to_have_text(re.compile(rf"Step {n} / \d+"))
        expect(page.locator("[autofocus]:not(:focus)")).to_have_count(0)  # Else the browser says that it was too late.
    expect(page.locator(".line.pending").first).to_be_visible()
    steps.get_by_role("button", name="Back").press("Enter")
    expect(steps.get_by_role("status")).to_have_text(re.compile(r"Step 2 / \d+"))


def test_an_edit_shows_its_result_and_which_cases_it_breaks(operator: httpx.Client) -> None:
    edited = text().replace("org.name = name", "org.alias = name")
    assert edited != text()
    shown = operator.post(BENCH, data={"file": MAP, "map": edited, "case": "units", "run": "1"}).text
    assert "Fall som inte stämmer: 1 / 2" in shown or "Fall som inte stämmer: 2 / 2" in shown
    assert "Organization" in shown and ".name: missing" in shown
    assert "Alla fall stämmer: 2" in operator.get(BENCH).text  # Nothing of it is in force.


def test_an_edit_that_does_not_compile_says_where_and_what_is_meant(operator: httpx.Client) -> None:
    edited = text().replace("org.name = name", "org.nam = name")
    shown = operator.post(BENCH, data={"file": MAP, "map": edited, "run": "1"}).text
    assert "Kan inte kompileras, antal fel: 1" in shown
    assert "did you mean &#39;name&#39;" in shown


def test_an_edit_stays_in_the_form_while_another_file_is_open(
    operator: httpx.Client,
) -> None:
    package, file = "municipal-csv", "municipal-csv/MunicipalCsv.fml"
    edited = text(file) + "// edited\n"
    shown = operator.post(
        f"/workbench/{package}", data={"file": file, "map": edited, "open": f"{package}/map.yaml", "run": "1"}
    ).text
    assert f'name="edit:{file}"' in shown
    assert "// edited" in shown


def test_lines_of_a_form_are_the_files_own_lines(operator: httpx.Client) -> None:
    """A form sends every line end as CR LF; that is no edit."""
    crlf = text().replace("\n", "\r\n")
    assert "Ändrade filer" not in operator.post(BENCH, data={"file": MAP, "map": crlf, "run": "1"}).text


def test_the_source_can_be_edited_too(operator: httpx.Client) -> None:
    page = operator.get(BENCH).text
    source = re.search(r'name="source"[^>]*>\n(.*?)</textarea>', page, re.DOTALL)
    assert source
    changed = source[1].replace("Tanums kommun", "Havets kommun")
    assert changed != source[1]
    shown = operator.post(BENCH, data={"source": changed, "run": "1"}).text
    assert "&#34;Havets kommun&#34;" in shown


def test_a_package_without_a_case_is_begun_with_a_message_of_ones_own(own: tuple[httpx.Client, Path]) -> None:
    client, _ = own
    shown = client.get("/workbench/begun").text
    assert "Paketet har inget fall" in shown
    assert "Alla fall stämmer" not in shown
    unit = "hsa_id;name;huvudman;updated_at\nSE2321000131-1;Havets kommun;kommun;2026-03-01\n"
    assert "&#34;Havets kommun&#34;" in client.post("/workbench/begun", data={"source": unit, "run": "1"}).text


def test_records_with_issues_are_marked_and_a_map_that_does_not_compile_has_none(
    own: tuple[httpx.Client, Path],
) -> None:
    client, _ = own
    units = "hsa_id;name;huvudman;updated_at\nSE2321000131-1;A;kommun;2026-03-01\nSE2321000131-2;B;NOBODY;2026-03-01\n"
    shown = client.post("/workbench/begun", data={"source": units, "run": "1"}).text
    assert shown.count("har anmärkningar") == 1
    broken = client.post("/workbench/begun", data={"file": "begun/DirectoryCsv.fml", "map": "group", "run": "1"}).text
    assert "Inget har mappats" in broken
    assert "Inga anmärkningar" not in broken


def test_an_edit_that_passes_the_cases_is_kept_in_the_installations_own_mappings(
    own: tuple[httpx.Client, Path],
) -> None:
    client, mappings = own
    edited = text() + "// A note.\n"
    shown = client.post(BENCH, data={"file": MAP, "map": edited, "keep": "1"}).text
    assert f"Sparat: {MAP}" in " ".join(re.sub(r"<[^>]+>", " ", shown).split())
    assert (mappings / MAP).read_text(encoding="utf-8") == edited
    assert [path.name for path in (mappings / "directory-csv").glob(".*")] == []


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [("org.name = name", "org.alias = name", "The cases must pass first"), ("org.name = name", "org.nam = name", "")],
)
def test_an_edit_that_fails_a_case_or_does_not_compile_is_not_kept(
    own: tuple[httpx.Client, Path], old: str, new: str, why: str
) -> None:
    client, mappings = own
    before = (mappings / MAP).read_bytes()
    shown = client.post(BENCH, data={"file": MAP, "map": text().replace(old, new), "keep": "1"})
    assert shown.status_code == 200
    assert why in shown.text
    assert "Sparat" not in shown.text
    assert (mappings / MAP).read_bytes() == before


def test_shipped_mappings_are_not_written_into(operator: httpx.Client) -> None:
    before = text()
    shown = operator.post(BENCH, data={"file": MAP, "map": text() + "// x\n", "keep": "1"}).text
    assert "SAMVERKA_MAPPINGS" in shown
    assert text() == before


def test_a_held_message_is_tried_from_the_inbox(operator: httpx.Client, site: Site) -> None:
    source = next(source.id for source in site.gateway.sources if source.package == "directory-csv")
    kept = operator.post(f"/ingest/{source}", content=b"nonsense").json()["id"]
    site.gateway.ingest.process(kept)
    link = re.search(r'href="(/workbench/[^"]+)"', operator.get(f"/inbox/{kept}").text.split("</header>")[1])
    assert link
    assert link[1] == f"/workbench/directory-csv?message={kept}"
    assert "nonsense" in operator.get(link[1]).text


def test_whatever_a_form_says_it_is_answered_with_a_page(operator: httpx.Client) -> None:
    for data in ({}, {"go": "9.9999"}, {"go": "-1.x"}, {"at": "²."}, {"file": "nothing", "map": "x"}, {"open": "../x"}):
        assert operator.post(BENCH, data=data).status_code == 200
    assert operator.post(BENCH, data={"source": "x" * (9 << 20)}).status_code == 413


@pytest.mark.browser
@pytest.mark.parametrize("path", ["/workbench", BENCH, "/workbench/hl7v2-adt"])
def test_axe_finds_nothing_on_the_bench(look: Look, path: str) -> None:
    page = look(path)
    if path != "/workbench":
        page.get_by_role("button", name="Framåt").click()
        page.get_by_role("button", name="Framåt").click()
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": WCAG}})
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.browser
def test_the_bench_does_not_scroll_sideways_on_a_phone(look: Look) -> None:
    assert look(BENCH, width=320).evaluate(OVERFLOW) <= 0
