"""The pages in a real browser: what is seen at first sight, by keyboard, on a phone, on paper."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.web.conftest import AFTER_THE_ALARM, ASTRID, BEFORE_THE_ALARM, TANUM_NURSES, Site

pytestmark = pytest.mark.browser
Look = Callable[..., Page]
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def test_the_four_answers_are_seen_at_first_sight(look: Look, site: Site) -> None:
    page = look(f"/patient/{site.astrid}")
    for name in ("Ansvarig nu", "Härnäst", "Fattas", "Underlag"):
        expect(page.get_by_role("region", name=name)).to_be_in_viewport()
    first = page.get_by_role("region", name="Ansvarig nu").get_by_role("link").first
    expect(first).to_be_in_viewport()
    assert (first.get_attribute("href") or "").startswith("tel:+46")


def test_a_person_is_reached_by_keyboard_alone(look: Look) -> None:
    page = look("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Till innehållet")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    field = page.get_by_label("Person-, samordnings- eller reservnummer")
    expect(field).to_be_focused()
    outline = field.evaluate("element => getComputedStyle(element).outlineWidth")
    assert outline == "3px"
    page.keyboard.type(ASTRID)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Astrid Testberg")
    assert ASTRID not in page.url
    for _ in range(40):
        page.keyboard.press("Tab")
        if "/source/" in (page.evaluate("document.activeElement.href") or ""):
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Källpost")


def test_the_language_is_switched_on_the_page_itself(look: Look, site: Site) -> None:
    page = look(f"/patient/{site.astrid}?at={AFTER_THE_ALARM}")
    page.get_by_role("button", name="In English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.get_by_role("heading", name="Responsible now")).to_be_visible()
    assert "at=2026-03-03" in page.url


def test_another_identity_sees_its_own_persons(look: Look) -> None:
    page = look("/")
    expect(page.get_by_role("link", name="Bengt Provsson")).to_be_visible()
    page.locator("summary", has_text="Du är").click()
    page.get_by_label("Testidentitet").select_option(TANUM_NURSES)
    page.get_by_role("button", name="Byt").click()
    expect(page.get_by_role("link", name="Astrid Testberg")).to_be_visible()
    expect(page.get_by_role("link", name="Bengt Provsson")).to_have_count(0)
    assert page.evaluate("document.cookie") == ""


def test_going_back_in_time_changes_the_answer(look: Look, site: Site) -> None:
    page = look(f"/patient/{site.astrid}")
    now = page.get_by_role("region", name="Ansvarig nu")
    for moment, alarmed in ((BEFORE_THE_ALARM, 0), (AFTER_THE_ALARM, 2)):
        page.get_by_label("Gällande").fill(moment)
        page.get_by_role("button", name="Visa", exact=True).click()
        expect(page.get_by_text("Så som det var")).to_be_visible()
        expect(now.get_by_role("link", name="IVPA-uppdrag")).to_have_count(alarmed)
    page.get_by_role("link", name="Visa nuläget").first.click()
    expect(page.get_by_text("Så som det är")).to_be_visible()


def test_a_source_record_is_one_click_away_and_shows_the_place_of_a_value(look: Look, site: Site) -> None:
    page = look(f"/patient/{site.astrid}")
    page.get_by_role("region", name="Härnäst").get_by_role("link", name="Hembesök").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Källpost")
    expect(page.get_by_text("samma uppgifter kom ut")).to_be_visible()
    page.get_by_role("link", name=re.compile("kolumn status")).click()
    expect(page.locator("mark:target")).to_have_text(re.compile("PLANERAD|ACCEPTERAD|BESTALLD|[A-Z]+"))
    expect(page.locator("mark:target")).to_be_in_viewport()
    page.get_by_role("link", name="Tillbaka till svaret").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Astrid Testberg")


def test_the_api_is_looked_through_by_keyboard(look: Look) -> None:
    page = look("/api", language="en-GB")
    page.get_by_label("Resource type").select_option("Task")
    page.get_by_role("button", name="Show").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("API: Task")
    page.locator("summary", has_text="/fhir/Task/_search").press("Enter")
    expect(page.locator("details[open] code", has_text="application/x-www-form-urlencoded").first).to_be_visible()
    status = page.locator("#schema-Task tr", has=page.get_by_text("status", exact=True)).first
    expect(status).to_contain_text("in-progress")


@pytest.mark.parametrize("width", [320, 360])
def test_nothing_scrolls_sideways(look: Look, site: Site, width: int) -> None:
    page = look("/", width=width)
    assert page.evaluate(OVERFLOW) == 0
    page.goto("/api?type=Task")
    page.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")
    assert page.evaluate(OVERFLOW) == 0
    page.goto(f"/patient/{site.astrid}")
    assert page.evaluate(OVERFLOW) == 0
    page.goto(page.get_by_role("region", name="Härnäst").get_by_role("link").first.get_attribute("href") or "")
    assert page.evaluate(OVERFLOW) == 0


def test_on_a_phone_the_lanes_are_lists_that_say_their_times(look: Look, site: Site) -> None:
    page = look(f"/patient/{site.astrid}", width=360, height=740)
    item = page.locator(".track li", has_text="IVPA-uppdrag").first
    expect(item.locator(".detail")).to_be_visible()
    assert re.search(r"klart, 3 mars 04:\d\d–", item.inner_text())
    assert item.locator("a").bounding_box()["height"] > 15  # type: ignore[index]


@pytest.mark.parametrize("shown", ["start", "patient", "source", "api"])
def test_axe_finds_nothing_to_complain_of(look: Look, site: Site, shown: str) -> None:
    page = look({"start": "/", "api": "/api?type=Task"}.get(shown, f"/patient/{site.astrid}"))
    if shown == "api":
        page.locator("summary", has_text="/fhir/Task/{id}").first.click()
    if shown == "source":
        page.get_by_role("region", name="Härnäst").get_by_role("link").first.click()
    found = Axe().run(page, options={"runOnly": WCAG, "resultTypes": ["violations"]})
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize(
    "path", ["/", "patient", "source", "/queue", "/worklist", "/measures", "/capacity", "/workbench/hl7v2-adt"]
)
def test_on_a_dark_screen_everything_can_be_read_too(look: Look, site: Site, path: str) -> None:
    page = look(path if path.startswith("/") else f"/patient/{site.astrid}", dark=True)
    if path == "source":
        page.get_by_role("region", name="Härnäst").get_by_role("link").first.click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(14, 25, 31)"
    found = Axe().run(page, options={"runOnly": WCAG, "resultTypes": ["violations"]})
    assert found.violations_count == 0, found.generate_report()


def test_what_is_printed_from_a_dark_screen_is_black_on_white(look: Look, site: Site) -> None:
    page = look(f"/patient/{site.astrid}", dark=True)
    page.emulate_media(media="print", color_scheme="dark")
    told = "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
    assert page.evaluate(told) == ["rgb(255, 255, 255)", "rgb(0, 0, 0)"]


def test_who_contradicts_is_named_as_people_name_him(look: Look) -> None:
    """Where the directory has no name for a party, its source has one: no button is about an HSA-id."""
    page = look("/queue")
    expect(page.get_by_role("button", name=re.compile("Rätt: "))).not_to_have_count(0)
    assert not re.search(r"SE\d{10}-", page.locator("main").inner_text())


def test_headings_and_landmarks_are_in_order(look: Look, site: Site) -> None:
    page = look(f"/patient/{site.astrid}")
    levels = [int(tag[1]) for tag in page.locator("h1, h2, h3").evaluate_all("all => all.map(one => one.tagName)")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    for role in ("banner", "main", "contentinfo"):
        assert page.get_by_role(role).count() == 1
    assert page.locator("table:not(:has(caption)), th:not([scope])").count() == 0


def test_on_paper_it_is_one_or_two_pages_with_numbers_to_call_and_no_controls(
    look: Look, site: Site, tmp_path: Path
) -> None:
    page = look(f"/patient/{site.astrid}")
    page.emulate_media(media="print")
    expect(page.get_by_text("Utskrivet 12 mars 2026 14:30")).to_be_visible()
    expect(page.get_by_role("link", name=re.compile("0980-319 201")).first).to_be_visible()
    for control in page.locator("button, input, select, summary, nav").all():
        assert not control.is_visible()
    pdf = page.pdf(path=tmp_path / "answer.pdf", prefer_css_page_size=True)
    assert pdf.startswith(b"%PDF")
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 2


def test_nothing_moves_for_those_who_asked_for_rest(browser: Browser, site: Site) -> None:
    context = browser.new_context(reduced_motion="reduce", base_url=site.base)
    page = context.new_page()
    page.goto("/")
    durations = page.locator("a, button").evaluate_all(
        "all => all.map(one => getComputedStyle(one).transitionDuration)"
    )
    assert set(durations) == {"0s"}
    context.close()
