"""`samverka queue`: what needs a person, listed and decided over the command line."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from gateway.access.caller import OPERATOR, Asking
from gateway.access.commands import Update
from gateway.app import Gateway, wire
from gateway.records import Link
from gateway.settings import Settings
from tests.cli.conftest import Run
from tests.coordination import cases

PNR = "http://electronichealth.se/identifier/personnummer"


def with_gateway(do: Callable[[Gateway], Any]) -> Any:
    gateway = wire(Settings(database_url=os.environ["SAMVERKA_DATABASE_URL"], worker=False))
    try:
        return do(gateway)
    finally:
        gateway.close()


def patient(gateway: Gateway, id: str, **elements: Any) -> None:
    body = {"resourceType": "Patient", "id": id, "name": [{"text": id}], **elements}
    gateway.door.write(Asking(OPERATOR, "update"), Update(resource_type="Patient", target=id, resource=body))


def test_a_contradiction_is_listed_decided_and_undone(samverka: Run) -> None:
    ward, town = cases.statements(cases.read(cases.HERE / "agree" / "004-statements.json"))

    def tell(gateway: Gateway) -> None:
        recorder = gateway.ingest.recorder
        gateway.store.write(lambda uow: recorder.record(uow, [ward, town]), now=datetime.now(UTC))

    with_gateway(tell)
    shown = samverka("queue", "list", "--kind", "contradicted")
    assert shown.code == 0 and "Encounter/e1" in shown.out and town.digest[:12] in shown.out
    (row,) = samverka("queue", "list", "--json").json["contradicted"]["rows"]
    (found,) = row["contradictions"]
    assert (found["element"], found["value"], found["rule"]) == ("Encounter.status", "in-progress", "responsible")

    about = ("queue", "decide", "Encounter/e1", "--element", "Encounter.status", "--reason", "Ringde")
    assert samverka(*about, "--chosen", "zz").code == 1
    done = samverka(*about, "--chosen", town.digest[:12], "--json")
    assert done.code == 0, done.err
    assert done.json["contradiction"]["decision"]["chosen"] == town.digest
    assert samverka("queue", "list", "--json").json["contradicted"]["rows"] == []
    (row,) = samverka("queue", "list", "--kind", "settled", "--json").json["settled"]["rows"]
    assert row["contradictions"][0]["value"] == "finished"
    assert samverka(*about, "--decision", "undo").code == 0
    other = samverka("queue", "decide", "Encounter/e1", "--element", "Encounter.class", "--reason", "x")
    assert (other.code, other.err) == (1, "samverka: Of Encounter/e1 sources differ on: Encounter.status.\n")
    assert samverka("rebuild").code == 0


def test_a_pair_is_decided_and_undone_and_a_person_matched(samverka: Run) -> None:
    def tell(gateway: Gateway) -> None:
        patient(gateway, "a", identifier=[{"system": PNR, "value": "194107142384"}])
        patient(gateway, "b")
        patient(gateway, "c")
        pair = Link("Patient", "a", "b", "proposed", "demographics contradict the number", datetime.now(UTC))
        gateway.store.write(lambda uow: uow.links.add([pair]), now=datetime.now(UTC))

    with_gateway(tell)
    (row,) = samverka("queue", "list", "--kind", "proposals", "--json").json["proposals"]["rows"]
    assert (row["one"], row["other"]) == ("a", "b")
    about = ("queue", "link", "a", "b", "--reason", "Ringde", "--decision")
    assert samverka(*about, "same").code == 0
    assert samverka(*about, "two").code == 1, "It was decided: that has to be undone."
    assert samverka(*about, "two", "--undo").code == 0
    (row,) = samverka("queue", "list", "--kind", "links", "--json").json["links"]["rows"]
    assert row["decision"] == "two"
    told = samverka("queue", "match", "c", "--number", "19410714-2384", "--reason", "Visade legitimation", "--json")
    assert told.json == {"patient": "c", "same": "a"}
    assert "none" in samverka("queue", "list", "--kind", "held").out
    assert samverka("queue", "list", "--after", "1").code == 1
