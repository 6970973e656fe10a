"""Fetching files by HTTP: from hosts that the settings name and no others, within bounds, as a stream."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import RawIOBase
from typing import IO, TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlsplit

from gateway.errors import BadRequest, NotFound, TooLarge, Unavailable

if TYPE_CHECKING:
    import httpx

TIMEOUT: Final = 30.0
"""Seconds without a byte."""
PATIENCE: Final = 3600.0
"""Seconds that are waited for bytes of one file, all in all: a host that gives them one by one has no more."""
_URL: Final = re.compile(r"[!-~]{1,8000}")
"""What each reader of urls reads alike: no blank, no line end, no letter that has to be escaped."""
_HEADERS: Final = {"accept": "application/fhir+ndjson, */*", "accept-encoding": "identity"}
"""As it lies there: what is packed is unpacked piece by piece, where its size is looked at."""


class Fetcher:
    """Fetches from `hosts`: `HOST` or `HOST:PORT` by https, or `http://HOST:PORT` where that is named so."""

    def __init__(self, hosts: str | None, most_bytes: int) -> None:
        named = (one if "://" in one else f"https://{one}" for one in (hosts or "").split())
        self._origins = {one.lower() for one in named}
        self.most_bytes = most_bytes

    def check(self, url: str) -> None:
        """BadRequest unless it may be fetched."""
        if not _URL.fullmatch(url):
            text = "The url of a file has up to 8,000 letters, digits and signs of ASCII: escape what is not."
            raise BadRequest(text, rule="import-url-malformed")
        try:
            parts = urlsplit(url)
            origin, host = f"{parts.scheme}://{parts.netloc}".lower(), parts.hostname or ""
        except ValueError:
            origin = host = ""
        if origin not in self._origins:
            text = (
                "Files are not fetched from there: the setting import_hosts names the hosts, each reached by https. "
                "A file can also be sent, as the body."
            )
            raise BadRequest(text, rule="import-host-not-allowed", where=host[:64] or None)

    @contextmanager
    def open(self, url: str) -> Iterator[IO[bytes]]:
        """The bytes behind it. BadRequest, NotFound, TooLarge; Unavailable where another try may help."""
        import httpx

        self.check(url)
        try:
            with httpx.stream("GET", url, timeout=TIMEOUT, follow_redirects=False, headers=_HEADERS) as answer:
                _accepted(answer.status_code, answer.headers.get("content-encoding", "identity"))
                yield cast(IO[bytes], _Answer(answer, self.most_bytes))
        except httpx.InvalidURL as error:
            raise BadRequest("This is no url that can be fetched.", rule="import-url-malformed") from error
        except httpx.HTTPError as error:
            raise Unavailable("The file could not be fetched: its host did not answer.", rule="import-fetch") from error


class _Answer(RawIOBase):
    """The answer's bytes as they come, up to the limit."""

    def __init__(self, answer: httpx.Response, most_bytes: int) -> None:
        self._parts = answer.iter_raw()
        self._left = b""
        self._size, self._most_bytes = 0, most_bytes
        self._waited = 0.0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            began = time.monotonic()
            part = next(self._parts, None)
            self._waited += time.monotonic() - began
            if self._waited > PATIENCE:
                raise Unavailable("The file could not be fetched: its host is too slow.", rule="import-fetch")
            if part is None:
                return 0
            self._left = part
            self._size += len(part)
            if self._size > self._most_bytes:
                text = f"The file has more than {self._most_bytes} bytes, the setting import_bytes: send it in parts."
                raise TooLarge(text, rule="import-too-large")
        given = self._left[: len(buffer)]
        buffer[: len(given)] = given
        self._left = self._left[len(given) :]
        return len(given)


def _accepted(status: int, coding: str) -> None:
    if status == 200 and coding.lower() in ("", "identity", "gzip"):
        return
    if status == 200:
        raise NotFound(f"The file came as {coding[:32]}, and gzip is what is unpacked here.", rule="import-fetch")
    if status >= 500 or status == 429:
        raise Unavailable(f"The file could not be fetched: its host answered {status}.", rule="import-fetch")
    raise NotFound(
        f"The file could not be fetched: its host answered {status}, and 200 is wanted.", rule="import-fetch"
    )
