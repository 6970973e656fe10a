"""A SIP by its form: drawn up by one unit, answered by another, read by the person; and what a ward tells by a form."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, time, timedelta
from html import unescape
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from gateway.access.bearer import IDENTITY_COOKIE
from gateway.access.caller import Caller
from gateway.app import Gateway, background, wire
from gateway.settings import Settings
from tests.web.conftest import section, text_of
from tests.web.test_browser import OVERFLOW, WCAG

SWEDEN = ZoneInfo("Europe/Stockholm")
HSA = "urn:oid:1.2.752.29.4.19"
HUVUDMAN = "https://samverka.example/fhir/CodeSystem/huvudman"
REGION, WARD, CENTRE, TOWN, NURSES, CLINIC = (
    "SE2321000131-T0000",
    "SE2321000131-T0110",
    "SE2321000131-T0400",
    "SE2120001348-T0000",
    "SE2120001348-T0100",
    "SE5560000000-T0100",
)
UNITS = {
    REGION: ("Västra Götalandsregionen", "region", None),
    WARD: ("MÄVA", "region", REGION),
    CENTRE: ("Vårdcentralen Tanumshede", "region", REGION),
    TOWN: ("Tanums kommun", "kommun", None),
    NURSES: ("Hemsjukvården Tanum", "kommun", TOWN),
    CLINIC: ("Ögonkliniken", "private", None),
}
NAME = "Rut Provberg"
MEDICINE, FOOD = "Läkemedelsdelning", "Handlar mat"
LATER, LATER_STILL = ((datetime.now(UTC) + timedelta(days=days)).date().isoformat() for days in (90, 180))


class Place:
    """The server, and each party at its own screen."""

    def __init__(self, gateway: Gateway, base: str) -> None:
        self.gateway, self.base = gateway, base

    def token(self, hsa_id: str) -> str:
        name, _, above = UNITS[hsa_id]
        return self.gateway.identities.token(Caller("organisation", hsa_id, name, above or hsa_id))

    @contextmanager
    def at(self, hsa_id: str | None, language: str = "sv") -> Iterator[httpx.Client]:
        cookies = {IDENTITY_COOKIE: self.token(hsa_id)} if hsa_id else {}
        headers = {"accept-language": language, "accept": "text/html", "origin": self.base}
        with httpx.Client(base_url=self.base, headers=headers, cookies=cookies, timeout=60) as client:
            yield client


@pytest.fixture(scope="module")
def place(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    path = tmp_path_factory.mktemp("sip") / "sip.db"
    shutil.copy(sqlite_template, path)
    gateway = wire(Settings(database_url=f"sqlite:///{path}", worker=False))
    with background(gateway) as base, httpx.Client(base_url=base, timeout=60) as operator:
        for hsa_id, (name, huvudman, above) in UNITS.items():
            put(
                operator,
                {
                    "resourceType": "Organization",
                    "id": hsa_id,
                    "name": name,
                    "identifier": [{"system": HSA, "value": hsa_id}],
                    "type": [{"coding": [{"system": HUVUDMAN, "code": huvudman}]}],
                    "telecom": [{"system": "phone", "value": "031-390 06 07"}],
                }
                | ({"partOf": unit(above)} if above else {}),
            )
        yield Place(gateway, base)
    gateway.close()


def unit(hsa_id: str) -> dict[str, Any]:
    return {"type": "Organization", "identifier": {"system": HSA, "value": hsa_id}}


def put(client: httpx.Client, resource: dict[str, Any]) -> None:
    sent = {"content-type": "application/fhir+json"}
    answer = client.put(f"/fhir/{resource['resourceType']}/{resource['id']}", json=resource, headers=sent)
    assert answer.is_success, answer.text


@pytest.fixture
def rut(place: Place, request: pytest.FixtureRequest) -> str:
    """A person in whose care the health centre takes part; the address of her SIP."""
    id = re.sub(r"[^a-z0-9]", "-", request.node.name.lower())[-60:].strip("-")
    with httpx.Client(base_url=place.base, timeout=60) as operator:
        made = {"resourceType": "Patient", "id": id, "name": [{"text": NAME}], "birthDate": "1941-07-14"}
        put(operator, made | {"managingOrganization": unit(CENTRE)})
    return f"/patient/{id}/sip"


def held(html: str) -> dict[str, str]:
    """Everything that the form would send, without a button."""
    form = re.search(r'<form class="panel ask-form sip-form".*?</form>', html, re.DOTALL)
    assert form, "the page has no form"
    found: dict[str, str] = {}
    for tag in re.findall(r"<input [^>]+>", form[0]):
        told = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        if told.get("type") not in ("radio", "checkbox") or " checked" in tag:
            found[told["name"]] = unescape(told.get("value", ""))
    for name, text in re.findall(r'<textarea id="[^"]+" name="([^"]+)"[^>]*>(.*?)</textarea>', form[0], re.DOTALL):
        found[name] = unescape(text)
    for name, options in re.findall(r'<select id="[^"]+" name="([^"]+)">(.*?)</select>', form[0], re.DOTALL):
        chosen = re.search(r'<option value="([^"]*)" selected', options)
        found[name] = chosen[1] if chosen else ""
    return found


WRITTEN = {
    "consent": "given",
    "consent-date": "2026-03-11",
    "goal": "Bo kvar hemma",
    "present": "yes",
    "relatives": "Dottern Lena",
    "what-1": MEDICINE,
    "unit-1": NURSES,
    "what-2": FOOD,
    "name-2": "Dottern Lena",
    "body-2": "other",
    "overall": REGION,
    "follow-up": LATER,
}


def press(client: httpx.Client, address: str, do: str, **written: str) -> httpx.Response:
    shown = held(client.get(address).text)
    return client.post(address.partition("?")[0], data=shown | written | {"do": do})


def sent(answer: httpx.Response) -> str:
    """The address of the plan, after a press that was obeyed."""
    assert answer.status_code == 303, text_of(answer.text)
    location: str = answer.headers["location"]
    return location.partition("&done")[0]


def resource(place: Place, address: str) -> dict[str, Any]:
    with httpx.Client(base_url=place.base, timeout=60) as operator:
        found: dict[str, Any] = operator.get(f"/fhir/CarePlan/{address.partition('plan=')[2]}").json()
    return found


def test_a_plan_from_an_empty_form_to_what_the_person_reads(place: Place, rut: str) -> None:
    with place.at(CENTRE) as centre, place.at(NURSES) as nurses:
        assert nurses.get(rut).status_code == 404
        plan = sent(press(centre, rut, "save", goal="Bo kvar hemma"))
        shown = centre.get(plan).text
        missing = text_of(section(shown, "missing"))
        for words in ("samtycke", "Vilka insatser som behövs", "övergripande ansvaret"):
            assert words in missing
        # What is missing is told, and what was written is kept.
        early = press(centre, plan, "settle", **{"what-1": MEDICINE})
        assert early.status_code == 422
        assert "Utkastet är sparat" in text_of(early.text)
        assert held(centre.get(plan).text)["what-1"] == MEDICINE
        assert nurses.get(rut).status_code == 404, "without consent nobody else knows"
        plan = sent(press(centre, plan, "settle", **WRITTEN))
        shown = text_of(centre.get(plan).text)
        assert "Planen anger allt som lagen kräver" in shown
        # The other unit has it in its worklist, and answers by the button.
        waits = section(nurses.get("/worklist").text, "waits")
        task = re.search(rf'href="(/task/[^"]+)">{MEDICINE}', waits)
        assert task, waits
        page = nurses.get(task[1]).text
        assert f'href="{plan}"' in page
        token = dict(re.findall(r'name="(token|version)" value="([^"]*)"', page))
        assert nurses.post(task[1], data=token | {"do": "take"}).status_code == 303
        seen = nurses.get(plan)
        assert "Bo kvar hemma" in text_of(seen.text)
        assert '<form class="panel ask-form sip-form"' not in seen.text, "who keeps the plan changes it"
        printed = plan.replace("/sip?", "/sip/letter?")
        assert f'href="{printed}"' in centre.get(rut.replace("/sip", "/letter")).text
        letter = text_of(centre.get(printed).text)
    for words in (
        NAME,
        "Bo kvar hemma",
        MEDICINE,
        "Hemsjukvården Tanum gör det här",
        "Dottern Lena gör det här",
    ):
        assert words in letter
    found = resource(place, plan)
    assert (found["status"], len(found["activity"])) == ("active", 3), "two activities, and the follow-up"


def test_the_same_form_sent_twice_writes_once(place: Place, rut: str) -> None:
    with place.at(CENTRE) as centre:
        shown = held(centre.get(rut).text) | WRITTEN | {"do": "save"}
        with ThreadPoolExecutor(3) as pool:  # In one moment, and once more.
            first, *others = pool.map(lambda _: sent(centre.post(rut, data=shown)), range(3))
        plan = sent(centre.post(rut, data=shown))
        assert {first, *others} == {plan}
        again = held(centre.get(plan).text)
        assert len([name for name in again if name.startswith("id-") and again[f"version-{name[3:]}"]]) == 2
        edit = again | {"what-1": "Såromläggning", "do": "save"}
        assert {centre.post(rut, data=edit).status_code for _ in range(2)} == {303}
        written = held(centre.get(plan).text)
        assert sorted(written[name] for name in written if name.startswith("what-")) == sorted(
            ["", "", "Såromläggning", again["what-2"]]
        )


def test_a_line_that_the_form_adds_writes_over_nothing_else(place: Place, rut: str) -> None:
    """Whose Task it is makes no difference: the caller's own, of another matter, stays as it is."""
    own = {
        "resourceType": "Task",
        "id": "5f0d3c39-4a55-4c8e-9c0b-6d8d8b0f5a11",
        "status": "requested",
        "intent": "order",
        "for": {"reference": rut.removesuffix("/sip").replace("/patient/", "Patient/")},
        "description": "Provtagning",
    }
    with place.at(CENTRE) as centre:
        put(centre, own | {"requester": unit(CENTRE), "owner": unit(NURSES)})
        shown = held(centre.get(rut).text)
        named = next(name for name in shown if name.startswith("id-") and name.endswith("-1"))
        answer = centre.post(rut, data=shown | WRITTEN | {named: own["id"], "do": "save"})
        assert answer.status_code == 412
        task = centre.get(f"/fhir/Task/{own['id']}", headers={"accept": "application/fhir+json"}).json()
        assert task["description"] == "Provtagning"


def test_what_somebody_else_changed_meanwhile_is_not_written_over_unseen(place: Place, rut: str) -> None:
    with place.at(CENTRE) as one, place.at(CENTRE) as other:
        plan = sent(press(one, rut, "save", **WRITTEN))
        open_ = held(one.get(plan).text)
        sent(press(other, plan, "save", goal="Gå själv till affären", **{"what-1": "Dosett"}))
        late = one.post(rut, data=open_ | {"goal": "Sova bättre", "do": "save"})
        assert late.status_code == 412
        told = text_of(late.text)
        assert "Någon annan har ändrat planen" in told
        assert "Gå själv till affären" in told
        assert held(late.text)["goal"] == "Sova bättre"
        # Having seen it, he may let his own hold.
        sent(one.post(rut, data=held(late.text) | {"do": "save"}))
        assert held(one.get(plan).text)["goal"] == "Sova bättre"


def test_the_meeting_is_called_once_the_person_has_consented(place: Place, rut: str) -> None:
    meeting = {"meeting": "2026-03-20T13:00", "place": "Vårdcentralen, rum 3", "invited-1": NURSES}
    with place.at(CENTRE) as centre, place.at(NURSES) as nurses:
        plan = sent(press(centre, rut, "save", goal="Bo kvar hemma"))
        refused = press(centre, plan, "call", **meeting)
        assert refused.status_code == 422
        assert "innan personen har samtyckt" in text_of(refused.text)
        assert press(centre, plan, "call", consent="given", **{"meeting": "", "invited-1": ""}).status_code == 400
        plan = sent(press(centre, plan, "call", consent="given", **meeting))
        assert "Hemsjukvården Tanum" in text_of(section(centre.get(plan).text, "invitations"))
        waits = section(nurses.get("/worklist").text, "waits")
        patient = rut.split("/")[2]
        assert patient in waits
        sent(press(centre, plan, "save", place="Hemma"))


def test_an_activity_that_nobody_was_asked_for_is_removed_and_a_draft_discarded(place: Place, rut: str) -> None:
    with place.at(CENTRE) as centre:
        plan = sent(press(centre, rut, "save", **WRITTEN))
        sent(press(centre, plan, "save", **{"remove-1": "yes"}))
        left = held(centre.get(plan).text)
        assert [left[name] for name in left if name.startswith("what-") and left[name]] in ([FOOD], [MEDICINE])
        assert press(centre, plan, "discard").headers["location"] == rut.removesuffix("/sip")
    assert resource(place, plan)["status"] == "revoked"


def test_a_settled_plan_goes_on_by_new_activities_and_ends(place: Place, rut: str) -> None:
    with place.at(CENTRE) as centre, place.at(NURSES) as nurses:
        plan = sent(press(centre, rut, "settle", **WRITTEN | {"what-1": "Syn", "unit-1": CENTRE}))
        sent(press(centre, plan, "save", **{"what-1": MEDICINE, "unit-1": NURSES, "follow-up": LATER_STILL}))
        assert MEDICINE in section(nurses.get("/worklist").text, "waits")
        assert press(centre, plan, "discard").status_code == 409
        sent(press(centre, plan, "end"))
        assert "Avslutad" in text_of(centre.get(plan).text)
    assert resource(place, plan)["status"] == "completed"


@pytest.mark.parametrize(
    ("written", "status"),
    [
        ({"unit-1": "SE0000000000-X", "what-1": "x"}, 400),
        ({"follow-up": "i sommar"}, 400),
        ({"follow-up": "2020-01-01"}, 400),
        ({"meeting": "på fredag"}, 400),
        ({"plan": "1"}, 400),
        ({"token": "0"}, 403),
        ({"version": "0"}, 412),
    ],
)
def test_what_cannot_be_written_is_told_and_nothing_is_lost(
    place: Place, rut: str, written: dict[str, str], status: int
) -> None:
    with place.at(CENTRE) as centre:
        answer = press(centre, rut, "save", goal="Bo kvar hemma", **written)
        assert answer.status_code == status, text_of(answer.text)
        assert "token" in written or held(answer.text)["goal"] == "Bo kvar hemma"


def test_who_takes_no_part_finds_nothing_and_the_operator_writes_nothing(place: Place, rut: str) -> None:
    with place.at(CLINIC) as clinic, place.at(None) as operator, place.at(CENTRE) as centre:
        shown = held(centre.get(rut).text) | WRITTEN
        assert clinic.get(rut).status_code == 404
        assert clinic.post(rut, data=shown | {"do": "save"}).status_code == 404
        page = operator.get(rut)
        assert page.status_code == 200
        assert '<form class="panel ask-form sip-form"' not in page.text


def test_a_plan_is_not_written_by_the_address_of_another_person(place: Place, rut: str) -> None:
    other = f"{rut.split('/')[2][:40]}-other"
    with httpx.Client(base_url=place.base, timeout=60) as operator:
        put(operator, {"resourceType": "Patient", "id": other, "managingOrganization": unit(CENTRE)})
    with place.at(CENTRE) as centre:
        plan = sent(press(centre, rut, "save", goal="Bo kvar hemma"))
        form = held(centre.get(plan).text) | {"goal": "Flytta", "do": "save"}
        assert centre.post(f"/patient/{other}/sip", data=form).status_code == 404
        assert centre.post(f"/patient/{other}/sip", data=form | {"do": "end"}).status_code == 404
        assert centre.get(plan.replace(rut, f"/patient/{other}/sip")).status_code == 404
        assert held(centre.get(plan).text)["goal"] == "Bo kvar hemma"


def test_the_page_is_there_in_english(place: Place, rut: str) -> None:
    with place.at(CENTRE, "en") as centre:
        plan = sent(press(centre, rut, "save", goal="Bo kvar hemma"))
        told = unescape(text_of(centre.get(plan).text))
    for words in ("Draft", "Who has the overall responsibility", "The person's consent"):
        assert words.lower() in told.lower()


# --- Discharge (2017:612) ------------------------------------------------------------------------------------------


@pytest.fixture
def stay(place: Place, rut: str) -> str:
    """The address of the discharge of somebody who has been at the ward since two days."""
    id = rut.split("/")[2]
    admitted = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"}
    with httpx.Client(base_url=place.base, timeout=60) as operator:
        put(
            operator,
            {
                "resourceType": "Encounter",
                "id": f"{id[:50]}-stay",
                "status": "in-progress",
                "class": admitted,
                "subject": {"reference": f"Patient/{id}"},
                "serviceProvider": unit(WARD),
                "period": {"start": (datetime.now(UTC) - timedelta(days=2)).isoformat(timespec="seconds")},
            },
        )
    return f"/patient/{id}/discharge"


TOLD = {
    "to-1": NURSES,
    "role-1": "municipal-care",
    "to-3": CENTRE,
    "role-3": "open-care",
    "estimated": LATER,
}


def tasks(place: Place, stay: str) -> dict[tuple[str, str], dict[str, Any]]:
    """What was written of the stay, by code and the unit that is asked."""
    with httpx.Client(base_url=place.base, timeout=60) as operator:
        found = operator.get("/fhir/Task", params={"patient": stay.split("/")[2]}).json().get("entry", [])
    made = [one["resource"] for one in found]
    return {(one["code"]["coding"][0]["code"], one["owner"]["identifier"]["value"]): one for one in made}


def test_a_ward_tells_by_the_page_what_the_law_asks_with_its_deadlines(place: Place, stay: str) -> None:
    """2 kap. 1-5 §§, 3 kap. 1-2 §§, 4 kap. 3 §, 5 kap. 4 §; that the call to the SIP is the duty's end."""
    with place.at(WARD) as ward, place.at(CENTRE) as centre:
        shown = text_of(ward.get(stay).text)
        assert "ska skickas senast" in shown and "försenat" in shown, "24 hours have passed"
        assert f'href="{stay}"' in ward.get(stay.removesuffix("/discharge")).text
        form = held(ward.get(stay).text)
        for _ in range(2):  # What is sent twice is sent once.
            assert ward.post(stay, data=form | TOLD | {"code": "admission-notice"}).status_code == 303
        press(ward, stay, "send", **TOLD | {"code": "discharge-ready"})
        press(ward, stay, "send", **TOLD | {"code": "information-transfer", "information": "Såret läkt"})
        found = tasks(place, stay)
        assert sorted(found) == sorted(
            [
                (code, unit)
                for code in ("admission-notice", "discharge-ready", "information-transfer")
                for unit in (NURSES, CENTRE)
            ]
            + [("appoint-contact", CENTRE), ("sip-call", CENTRE)]
        )
        until = {key: one.get("restriction", {}).get("period", {}).get("end") for key, one in found.items()}
        asked = datetime.fromisoformat(found["discharge-ready", NURSES]["authoredOn"]).astimezone(SWEDEN)
        liable = asked.date() + timedelta(days=3 if asked.time() <= time(12) else 4)
        assert until["appoint-contact", CENTRE] == until["admission-notice", NURSES] == LATER
        assert until["discharge-ready", NURSES] == liable.isoformat()
        assert until["discharge-ready", CENTRE] is None, "the region does not pay"
        assert until["sip-call", CENTRE] == (asked.date() + timedelta(days=3)).isoformat()
        assert until["information-transfer", NURSES] == asked.date().isoformat()
        assert "Kalla till SIP" in text_of(section(ward.get(stay).text, "sent"))
        # Open care calls to the meeting by the SIP's form: a draft is no call, what is sent is.
        sip = stay.replace("/discharge", "/sip")
        meeting = {"meeting": f"{LATER}T13:00", "invited-1": NURSES, "consent": "given"}
        plan = sent(press(centre, sip, "save", **meeting))
        assert "ingen kallelse till SIP" in text_of(centre.get(stay.removesuffix("/discharge")).text)
        sent(press(centre, plan, "call"))
        assert "ingen kallelse till SIP" not in text_of(centre.get(stay.removesuffix("/discharge")).text)
    assert tasks(place, stay)["sip-call", CENTRE]["status"] == "completed"


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"code": "admission-notice", "estimated": ""}, 400),
        ({"code": "admission-notice", "role-3": "other"}, 400),
        ({"code": "discharge-ready", "to-3": NURSES}, 400),
        ({"code": "information-transfer"}, 400),
        ({"code": "discharge-ready", "to-1": "", "to-3": ""}, 400),
        ({"code": "greeting"}, 400),
        ({"code": "discharge-ready", "form": "1"}, 400),
        ({"code": "discharge-ready", "token": "1"}, 403),
    ],
)
def test_a_message_that_lacks_something_is_not_sent(
    place: Place, stay: str, given: dict[str, str], status: int
) -> None:
    with place.at(WARD) as ward:
        assert press(ward, stay, "send", **TOLD | given).status_code == status
    assert not tasks(place, stay)


def test_another_unit_of_the_care_sends_nothing_of_the_stay(place: Place, stay: str) -> None:
    with place.at(CENTRE) as centre, place.at(WARD) as ward, place.at(CLINIC) as clinic:
        assert "inte inskriven hos er" in text_of(centre.get(stay).text)
        form = held(ward.get(stay).text) | TOLD | {"code": "discharge-ready"}
        mine = dict(re.findall(r'name="(token)" value="([^"]*)"', centre.get(stay.replace("discharge", "sip")).text))
        assert centre.post(stay, data=form | mine).status_code == 409
        assert clinic.post(stay, data=form).status_code == 404
    assert not tasks(place, stay)


# --- In the browser ------------------------------------------------------------------------------------------------


@pytest.fixture
def look(browser: Browser, place: Place) -> Iterator[Any]:
    contexts = []

    def at(path: str, *, width: int = 1280, language: str = "sv-SE") -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, locale=language, base_url=place.base)
        context.add_cookies([{"name": IDENTITY_COOKIE, "value": place.token(CENTRE), "url": place.base}])
        contexts.append(context)
        page = context.new_page()
        page.goto(path)
        return page

    yield at
    for context in contexts:
        context.close()


@pytest.mark.browser
def test_a_plan_is_settled_by_keyboard_alone_on_a_phone_and_axe_finds_nothing(
    look: Any, place: Place, rut: str
) -> None:
    page = look(rut, width=360)
    assert Axe().run(page, options={"runOnly": WCAG, "resultTypes": ["violations"]}).violations_count == 0
    assert page.evaluate(OVERFLOW) == 0
    page.get_by_label("Ja", exact=True).focus()
    page.keyboard.press("Space")
    page.get_by_label("Dag då personen svarade").fill("2026-03-11")
    page.get_by_label("Vad är viktigt för personen?").focus()
    page.keyboard.type("Bo kvar hemma")
    first = page.get_by_role("group", name="Insats 1")
    first.get_by_label("Vad ska göras").focus()
    page.keyboard.type(MEDICINE)
    page.keyboard.press("Tab")
    page.keyboard.type("Hemsj")
    page.get_by_label("Övergripande ansvar för planen").focus()
    page.keyboard.type("Tanums")
    page.get_by_role("button", name="Spara och besluta planen").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Planen är beslutad")
    found = Axe().run(page, options={"runOnly": WCAG, "resultTypes": ["violations"]})
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate(OVERFLOW) == 0
    page.get_by_role("link", name="Utskrift till personen").click()
    found = Axe().run(page, options={"runOnly": WCAG, "resultTypes": ["violations"]})
    assert found.violations_count == 0, found.generate_report()
    expect(page.get_by_role("heading", level=1)).to_have_text("Din plan")


@pytest.mark.browser
def test_axe_finds_nothing_on_the_page_of_a_discharge(browser: Browser, place: Place, stay: str) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 800}, locale="sv-SE", base_url=place.base)
    context.add_cookies([{"name": IDENTITY_COOKIE, "value": place.token(WARD), "url": place.base}])
    page = context.new_page()
    page.goto(stay)
    found = Axe().run(page, options={"runOnly": WCAG, "resultTypes": ["violations"]})
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate(OVERFLOW) == 0
    context.close()
