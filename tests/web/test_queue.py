"""What needs a person: shown to the operator alone, decided by a button, and audited."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from gateway.access.bearer import IDENTITY_COOKIE
from gateway.access.caller import Caller
from gateway.app import Gateway, background, wire
from gateway.coordination.statements import Origin, make
from gateway.coordination.values import logical_reference
from gateway.identity.systems import HSA_ID as HSA
from gateway.records import Link, Statement
from gateway.settings import Settings
from tests.coordination import cases
from tests.web.conftest import section
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
    pages = (client.get(f"/queue{query}").text for query in ("", "?kind=links"))
    token = next(found for page in pages if (found := re.search(r'name="token" value="([^"]*)"', page)))
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
    twice = press(operator, "undone", one="perhaps-b", other="rut", reason="x")
    assert twice.headers["location"] == "/queue?done=undone", "a press that is sent twice decides once"
    assert (
        len(gateway.store.read(lambda uow: [one for one in uow.links.of(["perhaps-b"]) if one.kind == "undone"])) == 1
    )


def test_a_link_that_was_wrong_is_undone_and_who_took_part_for_the_one_sees_nothing_of_the_other(
    wired: tuple[Gateway, str], operator: httpx.Client
) -> None:
    """And nobody's records are lost by it: each Patient has his own again."""
    gateway, base = wired
    units = {"wrong-a": "SE2120001348-T0100", "wrong-b": "SE2321000131-T0110"}
    for id, unit in units.items():
        put(operator, person(id, f"Fel {id}"))
        body: dict[str, Any] = {"resourceType": "Task", "id": f"task-{id}", "status": "requested", "intent": "order"}
        body |= {
            "for": {"reference": f"Patient/{id}"},
            "owner": logical_reference("Organization", f"{HSA}|{unit}", unit),
        }
        put(operator, body)
    proposed(gateway, "wrong-a", "wrong-b")

    def seen(unit: str, id: str) -> int:
        headers = {"authorization": f"Bearer {gateway.identities.token(Caller('organisation', unit, unit, unit))}"}
        return httpx.get(f"{base}/fhir/Task/task-{id}", headers=headers).status_code

    assert [seen(units["wrong-a"], id) for id in units] == [200, 404]
    press(operator, "same", one="wrong-a", other="wrong-b", reason="Samma namn")
    assert [seen(units["wrong-a"], id) for id in units] == [200, 200]
    links = section(operator.get("/queue?kind=links").text, "links")
    assert "Fel wrong-a" in links and "Fel wrong-b" in links and "En person" in links and "Samma namn" in links
    assert press(operator, "untie", one="wrong-a", other="wrong-b", reason="").status_code == 400
    undone = press(operator, "untie", one="wrong-a", other="wrong-b", reason="Olika födelsedagar", kind="links")
    assert undone.headers["location"] == "/queue?kind=links&done=untie"
    assert [seen(units["wrong-a"], id) for id in units] == [200, 404]
    assert [seen(units["wrong-b"], id) for id in units] == [404, 200]
    assert operator.get("/fhir/Patient/wrong-b").json()["name"] == [{"text": "Fel wrong-b"}]
    assert press(operator, "untie", one="wrong-a", other="wrong-b", reason="x").status_code == 303
    stale = press(operator, "same", one="wrong-a", other="wrong-b", reason="x")
    assert stale.status_code == 409, "who saw it before it was decided does not decide it otherwise unawares"
    assert press(operator, "tie", one="wrong-a", other="wrong-b", reason="Jo").status_code == 303
    assert [seen(units["wrong-a"], id) for id in units] == [200, 200]


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


def contradicting(gateway: Gateway, number: int) -> tuple[str, list[Statement]]:
    """An Encounter of Rut's that the ward says is in progress, and the town finished."""
    ward, town = cases.statements(cases.read(cases.HERE / "agree" / "004-statements.json"))
    made = [
        make(
            body={**one.body, "id": f"contact-{number}", "subject": {"reference": "Patient/rut"}},
            origin=Origin(one.source),
            record_key=f"{one.record_key}-{number}",
            person="rut",
            effective=one.effective,
            recorded=one.recorded,
            party=one.party,
            provider=one.provider,
        )
        for one in (ward, town)
    ]
    told(gateway, *made)
    return f"contact-{number}", made


def told(gateway: Gateway, *said: Statement) -> None:
    recorder = gateway.ingest.recorder
    gateway.store.write(lambda uow: recorder.record(uow, said), now=datetime.now(UTC))


def settle(client: httpx.Client, id: str, said: list[Statement], do: str, **more: str) -> httpx.Response:
    fields = {"one": f"Encounter/{id}", "other": " ".join(one.digest for one in said), "element": "Encounter.status"}
    return press(client, do, **fields, reason="Ringde avdelningen", **more)


def test_a_contradiction_shows_both_sides_and_is_decided_until_one_of_them_says_something_new(
    wired: tuple[Gateway, str], operator: httpx.Client, known: None
) -> None:
    gateway = wired[0]
    id, said = contradicting(gateway, 1)
    (ward, town) = said
    shown = section(operator.get("/queue").text, "contradicted")
    for text in (
        "SE2321000131-T0110",
        "SE2120001348-T0100",
        "läget",
        "den som ansvarar har ordet",
        "10 mars 2026 12:00",
    ):
        assert text in shown, text
    assert shown.count('value="choose ') == 2 and 'value="ask"' in shown

    assert settle(operator, id, said, f"choose {town.digest}").headers["location"] == "/queue?done=choose"
    assert settle(operator, id, said, f"choose {town.digest}").status_code == 303, "sent twice, it is decided once"
    kept = gateway.store.read(lambda uow: uow.statements.of_resources([("Encounter", id)]))
    rut = gateway.store.read(lambda uow: uow.persons.of_patients(["rut"]))["rut"]
    assert len(kept) == 3 and ("U", rut) in rules(gateway, 40)
    assert operator.get(f"/fhir/Encounter/{id}").json()["status"] == "finished"
    assert "Källorna är överens." in section(operator.get("/queue").text, "contradicted")
    settled = section(operator.get("/queue?kind=settled").text, "settled")
    assert "Ringde avdelningen" in settled and 'value="unsettle"' in settled and "det har avgjorts" in settled
    assert gateway.rebuild(lambda done, total: None).different == []

    assert settle(operator, id, said, "unsettle").headers["location"] == "/queue?done=unsettle"
    assert operator.get(f"/fhir/Encounter/{id}").json()["status"] == "in-progress"
    assert settle(operator, id, said, "ask").status_code == 303
    assert (
        id not in str(operator.get("/queue").text)
        and "Parterna är tillfrågade" in operator.get("/queue?kind=settled").text
    )

    again = make(
        body={**ward.body, "id": id, "status": "onleave"},
        origin=Origin(ward.source),
        record_key=ward.record_key,
        person="rut",
        effective=ward.effective + timedelta(minutes=30),
        recorded=datetime.now(UTC),
        party=ward.party,
        provider=ward.provider,
    )
    told(gateway, again)
    assert 'value="ask"' in section(operator.get("/queue").text, "contradicted"), "it is open again"
    stale = settle(operator, id, said, f"choose {town.digest}")
    assert stale.status_code == 409 and "Se efter igen." in stale.text
    assert gateway.rebuild(lambda done, total: None).different == []


def test_the_queue_pages_through_all_that_waits(
    wired: tuple[Gateway, str], operator: httpx.Client, known: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = wired[0]
    for number in range(10, 15):
        contradicting(gateway, number)
        put(operator, person(f"page-{number}", f"Sida {number}"))
        put(operator, person(f"pair-{number}", f"Par {number}"))
        proposed(gateway, f"pair-{number}", f"page-{number}")
        held(gateway, operator)
    monkeypatch.setattr("gateway.access.queue.MOST", 2)
    for kind, mark in (
        ("contradicted", r'name="one" value="(Encounter/contact-1\d)"'),
        ("unmatched", r'href="/patient/(page-\d+)"'),
        ("proposals", r'name="one" value="(pair-\d+)"'),
        ("held", r'href="/inbox/([^"]+)"'),
    ):
        address, found = "/queue", list[str]()
        for _ in range(20):
            shown = section(operator.get(address).text, kind)
            found += re.findall(mark, shown)
            further = re.search(r'<a href="(/queue\?kind=[^"]+)">', shown)
            if further is None:
                break
            address = further[1].replace("&amp;", "&")
        assert len(found) >= 5 and len(found) == len(set(found)), (kind, found)
    for query in ("kind=none", "kind=held&after=x", "kind=settled&after=Patient-1", "after=1"):
        assert operator.get(f"/queue?{query}").status_code == 400, query


def test_what_waits_comes_before_what_is_empty(wired: tuple[Gateway, str], operator: httpx.Client, known: None) -> None:
    held(wired[0], operator)
    counts = re.findall(r'<h2 id="\w+">.*?<span class="count">(\d+)', operator.get("/queue").text)
    waiting = [count != "0" for count in counts]
    assert len(waiting) > 3 and set(waiting) == {True, False}
    assert waiting == sorted(waiting, reverse=True)


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
        pair = page.get_by_role("region", name="Är det samma person?").get_by_role("listitem").last
        pair.get_by_label("Skäl").press("E")
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        expect(pair.get_by_role("button", name="Två personer")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_have_text("De förblir skilda.")


@pytest.mark.browser
def test_a_contradiction_is_decided_and_undone_by_keyboard_alone_without_script(
    wired: tuple[Gateway, str], operator: httpx.Client, known: None, browser: Browser
) -> None:
    gateway, base = wired
    id, _ = contradicting(gateway, 99)
    size: Any = {"width": 360, "height": 740}
    with browser.new_context(viewport=size, locale="en-GB", base_url=base, java_script_enabled=False) as context:
        page = context.new_page()
        page.goto("/queue")
        row = page.get_by_role("region", name="Sources that contradict each other").get_by_role("listitem")
        row = row.filter(has=page.locator(f'input[value="Encounter/{id}"]'))
        row.get_by_label("Reason").press("C")
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        expect(row.get_by_role("button", name="Right: SE2120001348-T0100, finished")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_have_text("Decided, until one of them says something new.")
        assert operator.get(f"/fhir/Encounter/{id}").json()["status"] == "finished"
        page.get_by_role("link", name="Contradictions that were decided").press("Enter")
        row = page.get_by_role("listitem").filter(has=page.locator(f'input[value="Encounter/{id}"]'))
        row.get_by_label("Reason").press("E")
        row.get_by_role("button", name="Undo the decision").press("Enter")
        expect(page.get_by_role("status")).to_have_text("The decision is undone.")
    with browser.new_context(viewport=size, locale="sv-SE", base_url=base) as context:
        for address in ("/queue?kind=settled", "/queue?kind=links"):
            page = context.new_page()
            page.goto(address)
            assert page.evaluate(OVERFLOW) == 0
            found = Axe().run(page, options={"runOnly": WCAG, "resultTypes": ["violations"]})
            assert found.violations_count == 0, found.generate_report()


def test_two_visits_that_may_be_one_are_shown_side_by_side_and_are_one_or_two_as_a_person_says(
    wired: tuple[Gateway, str], operator: httpx.Client, known: None
) -> None:
    gateway = wired[0]
    visits = {
        "told-once": visit("told-once", "journal", "10:00"),
        "told-again": visit("told-again", "kassa", "10:10"),
        "another": visit("another", "intyg", "10:20"),
    }
    told(gateway, *visits.values())
    shown = section(operator.get("/queue").text, "alike")
    assert shown.count('value="same"') == 3 and shown.count("Mottagningen") == 6 and 'href="/patient/' in shown

    assert press(operator, "undone", one="Encounter/another", other="told-again", reason="Två").status_code == 303
    said = {"one": "Encounter/told-once", "reason": "Ringde mottagningen"}
    assert press(operator, "same", other="told-again", **said).status_code == 303
    assert press(operator, "undone", other="another", **said).status_code == 303
    assert "U" in dict(rules(gateway)), "the decision is audited, about the person"
    left = sorted(id for id in ("told-once", "told-again", "another") if get(operator, f"/fhir/Encounter/{id}") == 200)
    assert len(left) == 2 and "another" in left
    assert "Inget är föreslaget som samma sak." in operator.get("/queue").text
    decided = section(operator.get("/queue?kind=links").text, "links")
    assert decided.count("Samma sak") == 1 and decided.count("Mottagningen") == 6, "what was decided can be undone"
    assert decided.count("Två olika</b>") == 2 and "Ringde mottagningen" in decided
    assert 'value="Encounter/told-' in decided or 'value="Encounter/another"' in decided
    assert press(operator, "undone", other="another", **said).status_code == 303, "sent twice, decided once"

    assert press(operator, "untie", other="told-again", **said).status_code == 303
    assert get(operator, "/fhir/Encounter/told-once") == get(operator, "/fhir/Encounter/told-again") == 200
    assert section(operator.get("/queue?kind=links").text, "links").count("Två olika</b>") == 3


def test_units_that_were_parted_are_shown_among_what_was_decided(
    wired: tuple[Gateway, str], operator: httpx.Client, known: None
) -> None:
    for id in ("unit-one", "unit-two"):
        put(operator, {"resourceType": "Organization", "id": id, "name": f"Enheten {id}"})
    link = Link("Organization", "unit-one", "unit-two", "undone", "Två enheter", datetime.now(UTC))
    wired[0].store.write(lambda uow: uow.links.add([link]), now=datetime.now(UTC))
    decided = section(operator.get("/queue?kind=links").text, "links")
    assert "Enheten unit-one" in decided and "Enheten unit-two" in decided and "Två enheter" in decided
    assert press(operator, "tie", one="Organization/unit-one", other="unit-two", reason="En enhet").status_code == 303


def visit(id: str, source: str, start: str) -> Statement:
    """What a source tells of a visit of Rut's."""
    unit = {"type": "Organization", "identifier": {"system": HSA, "value": "SE5565594230-T0999"}}
    body = {
        "resourceType": "Encounter",
        "id": id,
        "identifier": [{"system": f"urn:{source}", "value": id}],
        "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "subject": {"reference": "Patient/rut"},
        "period": {"start": f"2026-03-03T{start}:00+01:00", "end": "2026-03-03T10:40:00+01:00"},
        "serviceProvider": unit | {"display": "Mottagningen"},
    }
    now = datetime.now(UTC)
    return make(body=body, origin=Origin(source), record_key=id, person="rut", effective=now, recorded=now)


def get(client: httpx.Client, path: str) -> int:
    return client.get(path).status_code
