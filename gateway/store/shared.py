"""Work that is committed in groups: who comes while a commit is under way shares the next one.

Nobody is told that it is done before it is. Nobody waits where nobody commits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Generic, TypeVar

from gateway.errors import Unavailable

T = TypeVar("T")

MOST = 100
"""In one commit."""


@dataclass(slots=True)
class _Waiting(Generic[T]):
    given: T
    done: bool = False
    error: BaseException | None = None


class Shared(Generic[T]):
    """Thread-safe. `write` commits what it is given, or raises and has committed nothing of it."""

    def __init__(self, write: Callable[[Sequence[T]], object]) -> None:
        self._write = write
        self._waiting: deque[_Waiting[T]] = deque()
        self._committing = Lock()

    def commit(self, given: T) -> None:
        """Returns when it is committed."""
        mine = _Waiting(given)
        self._waiting.append(mine)
        with self._committing:  # Whoever comes next commits for all who came meanwhile.
            while not mine.done:
                self._commit([self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))])
        if mine.error is not None:
            raise mine.error

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
