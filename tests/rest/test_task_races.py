"""Fifty at once, at two gateways on one PostgreSQL: one wins where one must, nobody is lost, nobody waits for ever."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from sqlalchemy import create_engine, text

from gateway.access.caller import Caller
from gateway.app import background, wire
from gateway.settings import Settings
from tests.conftest import emptied
from tests.rest.conftest import FHIR
from tests.rest.parties import WARD, Party, address, created, moved, person, plan, read, task, unit, within

pytestmark = pytest.mark.postgres
MANY = 50
UNITS = [f"SE5560000001-T{n:04}" for n in range(MANY)]


@pytest.fixture(scope="module")
def parties(postgres_database: str) -> Iterator[Callable[..., httpx.Client]]:
    """Clients of units, by turns of one gateway and of the other; without a unit, the operator's."""
    with ExitStack() as stack:
        url = emptied(postgres_database)
        gateways = [wire(Settings(database_url=url, worker=False)) for _ in range(2)]
        for one in gateways:
            stack.callback(one.close)
        bases = [stack.enter_context(background(one)) for one in gateways]
        made: dict[str, httpx.Client] = {}

        def client(hsa_id: str = "") -> httpx.Client:
            if hsa_id not in made:
                number = len(made) % 2
                token = gateways[number].identities.token(Caller("organisation", hsa_id, hsa_id, hsa_id))
                who = {"authorization": f"Bearer {token}"} if hsa_id else {}
                # A connection that was left idle is closed by the server, and might be so just when it is used.
                once = httpx.Limits(max_keepalive_connections=0)
                one = httpx.Client(timeout=120, base_url=bases[number], headers=FHIR | who, limits=once)
                made[hsa_id] = stack.enter_context(one)
            return made[hsa_id]

        yield client


@pytest.fixture(autouse=True)
def no_deadlock(postgres_database: str) -> Iterator[None]:
    """PostgreSQL had to break no circle of waiters meanwhile: a retry would hide that one was there."""
    engine = create_engine(postgres_database, isolation_level="AUTOCOMMIT")
    counted = text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    with engine.connect() as connection:
        before = connection.scalar(counted)
        yield
        assert connection.scalar(counted) == before
    engine.dispose()


def at_once(count: int, work: Callable[[int], httpx.Response]) -> list[httpx.Response]:
    start = threading.Barrier(count)

    def run(number: int) -> httpx.Response:
        start.wait(30)
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def all_created(client: httpx.Client, bodies: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The resources as they are stored, made in one transaction."""
    entries = [{"resource": one, "request": {"method": "POST", "url": one["resourceType"]}} for one in bodies]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    answer = client.post("/fhir", json=bundle, headers={"prefer": "return=representation"})
    assert answer.status_code == 200, answer.text
    return [entry["resource"] for entry in answer.json()["entry"]]


def statuses(answers: list[httpx.Response]) -> Counter[int]:
    return Counter(one.status_code for one in answers)


def etag(resource: dict[str, Any]) -> dict[str, str]:
    return {"if-match": f'W/"{resource["meta"]["versionId"]}"'}


def test_c12_fifty_claims_of_one_task_give_it_one_owner(parties: Party) -> None:
    offered = {"recipient": [unit(one) for one in UNITS]}
    one = created(parties(WARD), task(person(parties()), owner=None, restriction=offered))
    clients = [parties(who) for who in UNITS]

    def claim(number: int) -> httpx.Response:
        body = one | {"status": "accepted", "owner": unit(UNITS[number])}
        # Every other one says which version he has read.
        return clients[number].put(address(one), json=body, headers=etag(one) if number % 2 else {})

    answers = at_once(MANY, claim)

    found = statuses(answers)
    assert found[200] == 1 and found.keys() <= {200, 409, 412}, found
    winner = UNITS[[answer.status_code for answer in answers].index(200)]
    assert read(parties(WARD), one)["owner"]["identifier"]["value"] == winner
    history = parties().get(f"{address(one)}/_history").json()["entry"]
    owners = [entry["resource"].get("owner", {}).get("identifier", {}).get("value") for entry in history]
    assert owners == [winner, None]


def test_c29_fifty_acceptances_in_one_plan_lose_no_participant(parties: Party) -> None:
    patient = person(parties())
    of_care = created(parties(), plan(patient))
    tasks = all_created(parties(WARD), [task(patient, owner=unit(who), **within(of_care)) for who in UNITS])
    clients = [parties(who) for who in UNITS]

    answers = at_once(MANY, lambda n: clients[n].put(address(tasks[n]), json=tasks[n] | {"status": "accepted"}))

    assert statuses(answers) == {200: MANY}
    team = parties().get(f"/fhir/CareTeam/{of_care['id']}").json()
    members = {one["member"].get("identifier", {}).get("value") for one in team["participant"]}
    assert set(UNITS) <= members
    assert {read(parties(), one)["status"] for one in tasks} == {"accepted"}


def test_fifty_answers_to_one_task_are_one_answer(parties: Party) -> None:
    owner = UNITS[0]
    one = created(parties(WARD), task(person(parties()), owner=unit(owner)))
    client = parties(owner)

    def answer(number: int) -> httpx.Response:
        change = {"status": "accepted"} if number % 2 else {"status": "rejected", "statusReason": {"text": "Fullt"}}
        return client.put(address(one), json=one | change, headers=etag(one))

    answers = at_once(MANY, answer)

    assert statuses(answers) == {200: 1, 412: MANY - 1}
    (done,) = [one.json()["status"] for one in answers if one.status_code == 200]
    assert read(parties(), one)["status"] == done


def test_c13_fifty_selections_select_one_bid(parties: Party) -> None:
    patient = person(parties())
    request = {"resourceType": "ServiceRequest", "status": "active", "intent": "order", "requester": unit(WARD)}
    request = created(parties(), request | {"subject": {"reference": patient}})
    focus = {"focus": {"reference": f"ServiceRequest/{request['id']}"}}
    bids = all_created(parties(WARD), [task(patient, owner=unit(who), **focus) for who in UNITS])
    selected = {"businessStatus": {"coding": [{"code": "selected"}]}}

    answers = at_once(MANY, lambda n: parties(WARD).put(address(bids[n]), json=bids[n] | selected))

    assert statuses(answers) == {200: 1, 422: MANY - 1}
    found = Counter(read(parties(), one)["status"] for one in bids)
    assert found == {"requested": 1, "cancelled": MANY - 1}


def test_c11_to_hold_the_whole_while_its_parts_are_moved_loses_nothing(parties: Party) -> None:
    owner, patient = UNITS[0], person(parties())
    client = parties(owner)
    own = {"requester": unit(owner), "owner": unit(owner), "status": "ready"}
    whole = created(client, task(patient, **own))
    part = {"partOf": [{"reference": f"Task/{whole['id']}"}]}
    parts = all_created(client, [task(patient, **own, **part) for _ in range(10)])
    moved(client, whole, "in-progress")
    held = read(client, whole) | {"status": "on-hold", "statusReason": {"text": "Inlagd"}}

    def move(number: int) -> httpx.Response:
        if number == 0:
            return client.put(address(whole), json=held)
        return client.put(address(parts[number - 1]), json=parts[number - 1] | {"status": "in-progress"})

    answers = at_once(11, move)

    # A part that began after the whole was put on hold went on by its owner's own word.
    assert statuses(answers).keys() <= {200, 422}
    assert answers[0].status_code == 200
    assert {read(client, one)["status"] for one in parts} <= {"on-hold", "in-progress"}
    resumed = {name: value for name, value in held.items() if name != "statusReason"} | {"status": "in-progress"}
    assert client.put(address(whole), json=resumed).status_code == 200
    assert {read(client, one)["status"] for one in parts} <= {"ready", "in-progress"}
