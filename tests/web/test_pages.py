"""The pages over HTTP: what they show to whom, and what they refuse."""

from __future__ import annotations

import re

import httpx
import pytest

from tests.web.conftest import (
    AFTER_THE_ALARM,
    ASKING,
    ASTRID,
    BEFORE_THE_ALARM,
    BENGT,
    PROTECTED,
    TANUM_NURSES,
    Site,
    section,
    text_of,
)

BAD_ROW = (
    "person_id;person_id_type;municipality_code;unit_hsa_id;provider_hsa_id;record_type;local_id;legal_basis;"
    "service_code;text;scope;start;end;status;responsible_role;updated_at;protected\n"
    "194107142385;PNR;1435;SE2120001348-T0100;SE2120001348-T0000;INSATS;X-1;HSL;HSJV;a;;2026-03-01T00:00:00;;"
    "PAGAENDE;;2026-03-01T00:00:00;N\n"
)


# Picking a person


def test_the_start_page_lists_the_persons_without_their_numbers(operator: httpx.Client) -> None:
    html = operator.get("/").text
    assert "Astrid Testberg" in html
    assert "Bengt Provsson" in html
    assert ASTRID not in html.replace("-", "")


def test_a_person_is_found_by_a_posted_number_that_stands_in_no_address(operator: httpx.Client, site: Site) -> None:
    for written in (ASTRID, "19410714-2384", " 19410714 2384 "):
        response = operator.post("/find", data={"number": written})
        assert (response.status_code, response.headers["location"]) == (303, f"/patient/{site.astrid}")
    assert operator.get("/find").headers["location"] == "/"


def test_an_unknown_number_is_said_to_be_unknown(operator: httpx.Client) -> None:
    response = operator.post("/find", data={"number": "191212121212"})
    assert response.status_code == 404
    assert "Ingen person hittades" in response.text
    assert "191212121212" not in response.text


def test_somebody_who_takes_no_part_finds_nobody(nurse: httpx.Client, site: Site) -> None:
    assert nurse.post("/find", data={"number": ASTRID}).status_code == 303
    assert nurse.post("/find", data={"number": BENGT}).status_code == 404
    html = nurse.get("/").text
    assert "Astrid Testberg" in html
    assert "Bengt Provsson" not in html


def test_a_protected_person_has_no_name_on_any_page(operator: httpx.Client) -> None:
    html = operator.get("/").text
    assert "Skyddad uppgift" in html
    assert "Not To Be Shown" not in html
    own = operator.post("/find", data={"number": PROTECTED}, follow_redirects=True).text
    assert "Skyddade personuppgifter" in own
    assert "Not To Be Shown" not in own


# The answer


def test_the_answer_says_who_is_responsible_what_comes_next_what_is_missing_and_on_what_it_rests(
    operator: httpx.Client, site: Site
) -> None:
    html = operator.get(f"/patient/{site.astrid}").text
    now = text_of(section(html, "now"))
    assert "Hemsjukvården Tanum" in now
    assert "0980-319 201" in now
    assert "sedan" in now
    coming = text_of(section(html, "next"))
    assert "fre 13 mars 09:00 Hembesök Hemsjukvården Tanum" in coming
    missing = text_of(section(html, "gaps"))
    assert "Ska agera" in missing
    assert "Dubbla besök" in missing
    sources = text_of(section(html, "sources"))
    assert "Tanums kommun, verksamhetssystemet Hörd 12 mars 12:00" in sources


def test_the_answer_leads_to_the_tasks_with_their_buttons_unless_it_is_of_another_time(
    nurse: httpx.Client, site: Site
) -> None:
    html = nurse.get(f"/patient/{site.astrid}").text
    for part in ("now", "gaps"):
        (address, *_) = re.findall(r'class="to-task[^"]*" href="(/task/[^"]+)"', section(html, part))
        assert nurse.get(address).status_code == 200
    assert "to-task" not in nurse.get(f"/patient/{site.astrid}?at=2026-03-03").text


def test_telephone_numbers_can_be_dialled(operator: httpx.Client, site: Site) -> None:
    assert 'href="tel:+46980319201"' in operator.get(f"/patient/{site.astrid}").text


def test_the_answer_is_in_the_language_that_the_browser_asks_for(site: Site) -> None:
    for accept, language, heading in (
        ("en-GB,en;q=0.9", "en", "Responsible now"),
        ("sv-SE", "sv", "Ansvarig nu"),
        ("de", "sv", "Ansvarig nu"),
    ):
        with site.client(language=accept) as client:
            html = client.get(f"/patient/{site.astrid}").text
            assert f'<html lang="{language}">' in html
            assert heading in html


def test_a_chosen_language_stays_chosen(operator: httpx.Client, site: Site) -> None:
    response = operator.post("/language", data={"language": "en", "back": f"/patient/{site.astrid}"})
    assert response.headers["location"] == f"/patient/{site.astrid}"
    assert "Responsible now" in operator.get(f"/patient/{site.astrid}").text


@pytest.mark.parametrize("elsewhere", ["https://elsewhere.example/", "//elsewhere.example", "/\\elsewhere.example"])
def test_a_form_leads_back_to_a_page_of_ours_only(operator: httpx.Client, elsewhere: str) -> None:
    assert operator.post("/language", data={"language": "sv", "back": elsewhere}).headers["location"] == "/"


def test_another_time_gives_another_answer(operator: httpx.Client, site: Site) -> None:
    def now(**times: str) -> str:
        return text_of(section(operator.get(f"/patient/{site.astrid}", params=times).text, "now"))

    assert "IVPA-uppdrag" not in now(at=BEFORE_THE_ALARM)
    assert "IVPA-uppdrag" in now(at=AFTER_THE_ALARM)
    # By what had come in before the alarm, nobody knew of it.
    assert "IVPA-uppdrag" not in now(**{"at": AFTER_THE_ALARM, "known-at": BEFORE_THE_ALARM})


def test_another_time_is_said_to_be_another_time_and_is_kept_by_the_links(operator: httpx.Client, site: Site) -> None:
    html = operator.get(f"/patient/{site.astrid}", params={"at": AFTER_THE_ALARM}).text
    assert "Så som det var" in html
    assert "3 mars 2026 05:10" in html
    links = re.findall(r'href="(/patient/[^"]+/source/[^"]+)"', html)
    assert all("at=2026-03-03" in link for link in links)
    assert f'href="/patient/{site.astrid}?at=2026-03-03' in operator.get(links[0].replace("&amp;", "&")).text


def test_a_time_that_is_none_is_refused_with_a_page(operator: httpx.Client, site: Site) -> None:
    response = operator.get(f"/patient/{site.astrid}?at=yesterday")
    assert response.status_code == 400
    assert "Det gick inte att förstå" in response.text


@pytest.mark.parametrize(
    "address",
    [
        "/?at=x",
        "/capacity?at=x",
        "/measures?second=1",
        "/worklist?Since=1",
        "/queue?x=",
        "/api?types=Task",
        "/inbox?a=1",
    ],
)
def test_what_a_page_does_not_heed_is_refused_with_what_it_does(operator: httpx.Client, address: str) -> None:
    response = operator.get(address)
    assert response.status_code == 400
    assert "Parameters of this page" in response.text


def test_a_parameter_that_is_said_twice_is_refused(operator: httpx.Client, site: Site) -> None:
    assert operator.get(f"/patient/{site.astrid}?at=2026-03-03&at=2026-03-04").status_code == 400


# Who looks


def test_an_identity_is_a_cookie_that_no_script_and_no_other_site_can_use(operator: httpx.Client) -> None:
    cookie = operator.post("/identity", data={"identity": TANUM_NURSES}).headers["set-cookie"]
    assert "samverka-identity=" in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Hemsjukvården Tanum" in operator.get("/").text
    operator.post("/identity", data={"identity": ""})
    assert "Driftansvarig</b>" in operator.get("/").text


def test_who_takes_no_part_gets_the_page_of_what_is_not_there(nurse: httpx.Client, site: Site) -> None:
    bengt = site.gateway.door.find_person(ASKING, BENGT)
    refused, missing = nurse.get(f"/patient/{bengt}"), nurse.get("/patient/nobody")
    assert refused.status_code == missing.status_code == 404
    assert refused.text.replace(str(bengt), "") == missing.text.replace("nobody", "")
    assert "Det finns inget här" in refused.text


@pytest.mark.parametrize("path", ["/find", "/identity", "/language"])
@pytest.mark.parametrize("origin", ["https://elsewhere.example", "null", ""])
def test_a_form_that_another_site_sends_is_refused(site: Site, path: str, origin: str) -> None:
    headers = {"origin": origin} if origin else {}
    response = httpx.post(f"{site.base}{path}", data={"number": ASTRID, "identity": TANUM_NURSES}, headers=headers)
    assert response.status_code == 403 or (path == "/find" and response.status_code in (401, 403))
    assert "set-cookie" not in response.headers


def test_a_token_of_another_installation_asks_who_you_are_and_is_forgotten(site: Site) -> None:
    with site.client() as client:
        client.cookies.set("samverka-identity", "not.a.token")
        response = client.get("/")
    assert response.status_code == 401
    assert "Vem är du?" in response.text
    assert 'samverka-identity=""' in response.headers["set-cookie"]


def test_from_elsewhere_you_choose_an_identity_first_and_never_the_operator(networked: str) -> None:
    headers = {"x-forwarded-for": "192.0.2.1", "origin": networked, "accept": "text/html"}
    with httpx.Client(timeout=60, base_url=networked, headers=headers) as client:
        asked = client.get("/")
        assert asked.status_code == 401
        assert TANUM_NURSES in asked.text
        assert '<option value=""' not in asked.text
        client.post("/identity", data={"identity": TANUM_NURSES})
        assert "Astrid Testberg" in client.get("/").text


# The inbox


def test_the_inbox_is_the_operators(operator: httpx.Client, nurse: httpx.Client) -> None:
    assert operator.get("/inbox").status_code == 200
    assert nurse.get("/inbox").status_code == 404
    assert "/inbox" not in nurse.get("/").text


def test_a_message_shows_what_is_held_and_why(operator: httpx.Client, site: Site) -> None:
    ingest = site.gateway.ingest
    kept = ingest.keep(site.gateway.sources.get("stromstad-kommun"), BAD_ROW.encode(), "text/csv")
    ingest.process(kept)
    assert f"/inbox/{kept}" in section(operator.get("/inbox").text, "held")
    html = operator.get(f"/inbox/{kept}").text
    assert "check digit" in html
    assert "194107142385" not in html
    assert operator.get("/inbox/none").status_code == 404


# Every page


def test_every_page_may_not_be_stored_framed_or_mixed_with_anything_else(operator: httpx.Client, site: Site) -> None:
    for path in ("/", f"/patient/{site.astrid}", "/inbox", "/patient/nobody", "/nowhere"):
        headers = operator.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'; style-src 'self';"), path
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "same-origin"


def test_no_page_needs_script_or_style_of_its_own(operator: httpx.Client, site: Site) -> None:
    for path in ("/", f"/patient/{site.astrid}", "/inbox", "/nowhere"):
        assert not re.search(r"<script|<style|\sstyle=|\son\w+=|//[a-z]+\.[a-z]", operator.get(path).text), path


def test_an_address_that_is_none_is_a_page_for_browsers_and_an_outcome_for_clients(site: Site) -> None:
    assert "<h1>Det finns inget här" in httpx.get(f"{site.base}/nowhere", headers={"accept": "text/html"}).text
    assert httpx.get(f"{site.base}/nowhere").json()["resourceType"] == "OperationOutcome"


def test_open_test_identities_are_warned_of_on_every_page(networked: str, operator: httpx.Client, site: Site) -> None:
    for path in ("/", f"/patient/{site.astrid}", "/inbox", "/nowhere"):
        html = httpx.get(f"{networked}{path}", headers={"accept": "text/html"}).text
        assert "Använd inte riktiga uppgifter" in html, path
        assert "Använd inte riktiga uppgifter" not in operator.get(path).text


def test_a_fault_of_ours_is_a_page_without_its_inside(
    operator: httpx.Client, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("inside")

    monkeypatch.setattr(type(site.gateway.door), "persons", broken)
    response = operator.get("/")
    assert response.status_code == 500
    assert "Något gick fel hos oss" in response.text
    assert "inside" not in response.text


def test_the_api_is_told_in_both_languages(site: Site) -> None:
    for language, heading in (("sv", "Anrop"), ("en", "Operations")):
        with site.client(language=language) as client:
            html = client.get("/api", params={"type": "Task"}).text
            assert heading in text_of(section(html, "operations"))
            assert "/fhir/Task/{id}/_history" in html
            assert "entered-in-error" in section(html, "schemas")


def test_a_resource_type_that_is_none_is_refused_with_a_page(operator: httpx.Client) -> None:
    response = operator.get("/api", params={"type": "Errand"})
    assert response.status_code == 400
    assert "<main" in response.text
