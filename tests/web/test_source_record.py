"""Every fact is one click from its source record, and the record shows where each value stands."""

from __future__ import annotations

import re

import httpx

from tests.web.conftest import ASKING, BENGT, Site, section, text_of


def links(html: str) -> list[str]:
    return list(dict.fromkeys(re.findall(r'href="(/patient/[^"]+/source/[^"?]+)', html)))


def test_every_fact_leads_to_a_record_that_still_gives_it(operator: httpx.Client, site: Site) -> None:
    found = links(operator.get(f"/patient/{site.astrid}").text)
    assert len(found) > 20
    outcomes = {re.search(r'class="outcome ([\w-]+)"', operator.get(link).text)[1] for link in found}  # type: ignore[index]
    assert outcomes <= {"same", "absent"}
    assert "same" in outcomes


def test_the_record_shows_its_bytes_with_the_used_values_marked(operator: httpx.Client, site: Site) -> None:
    html = operator.get(f"/patient/{site.astrid}").text
    visit = re.search(r'href="([^"]+)">Hembesök</a></p>\s*<p class="by-whom">Hemsjukvården', section(html, "next"))
    assert visit
    record = operator.get(visit[1]).text
    assert re.search(r'<mark id="m\d+">PLANERAD</mark>', section(record, "record-text"))
    assert "person_id;person_id_type" in section(record, "record-text")


def test_each_value_has_its_place_in_the_source_and_the_rule_that_wrote_it(operator: httpx.Client, site: Site) -> None:
    html = operator.get(f"/patient/{site.astrid}").text
    kinds = {}
    for link in links(html):
        record = operator.get(link).text
        if 'id="elements"' in record:
            kinds[text_of(re.search(r"<dt>Källa</dt>(.*?)</div>", record, re.DOTALL)[1])] = section(record, "elements")  # type: ignore[index]
    municipal = text_of(kinds["Tanums kommun, verksamhetssystemet"])
    assert re.search(r"Task.\u200bstatus .*? rad \d+, kolumn status .*?municipal-csv/MunicipalCsv.fml:\d+", municipal)
    ward = text_of(kinds["Vårdcentralen Tanumshede, journalsystemet"])
    assert re.search(r"rad \d+, tecken \d+, \w+", ward)
    for elements in kinds.values():
        marks = set(re.findall(r'href="#(m\d+)"', elements))
        assert marks


def test_a_place_in_the_table_is_a_mark_in_the_record(operator: httpx.Client, site: Site) -> None:
    for link in links(operator.get(f"/patient/{site.astrid}").text)[:8]:
        record = operator.get(link).text
        assert set(re.findall(r'href="#(m\d+)"', record)) <= set(re.findall(r'id="(m\d+)"', record))


def test_a_record_of_somebody_else_is_not_there(operator: httpx.Client, nurse: httpx.Client, site: Site) -> None:
    bengt = site.gateway.door.find_person(ASKING, BENGT)
    his = links(operator.get(f"/patient/{bengt}").text)[0]
    digest = his.rsplit("/", 1)[1]
    assert operator.get(his).status_code == 200
    assert operator.get(f"/patient/{site.astrid}/source/{digest}").status_code == 404
    assert nurse.get(his).status_code == 404
    assert operator.get(f"/patient/{site.astrid}/source/{'0' * 64}").status_code == 404


def test_who_takes_part_sees_the_record_and_leaves_an_audit_event(nurse: httpx.Client, site: Site) -> None:
    link = links(nurse.get(f"/patient/{site.astrid}").text)[0]

    def events() -> int:
        return len(site.gateway.store.read(lambda uow: uow.audit.latest(person=site.astrid, limit=10_000)))

    before = events()
    assert nurse.get(link).status_code == 200
    assert events() == before + 1


def test_what_stands_in_a_record_is_text_and_never_markup(operator: httpx.Client, site: Site) -> None:
    row = (
        "person_id;person_id_type;municipality_code;unit_hsa_id;provider_hsa_id;record_type;local_id;legal_basis;"
        "service_code;text;scope;start;end;status;responsible_role;updated_at;protected\n"
        "196101182803;PNR;1435;SE2120001348-T0100;SE2120001348-T0000;INSATS;X-2;HSL;HSJV;<script>x</script>;;"
        "2026-03-01T00:00:00;;PAGAENDE;<b>;2026-03-12T14:00:00;N\n"
    )
    gateway = site.gateway
    gateway.ingest.process(gateway.ingest.keep(gateway.sources.get("stromstad-kommun"), row.encode(), "text/csv"))
    person = gateway.door.find_person(ASKING, "196101182803")
    html = operator.get(f"/patient/{person}").text
    assert "<script>" not in html
    records = "".join(operator.get(link).text for link in links(html))
    assert "<script>" not in records
    assert "&lt;script&gt;x&lt;/script&gt;" in records
