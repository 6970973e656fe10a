"""The worklist of a party: what it shows, to whom, and that it can be used by everybody."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.web.conftest import TANUM_NURSES, Site, section, text_of
from tests.web.test_browser import OVERFLOW, WCAG

ADVICE = "SE2321000131-T0300"


def test_a_unit_sees_what_waits_for_it_of_whom_since_when_and_until_when(nurse: httpx.Client) -> None:
    html = nurse.get("/worklist").text
    waits = text_of(section(html, "waits"))
    asked = "Assistansuppdrag Inger Provkvist 1951 Bedömning på plats Ta eller avböj Brådskande"
    assert f"{asked} Från Hemtjänsten Tanumshede" in waits
    assert "Sedan tors 12 mars 13:35 Senast tors 12 mars 14:05 försenat" in waits
    assert "Inskrivningsmeddelande" not in waits, "it was received"
    assert "Ni väntar inte på någon." in section(html, "awaited")


def test_who_asked_sees_of_whom_it_waits_and_what_nobody_has(site: Site) -> None:
    with site.client(ADVICE, "en") as client:
        html = client.get("/worklist").text
    assert "Nobody has it, ask somebody" in section(html, "waits")
    assert "To carry out and report By Hemsjukvården Tanum" in text_of(section(html, "awaited"))


def test_what_has_changed_is_shown_from_the_chosen_time_on(nurse: httpx.Client) -> None:
    def changed(since: str) -> str:
        return text_of(section(nurse.get(f"/worklist?since={since}").text, "changed"))

    assert "Känt här tors 12 mars 13:36" in changed("2026-03-12T13:00")
    assert "Känt här tors 12 mars 13:36" not in changed("2026-03-12T13:40")
    assert nurse.get("/worklist?since=yesterday").status_code == 400


def test_another_units_worklist_is_refused_and_the_operator_chooses_one(
    nurse: httpx.Client, operator: httpx.Client
) -> None:
    found = re.search(r'href="(/worklist/[^"]+)">Hemsjukvården Strömstad', operator.get("/worklist").text)
    assert found and operator.get(found[1]).status_code == 200
    refused = nurse.get(found[1])
    assert refused.status_code == 403 and "Det är en annan enhets arbetslista" in refused.text


@pytest.mark.browser
def test_the_worklist_is_for_everybody_and_for_a_phone(look: Callable[..., Page], site: Site) -> None:
    page = look("/worklist", width=360, height=740)
    found = Axe().run(page, options={"runOnly": WCAG, "resultTypes": ["violations"]})
    assert found.violations_count == 0, found.generate_report()
    page.locator("summary", has_text="Du är").click()
    page.get_by_label("Testidentitet").select_option(TANUM_NURSES)
    page.get_by_role("button", name="Byt").click()
    page.get_by_role("link", name="Arbetslista").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Hemsjukvården Tanum")
    assert page.evaluate(OVERFLOW) == 0
    found = Axe().run(page, options={"runOnly": WCAG, "resultTypes": ["violations"]})
    assert found.violations_count == 0, found.generate_report()
