"""Reads that come together are answered together: each by itself, and none before its access is recorded."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from gateway.access.caller import OPERATOR, Asking
from gateway.access.commands import Body
from gateway.access.reading import Served, Wanted
from gateway.app import Gateway
from gateway.errors import Gone, NotFound, Unavailable
from gateway.rest.rounds import Rounds
from tests.rest.conftest import FHIR


def test_who_asks_while_a_round_is_under_way_is_in_the_next() -> None:
    rounds: list[list[int]] = []

    def answer(asked: Sequence[int]) -> list[int | Exception]:
        rounds.append(list(asked))
        return [10 * one for one in asked]

    async def ask() -> list[int]:
        together = Rounds(answer)
        return await asyncio.gather(*map(together.ask, range(5)))

    assert asyncio.run(ask()) == [0, 10, 20, 30, 40]
    assert rounds == [[0, 1, 2, 3, 4]]


def test_who_asks_at_once_after_an_answer_is_answered_too() -> None:
    async def ask() -> list[int]:
        together: Rounds[int, int] = Rounds(list)
        return [await together.ask(n) for n in range(20)]

    assert asyncio.run(asyncio.wait_for(ask(), 20)) == list(range(20))


def test_one_that_fails_does_not_fail_the_others_of_its_round() -> None:
    def answer(asked: Sequence[int]) -> list[int | Exception]:
        if 3 in asked:
            raise RuntimeError("of the third")
        return [KeyError("own") if one == 1 else one for one in asked]

    async def ask() -> list[int | BaseException]:
        together = Rounds(answer)
        return await asyncio.gather(*map(together.ask, range(5)), return_exceptions=True)

    first, refused, third, failed, last = asyncio.run(ask())
    assert (first, third, last) == (0, 2, 4)
    assert isinstance(refused, KeyError)
    assert isinstance(failed, RuntimeError)


def test_a_round_that_nobody_can_answer_leaves_nobody_waiting() -> None:
    async def ask(answer: Callable[[Sequence[int]], list[int | Exception]]) -> list[int | BaseException]:
        together = Rounds(answer)
        asked = asyncio.gather(*map(together.ask, range(3)), return_exceptions=True)
        return await asyncio.wait_for(asked, 5)

    short = asyncio.run(ask(lambda _: []))
    assert [type(one) for one in short] == [RuntimeError] * 3

    async def shut() -> list[int | BaseException]:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, int)
        await loop.shutdown_default_executor()
        return await ask(list)

    assert [type(one) for one in asyncio.run(shut())] == [RuntimeError] * 3


def test_who_waits_for_a_round_that_is_cancelled_is_told() -> None:
    begun, ended = threading.Event(), threading.Event()

    def answer(asked: Sequence[int]) -> list[int | Exception]:
        begun.set()
        ended.wait(5)
        return list(asked)

    async def ask() -> list[int | BaseException]:
        together = Rounds(answer)
        asked = [asyncio.create_task(together.ask(1))]
        await asyncio.to_thread(begun.wait, 5)
        asked.append(asyncio.create_task(together.ask(2)))
        await asyncio.sleep(0)
        for task in list(together._tasks):
            task.cancel()
        try:
            return await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), 5)
        finally:
            ended.set()

    assert [type(one) for one in asyncio.run(ask())] == [asyncio.CancelledError] * 2


def test_patient_rounds_wait_for_who_has_just_been_answered() -> None:
    rounds: list[int] = []

    def answer(asked: Sequence[int]) -> list[int | Exception]:
        rounds.append(len(asked))
        return list(asked)

    async def client(together: Rounds[int, int], place: int) -> None:
        for n in range(5):
            await together.ask(n)
            for _ in range(3 * place):  # The later ones take longer to ask again.
                await asyncio.sleep(0)

    async def ask(*, patient: bool) -> list[int]:
        rounds.clear()
        together = Rounds(answer, patient=patient)
        await asyncio.gather(*(client(together, place) for place in range(4)))
        return rounds

    assert asyncio.run(ask(patient=True)) == [4] * 5
    assert min(asyncio.run(ask(patient=False))) < 4


def test_who_asks_alone_waits_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.rest.rounds.PAUSE", 60)

    async def ask() -> list[int]:
        together: Rounds[int, int] = Rounds(list, patient=True)
        return [await together.ask(n) for n in range(5)]

    assert asyncio.run(asyncio.wait_for(ask(), 20)) == list(range(5))


def test_who_asks_while_others_are_waited_for_is_told_of_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.rest.rounds.PAUSE", 60)

    async def ask() -> int | BaseException:
        together: Rounds[int, int] = Rounds(list, patient=True)
        await asyncio.gather(together.ask(1), together.ask(2))
        asked = asyncio.create_task(together.ask(3))
        await asyncio.sleep(0)
        for task in list(together._tasks):
            task.cancel()
        (told,) = await asyncio.wait_for(asyncio.gather(asked, return_exceptions=True), 5)
        return told

    assert isinstance(asyncio.run(ask()), asyncio.CancelledError)


def test_a_database_that_is_away_is_asked_once_a_round() -> None:
    rounds: list[int] = []

    def answer(asked: Sequence[int]) -> list[int | Exception]:
        rounds.append(len(asked))
        raise Unavailable

    async def ask() -> list[int | BaseException]:
        together = Rounds(answer)
        return await asyncio.gather(*map(together.ask, range(5)), return_exceptions=True)

    assert [type(one) for one in asyncio.run(ask())] == [Unavailable] * 5
    assert rounds == [5]


def test_each_read_of_a_round_is_decided_on_and_recorded(gateway: Gateway) -> None:
    asking = Asking(OPERATOR, "read", "same-request")
    made = [gateway.door.create(asking, "Basic", _body(n)).version for n in range(3)]
    gateway.door.delete(asking, "Basic", made[2].id)
    before = _reads(gateway)
    wanted = [
        *(Wanted(asking, "Basic", id) for id in (made[0].id, made[1].id, made[0].id, made[2].id, "none")),
        Wanted(asking, "None", "none"),
    ]
    answers = gateway.door.read_all(wanted)
    assert [one.id for one in answers if isinstance(one, Served)] == [made[0].id, made[1].id, made[0].id]
    assert [type(one) for one in answers[3:]] == [Gone, NotFound, NotFound]
    # One for each, and for the same thing asked twice too; what is no type of R4 is nothing to decide on.
    assert _reads(gateway) - before == 5
    assert gateway.store.read(lambda uow: uow.audit.verify()) == []


def test_many_readers_at_once_are_answered_rightly_and_recorded(gateway: Gateway, address: str) -> None:
    with httpx.Client(base_url=address, headers=FHIR, timeout=60) as client:
        made = [
            client.post("/fhir/Basic", json={"resourceType": "Basic", "code": {"text": str(n)}}).json()
            for n in range(10)
        ]
        before = _reads(gateway)

        def read(n: int) -> str:
            answer = client.get(f"/fhir/Basic/{made[n % 10]['id']}" if n % 5 else "/fhir/Basic/none")
            return str(answer.json()["code"]["text"]) if answer.status_code == 200 else str(answer.status_code)

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(read, range(100)))
    assert answers == [str(n % 10) if n % 5 else "404" for n in range(100)]
    assert _reads(gateway) - before == 100
    assert gateway.store.read(lambda uow: uow.audit.verify()) == []


def _body(n: int) -> Body:
    return Body(f'{{"resourceType":"Basic","code":{{"text":"{n}"}}}}'.encode())


def _reads(gateway: Gateway) -> int:
    rows = gateway.store.read(lambda uow: uow.audit.latest(limit=10_000))
    return sum(row.event["subtype"][0]["code"] == "read" for row in rows)
