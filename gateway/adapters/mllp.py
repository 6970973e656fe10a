"""MLLP: HL7 v2 over TCP, each message kept before it is acknowledged.

A frame is VT, the message, FS, CR. https://www.hl7.org/documentcenter/public/wg/inm/mllp_transport_specification.PDF
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway import formats
from gateway.adapters.acknowledgement import Outcome, acknowledgement
from gateway.adapters.keep import Keep
from gateway.adapters.media import MEDIA_TYPES
from gateway.formats import Format, RecordKind
from gateway.issues import Issues
from gateway.logs import logger

MEDIA_TYPE = MEDIA_TYPES[".hl7"]
QUICK = 16 * 1024
"""Bytes of a message that is read where it comes."""
ANY_MESSAGE = Format("er7", records=(RecordKind("message", "*"),))

_START, _END = b"\x0b", b"\x1c"

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much of the gateway one sender may take."""

    message: int = 16 << 20
    """Bytes of one message."""
    connections: int = 64
    idle: float = 3600.0
    """Seconds without any byte, after which a connection is closed."""
    frame: float = 60.0
    """Seconds in which a message that was begun must have come whole, and an answer be taken."""
    stop: float = 10.0
    """Seconds that a message in hand gets when the gateway stops."""


BOUNDS = Bounds()


@contextlib.asynccontextmanager
async def listen(
    source: str,
    host: str,
    port: int,
    keep: Keep,
    *,
    form: Format = ANY_MESSAGE,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    bounds: Bounds = BOUNDS,
) -> AsyncIterator[int]:
    """Listen for a source's messages as long as the context lasts; gives the port, which matters where it was 0."""
    listener = _Listener(source, keep, form, clock, bounds)
    server = await asyncio.start_server(listener.connected, host, port, limit=bounds.message)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await listener.stop()
        await server.wait_closed()


class _Listener:
    def __init__(self, source: str, keep: Keep, form: Format, clock: Callable[[], datetime], bounds: Bounds) -> None:
        self._source = source
        self._keep = keep
        self._form = form
        self._clock = clock
        self._bounds = bounds
        self._connections: set[asyncio.Task[None]] = set()
        self._waiting: set[asyncio.Task[None]] = set()
        self._stopping = False

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            if len(self._connections) > self._bounds.connections:
                log.warning("mllp-too-many-connections", source=self._source)
                return
            await self._converse(reader, writer, task)
        except (TimeoutError, ConnectionError):
            log.info("mllp-connection-lost", source=self._source)
        except asyncio.CancelledError:
            pass  # The gateway stops, and no message is in hand.
        finally:
            self._connections.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError, TimeoutError):
                await asyncio.wait_for(writer.wait_closed(), self._bounds.stop)

    async def stop(self) -> None:
        """Idle connections end now, a message in hand is kept and answered first."""
        self._stopping = True
        for task in self._waiting:
            task.cancel()
        if self._connections:
            _, late = await asyncio.wait(self._connections, timeout=self._bounds.stop)
            for task in late:
                task.cancel()

    async def _converse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, task: asyncio.Task[None]
    ) -> None:
        while not self._stopping:
            self._waiting.add(task)
            try:
                message = await self._frame(reader)
            finally:
                self._waiting.discard(task)
            if message is None:
                return
            if len(message) > self._bounds.message:
                log.warning("mllp-message-too-large", source=self._source)
                text = f"The message is larger than {self._bounds.message} bytes. Send it in parts."
                await self._answer(writer, message, Outcome("R", "too-large", text))
            elif message:
                await self._answer(writer, message, await self._take(message))

    async def _frame(self, reader: asyncio.StreamReader) -> bytes | None:
        """The next message; None when the sender has closed, be it within a message that it then has to send again.

        Of a message that is too large only the beginning is kept in memory: enough to see that, and to answer it.
        """
        try:
            frame = await asyncio.wait_for(reader.readexactly(1), self._bounds.idle)
            async with asyncio.timeout(self._bounds.frame):
                while not frame.endswith(_END):
                    try:
                        rest = await reader.readuntil(_END)
                    except asyncio.LimitOverrunError as more:
                        rest = await reader.readexactly(more.consumed)
                    frame = frame + rest if len(frame) <= self._bounds.message else frame + rest[-1:]
        except asyncio.IncompleteReadError as cut:
            if cut.partial.strip(b"\r\n"):
                log.info("mllp-message-cut", source=self._source)
            return None
        # What stands before the start block ends the frame before, or is noise.
        return frame.rpartition(_START)[2].removesuffix(_END).lstrip(b"\r\n")

    async def _take(self, message: bytes) -> Outcome:
        """Keep the message, then say whether it can be read. What was not kept must be sent again."""
        try:
            kept = await self._keep(message, MEDIA_TYPE, "mllp")
        except Exception as error:
            log.error("mllp-not-kept", source=self._source, exc_info=error)
            return Outcome("R", "not-kept", "The message could not be kept. Send it again.")
        # A large one would keep every other connection waiting; to hand a small one to a thread takes longer.
        said = self._read(message) if len(message) <= QUICK else await asyncio.to_thread(self._read, message)
        log.info("mllp-kept", source=self._source, inbox_id=kept, answer=said.code)
        return said

    def _read(self, message: bytes) -> Outcome:
        issues = Issues()
        for record in formats.read(self._form, message, issues):
            issues.extend(record.issues)
        return Outcome.of(issues)

    async def _answer(self, writer: asyncio.StreamWriter, message: bytes, said: Outcome) -> None:
        answer = acknowledgement(message, said, now=self._clock(), control_id=uuid.uuid4().hex[:20])
        if answer is not None:
            writer.write(_START + answer + _END + b"\r")
            await asyncio.wait_for(writer.drain(), self._bounds.frame)
