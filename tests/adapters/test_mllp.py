"""MLLP over real sockets: kept before acknowledged, bounded, several messages a connection."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.adapters import mllp
from gateway.adapters.mllp import Bounds
from gateway.formats import Format, RecordKind

MESSAGE = b"MSH|^~\\&|PAS|NORTH|GW|WEST|20250310||ADT^A01|%b|P|2.5\rPID|1||\xe5\r"
ADT = Format("er7", records=(RecordKind("adt", "ADT^*"),))


class Inbox:
    """A keep that may wait, fail, or say what it got."""

    def __init__(self) -> None:
        self.kept: list[bytes] = []
        self.broken = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, body: bytes, media_type: str, transport: str, *, id: str | None = None) -> str:
        await self.gate.wait()
        if self.broken:
            raise OSError("the disk is full")
        assert (media_type, transport, id) == ("x-application/hl7-v2+er7", "mllp", None)
        self.kept.append(body)
        return f"inbox-{len(self.kept)}"


Talk = Callable[[Inbox, asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


def connected(talk: Talk, **bounds: Any) -> Inbox:
    """Run one sender against a listener."""

    async def run() -> Inbox:
        inbox = Inbox()
        clock = lambda: datetime(2025, 3, 10, tzinfo=UTC)  # noqa: E731
        async with mllp.listen("pas", "127.0.0.1", 0, inbox, form=ADT, clock=clock, bounds=Bounds(**bounds)) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                async with asyncio.timeout(5):
                    await talk(inbox, reader, writer)
            finally:
                writer.close()
        return inbox

    return asyncio.run(run())


def framed(message: bytes) -> bytes:
    return b"\x0b" + message + b"\x1c\r"


async def answer(reader: asyncio.StreamReader) -> list[str]:
    """MSA of the next acknowledgement."""
    frame = await reader.readuntil(b"\x1c\r")
    assert frame.startswith(b"\x0bMSH|")
    return frame.split(b"\r")[1].decode().split("|")


def test_a_message_is_acknowledged_only_when_it_is_kept() -> None:
    async def talk(inbox: Inbox, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inbox.gate.clear()
        writer.write(framed(MESSAGE % b"M1"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.05)
        inbox.gate.set()
        assert await answer(reader) == ["MSA", "AA", "M1"]

    assert connected(talk).kept == [MESSAGE % b"M1"]


def test_several_messages_are_answered_in_order_however_they_are_cut() -> None:
    async def talk(inbox: Inbox, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sent = b"noise" + framed(MESSAGE % b"M1") + b"\n" + framed(MESSAGE % b"M2") + framed(MESSAGE % b"M3")
        for start in range(0, len(sent), 40):
            writer.write(sent[start : start + 40])
            await writer.drain()
        assert [(await answer(reader))[2] for _ in range(3)] == ["M1", "M2", "M3"]

    assert len(connected(talk).kept) == 3


def test_an_event_without_a_map_is_kept_and_answered_ae() -> None:
    async def talk(inbox: Inbox, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(framed((MESSAGE % b"M1").replace(b"ADT", b"ORU")))
        assert (await answer(reader))[1:3] == ["AE", "M1"]

    assert len(connected(talk).kept) == 1


@pytest.mark.parametrize("message", [b"hello", b"MSH", b"MSHABC\r"])
def test_a_message_without_a_readable_header_is_kept_and_answered_ar(message: bytes) -> None:
    async def talk(inbox: Inbox, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(framed(message))
        assert (await answer(reader))[1:3] == ["AR", ""]

    assert connected(talk).kept == [message]


def test_what_could_not_be_kept_is_answered_ar_and_the_connection_goes_on() -> None:
    async def talk(inbox: Inbox, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inbox.broken = True
        writer.write(framed(MESSAGE % b"M1"))
        said = await answer(reader)
        assert said[1:3] == ["AR", "M1"]
        assert "disk" not in said[3]
        inbox.broken = False
        writer.write(framed(MESSAGE % b"M1"))
        assert (await answer(reader))[1] == "AA"

    assert len(connected(talk).kept) == 1


def test_a_message_that_is_too_large_is_refused_and_the_connection_goes_on() -> None:
    async def talk(inbox: Inbox, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(framed(MESSAGE % b"M1" + b"NTE|" + b"x" * 300_000) + framed(MESSAGE % b"M2"))
        assert (await answer(reader))[1:3] == ["AR", "M1"]
        assert (await answer(reader))[1:3] == ["AA", "M2"]

    assert connected(talk, message=50_000).kept == [MESSAGE % b"M2"]


@pytest.mark.parametrize(("sent", "bounds"), [(b"", {"idle": 0.05}), (b"\x0bMSH|", {"frame": 0.05})])
def test_a_sender_that_says_nothing_more_is_let_go(sent: bytes, bounds: dict[str, float]) -> None:
    async def talk(inbox: Inbox, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        assert await reader.read() == b""

    assert connected(talk, **bounds).kept == []


def test_a_message_that_is_cut_off_is_not_kept_for_it_will_be_sent_again() -> None:
    async def talk(inbox: Inbox, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(framed(MESSAGE % b"M1")[:-20])
        writer.write_eof()
        assert await reader.read() == b""

    assert connected(talk).kept == []


def test_only_so_many_connections_are_held() -> None:
    async def talk(inbox: Inbox, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port = writer.get_extra_info("peername")[1]
        other, closing = await asyncio.open_connection("127.0.0.1", port)
        assert await other.read() == b""
        closing.close()
        writer.write(framed(MESSAGE % b"M1"))
        assert (await answer(reader))[1] == "AA"

    connected(talk, connections=1)


def test_a_message_in_hand_is_answered_before_the_listener_stops() -> None:
    async def run() -> None:
        inbox = Inbox()
        inbox.gate.clear()
        async with mllp.listen("pas", "127.0.0.1", 0, inbox) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            idle_reader, idle = await asyncio.open_connection("127.0.0.1", port)
            writer.write(framed(MESSAGE % b"M1"))
            await asyncio.sleep(0.05)
            asyncio.get_running_loop().call_later(0.05, inbox.gate.set)
        assert (await answer(reader))[1] == "AA"
        assert await idle_reader.read() == b""
        writer.close()
        idle.close()
        assert len(inbox.kept) == 1

    asyncio.run(run())
