"""Questions that are asked one by one and answered in rounds: who asks while a round is under way is in the next.

So what a question costs around its answer (a thread, a query, a commit) is paid once for all that came together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from gateway.errors import Unavailable

Q = TypeVar("Q")
A = TypeVar("A")

MOST = 100
"""Questions in a round."""
AT_ONCE = 1
"""Rounds under way: fewer and larger ones cost less than more and smaller ones."""
PAUSE = 0.001
"""Seconds for which a patient round looks whether more come."""
STILL = 2
"""So many pauses in a row in which nobody came: then it begins."""
PAUSES = 8
"""The most that it waits."""


class Rounds(Generic[Q, A]):
    """For one event loop. `answer` blocks, and returns an answer, or the exception that is one, for each question.

    `patient` rounds wait a moment for those who have just been answered: whoever asks again at once would else always
    come just after the next round has begun, and half of the rounds be small.
    """

    def __init__(self, answer: Callable[[Sequence[Q]], Sequence[A | Exception]], *, patient: bool = False) -> None:
        self._answer = answer
        self._patient = patient
        self._waiting: list[tuple[Q, asyncio.Future[A]]] = []
        self._under_way = 0
        self._tasks: set[asyncio.Task[None]] = set()
        """Held, so that none is collected while it works."""

    async def ask(self, question: Q) -> A:
        future: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, future))
        if self._under_way < AT_ONCE:
            self._under_way += 1
            task = asyncio.create_task(self._run())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await future

    async def _run(self) -> None:
        """Rounds as long as somebody waits. It has ended as soon as nobody does: who asks then begins another."""
        try:
            while self._waiting:
                answered = await self._round()
                if self._patient:
                    await self._gather(min(answered + len(self._waiting), MOST))
        except BaseException as error:
            for _, future in self._waiting:
                _give_up(future, error)
            self._waiting = []
            raise
        finally:
            self._under_way -= 1

    async def _gather(self, there: int) -> None:
        """Wait until as many wait as were there, or no more of them come. Where one was there, nobody is waited for."""
        still = 0 if there > 1 else STILL
        for _ in range(PAUSES):
            waiting = len(self._waiting)
            if waiting >= there or still == STILL:
                return
            await asyncio.sleep(PAUSE)
            still = still + 1 if len(self._waiting) == waiting else 0

    async def _round(self) -> int:
        """Ask for those who wait; how many they were."""
        asked, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        questions = [question for question, _ in asked]
        try:
            answers = await asyncio.get_running_loop().run_in_executor(None, self._all, questions)
        except BaseException as error:
            # Nobody else will answer them: the executor is shut down, or the answers are not one for each.
            for _, future in asked:
                _give_up(future, error)
            if isinstance(error, Exception):
                return len(asked)
            raise
        for (_, future), answer in zip(asked, answers, strict=True):
            if future.done():  # Who asked has gone.
                continue
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)
        return len(asked)

    def _all(self, questions: Sequence[Q]) -> Sequence[A | Exception]:
        try:
            answers = self._answer(questions)
            if len(answers) != len(questions):
                raise RuntimeError(f"{len(questions)} questions have {len(answers)} answers.")
            return answers
        except Unavailable as error:  # Nobody's fault: each by itself would wait as long again.
            return [error] * len(questions)
        except Exception as error:
            if len(questions) == 1:
                return [error]
            # It may be the fault of one of them alone: each is tried by itself.
            return [answer for question in questions for answer in self._all([question])]


def _give_up(future: asyncio.Future[Any], error: BaseException) -> None:
    if future.done():  # Who asked has gone.
        return
    if isinstance(error, Exception):
        future.set_exception(error)
    else:
        future.cancel()
