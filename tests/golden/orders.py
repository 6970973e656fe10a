"""One history, its messages worked through in orders of chance, some of them twice: every answer is to be the same."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.golden.histories import (
    History,
    Opened,
    Told,
    ask,
    directory_of_units,
    histories,
    opened,
    tell,
    tell_disordered,
)
from tests.ingest.campaigns.report import Report
from tests.ingest.campaigns.state import State


@dataclass
class Orders:
    """The history told in order, to compare with: by what is known in the end, for when it is known is what differs."""

    history: History
    directory: Path
    folder: Path
    expected: list[Told | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        with opened(self.history, self.directory, self.folder / "in-order") as on:
            tell(on, self.history)
            self.expected = self._answers(on)

    def differ(self, seed: int) -> list[datetime]:
        """The instants whose answer is another in the order of this seed."""
        folder = self.folder / f"order-{seed}"
        with opened(self.history, self.directory, folder) as on:
            tell_disordered(on, self.history, seed)
            found = zip(self.history.answers, self._answers(on), self.expected, strict=True)
            differing = [answer.at for answer, said, expected in found if said != expected]
        shutil.rmtree(folder)
        return differing

    def _answers(self, on: Opened) -> list[Told | None]:
        return [ask(on, self.history, one.at, self.history.end, one.caller) for one in self.history.answers]


def campaign(*, rounds: int, seed: int, state: State, say: Callable[[str], None]) -> Report:
    """So many orders of each history; those that the state holds are done."""
    report, done = Report(), state.said.setdefault("done", {})
    told = histories()
    with TemporaryDirectory() as folder:
        directory = directory_of_units(Path(folder))
        for history in told:
            if len(done.get(history.name, ())) >= rounds:
                continue
            orders = Orders(history, directory, Path(folder) / "history")
            differing = done.setdefault(history.name, [])
            for number in range(len(differing), rounds):
                differing.append([f"{at:%Y-%m-%d %H:%M}" for at in orders.differ(seed * 1_000_000 + number)])
                state.save()
            say(f"{history.name}: {rounds} orders" + (", WRONG" if any(differing) else ""))
    for history in told:
        wrong = {number: one for number, one in enumerate(done[history.name]) if one}
        report.wrong += [f"{history.name}, order {number}: {', '.join(one)}" for number, one in wrong.items()]
    answers = sum(len(one.answers) for one in told)
    report.lines += [f"{len(told)} golden histories, {answers} answers, {rounds} orders of each, with duplicates"]
    return report
