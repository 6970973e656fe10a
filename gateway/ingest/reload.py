"""Changed mapping packages, taken into use while the gateway runs: compiled and tried first, swapped as a whole.

Each process watches for itself, so any number may share a folder or have one each; every statement carries the hash of
the package that made it. What is under way ends on the version that it was begun with. A version that does not compile
or whose cases do not hold is told, and the one in use stays.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from threading import Lock

from watchfiles import awatch

from gateway.definitions import Definitions
from gateway.logs import logger
from gateway.mapping import Packages
from gateway.mapping.trial import Tried, tried

LOOK_SECONDS = 5.0
"""How often the folder is looked at in any case: not every file system says that something changed."""
Stamp = tuple[tuple[str, int, int], ...]

log = logger(__name__)


class Reload:
    """The packages in use, and those that were refused."""

    def __init__(self, packages: Packages, folder: Path, definitions: Definitions) -> None:
        self._packages = packages
        self._folder = folder
        self._definitions = definitions
        self._lock = Lock()
        self._refused: dict[str, Tried] = {}
        # Read now: what is used is what was there at the start, whenever its first record comes.
        for package in packages.values():
            _ = package.hash
        self._stamp = _stamp(folder)

    @property
    def refused(self) -> Mapping[str, Tried]:
        """By package: the last version that could not be taken, and why."""
        return self._refused

    def look(self) -> list[Tried]:
        """Try what has changed since the last look, and take what may be taken."""
        with self._lock:
            stamp = _stamp(self._folder)
            if stamp == self._stamp:
                return []
            found = list(tried(self._folder, self._packages, self._definitions))
            refused = {one.id: one for one in found if not one.passed}
            for one in found:
                if one.package is not None and one.passed:
                    self._take(one)
                elif self._refused.get(one.id) is None or self._refused[one.id].problems != one.problems:
                    log.warning("map-refused", package=one.id, problems=list(one.problems))
            self._refused = refused
            self._stamp = stamp
            return found

    def _take(self, one: Tried) -> None:
        assert one.package is not None
        before = self._packages.get(one.id)
        self._packages.take(one.package)
        was = before.hash if before else None
        log.info("map-taken", package=one.id, version=one.package.version, hash=one.package.hash, was=was)

    @contextlib.asynccontextmanager
    async def watching(self, *, look: float = LOOK_SECONDS) -> AsyncIterator[None]:
        """Look whenever something changes, as long as the context lasts."""
        stop = asyncio.Event()
        task = asyncio.create_task(self._watch(stop, int(look * 1000)), name="mappings-watch")
        try:
            yield
        finally:
            stop.set()
            await task

    async def _watch(self, stop: asyncio.Event, pause: int) -> None:
        while not stop.is_set():
            try:
                async for _ in awatch(
                    self._folder, stop_event=stop, rust_timeout=pause, yield_on_timeout=True, debounce=400
                ):
                    await asyncio.to_thread(self.look)
            except Exception as error:  # A fault here must not end the watch.
                log.error("maps-not-watched", exc_info=error)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), pause / 1000)


def _stamp(folder: Path) -> Stamp:
    """Names, times and sizes of everything in it."""
    found = []
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            if path.is_file():
                stat = path.stat()
                found.append((str(path), stat.st_mtime_ns, stat.st_size))
    return tuple(sorted(found))
