"""A watched folder: each complete file is kept as a message, then moved to `done/`.

A file is complete when it was renamed to its name, or when its size and time have stood still for a while; names that
start with a dot or end like a transfer's (`.part`, `.tmp`) are not looked at. A file's inbox id follows from what it
is, so that a crash between commit and move makes no second message of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from watchfiles import awatch

from gateway.adapters.keep import Keep
from gateway.adapters.media import media_type
from gateway.logs import logger

UNFINISHED = (".crdownload", ".filepart", ".part", ".partial", ".swp", ".tmp", "~")
DONE = "done"

_NAMESPACE = uuid.UUID("5f1f6a39-9f0b-5b7e-8f0a-6f1f3f0a8b11")

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds: how long a file must stand still, how often the folder is looked at, how soon a failure is retried."""

    settle: float = 2.0
    look: float = 5.0
    retry: float = 60.0
    largest: int = 256 << 20
    """Bytes; a larger file is left where it is, and told."""


PACE = Pace()


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a file looked like, and when it may be taken."""

    size: int
    changed: int
    ready: float


@contextlib.asynccontextmanager
async def watch(source: str, folder: Path, keep: Keep, *, pace: Pace = PACE) -> AsyncIterator[None]:
    """Take the files of a folder as long as the context lasts; the folder is made where it is missing."""
    (folder / DONE).mkdir(parents=True, exist_ok=True)
    stop = asyncio.Event()
    task = asyncio.create_task(_Folder(source, folder, keep, pace).run(stop), name=f"file-drop-{source}")
    try:
        yield
    finally:
        stop.set()
        await task


class _Folder:
    def __init__(self, source: str, folder: Path, keep: Keep, pace: Pace) -> None:
        self._source = source
        self._folder = folder
        self._keep = keep
        self._pace = pace
        self._seen: dict[str, _Seen] = {}
        self._told: dict[str, str] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Look when the folder says that something changed, and from time to time: not every file system says so."""
        pause = int(min(self._pace.look, self._pace.settle) * 1000)
        await self._look(stop)
        async for _ in awatch(
            self._folder, recursive=False, stop_event=stop, rust_timeout=pause, yield_on_timeout=True, step=20
        ):
            await self._look(stop)

    async def _look(self, stop: asyncio.Event) -> None:
        """Take what is ready, oldest first: a source's later file may rest on an earlier one."""
        now = asyncio.get_running_loop().time()
        found = await asyncio.to_thread(self._files)
        self._seen = {name: seen for name, seen in self._seen.items() if name in found}
        for name, (size, changed) in sorted(found.items(), key=lambda item: (item[1][1], item[0])):
            if stop.is_set():
                return
            seen = self._seen.get(name)
            if seen is None or (seen.size, seen.changed) != (size, changed):
                self._seen[name] = _Seen(size, changed, now + self._pace.settle)
            elif now >= seen.ready:
                taken = await self._take(name, size, changed)
                self._seen[name] = _Seen(size, changed, now + (0 if taken else self._pace.retry))

    def _files(self) -> dict[str, tuple[int, int]]:
        """Name, size and time of the files that are not under way; links are not followed out of the folder."""
        found = {}
        with os.scandir(self._folder) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name.lower().endswith(UNFINISHED):
                    continue
                with contextlib.suppress(FileNotFoundError):
                    if entry.is_file(follow_symlinks=False):
                        state = entry.stat(follow_symlinks=False)
                        found[entry.name] = (state.st_size, state.st_mtime_ns)
        return found

    async def _take(self, name: str, size: int, changed: int) -> bool:
        """Keep one file and move it; False where it has to stay for now."""
        path = self._folder / name
        if size > self._pace.largest:
            return self._left(name, "too-large")
        try:
            body = await asyncio.to_thread(_read, path, size)
            if len(body) != size:
                return False
            digest = sha256(body).hexdigest()
            id = str(uuid.uuid5(_NAMESPACE, f"{self._source}|{name}|{changed}|{digest}"))
            kept = await self._keep(body, media_type(path), "file", id=id)
            await asyncio.to_thread(self._move, path, id)
        except FileNotFoundError:
            return True  # Another process took it.
        except Exception as error:
            return self._left(name, type(error).__name__)
        self._told.pop(name, None)
        log.info("file-kept", source=self._source, inbox_id=kept, bytes=size)
        return True

    def _move(self, path: Path, id: str) -> None:
        """To `done/`, beside an older file of the same name if there is one."""
        target = self._folder / DONE / path.name
        if target.exists():
            target = target.with_name(f"{path.stem}.{id[:8]}{path.suffix}")
        path.replace(target)

    def _left(self, name: str, reason: str) -> bool:
        # Told once, not at each look. The file's name may hold a personnummer, so the log has the folder only.
        if self._told.get(name) != reason:
            self._told[name] = reason
            log.error("file-left", source=self._source, folder=str(self._folder), reason=reason)
        return False


def _read(path: Path, size: int) -> bytes:
    """The file's bytes, and one more where it has grown. What was put in its place meanwhile is not followed."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        return file.read(size + 1)
