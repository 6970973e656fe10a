"""Who may keep something from others: who alone states it. ADR 21, ADR 63"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from gateway.coordination.plans.basis import WITHHELD
from tests.rest.parties import (
    HOME_CARE,
    STRANGER,
    WARD,
    address,
    created,
    moved,
    person,
    put,
    read,
    refusal,
    task,
    unit,
)

LABEL = {"system": WITHHELD[0], "code": WITHHELD[1]}
Party = Callable[..., httpx.Client]


def labelled(client: httpx.Client, one: dict[str, Any]) -> httpx.Response:
    return put(client, one, meta={"security": [LABEL]})


def added(client: httpx.Client, one: dict[str, Any]) -> httpx.Response:
    meta = {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": {"security": [LABEL]}}]}
    return client.post(f"{address(one)}/$meta-add", json=meta)


def patched(client: httpx.Client, one: dict[str, Any]) -> httpx.Response:
    patch = [{"op": "add", "path": "/meta/security", "value": [LABEL]}]
    return client.patch(address(one), json=patch, headers={"content-type": "application/json-patch+json"})


WAYS = [labelled, added, patched]


@pytest.mark.parametrize("way", WAYS, ids=["update", "$meta-add", "patch"])
@pytest.mark.parametrize("hsa_id", [WARD, HOME_CARE], ids=["who asked", "who has it"])
def test_a_side_of_a_task_does_not_hide_it_from_the_other(
    shared: httpx.Client, party: Party, way: Callable[..., httpx.Response], hsa_id: str
) -> None:
    """Nobody would see it any more, not even those who do it: a mission is lost by a label."""
    one = created(party(WARD), task(person(shared)))
    moved(party(HOME_CARE), one, "accepted")
    told = refusal(way(party(hsa_id), one), 422)
    assert (told["rule"], told["code"]) == ("withheld-from-its-authors", "business-rule")
    for side in (WARD, HOME_CARE):
        assert "security" not in read(party(side), one)["meta"]


@pytest.mark.parametrize("way", WAYS, ids=["update", "$meta-add", "patch"])
def test_who_alone_states_something_keeps_it_to_himself(
    shared: httpx.Client, party: Party, way: Callable[..., httpx.Response]
) -> None:
    """PDL 4 kap. 4 §: a provider's own record is his to block."""
    patient = person(shared)
    for to in (HOME_CARE, STRANGER):
        moved(party(to), created(party(WARD), task(patient, owner=unit(to))), "accepted")
    body = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "Vikt"},
        "subject": {"reference": patient},
    }
    mine, theirs = created(party(WARD), body), created(party(HOME_CARE), body)
    assert way(party(WARD), mine).is_success
    assert party(HOME_CARE).get(address(mine)).status_code == 404
    assert read(party(WARD), mine)["id"] == mine["id"]
    assert read(party(STRANGER), theirs)["id"] == theirs["id"], "What another states by himself is there."
