"""Searches of one moment are found together, each for its own caller; what takes long keeps no others waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from gateway.access.caller import OPERATOR, Asking, Caller
from gateway.access.commands import Body
from gateway.access.searching import Scope, Searching, Sought, TakesLong
from gateway.app import Gateway
from gateway.errors import BadRequest, GatewayError, Unprocessable
from gateway.fhir.json import dump, parse
from gateway.rest.looks import APART, Looks
from gateway.search import words
from gateway.store.database import connect
from gateway.store.failures import translated
from tests.rest.conftest import FHIR

NOBODY = Caller("organisation", "SE2120000076-E000000009999", "Ingen")
BASE = "http://gateway.example/fhir"


def sought(params: dict[str, str], caller: Caller = OPERATOR, scope: str = "Patient") -> Sought:
    return Sought(Asking(caller, "search-type", "one"), Scope(scope), tuple(params.items()), lenient=False, base=BASE)


def test_what_took_long_is_asked_by_itself_for_a_while() -> None:
    rounds: list[list[str]] = []
    now = 0.0

    def answer(asked: Sequence[Sought]) -> list[bytes | GatewayError]:
        rounds.append([value for one in asked for _, value in one.params])
        return [TakesLong() if name == "long" else value.encode() for one in asked for name, value in one.params]

    async def ask(looks: Looks, *names: str) -> list[Any]:
        questions = [sought({name: f"{name}-{n}"}) for n, name in enumerate(names)]
        return await asyncio.gather(*map(looks.ask, questions), return_exceptions=True)

    async def told() -> None:
        nonlocal now
        looks = Looks(answer, clock=lambda: now)
        quick, long = await ask(looks, "quick", "long")
        assert quick == b"quick-0"
        assert isinstance(long, TakesLong)
        long, quick = await ask(looks, "long", "quick")
        assert isinstance(long, TakesLong)
        assert quick == b"quick-1"
        now = APART
        await ask(looks, "long")

    asyncio.run(told())
    assert rounds == [["quick-0", "long-1"], ["quick-1"], ["long-0"]]


@pytest.mark.postgres
def test_a_brief_look_that_takes_long_is_given_up(postgres_url: str) -> None:
    database = connect(postgres_url)
    with pytest.raises(TakesLong), translated(), database.brief.connect() as connection:
        connection.execute(text("SELECT pg_sleep(5)"))
    # And the next one looks as ever.
    with translated(), database.brief.connect() as connection:
        assert connection.scalar(text("SELECT 1")) == 1
    database.dispose()


def test_each_search_of_a_round_is_decided_on_and_recorded(gateway: Gateway) -> None:
    put(gateway, *({"resourceType": "Patient", "id": f"p{n}", "gender": "male"} for n in range(3)))
    put(gateway, {"resourceType": "Observation", "id": "o1", "status": "final", "code": {"text": "a"}} | SUBJECT)
    before = searches(gateway)
    asked = [
        sought({"_id": "p1"}),
        sought({"_id": "p2"}),
        sought({"_id": "p2"}, NOBODY),
        sought({"_unknown": "x"}),
        sought({"_id": "o1", "_include": "Observation:subject"}, scope="Observation"),
        sought({"gender": "male", "_summary": "count"}),
    ]
    answers = gateway.door.search_all(asked)
    assert [found(one) for one in answers] == [
        (1, ["Patient/p1"]),
        (1, ["Patient/p2"]),
        (0, []),
        BadRequest,
        (1, ["Observation/o1", "Patient/p1"]),
        (3, []),
    ]
    # What is no search is nothing to decide on.
    assert searches(gateway) - before == 5
    assert gateway.store.read(lambda uow: uow.audit.verify()) == []
    # One by one each is answered alike.
    assert [_or_refusal(gateway.door, one) for one in asked] == [found(one) for one in answers]


def test_what_the_database_refuses_of_one_search_is_refused_to_that_one(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(words, "LONGEST", 10_000)  # So that one comes to the database which it refuses.
    put(gateway, {"resourceType": "Patient", "id": "p1", "name": [{"text": "Ängla"}]})
    long = "x" * 3000  # PostgreSQL takes words of up to 2,046 bytes.
    asked = [sought({"_content": long}), sought({"_content": "Ängla"}), sought({"_id": "p1"})]
    refused, *others = (found(one) for one in gateway.door.search_all(asked))
    assert others == [(1, ["Patient/p1"])] * 2
    assert refused == (Unprocessable if gateway.store.answers_several else (0, []))


def test_many_searchers_at_once_are_answered_rightly_and_recorded(gateway: Gateway, address: str) -> None:
    put(gateway, *({"resourceType": "Patient", "id": f"p{n}"} for n in range(10)))
    before = searches(gateway)
    with httpx.Client(base_url=address, headers=FHIR, timeout=60) as client:

        def search(n: int) -> tuple[int, list[str]]:
            return found(client.get("/fhir/Patient", params={"_id": f"p{n % 12}"}).content)

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(search, range(60)))
    assert answers == [(1, [f"Patient/p{n % 12}"]) if n % 12 < 10 else (0, []) for n in range(60)]
    assert searches(gateway) - before == 60


SUBJECT = {"subject": {"reference": "Patient/p1"}}


def put(gateway: Gateway, *resources: dict[str, Any]) -> None:
    asking = Asking(OPERATOR, "update")
    for one in resources:
        gateway.door.update(asking, one["resourceType"], one["id"], Body(dump(one)))


def _or_refusal(door: Searching, one: Sought) -> Any:
    try:
        return found(door.search(one))
    except GatewayError as error:
        return type(error)


def found(answer: bytes | GatewayError) -> Any:
    """How many match, and what is in the Bundle, as Type/id; of a refusal its type."""
    if isinstance(answer, GatewayError):
        return type(answer)
    bundle = parse(answer)
    resources = [entry["resource"] for entry in bundle.get("entry", ())]
    return bundle["total"], [f"{one['resourceType']}/{one['id']}" for one in resources]


def searches(gateway: Gateway) -> int:
    rows = gateway.store.read(lambda uow: uow.audit.latest(limit=10_000))
    return sum(row.event["subtype"][0]["code"] == "search-type" for row in rows)
