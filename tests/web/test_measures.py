"""The pages of measures and capacity, and the letter: what is told, what is not, in a browser and on paper."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from gateway.coordination.capacity import CAPACITY
from gateway.definitions import load
from gateway.identity.systems import HSA_ID
from gateway.web import measures
from gateway.web.measures import lasted
from gateway.web.plots import Bar, bars
from gateway.web.texts.measures import EASY
from tests.coordination.measuring import task
from tests.web.conftest import Site, section, text_of
from tests.web.test_browser import OVERFLOW, WCAG

Look = Callable[..., Page]
CALLERS, NURSES, AMBULANCE = "SE2321000131-T0300", "SE2120001348-T0100", "SE2321000131-T0200"
JANUARY = "/measures?first=2026-01-01&last=2026-01-31"


def mission(number: int, *steps: list[str], reason: str = "") -> dict[str, object]:
    row = {"id": f"measured{number}", "mission": "1177-uppdrag", "from": CALLERS, "steps": list(steps)}
    made = task(row | ({"reason": reason} if reason else {}))
    return made | {"for": {"reference": f"Patient/measured{number}"}}


@pytest.fixture(scope="module")
def measured(site: Site) -> Site:
    """Seven answered in time by the nurses, six refused by the ambulance, five too late; and a ward with places."""
    day = "2026-01-{:02}T{}"
    rows = []
    for n in range(18):
        at = day.format(2 + n, "10:00")
        if n < 7:
            rows.append(mission(n, [at, "requested", NURSES], [day.format(2 + n, "10:08"), "accepted"]))
        elif n < 13:
            rows.append(
                mission(n, [at, "requested", AMBULANCE], [day.format(2 + n, "10:05"), "rejected"], reason="no-resource")
            )
        else:
            rows.append(mission(n, [at, "requested", NURSES], [day.format(2 + n, "12:00"), "accepted"]))
    beds = {
        "resourceType": "HealthcareService",
        "id": "measured-beds",
        "name": "Provplatser",
        "providedBy": {"type": "Organization", "identifier": {"system": HSA_ID, "value": "SE2321000131-T0110"}},
        "characteristic": [{"coding": [{"system": CAPACITY, "code": "none"}]}],
    }
    people = [{"resourceType": "Patient", "id": f"measured{n}"} for n in range(18)]
    entries = [
        {"resource": one, "request": {"method": "PUT", "url": f"{one['resourceType']}/{one['id']}"}}
        for one in (*people, *rows, beds)
    ]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    headers = {"content-type": "application/fhir+json"}
    answer = httpx.post(f"{site.base}/fhir", content=json.dumps(bundle), headers=headers, timeout=60)
    assert answer.is_success, answer.text
    return site


def test_the_page_says_whether_we_answer_in_time_what_is_refused_and_where_gaps_last(measured: Site) -> None:
    with measured.client() as client:
        html = client.get(JANUARY).text
    assert "1177-uppdrag 18 13 72 % 8 min" in text_of(section(html, "in-time"))
    assert "Ingen resurs 6" in text_of(section(html, "refused"))
    gaps = text_of(section(html, "gaps-last"))
    assert "Inget svar 5 1 h 30 min" in gaps
    assert html.count('<svg class="plot"') == 3


def test_in_english_too(measured: Site) -> None:
    with measured.client(language="en") as client:
        html = client.get(JANUARY).text
    assert "Are we answering in time?" in html
    assert "No resource 6" in text_of(section(html, "refused"))


def test_what_is_of_a_few_is_said_to_be_withheld(measured: Site) -> None:
    with measured.client() as client:
        html = client.get("/measures?first=2026-01-02&last=2026-01-04").text
    assert "För få för att delas upp." in section(html, "in-time")
    assert not re.search(r"<td class=\"figure\"[^>]*>\d", section(html, "in-time"))


def test_a_period_that_is_none_is_refused_on_the_page(measured: Site) -> None:
    with measured.client() as client:
        assert client.get("/measures?first=soon").status_code == 400
        backwards = client.get("/measures?first=2026-01-02&last=2026-01-01")
        assert backwards.status_code == 400 and "får inte ligga före" in backwards.text


def test_a_period_with_more_missions_than_a_page_waits_for_can_be_made_shorter(
    measured: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measures, "MOST", 17)
    with measured.client() as client:
        answer = client.get(JANUARY)
    assert answer.status_code == 422 and "välj en kortare" in answer.text
    assert 'name="first" value="2026-01-01"' in answer.text and '<svg class="plot"' not in answer.text


def test_the_plots_are_told_in_words_and_fit_a_phone(look: Look, measured: Site) -> None:
    page = look(JANUARY, width=360)
    plot = page.get_by_role("img", name=re.compile("Andel besvarade i tid.*1177-uppdrag: 72 %"))
    expect(plot).to_be_visible()
    assert page.evaluate(OVERFLOW) <= 0


@pytest.mark.parametrize("path", [JANUARY, "/capacity", "letter"])
def test_axe_finds_nothing_wrong(look: Look, measured: Site, path: str) -> None:
    page = look(f"/patient/{measured.astrid}/letter" if path == "letter" else path)
    for one in page.locator("summary", has_text="Per enhet").all():
        one.click()
    found = Axe().run(page, options={"runOnly": WCAG, "resultTypes": ["violations"]})
    assert found.violations_count == 0, found.generate_report()


def test_capacity_says_who_has_room_and_whom_to_call(measured: Site) -> None:
    with measured.client(NURSES) as client:
        told = text_of(section(client.get("/capacity").text, "rooms"))
    assert "Provplatser MÄVA, NU-sjukvården Fullt" in told
    assert re.search(r"031-390 06 01", told)


def test_the_letter_says_whom_to_call_in_plain_words(measured: Site) -> None:
    with measured.client() as client:
        html = client.get(f"/patient/{measured.astrid}/letter").text
        assert client.get("/patient/none/letter").status_code == 404
    main = text_of(html[html.index("<article") : html.index("</article>")])
    assert "Din vård just nu" in main
    assert "Hemsjukvården Tanum" in main
    assert "tel:+46" in html
    for word in ("assistansuppdrag", "IVPA", "MÄVA-uppdrag", "SIP", "remiss", "avvikelse", "status"):
        assert word not in main, word


def test_the_letter_is_large_on_paper(look: Look, measured: Site) -> None:
    page = look(f"/patient/{measured.astrid}/letter")
    page.emulate_media(media="print")
    size = page.locator("article.letter").evaluate("one => parseFloat(getComputedStyle(one).fontSize)")
    assert size >= 19  # 15 points are 20 pixels.
    expect(page.get_by_role("navigation")).to_be_hidden()


def test_every_gap_and_mission_has_easy_words() -> None:
    gaps = {one["code"] for one in load().resources["https://samverka.example/fhir/CodeSystem/gap"]["concept"]}
    missions = {one["code"] for one in load().resources["https://samverka.example/fhir/CodeSystem/mission"]["concept"]}
    assert {f"gap-{code}" for code in gaps} | missions <= EASY.keys()


@pytest.mark.parametrize(
    ("minutes", "said"),
    [(0, "0 min"), (2.5, "2,5 min"), (59, "59 min"), (60, "1 h"), (75, "1 h 15 min"), (4320, "3 dygn")],
)
def test_a_time_is_said_as_people_say_it(minutes: float, said: str) -> None:
    assert lasted(minutes, "sv") == said


def test_bars_are_eight_the_largest_first_and_what_is_withheld_last() -> None:
    found = bars([("b", 2, "2"), ("hidden", None, "-"), ("a", 4, "4")])
    assert found == [Bar("a", "4", 400), Bar("b", "2", 200), Bar("hidden", "-", None)]
    assert len(bars([(str(n), n, "") for n in range(20)])) == 8
    assert bars([("a", 50, "50 %")], whole=100)[0].width == 200
