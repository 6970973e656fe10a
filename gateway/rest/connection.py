"""HTTP connections as uvicorn speaks them, but for this: the head of an answer and its body are sent in one piece.

uvicorn hands the two to the connection one by one, and each is a message to the kernel, and wakes who waits.
https://www.rfc-editor.org/rfc/rfc9112#section-2.1
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class Connection(HttpToolsProtocol):
    """One connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(Gathering(transport, self.loop))


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
