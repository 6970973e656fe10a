"""What needs a person: shown to the operator alone, decided by a button, and audited."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from gateway.access.bearer import IDENTITY_COOKIE
from gateway.access.caller import Caller
from gateway.app import Gateway, background, wire
from gateway.records import Link
from gateway.settings import Settings
from tests.web.conftest import Site, section
from tests.web.test_browser import OVERFLOW, WCAG
from tests.web.test_task import put

PNR = "http://electronichealth.se/identifier/personnummer"
NUMBER = "194107142384"
NONSENSE = b'{"resourceType": "Bundle", "type": "collection", "entry": [{"resource": {"resourceType": "Tusk"}}]}'


@pytest.fixture(scope="module")
def wired(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, str]]:
    path = tmp_path_factory.mktemp("queue") / "queue.db"
    shutil.copy(sqlite_template, path)
    gateway = wire(Settings(database_url=f"sqlite:///{path}", worker=False))
    with background(gateway) as base:
        yield gateway, base
    gateway.close()


@pytest.fixture(scope="module")
def operator(wired: tuple[Gateway, str]) -> Iterator[httpx.Client]:
    headers = {"accept-language": "sv", "accept": "text/html", "origin": wired[1]}
    with httpx.Client(base_url=wired[1], headers=headers, timeout=60) as client:
        yield client


def person(id: str, name: str, *numbers: str) -> dict[str, Any]:
    identifier = [{"system": PNR, "value": number} for number in numbers]
    made = {"resourceType": "Patient", "id": id, "name": [{"text": name}], "birthDate": "1941-07-14"}
    return made | ({"identifier": identifier} if identifier else {})


@pytest.fixture(scope="module")
def known(operator: httpx.Client) -> None:
    """Rut has a number; two others may be she, and one is known by name only."""
    put(operator, person("rut", "Rut Provberg", NUMBER))
    for id in ("a", "b"):
        put(operator, person(f"perhaps-{id}", f"Kanske Rut {id}", f"19410714{'23' if id == 'a' else '24'}92"))
    put(operator, person("nameless", "Okänd Provberg"))
    put(operator, person("unknown", "Förblir Okänd"))


def proposed(gateway: Gateway, one: str, other: str) -> None:
    link = Link("Patient", one, other, "proposed", "demographics contradict the number", datetime.now(UTC))
    gateway.store.write(lambda uow: uow.links.add([link]), now=datetime.now(UTC))


def press(client: httpx.Client, do: str, **fields: str) -> httpx.Response:
    token = re.search(r'name="token" value="([^"]*)"', client.get("/queue").text)
    assert token
    return client.post("/queue", data={"token": token[1], "do": do, **fields})


def held(gateway: Gateway, operator: httpx.Client) -> str:
    """The id of a message that is held."""
    source = next(iter(gateway.sources))
    id = gateway.ingest.keep(source, NONSENSE + str(datetime.now(UTC).timestamp()).encode(), "application/fhir+json")
    gateway.ingest.process(id)
    assert gateway.store.read(lambda uow: uow.inbox.entry(id)).state == "held"  # type: ignore[union-attr]
    return id


def rules(gateway: Gateway, limit: int = 4) -> list[tuple[str, str]]:
    rows = gateway.store.read(lambda uow: list(uow.audit.latest(limit=limit)))
    return [(row.event.get("action", ""), row.person or "") for row in rows]


def test_two_that_are_one_are_tied_and_two_that_are_not_stay_two(
    wired: tuple[Gateway, str], operator: httpx.Client, known: None
) -> None:
    gateway = wired[0]
    for id in ("perhaps-a", "perhaps-b"):
        proposed(gateway, id, "rut")
        proposed(gateway, "rut", id)  # A source that says it again says nothing new.
    shown = section(operator.get("/queue").text, "proposals")
    assert shown.count('value="same"') == 2 and "Kanske Rut a" in shown
    assert press(operator, "same", one="perhaps-a", other="rut", reason="Ringde folkbokföringen").status_code == 303
    assert ("U", "perhaps-a") in rules(gateway), "the decision is audited"
    assert press(operator, "undone", one="perhaps-b", other="rut", reason="Tvillingar").status_code == 303
    with_persons = gateway.store.read(lambda uow: uow.persons.of_patients(["rut", "perhaps-a", "perhaps-b"]))
    assert with_persons["perhaps-a"] == with_persons["rut"]
    assert with_persons.get("perhaps-b", "perhaps-b") != with_persons["rut"]
    proposed(gateway, "perhaps-b", "rut")
    assert "Inga par är föreslagna." in operator.get("/queue").text, "what was decided is not asked again"
    again = press(operator, "same", one="perhaps-b", other="rut", reason="x")
    assert again.status_code == 409 and "Någon har redan avgjort det." in again.text


def test_a_person_without_a_number_is_tied_to_the_one_who_has_it(
    wired: tuple[Gateway, str], operator: httpx.Client, known: None
) -> None:
    assert "Okänd Provberg" in section(operator.get("/queue").text, "unmatched")
    nobody = press(operator, "match", one="nameless", number="19121212-1212", reason="x")
    assert nobody.status_code == 400 and "Ingen annan här har det numret." in nobody.text
    done = press(operator, "match", one="nameless", number="19410714-2384", reason="Visade legitimation")
    assert done.headers["location"] == "/queue?done=match"
    assert "Okänd Provberg" not in section(operator.get("/queue").text, "unmatched")


def test_what_is_held_is_replayed_or_set_aside_with_its_reason(
    wired: tuple[Gateway, str], operator: httpx.Client, known: None
) -> None:
    gateway = wired[0]
    id = held(gateway, operator)
    assert id in section(operator.get("/queue").text, "held")
    assert press(operator, "replay", one=id).status_code == 303
    assert id in section(operator.get("/queue").text, "held"), "the map is not mended"
    bare = press(operator, "discard", one=id, reason=" ")
    assert bare.status_code == 400 and "Skriv en orsak." in bare.text
    assert press(operator, "discard", one=id, reason="Provmeddelande").status_code == 303
    assert id not in section(operator.get("/queue").text, "held")
    assert "Provmeddelande" in operator.get(f"/inbox/{id}").text
    twice = press(operator, "discard", one=id, reason="x")
    assert twice.status_code == 409 and "håller inget längre" in twice.text
    assert press(operator, "replay", one=id).status_code == 303, "nothing is lost by it"
    press(operator, "discard", one=id, reason="Provmeddelande")


def test_what_sources_contradict_each_other_about_leads_to_whom_to_call(site: Site) -> None:
    with site.client() as client:
        shown = section(client.get("/queue").text, "contradicted")
        (address, *_) = re.findall(r'href="(/patient/[^"#]+)#gaps"', shown)
        assert "Avgörs i källorna" in shown
        assert "Ska agera" in client.get(address).text


def test_only_the_operator_decides_and_only_from_the_page_itself(
    wired: tuple[Gateway, str], operator: httpx.Client, known: None
) -> None:
    gateway, base = wired
    token = gateway.identities.token(Caller("organisation", "SE1", "A unit", "SE1"))
    headers = {"accept": "text/html", "origin": base}
    with httpx.Client(base_url=base, headers=headers, cookies={IDENTITY_COOKIE: token}) as unit:
        assert unit.get("/queue").status_code == 404
        assert unit.post("/queue", data={"do": "replay"}).status_code == 404
    assert operator.post("/queue", data={"do": "replay", "one": "x"}).status_code == 403
    assert press(operator, "nothing-of-ours").status_code == 400
    for do in ("replay", "discard"):
        assert press(operator, do, one="none", reason="x").status_code == 404


@pytest.mark.browser
def test_the_queue_is_for_everybody_and_for_a_phone(
    wired: tuple[Gateway, str], operator: httpx.Client, known: None, browser: Browser
) -> None:
    gateway, base = wired
    put(operator, person("one-more", "En till Provberg"))
    proposed(gateway, "one-more", "rut")
    held(gateway, operator)
    size: Any = {"width": 360, "height": 740}
    with browser.new_context(viewport=size, locale="sv-SE", base_url=base) as context:
        page = context.new_page()
        page.goto("/queue")
        assert page.evaluate(OVERFLOW) == 0
        found = Axe().run(page, options={"runOnly": WCAG, "resultTypes": ["violations"]})
        assert found.violations_count == 0, found.generate_report()
        pair = page.get_by_role("region", name="Är det samma person?")
        pair.get_by_label("Skäl").press("E")
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        expect(pair.get_by_role("button", name="Två personer")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_have_text("De förblir två personer.")
