"""An answer goes to the connection in one piece where it is at hand, and nothing that is written waits for more."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import httpx

from gateway.rest.connection import Gathering
from tests.rest.conftest import FHIR


class Wire(asyncio.Transport):
    """What a kernel would be handed, message by message."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        self.sent.append(bytes(data))

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview[Any]]) -> None:
        self.write(b"".join(list_of_data))

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


def test_a_head_and_the_body_that_follows_are_one_message() -> None:
    async def answer() -> list[bytes]:
        wire = Wire()
        gathering = Gathering(wire, asyncio.get_running_loop())
        gathering.write(b"head ")
        gathering.write(b"body")
        await asyncio.sleep(0)
        return wire.sent

    assert asyncio.run(answer()) == [b"head body"]


def test_a_head_whose_body_is_not_at_hand_does_not_wait_for_it() -> None:
    async def answer() -> list[bytes]:
        wire = Wire()
        gathering = Gathering(wire, asyncio.get_running_loop())
        gathering.write(b"head ")
        await asyncio.sleep(0)
        before = list(wire.sent)
        gathering.write(b"body")
        gathering.close()
        return [*before, b"then", *wire.sent[len(before) :], str(wire.closed).encode()]

    assert asyncio.run(answer()) == [b"head ", b"then", b"body", b"True"]


def test_nothing_is_written_to_a_connection_that_is_gone() -> None:
    async def answer() -> list[bytes]:
        wire = Wire()
        gathering = Gathering(wire, asyncio.get_running_loop())
        gathering.write(b"head ")
        wire.close()
        await asyncio.sleep(0)
        gathering.close()
        return wire.sent

    assert asyncio.run(answer()) == []


def test_an_answer_larger_than_a_connection_takes_at_once_comes_whole(address: str) -> None:
    with httpx.Client(base_url=address, headers=FHIR, timeout=60) as client:
        texts = {f"{n} " + "x" * 90_000 for n in range(20)}
        for text in texts:
            made = client.post("/fhir/Basic", json={"resourceType": "Basic", "code": {"text": text}})
            assert made.status_code == 201, made.text[:300]
        found = client.get("/fhir/Basic?_count=100").json()
    assert texts <= {one["resource"]["code"].get("text") for one in found["entry"]}
