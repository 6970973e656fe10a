"""How slowly a body may come: whoever is waited for longer is answered with 408.

A sender that lets a byte come now and then would hold a connection, and what was read so far, for as long as it likes.
Only the time is counted in which the gateway waits for the sender, in windows that end when enough has come: a network
that stands still for a while is not cut off. https://www.rfc-editor.org/rfc/rfc9110#section-15.5.9
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from starlette.types import Message, Receive

from gateway.errors import RequestTimeout


@dataclass(frozen=True, slots=True)
class Pace:
    """The slowest that is borne: in each window of so many seconds of waiting so many bytes, or the end of the body."""

    seconds: float
    least: int


class Patient:
    """The messages of one request, each as it comes. RequestTimeout where its body comes more slowly than the pace."""

    def __init__(self, receive: Receive, pace: Pace) -> None:
        self._receive = receive
        self._pace = pace
        self._left, self._came = pace.seconds, 0
        self._ended = False

    async def __call__(self) -> Message:
        if self._ended:  # What comes now is that he went, however long that takes.
            return await self._receive()
        clock = asyncio.get_running_loop().time
        begun = clock()
        try:
            async with asyncio.timeout(max(self._left, 0)):
                message = await self._receive()
        except TimeoutError:
            pace = self._pace
            text = f"The body came too slowly: send it again, at least {pace.least} bytes in {pace.seconds:g} seconds."
            raise RequestTimeout(text, rule="body-too-slow") from None
        self._left -= clock() - begun
        self._came += len(message.get("body", b""))
        if self._came >= self._pace.least:
            self._left, self._came = self._pace.seconds, 0
        self._ended = not message.get("more_body", False)
        return message
