"""What a record about something else says of a unit: one statement for each wording, explained like any other."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, permutations
from pathlib import Path

import pytest

from gateway.access.caller import OPERATOR, Asking
from gateway.app import Gateway, wire
from gateway.coordination.statements import first_said
from gateway.identity.resolve import SWEDEN
from gateway.ingest.rebuild import rebuild
from gateway.records import Statement
from gateway.settings import Settings

CONTACT = Path(__file__).parents[2] / "mappings/rivta-logistics/cases/mava-admission/source.xml"
NAME = "MÄVA avdelning 52, NÄL"
ASKING = Asking(OPERATOR, "operation")


@pytest.fixture
def gateway(sqlite_url: str) -> Iterator[Gateway]:
    wired = wire(Settings(database_url=sqlite_url))
    kept = wired.ingest.keep(wired.sources.get("rivta-logistics"), CONTACT.read_bytes(), "text/xml")
    wired.ingest.process(kept)
    yield wired
    wired.close()


def of_units(gateway: Gateway) -> list[Statement]:
    said = gateway.store.read(lambda uow: list(uow.statements.all()))
    return [one for one in said if one.resource_type == "Organization" and one.record_key.startswith("about|")]


def test_what_a_contact_says_of_its_unit_holds_from_the_swedish_day_on(gateway: Gateway) -> None:
    said = of_units(gateway)
    assert said
    for one in said:
        local = one.effective.astimezone(SWEDEN)
        assert (local.hour, local.minute, local.second) == (0, 0, 0)


def test_what_a_contact_says_of_its_unit_is_explained_by_its_record(gateway: Gateway) -> None:
    (patient,) = gateway.door.persons(ASKING)
    outcomes = {gateway.door.source_record(ASKING, patient.id, one.digest).outcome for one in of_units(gateway)}
    assert outcomes == {"same"}


def contact_on(day: int, name: str = NAME, month: int = 3) -> bytes:
    """The contact as another one, of another day, at a unit that is called so."""
    body = CONTACT.read_text().replace("vt-2026-000417", f"vt-{month}-{day}")
    return body.replace("20260302144000", f"2026{month:02}{day:02}144000").replace(NAME, name).encode()


def taken(gateway: Gateway, *messages: bytes) -> Gateway:
    source = gateway.sources.get("rivta-logistics")
    for body in messages:
        outcome = gateway.ingest.process(gateway.ingest.keep(source, body, "text/xml"))
        assert (outcome.state, outcome.held) == ("done", 0)
    return gateway


def names(gateway: Gateway) -> list[str]:
    units = {(one.resource_type, one.resource_id) for one in of_units(gateway)}
    stored = gateway.store.read(lambda uow: uow.resources.read_many(sorted(units)))
    return sorted(str(one.resource().get("name")) for one in stored.values())


def test_what_is_said_again_on_a_later_day_is_no_statement(gateway: Gateway) -> None:
    before = of_units(gateway)
    taken(gateway, contact_on(4), contact_on(9))
    assert of_units(gateway) == before


def test_what_is_said_as_of_an_earlier_day_is_known_from_then_on(gateway: Gateway) -> None:
    days = {one.effective for one in of_units(gateway)}
    taken(gateway, contact_on(1))
    assert min(one.effective for one in of_units(gateway)) < min(days)


def in_any_order(folder: Path, *said: bytes) -> str:
    """What the unit is called in the end, whatever the order in which the contacts come."""
    found = set()
    for n, order in enumerate(islice(permutations(said), 0, None, 2)):
        wired = wire(Settings(database_url=f"sqlite:///{folder}/{n}.db"))
        taken(wired, *order)
        (called,) = [name for name in names(wired) if "52" in name]
        found.add(called)
        assert rebuild(wired.store, wired.ingest.recorder, lambda *_: None).different == []
        wired.close()
    (called,) = found
    return called


def test_in_whatever_order_contacts_come_their_unit_is_called_by_the_words_that_began_last(tmp_path: Path) -> None:
    said = contact_on(2), contact_on(4, "Avdelning 52"), contact_on(6)
    assert in_any_order(tmp_path, *said) == "Avdelning 52"


def test_a_source_that_goes_back_to_its_earlier_words_is_heard_in_the_next_month(tmp_path: Path) -> None:
    said = contact_on(2), contact_on(4, "Avdelning 52"), contact_on(6), contact_on(3, month=4)
    assert in_any_order(tmp_path, *said) == NAME


def test_the_same_words_month_after_month_hold_from_the_first(tmp_path: Path) -> None:
    wired = wire(Settings(database_url=f"sqlite:///{tmp_path}/held.db"))
    taken(wired, contact_on(6, month=5), contact_on(2), contact_on(3, month=4), contact_on(9, month=4))
    said = of_units(wired)
    assert {one.effective.astimezone(SWEDEN).strftime("%m-%d") for one in said} == {"03-02", "04-03", "05-06"}
    assert {one.effective.astimezone(SWEDEN).strftime("%m-%d") for one in first_said(said)} == {"03-02"}
    wired.close()


def test_who_is_mentioned_over_and_over_in_a_range_is_stated_once_and_every_record_counts_it(sqlite_url: str) -> None:
    gateway = wire(Settings(database_url=sqlite_url))
    source = gateway.sources.get("rivta-logistics")
    kept = [gateway.ingest.keep(source, contact_on(day), "text/xml") for day in (3, 4, 5)]
    gateway.ingest.process_waiting()
    said = gateway.store.read(lambda uow: list(uow.statements.all()))
    counts = [gateway.store.read(lambda uow, id=id: [one.statements for one in uow.inbox.items(id)]) for id in kept]
    gateway.close()
    mentions = [one for one in said if one.record_key.startswith("mention|")]
    assert mentions
    assert len({one.record_key for one in mentions}) == len(mentions)
    assert {one.inbox_id for one in mentions} == {kept[-1]}
    own = [
        sum(one.inbox_id == id for one in said if not one.record_key.startswith(("mention|", "about|"))) for id in kept
    ]
    about = [sum(one.inbox_id == id for one in said if one.record_key.startswith("about|")) for id in kept]
    assert counts == [[n + more + len(mentions)] for n, more in zip(own, about, strict=True)]
