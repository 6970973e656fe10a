"""Creates and updates of one moment are performed together, and come to what each by itself would have come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.access.bundled import Bundled
from gateway.access.caller import OPERATOR, Asking, Caller
from gateway.access.commands import Body, Command, Create, Done, Update
from gateway.access.together import LARGE, Sent, performed
from gateway.app import Gateway, wire
from gateway.errors import GatewayError, Unavailable
from gateway.fhir.entries import read
from gateway.identity.systems import HSA_ID
from gateway.settings import Settings

UNIT = Caller("organisation", "SE2321000131-E000000000001", "Unit", "SE2321000131-T0000")


def sent(
    resource: dict[str, Any] | bytes,
    *,
    id: str | None = None,
    kind: str = "Observation",
    caller: Caller = OPERATOR,
    request: str = "r",
    if_match: str | None = None,
) -> Sent:
    raw = resource if isinstance(resource, bytes) else orjson.dumps(resource)
    asking = Asking(caller, "create" if id is None else "update", request)
    return Sent(asking, kind, Body(raw), id, frozenset([if_match]) if if_match else None)


def observation(value: int, **more: Any) -> dict[str, Any]:
    code = {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]}
    return {"resourceType": "Observation", "status": "final", "code": code, "valueInteger": value} | more


def told(answer: Done | Exception) -> object:
    return answer.issues[0].rule if isinstance(answer, GatewayError) else answer.what


def versions(gateway: Gateway, kind: str, id: str) -> list[dict[str, Any]]:
    """Newest first, without what differs from one time to the next."""
    found = gateway.store.read(lambda uow: uow.resources.history(kind, id, limit=100))
    return [{name: value for name, value in one.resource().items() if name != "meta"} for one in found]


def recorded(gateway: Gateway, request: str) -> Counter[tuple[str, str]]:
    """What the audit trail says of a request: interaction and outcome."""
    rows = gateway.store.read(lambda uow: uow.audit.latest(limit=300))
    found: Counter[tuple[str, str]] = Counter()
    for row in rows:
        named = [one["what"].get("identifier", {}).get("value") for one in row.event.get("entity", ())]
        if request in named:
            found[row.event["subtype"][0]["code"], row.event["outcome"]] += 1
    return found


def test_each_gets_its_own_answer_and_is_recorded_by_itself(gateway: Gateway) -> None:
    answers = gateway.door.store_all([sent(observation(n), request=f"r{n}") for n in range(5)])
    ids = []
    for n, answer in enumerate(answers):
        assert isinstance(answer, Done)
        assert answer.what == "created"
        assert orjson.loads(answer.version.body)["valueInteger"] == n
        assert recorded(gateway, f"r{n}") == {("create", "0"): 1}
        ids.append(answer.version.id)
    assert len(set(ids)) == 5
    said = gateway.store.read(lambda uow: uow.statements.of_resources([("Observation", id) for id in ids]))
    kept = {one.resource_id: gateway.store.read(lambda uow, one=one: uow.inbox.get(one.inbox_id)) for one in said}
    assert [orjson.loads(kept[id].body)["valueInteger"] for id in ids] == [0, 1, 2, 3, 4]
    assert gateway.store.read(lambda uow: uow.audit.verify()) == []


def test_one_that_is_refused_is_refused_alone(gateway: Gateway) -> None:
    asked = [
        sent(observation(1), request="a"),
        sent(observation(2, id="x"), id="x", if_match="never-was", request="b"),
        sent(b"{", request="c"),
        sent(observation(3, status=["final"]), request="d"),
        sent(observation(4), kind="Nothing", request="e"),
        sent(observation(5), request="f"),
    ]
    answers = gateway.door.store_all(asked)
    assert [told(one) for one in answers[:3]] == ["created", "version-differs", "json-syntax"]
    assert isinstance(answers[3], GatewayError)
    assert [told(one) for one in answers[4:]] == ["unknown-resource-type", "created"]
    assert recorded(gateway, "a") == recorded(gateway, "f") == {("create", "0"): 1}
    assert recorded(gateway, "b") == {("update", "4"): 1}
    found = gateway.store.read(lambda uow: uow.resources.count())
    assert found["Observation"] == 2


def test_two_updates_of_one_resource_are_two_versions_in_their_order(gateway: Gateway) -> None:
    answers = gateway.door.store_all([sent(observation(n, id="same"), id="same") for n in (1, 2, 3)])
    assert [told(one) for one in answers] == ["created", "updated", "updated"]
    assert [one["valueInteger"] for one in versions(gateway, "Observation", "same")] == [3, 2, 1]


def test_what_others_shall_not_wait_for_goes_by_itself(gateway: Gateway) -> None:
    task = {"resourceType": "Task", "status": "requested", "intent": "order"}
    plan = {"resourceType": "CarePlan"}
    large = observation(1, note=[{"text": "x" * LARGE}])
    parameter = {"resourceType": "SearchParameter"}
    assert sent(observation(1)).joins
    assert sent(task, kind="Task").joins
    assert not sent(task, kind="Task", caller=UNIT).joins
    assert sent(plan, kind="CarePlan").joins
    assert not sent(plan, kind="CarePlan", caller=UNIT).joins
    assert not sent(plan, kind="CareTeam", caller=UNIT).joins
    assert not sent(large).joins
    assert not sent(parameter, kind="SearchParameter").joins
    answers = gateway.door.store_all([sent(task, kind="Task", caller=UNIT), sent(observation(1)), sent(large)])
    assert [told(one) for one in answers[1:]] == ["created", "created"]


def test_a_plan_is_no_part_of_one_that_another_request_makes_after_it(gateway: Gateway) -> None:
    patient = {"resourceType": "Patient", "id": "p"}
    assert told(gateway.door.store_all([sent(patient, id="p", kind="Patient")])[0]) == "created"
    mine = {"system": HSA_ID, "value": UNIT.hsa_id}
    about = {"subject": {"reference": "Patient/p"}, "intent": "order", "status": "active"}
    asked = {"resourceType": "ServiceRequest", "id": "r", "requester": {"identifier": mine}, **about}
    part = {"resourceType": "CarePlan", "id": "part", "partOf": [{"reference": "CarePlan/whole"}], **about}
    whole = {"resourceType": "CarePlan", "id": "whole", **about}
    answers = gateway.door.store_all(
        [sent(one, id=str(one["id"]), kind=str(one["resourceType"]), caller=UNIT) for one in (asked, part, whole)]
    )
    assert [told(one) for one in answers] == ["created", "plan-whole-unknown", "created"]


def test_over_http_many_at_once_are_each_stored_once(operator: httpx.Client) -> None:
    def create(n: int) -> tuple[int, int, str]:
        answer = operator.post("/fhir/Observation", content=orjson.dumps(observation(n)))
        return n, answer.json()["valueInteger"], answer.headers["location"]

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(create, range(40)))
    assert all(n == value for n, value, _ in found)
    assert len({location for *_, location in found}) == 40
    assert operator.get("/fhir/Observation", params={"_summary": "count"}).json()["total"] == 40


def transaction(n: int, **more: Any) -> dict[str, Any]:
    """A Patient, and an Observation that refers to him by the entry, which is called the same in each."""
    patient = {"resourceType": "Patient", "identifier": [{"system": "urn:s", "value": f"{n}"}]}
    measured = observation(n, subject={"reference": "urn:uuid:7b0e9c1c-2f0c-4f33-9d1f-0c6f0b6b1a10"}) | more
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {
                "fullUrl": "urn:uuid:7b0e9c1c-2f0c-4f33-9d1f-0c6f0b6b1a10",
                "resource": patient,
                "request": {"method": "POST", "url": "Patient"},
            },
            {"resource": measured, "request": {"method": "POST", "url": "Observation"}},
        ],
    }


def test_transactions_at_once_name_their_own_entries(operator: httpx.Client, gateway: Gateway) -> None:
    def transact(n: int) -> httpx.Response:
        odd = {"status": "nothing"} if n % 7 == 3 else {}
        return operator.post("/fhir", content=orjson.dumps(transaction(n, **odd)), headers={"x-request-id": f"t{n}"})

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(transact, range(28)))
    for n, answer in enumerate(answers):
        if n % 7 == 3:
            assert answer.status_code == 422
            assert answer.json()["issue"][0]["expression"][0].startswith("Bundle.entry[1].resource")
            continue
        assert answer.status_code == 200
        patient, measured = (one["response"]["location"] for one in answer.json()["entry"])
        stored = operator.get(f"/fhir/{measured.partition('/fhir/')[2] or measured}").json()
        assert stored["valueInteger"] == n
        assert stored["subject"]["reference"] in patient
        assert recorded(gateway, f"t{n}") == {("create", "0"): 2}
    assert operator.get("/fhir/Patient", params={"_summary": "count"}).json()["total"] == 24
    assert gateway.store.read(lambda uow: uow.audit.verify()) == []


def test_a_transaction_that_is_refused_is_refused_alone(gateway: Gateway) -> None:
    door = gateway.door
    bundles = []
    for n in range(3):
        given = transaction(n)
        if n == 1:
            given["entry"].append(
                {
                    "resource": observation(9, id="x"),
                    "request": {"method": "PUT", "url": "Observation/x", "ifMatch": 'W/"never"'},
                }
            )
        body = Body(orjson.dumps(given))
        entries = read(door.parsed("Bundle", body), door.definitions, "http://a/fhir")
        commands: dict[int, Command] = {
            one.index: Create(resource_type=one.path, resource=door.whole(one.path, one.resource))
            if one.method == "POST"
            else Update(
                resource_type="Observation",
                target="x",
                resource=door.whole("Observation", one.resource),
                if_match=frozenset(["never"]),
            )
            for one in entries
        }
        bundles.append(Bundled(Asking(OPERATOR, "transaction", f"b{n}"), body, commands, entries, "http://a/fhir"))
    first, second, third = door.transact_all(bundles)
    assert isinstance(first, dict)
    assert isinstance(third, dict)
    assert isinstance(second, GatewayError)
    assert second.issues[0].rule == "version-differs"
    assert str(second.issues[0].expression).startswith("Bundle.entry[2]")
    assert recorded(gateway, "b0") == recorded(gateway, "b2") == {("create", "0"): 2}
    assert recorded(gateway, "b1") == {("update", "4"): 1}
    assert gateway.store.read(lambda uow: uow.resources.count()) == {"Observation": 2, "Patient": 2}


def test_who_is_in_a_group_that_fails_is_asked_for_once_more_only_where_nothing_was_done() -> None:
    done: list[int] = []

    def alone(n: int) -> int:
        if n == 2:
            raise ValueError
        done.append(n)
        return n

    def broken(group: Sequence[int]) -> Sequence[int]:
        raise ValueError

    def away(group: Sequence[int]) -> Sequence[int]:
        raise Unavailable

    answers = performed([1, 2, 3], broken, alone)
    assert [type(one) for one in answers] == [int, ValueError, int]
    assert done == [1, 3]
    assert all(isinstance(one, Unavailable) for one in performed([1, 2, 3], away, alone))
    assert done == [1, 3]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, Gateway]]:
    """One to send to together, one to send to one by one."""
    folder = tmp_path_factory.mktemp("two")
    made = [wire(Settings(database_url=f"sqlite:///{folder}/{name}.db")) for name in ("together", "alone")]
    yield made[0], made[1]
    for one in made:
        one.close()


COMMANDS = st.lists(
    st.tuples(
        st.sampled_from([None, "a", "b", "c"]),  # The id; a new one without.
        st.integers(0, 3),
        st.sampled_from([None, None, None, "never-was"]),  # If-Match.
        st.sampled_from([OPERATOR, OPERATOR, UNIT]),
        st.sampled_from(["", "", "", "subject", "status", "identifier"]),
    ),
    max_size=8,
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(commands=COMMANDS, data=st.data())
def test_together_they_come_to_what_they_come_to_one_by_one(
    two: tuple[Gateway, Gateway], commands: Sequence[tuple[str | None, int, str | None, Caller, str]], data: Any
) -> None:
    run = _RUNS[0] = _RUNS[0] + 1
    asked = []
    for place, (name, value, if_match, caller, odd) in enumerate(commands):
        id = None if name is None else f"{name}-{run}"
        more: dict[str, Any] = {} if id is None else {"id": id}
        if odd == "subject":
            more["subject"] = {"reference": f"Patient/p-{run}"}
        if odd == "status":
            more["status"] = 7
        if odd == "identifier":
            more["identifier"] = [{"system": "urn:s", "value": f"{run}"}]
        asked.append(
            sent(observation(value, **more), id=id, caller=caller, if_match=if_match, request=f"{run}-{place}")
        )
    together, alone = two
    first = together.door.store_all(asked)
    second = [answer for one in asked for answer in alone.door.store_all([one])]
    assert [told(one) for one in first] == [told(one) for one in second]
    for name in "abc":
        assert versions(together, "Observation", f"{name}-{run}") == versions(alone, "Observation", f"{name}-{run}")
    for place in range(len(asked)):
        assert recorded(together, f"{run}-{place}") == recorded(alone, f"{run}-{place}")
    counts = [one.store.read(lambda uow: (uow.resources.count(), uow.statements.count())) for one in two]
    assert counts[0] == counts[1]


_RUNS = [0]
