"""Searches that are asked in rounds (rounds.py) as long as they are quick; those that are not are asked by themselves.

A round is as slow as the slowest in it. What took long once is therefore not asked with others again for a while, nor
is anything of its form: whoever asks for it waits for it alone.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from time import monotonic

from gateway.access.searching import Sought, TakesLong
from gateway.errors import GatewayError
from gateway.rest.rounds import Rounds

Form = tuple[str, ...]

APART = 600.0
"""Seconds for which a form is asked by itself when it took long."""
REMEMBERED = 1000
"""Forms; of more, those that took long lately."""


class Looks:
    """For one event loop."""

    def __init__(
        self,
        answer: Callable[[Sequence[Sought]], Sequence[bytes | GatewayError]],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._rounds: Rounds[Sought, bytes] = Rounds(answer, patient=True)
        self._clock = clock
        self._long: OrderedDict[Form, float] = OrderedDict()
        """When each may be asked with others again."""

    async def ask(self, sought: Sought) -> bytes:
        """The answer. TakesLong where it is to be asked by itself."""
        form = sought.form
        if self._long.get(form, 0.0) > self._clock():
            raise TakesLong()
        try:
            return await self._rounds.ask(sought)
        except TakesLong:
            self._long[form] = self._clock() + APART
            self._long.move_to_end(form)
            if len(self._long) > REMEMBERED:
                self._long.popitem(last=False)
            raise
