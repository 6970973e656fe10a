"""HTTP connections as uvicorn speaks them, but for four things.

The head of an answer and its body are sent in one piece: uvicorn hands the two to the connection one by one, and each
is a message to the kernel, and wakes who waits. https://www.rfc-editor.org/rfc/rfc9112#section-2.1

Who offers to speak another protocol is answered in this one: the parser would leave the body of such a request unread.
Java's client offers HTTP/2 with each. https://www.rfc-editor.org/rfc/rfc9110#section-7.8

What is no HTTP is refused with an OperationOutcome.

Whoever begins a request and does not go on is not waited for without end, nor is who says nothing at all, or goes on
with what is answered already. Bodies that are being read have a bound of their own (`patience.py`).
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any, Final

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.errors import BadRequest, GatewayError, RequestTimeout
from gateway.fhir import json, media
from gateway.issues import operation_outcome
from gateway.rest.edge import HEADERS

MALFORMED: Final = BadRequest(
    "This is no HTTP request that is read here. Its address is ASCII, percent-encoded, and has at most 65,535 bytes.",
    rule="http-malformed",
)

SLOW: Final = RequestTimeout("The head of the request did not come in time: send it again.", rule="head-too-slow")


class Connection(HttpToolsProtocol):
    """One connection; `seconds` is how long it waits for the head of a request."""

    _offered = False
    """Whether the head that was read last offers another protocol."""
    _within = False
    """Whether a head has begun, and not ended."""
    _late: asyncio.TimerHandle | None = None
    """Ends the connection, while the sender is waited for."""

    def __init__(self, *args: Any, seconds: float, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._seconds = seconds

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(Gathering(transport, self.loop))
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._late is not None:
            self._late.cancel()

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        self._read(data)
        self._wait()

    def _wait(self) -> None:
        """Bound the wait for a head to end, or for what is left of a body that is answered; nothing else."""
        waits = self.cycle is None or self.cycle.response_complete
        if waits and self._late is None:
            self._late = self.loop.call_later(self._seconds, self._end)
        elif not waits and self._late is not None:
            self._late.cancel()
            self._late = None

    def _end(self) -> None:
        if self.transport.is_closing():
            return
        if self._within:
            self._refuse(SLOW)
        else:
            self.transport.close()

    def _read(self, data: bytes) -> None:
        while data:
            try:
                self.parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as ended:
                if not self._offered:  # It is CONNECT, and has no body.
                    return
                data = self._declined() + data[ended.args[0] :]
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # As uvicorn has it.
            except httptools.HttpParserError:
                self.logger.warning("Invalid HTTP request received.")
                self._refuse(MALFORMED)
                return

    def on_message_begin(self) -> None:
        self._within = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._within = False
        self._offered = self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"
        if not self._offered:
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        if not self._offered:
            super().on_message_complete()

    def _declined(self) -> bytes:
        """The head that was read last, without its offer."""
        lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())]
        for name, value in self.headers:
            if name == b"connection":
                others = [one for one in value.split(b",") if one.strip().lower() != b"upgrade"]
                lines.append(name + b": " + b",".join(others))
            elif name != b"upgrade":
                lines.append(name + b": " + value)
        return b"\r\n".join([*lines, b"", b""])

    def _refuse(self, error: GatewayError) -> None:
        content = json.dump(operation_outcome(error.issues))
        about = {"content-type": media.JSON, "content-length": str(len(content)), **HEADERS, "connection": "close"}
        first = f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}"
        head = [first, *(f"{name.lower()}: {value}" for name, value in about.items()), "", ""]
        self.transport.write("\r\n".join(head).encode("ascii") + content)
        self.transport.close()


class Gathering(asyncio.Transport):
    """What is written is held until more comes, and no longer than until the loop has come round.

    So a head whose body is at hand goes with it, and one whose body is made piece by piece waits for no piece.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._held = b""

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        held = self._held
        if held:
            self._held = b""
            self._transport.writelines((held, data))
        else:
            self._held = bytes(data)
            self._loop.call_soon(self._let_go)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Another one goes on, with the connection itself."""
        self._let_go()
        self._transport.set_protocol(protocol)

    def close(self) -> None:
        self._let_go()
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    def _let_go(self) -> None:
        held, self._held = self._held, b""
        if held and not self._transport.is_closing():  # Who asked has gone.
            self._transport.write(held)
