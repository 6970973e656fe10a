"""A Task by its buttons: one mission's whole life over three parties, and every press that cannot be obeyed."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from gateway.access.bearer import IDENTITY_COOKIE
from gateway.access.caller import Asking, Caller
from gateway.app import Gateway, background, wire
from gateway.errors import Conflict
from gateway.settings import Settings
from tests.web.conftest import section, text_of
from tests.web.test_browser import OVERFLOW, WCAG

HSA = "urn:oid:1.2.752.29.4.19"
ADVICE, NURSES, AMBULANCE, STRANGER = (f"SE2321000131-T{number}00" for number in (3, 1, 2, 9))
UNITS = {ADVICE: "1177 på telefon", NURSES: "Hemsjukvården", AMBULANCE: "Ambulansen", STRANGER: "Ögonkliniken"}
NAME = "Rut Provberg"


class Place:
    """The server, and each party at its own screen."""

    def __init__(self, gateway: Gateway, base: str) -> None:
        self.gateway, self.base = gateway, base

    def token(self, hsa_id: str) -> str:
        return self.gateway.identities.token(Caller("organisation", hsa_id, UNITS[hsa_id], hsa_id))

    @contextmanager
    def at(self, hsa_id: str | None) -> Iterator[httpx.Client]:
        cookies = {IDENTITY_COOKIE: self.token(hsa_id)} if hsa_id else {}
        headers = {"accept-language": "sv", "accept": "text/html", "origin": self.base}
        with httpx.Client(base_url=self.base, headers=headers, cookies=cookies, timeout=60) as client:
            yield client


@pytest.fixture(scope="module")
def place(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    path = tmp_path_factory.mktemp("task") / "task.db"
    shutil.copy(sqlite_template, path)
    gateway = wire(Settings(database_url=f"sqlite:///{path}", worker=False))
    with background(gateway) as base, httpx.Client(base_url=base, timeout=60) as operator:
        for hsa_id, name in UNITS.items():
            identifier = [{"system": HSA, "value": hsa_id}]
            telecom = [{"system": "phone", "value": "031-390 06 06"}]
            put(
                operator,
                {
                    "resourceType": "Organization",
                    "id": hsa_id,
                    "name": name,
                    "identifier": identifier,
                    "telecom": telecom,
                },
            )
        put(operator, {"resourceType": "Patient", "id": "rut", "name": [{"text": NAME}], "birthDate": "1941-07-14"})
        put(operator, mission("before", "completed"))
        yield Place(gateway, base)
    gateway.close()


def put(client: httpx.Client, resource: dict[str, Any]) -> None:
    sent = {"content-type": "application/fhir+json"}
    answer = client.put(f"/fhir/{resource['resourceType']}/{resource['id']}", json=resource, headers=sent)
    assert answer.is_success, answer.text


def mission(id: str, status: str) -> dict[str, Any]:
    """What 1177 has asked of home health care, as the operator writes it."""
    parties = {"requester": ADVICE, "owner": NURSES}
    made = {
        name: {"type": "Organization", "identifier": {"system": HSA, "value": one}} for name, one in parties.items()
    }
    code = {"system": "https://samverka.example/fhir/CodeSystem/mission", "code": "1177-uppdrag"}
    return {
        "resourceType": "Task",
        "id": id,
        "status": status,
        "intent": "order",
        "code": {"coding": [code]},
        "for": {"reference": "Patient/rut"},
        "authoredOn": "2026-03-12T08:00:00+01:00",
        **made,
    }


def held(html: str) -> dict[str, str]:
    """What the forms of a Task's page hold beside what is written in them."""
    found = {name: re.search(rf'name="{name}" value="([^"]*)"', html) for name in ("token", "version", "form")}
    return {name: one[1] for name, one in found.items() if one}


YRSEL = {"code": "1177-uppdrag", "what": "Yrsel", "to": NURSES, "next": AMBULANCE, "priority": "urgent"}


def offers(client: httpx.Client) -> set[str]:
    """The addresses of the hand-overs that wait for a unit's answer."""
    waits = section(client.get("/worklist").text, "waits")
    return set(re.findall(r'href="(/task/[^"]+)">Överlämning', waits))


def badges(html: str) -> list[str]:
    """What is said of a Task below its name."""
    return re.findall(r'class="badge[^"]*">([^<]*)<', html)


def asked(client: httpx.Client) -> str:
    """The address of a mission that 1177 has asked for."""
    answer = client.post("/patient/rut/ask", data=held(client.get("/patient/rut/ask").text) | YRSEL)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].partition("?")[0]


PASSED_ON = "https://samverka.example/fhir/StructureDefinition/task-passed-on"


def test_a_task_tells_in_both_languages_from_whom_it_came(place: Place) -> None:
    made = mission("passed", "accepted")
    closed = {
        "type": "Organization",
        "identifier": {"system": HSA, "value": "SE2321000131-T400"},
        "display": "Sjukstugan",
    }
    parts: list[dict[str, Any]] = [
        {"url": "closed", "valueReference": closed},
        {"url": "heir", "valueReference": made["owner"]},
        {"url": "since", "valueDateTime": "2026-03-11T00:00:00+01:00"},
        *({"url": "element", "valueCode": element} for element in ("owner", "requester", "unheard-of")),
    ]
    made["extension"] = [{"url": PASSED_ON, "extension": parts}]
    with httpx.Client(base_url=place.base, timeout=60) as operator:
        put(operator, made)
    with place.at(None) as client:
        told = text_of(section(client.get("/task/passed").text, "about-it"))
        english = text_of(section(client.get("/task/passed", headers={"accept-language": "en"}).text, "about-it"))
    assert re.search(
        r"Sjukstugan har stängt\. Sedan .*11 mars.* har Hemsjukvården uppdraget\. "
        r"Sedan .*11 mars.* står Hemsjukvården för den som frågade\.",
        told,
    )
    assert re.search(r"Sjukstugan has closed\. Since .*11 March.*, Hemsjukvården has the mission\.", english)


@pytest.fixture
def task(place: Place) -> str:
    with place.at(ADVICE) as advice:
        return asked(advice)


def test_who_comes_second_is_told_who_was_first_and_sees_it_as_it_is(place: Place, task: str) -> None:
    with place.at(NURSES) as first, place.at(NURSES) as second:
        shown = held(second.get(task).text)
        assert first.post(task, data=held(first.get(task).text) | {"do": "take"}).status_code == 303
        late = second.post(
            task, data=shown | {"do": "decline", "code": "no-resource", "reason-decline": "Bilen är trasig"}
        )
    told = text_of(late.text)
    assert late.status_code == 412
    assert "Någon hann före" in told and "Nu är uppdraget accepterat" in told and "av Hemsjukvården" in told
    assert "Bilen är trasig" in told, "what was written is not lost: who has taken it may still give it back"
    assert ">På väg</button>" in late.text


def test_two_that_ask_anew_in_one_moment_make_one_task(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both have looked at it before either has asked."""
    with httpx.Client(base_url=place.base, timeout=60) as operator:
        put(operator, mission("declined", "rejected"))
    door = place.gateway.door
    asking = Asking(Caller("organisation", ADVICE, UNITS[ADVICE], ADVICE), "create")
    shown = door.task(asking, "declined")
    monkeypatch.setattr(door, "task", lambda *_: shown)

    door.ask_anew(asking, "declined", AMBULANCE, version=shown.version)
    with pytest.raises(Conflict, match="asked anew already"):
        door.ask_anew(asking, "declined", AMBULANCE, version=shown.version)


def test_a_form_that_is_sent_twice_asks_once_and_leads_to_the_same_task(place: Place) -> None:
    """A double press: both are under way before either is answered."""
    with place.at(ADVICE) as advice:
        form = held(advice.get("/patient/rut/ask").text) | YRSEL

        def send(_: int) -> str:
            return str(advice.post("/patient/rut/ask", data=form).headers["location"])

        with ThreadPoolExecutor(2) as presses:
            first, second = sorted(presses.map(send, range(2)))
        assert (first, second) == (f"{first.partition('?')[0]}?done=ask", f"{first}-before")
        assert "Det var redan skickat" in advice.get(second).text
        anew = advice.post("/patient/rut/ask", data=held(advice.get("/patient/rut/ask").text) | YRSEL)
        assert not anew.headers["location"].startswith(first.partition("?")[0]), "another form asks anew"
        assert advice.post("/patient/rut/ask", data=form | {"form": "mine"}).status_code == 400


def test_a_hand_over_that_is_sent_twice_is_offered_once(place: Place, task: str) -> None:
    with place.at(NURSES) as nurse, place.at(AMBULANCE) as ambulance:
        nurse.post(task, data=held(nurse.get(task).text) | {"do": "take"})
        before = offers(ambulance)
        form = held(nurse.get(task).text) | {"do": "hand-over", "to": AMBULANCE, "reason-hand-over": "Natten"}
        assert [nurse.post(task, data=form).status_code for _ in range(2)] == [303, 303]
        assert len(offers(ambulance) - before) == 1


def test_a_report_that_is_acknowledged_twice_is_acknowledged_once(place: Place, task: str) -> None:
    """A double press: both are under way before either is answered, and once more after that."""
    with place.at(NURSES) as nurse, place.at(ADVICE) as advice:
        for press in ({"do": "take"}, {"do": "on-my-way"}, {"do": "there"}, {"do": "done", "report": "Lagt om"}):
            assert nurse.post(task, data=held(nurse.get(task).text) | press).status_code == 303, press
        form = held(advice.get(task).text) | {"do": "read"}

        def send(_: int) -> int:
            return advice.post(task, data=form).status_code

        with ThreadPoolExecutor(4) as presses:
            assert set(presses.map(send, range(4))) == {303}
        assert send(0) == 303
        part_of = task.removeprefix("/task/")
        found = httpx.get(f"{place.base}/fhir/Communication?part-of=Task/{part_of}").json()
        assert len(found["entry"]) == 1


def test_lines_stay_lines(place: Place) -> None:
    with place.at(ADVICE) as advice:
        form = held(advice.get("/patient/rut/ask").text) | YRSEL | {"what": " Yrsel \r\n\r\nBor  på 2 tr\r\n "}
        address = advice.post("/patient/rut/ask", data=form).headers["location"]
        assert '<dd class="written">Yrsel\n\nBor på 2 tr</dd>' in advice.get(address).text


def test_how_far_it_had_come_is_not_shown_beside_how_it_ended(place: Place, task: str) -> None:
    with place.at(NURSES) as nurse, place.at(ADVICE) as advice:
        nurse.post(task, data=held(nurse.get(task).text) | {"do": "take"})
        assert "Accepterat" in badges(nurse.get(task).text)
        advice.post(task, data=held(advice.get(task).text) | {"do": "cancel", "reason-cancel": "Mår bra"})
        assert badges(nurse.get(task).text) == ["Inställt", "Brådskande"]


def test_what_was_written_is_kept_when_something_is_missing(place: Place, task: str) -> None:
    with place.at(NURSES) as nurse:
        for move in ("take", "on-my-way"):
            assert nurse.post(task, data=held(nurse.get(task).text) | {"do": move}).status_code == 303
        empty = nurse.post(task, data=held(nurse.get(task).text) | {"do": "done", "report": "  "})
        assert empty.status_code == 400 and "Skriv en återrapport." in empty.text
        kept = nurse.post(task, data=held(nurse.get(task).text) | {"do": "pause", "reason-pause": ""})
    assert kept.status_code == 400 and "Skriv en orsak." in kept.text


@pytest.mark.parametrize("do", ["done", "take", "read", "ask-anew", "nothing-of-ours"])
def test_a_button_that_is_not_there_cannot_be_pressed(place: Place, task: str, do: str) -> None:
    with place.at(ADVICE) as advice:
        answer = advice.post(task, data=held(advice.get(task).text) | {"do": do, "report": "x", "to": NURSES})
    assert answer.status_code in (400, 409), answer.status_code
    assert "Det gick inte att göra" in answer.text or "Någon hann före" in answer.text


def test_a_task_is_handed_over_when_the_other_unit_takes_it(place: Place, task: str) -> None:
    with place.at(NURSES) as nurse, place.at(AMBULANCE) as ambulance:
        assert nurse.post(task, data=held(nurse.get(task).text) | {"do": "take"}).status_code == 303
        before = offers(ambulance)
        form = {"do": "hand-over", "to": AMBULANCE, "reason-hand-over": "Natten"}
        asked = nurse.post(task, data=held(nurse.get(task).text) | form)
        assert asked.status_code == 303 and asked.headers["location"].startswith(task)
        assert ">På väg</button>" in nurse.get(task).text, "it is theirs until the other has taken it"
        (offer,) = offers(ambulance) - before
        assert f'href="{task}">Uppdraget som lämnas över' in ambulance.get(offer).text
        assert '<dt>Anledning</dt><dd class="written">Natten</dd>' in ambulance.get(offer).text
        taken = ambulance.post(offer, data=held(ambulance.get(offer).text) | {"do": "take"})
        assert taken.headers["location"] == f"{task}?done=take-over", "to what is to be worked on"
        done = ambulance.get(offer).text
        assert badges(done) == ["Klart", "Brådskande"], "and no longer that it was accepted"
        assert ">På väg</button>" in ambulance.get(task).text
        assert ">På väg</button>" not in nurse.get(task).text


def test_a_form_counts_for_whom_it_was_made_and_from_our_own_page(place: Place, task: str) -> None:
    with place.at(NURSES) as nurse, place.at(AMBULANCE) as ambulance:
        fields = held(nurse.get(task).text) | {"do": "take"}
        assert nurse.post(task, data=fields | {"token": "0" * 48}).status_code == 403
        assert nurse.post(task, data={name: fields[name] for name in ("version", "do")}).status_code == 403
        assert nurse.post(task, data=fields, headers={"origin": "https://elsewhere.example"}).status_code == 403
        # Another's form is none, whatever the cookie says.
        assert ambulance.post(task, data=fields).status_code == 403
        assert nurse.post(task, data=fields).status_code == 303


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("to", ""),
        ("to", "nobody"),
        ("next", "nobody"),
        ("what", " "),
        ("code", ""),
        ("due", "soon"),
        ("due", "2020-01-01"),
    ],
)
def test_what_cannot_be_asked_is_told_beside_the_form(place: Place, name: str, value: str) -> None:
    fields = {"code": "1177-uppdrag", "what": "Yrsel", "to": NURSES, "priority": "urgent"} | {name: value}
    with place.at(ADVICE) as advice:
        answer = advice.post("/patient/rut/ask", data=held(advice.get("/patient/rut/ask").text) | fields)
    assert answer.status_code == 400 and "Det gick inte att göra" in answer.text


def test_who_has_no_part_finds_nothing_and_the_operator_only_reads(place: Place, task: str) -> None:
    with place.at(STRANGER) as stranger, place.at(None) as operator:
        assert stranger.get(task).status_code == 404
        assert stranger.get("/patient/rut/ask").status_code == 404
        page = operator.get(task)
        assert page.status_code == 200 and "Den driftansvarige flyttar inga uppdrag" in page.text
        assert 'name="do"' not in page.text
        assert operator.get("/task/none").status_code == 404


def test_no_address_says_whom_it_is_about(place: Place, task: str) -> None:
    with place.at(NURSES) as nurse:
        answer = nurse.post(task, data=held(nurse.get(task).text) | {"do": "take"})
    assert re.fullmatch(r"/task/[0-9a-f-]{36}\?done=take", answer.headers["location"])


def test_every_press_is_audited_and_stands_in_the_history_as_the_units_own_word(place: Place, task: str) -> None:
    with place.at(NURSES) as nurse:
        nurse.post(task, data=held(nurse.get(task).text) | {"do": "take"})
    id = task.rpartition("/")[2]
    with httpx.Client(base_url=place.base) as operator:
        current = operator.get(f"/fhir/Task/{id}").json()
    assert current["status"] == "accepted"
    assert current["businessStatus"]["coding"][0]["code"] == "accepted"
    sources = [part["valueString"] for x in current["extension"] for part in x["extension"] if part["url"] == "source"]
    assert sources[-1] == f"organisation:{NURSES}"
    rows = place.gateway.store.read(lambda uow: list(uow.audit.latest(limit=5)))
    written = [row.event for row in rows if row.event.get("action") == "U"]
    assert written[0]["agent"][0]["who"]["identifier"]["value"] == NURSES
    assert f"Task/{id}" in {one["what"].get("reference") for one in written[0]["entity"]}


# --- in a browser ---------------------------------------------------------------------------------------------------


Press = Callable[[Page, Locator], None]


def click(page: Page, target: Locator) -> None:
    target.click()


def by_keyboard(page: Page, target: Locator) -> None:
    """Go there by Tab, and press."""
    tab_to(page, target)
    page.keyboard.press("Enter")


def tab_to(page: Page, target: Locator) -> None:
    element = target.element_handle()
    for _ in range(150):
        page.keyboard.press("Tab")
        if page.evaluate("element => element === document.activeElement", element):
            return
    raise AssertionError("It is not reached by Tab.")


def write(page: Page, press: Press, label: str, words: str) -> None:
    field = page.get_by_label(label, exact=True).and_(page.locator(":visible"))
    if press is by_keyboard:
        tab_to(page, field)
    else:
        field.focus()
    page.keyboard.type(words)


@pytest.mark.browser
@pytest.mark.parametrize(
    ("press", "width", "script"), [(click, 1366, True), (by_keyboard, 360, False)], ids=["buttons", "keyboard-phone"]
)
def test_the_life_of_a_mission_over_three_parties(
    place: Place, browser: Browser, press: Press, width: int, script: bool
) -> None:
    """1177 asks, home health care declines, the ambulance takes it, goes, is there, reports; 1177 acknowledges."""
    screens = {hsa_id: _screen(place, browser, hsa_id, width, script) for hsa_id in (ADVICE, NURSES, AMBULANCE)}
    advice, nurses, ambulance = screens.values()
    advice.goto("/patient/rut/ask")
    write(advice, press, "Vad som ska göras", "Yrsel, bedömning i hemmet")
    for label, unit in (("Till", "Hemsjuk"), ("Om de avböjer, fråga sedan", "Ambul")):
        write(advice, press, label, unit)
    _is_for_everybody(advice, script)
    press(advice, advice.get_by_role("button", name="Skicka"))
    expect(advice.get_by_role("status")).to_have_text("Uppdraget är skickat.")

    _open_newest(nurses, press)
    press(nurses, nurses.locator("summary", has_text="Avböj"))
    write(nurses, press, "Orsak", "Ingen")
    press(nurses, nurses.get_by_role("button", name="Avböj"))
    expect(nurses.get_by_role("status")).to_contain_text("Ni har avböjt")

    _open_newest(advice, press, "Ingen har det, fråga någon")
    expect(advice.get_by_text("Ingen resurs")).to_be_visible()
    expect(advice.get_by_label("Fråga nästa enhet")).to_have_value(AMBULANCE)
    press(advice, advice.get_by_role("button", name="Fråga", exact=True))
    expect(advice.get_by_role("status")).to_have_text("Frågan är skickad till nästa enhet.")

    _open_newest(ambulance, press)
    for button, said in (("Ta uppdraget", "har tagit"), ("På väg", "på väg"), ("Framme", "framme")):
        press(ambulance, ambulance.get_by_role("button", name=button))
        expect(ambulance.get_by_role("status")).to_contain_text(said)
    write(ambulance, press, "Återrapport", "Blodtryck 140/80. Stannar hemma.")
    _is_for_everybody(ambulance, script)
    press(ambulance, ambulance.get_by_role("button", name="Klart, återrapportera"))
    expect(ambulance.get_by_role("status")).to_have_text("Klart och återrapporterat.")

    _open_newest(advice, press, "Läs återrapporten")
    expect(advice.get_by_text("Blodtryck 140/80. Stannar hemma.")).to_be_visible()
    press(advice, advice.get_by_role("button", name="Kvittera återrapporten"))
    expect(advice.get_by_role("status")).to_have_text("Återrapporten är kvitterad.")
    for page in screens.values():
        page.context.close()


def _screen(place: Place, browser: Browser, hsa_id: str, width: int, script: bool) -> Page:
    size = {"width": width, "height": 760}
    context = browser.new_context(
        viewport=size,
        locale="sv-SE",
        base_url=place.base,
        java_script_enabled=script,  # type: ignore[arg-type]
    )
    context.set_default_timeout(10_000)
    cookie = {"name": IDENTITY_COOKIE, "value": place.token(hsa_id), "url": place.base}
    context.add_cookies([cookie])  # type: ignore[list-item]
    return context.new_page()


def _open_newest(page: Page, press: Press, why: str = "Ta eller avböj") -> None:
    """To the Task that waits: by the worklist."""
    page.goto("/worklist")
    line = page.locator("section", has=page.locator("#waits")).locator("li", has_text=why).last
    assert page.evaluate(OVERFLOW) == 0
    press(page, line.get_by_role("link", name="1177-uppdrag"))
    expect(page.get_by_role("heading", name="Ditt nästa steg")).to_be_visible()


def _is_for_everybody(page: Page, script: bool) -> None:
    assert page.evaluate(OVERFLOW) == 0
    if script:
        found = Axe().run(page, options={"runOnly": WCAG, "resultTypes": ["violations"]})
        assert found.violations_count == 0, found.generate_report()
