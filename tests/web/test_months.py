"""The stored months on the page of measures: the latest where no days are chosen, and all of them side by side."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from gateway.app import background, wire
from gateway.settings import Settings
from tests.coordination.measuring import at, task
from tests.web.conftest import section, text_of
from tests.web.test_browser import OVERFLOW, WCAG

Look = Callable[..., Page]
REGION, CALLERS, NURSES = "SE2321000131-T0001", "SE2321000131-T0300", "SE2120001348-T0100"


def missions(month: str, count: int, minutes: int) -> list[dict[str, object]]:
    """Each for another person, asked at ten and accepted after so many minutes."""
    found: list[dict[str, object]] = []
    for number in range(count):
        day = f"{month}-{1 + number % 28:02}T10"
        steps = [[f"{day}:00", "requested", NURSES], [f"{day}:{minutes:02}", "accepted"]]
        row = {"id": f"{month}-{number}", "mission": "1177-uppdrag", "from": CALLERS, "steps": steps}
        person = {"resourceType": "Patient", "id": f"p{number}-{month}"}
        found += [person, task(row) | {"for": {"reference": f"Patient/{person['id']}"}}]
    return found


@pytest.fixture(scope="module")
def counted(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Twelve missions in January, seven in February, three in March; it is April."""
    path = tmp_path_factory.mktemp("months") / "months.db"
    shutil.copy(sqlite_template, path)
    settings = Settings(database_url=f"sqlite:///{path}", worker=False, reporter=REGION)
    gateway = wire(settings, lambda: at("2026-04-02T09:00"))
    resources = [*missions("2026-01", 12, 5), *missions("2026-02", 7, 8), *missions("2026-03", 3, 20)]
    entries = [
        {"resource": one, "request": {"method": "PUT", "url": f"{one['resourceType']}/{one['id']}"}}
        for one in resources
    ]
    with (
        background(gateway) as base,
        httpx.Client(base_url=base, headers={"accept-language": "sv"}, timeout=60) as client,
    ):
        body = json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries})
        sent = client.post("/fhir", content=body, headers={"content-type": "application/fhir+json"}, timeout=60)
        assert sent.is_success, sent.text
        runner = gateway.months(REGION)
        while runner.run_due():
            pass
        yield client
    gateway.close()


def test_the_latest_month_is_shown_where_no_days_are_chosen_and_all_stand_side_by_side(counted: httpx.Client) -> None:
    html = counted.get("/measures").text
    assert "Alla parters uppdrag under månaden, räknade när den var slut: 2026-03." in text_of(html)
    months = text_of(section(html, "by-month"))
    assert "2026-03 för få" in months
    assert "2026-02 100 % 8 min" in months
    assert "2026-01 100 % 5 min" in months
    assert re.findall(r'href="/measures\?month=([0-9-]+)"', html) == ["2026-03", "2026-02", "2026-01"]


def test_a_month_can_be_chosen_and_so_can_days(counted: httpx.Client) -> None:
    html = counted.get("/measures?month=2026-01").text
    assert "1177-uppdrag 12 12 100 % 5 min" in text_of(section(html, "in-time"))
    assert 'value="2026-01-31"' in html
    own = counted.get("/measures?first=2026-01-01&last=2026-02-28").text
    assert "1177-uppdrag 19 19 100 %" in text_of(section(own, "in-time"))
    assert "Alla parters uppdrag under månaden" not in own and "2026-02 100 % 8 min" in text_of(own)


def test_a_month_that_is_not_counted_is_refused_beside_those_that_are(counted: httpx.Client) -> None:
    answer = counted.get("/measures?month=2025-12")
    assert answer.status_code == 404 and "Den månaden är inte räknad." in answer.text
    assert "2026-02 100 % 8 min" in text_of(answer.text)
    assert counted.get("/measures?month=2026-13").status_code == 400


def test_the_months_fit_a_phone_and_axe_finds_nothing_wrong(look: Look, counted: httpx.Client) -> None:
    page = look(str(counted.base_url.join("/measures")), width=360)
    assert page.evaluate(OVERFLOW) <= 0
    found = Axe().run(page, options={"runOnly": WCAG, "resultTypes": ["violations"]})
    assert found.violations_count == 0, found.generate_report()
