"""Work that is committed in groups: who comes while a commit is under way shares the next one.

Nobody is told that it is done before it is. Who is alone waits for nobody; after a commit of several those are waited
for, a moment, who were just told: they come again, and would else always come just after the next one has begun.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Generic, TypeVar

from gateway.errors import Unavailable

T = TypeVar("T")

MOST = 100
"""In one commit."""
PATIENCE = 0.002
"""Seconds for which those are waited for who were just told."""


class _Waiting(Generic[T]):
    """What somebody gave; `turn` lets go when it is done, or when he commits for all who wait."""

    __slots__ = ("done", "error", "given", "turn")

    def __init__(self, given: T) -> None:
        self.given = given
        self.done = False
        self.error: BaseException | None = None
        self.turn = Lock()
        self.turn.acquire()


class Shared(Generic[T]):
    """Thread-safe. `write` commits what it is given, or raises and has committed nothing of it."""

    def __init__(self, write: Callable[[Sequence[T]], object]) -> None:
        self._write = write
        self._lock = Lock()
        self._waiting: list[_Waiting[T]] = []
        self._led = False
        """Whether somebody commits for all who come."""
        self._gathering: _Waiting[T] | None = None
        """Who does, while he waits for others."""
        self._expected = 1
        """How many he waits for."""

    def commit(self, given: T) -> None:
        """Returns when it is committed."""
        mine = _Waiting(given)
        with self._lock:
            self._waiting.append(mine)
            follows, self._led = self._led, True
            if self._gathering is not None and len(self._waiting) >= self._expected:
                self._gathering.turn.release()
                self._gathering = None
        if follows:
            mine.turn.acquire()
        if not mine.done:
            self._lead(mine)
        if mine.error is not None:
            raise mine.error

    def _lead(self, mine: _Waiting[T]) -> None:
        """Commit for all who wait, and leave it to the first of those who came meanwhile to commit for them."""
        self._gather(mine)
        with self._lock:
            group, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        try:
            self._commit(group)
        finally:
            with self._lock:
                self._expected = min(len(group) + len(self._waiting), MOST)
                following = self._waiting[0] if self._waiting else None
                self._led = following is not None
            for one in group:
                one.turn.release()
            if following is not None:
                following.turn.release()

    def _gather(self, mine: _Waiting[T]) -> None:
        """Wait until as many are there as are expected, or for as long as the patience lasts."""
        if self._are_there(mine) or mine.turn.acquire(timeout=PATIENCE):
            return
        with self._lock:
            told, self._gathering = self._gathering is None, None
        if told:  # As the time ran out, and has let his turn go.
            mine.turn.acquire()

    def _are_there(self, mine: _Waiting[T]) -> bool:
        """Whether all are; if not, who comes last tells him."""
        with self._lock:
            there = len(self._waiting) >= self._expected
            self._gathering = None if there else mine
        return there

    def _commit(self, group: Sequence[_Waiting[T]]) -> None:
        failure: BaseException | None = None
        try:
            self._write([one.given for one in group])
        except BaseException as error:
            nobodys = isinstance(error, Unavailable) or not isinstance(error, Exception)
            if len(group) > 1 and not nobodys:  # It may be one of them alone: each is tried by itself.
                for one in group:
                    self._commit([one])
                return
            failure = error  # Nobody's fault: each by itself would wait as long again.
        for one in group:
            one.error, one.done = failure, True
