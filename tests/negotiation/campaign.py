"""`scripts/campaign tasks`: several parties on a few Tasks, step by step, until so many steps are done."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.ingest.campaigns.report import Report
from tests.ingest.campaigns.state import State
from tests.negotiation.machine import Machine, World

STEPS = 60
SERIES = 20


@contextmanager
def world(database: str | None = None) -> Iterator[World]:
    """An installation, on SQLite in a folder that goes with it where no database is named."""
    with tempfile.TemporaryDirectory() as folder:
        made = World(database or f"sqlite:///{folder}/tasks.db")
        try:
            yield made
        finally:
            made.gateway.close()


def round_of(here: World, *, number: int, series: int = SERIES, steps: int = STEPS) -> int:
    """One seeded round; AssertionError where something does not hold, after the steps that lead there."""

    class Round(Machine):
        pass

    Round.world = here
    before = here.steps
    chosen = settings(
        max_examples=series,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate,),
        print_blob=False,
    )
    run_state_machine_as_test(seed(number)(Round), settings=chosen)
    return here.steps - before


def campaign(url: str | None, *, steps: int, seed: int, state: State, say: Callable[[str], None]) -> Report:
    """Rounds until so many steps were done, by this run or those before it; each begins with a gateway opened anew."""
    report, said = Report(), state.said
    for name in ("rounds", "steps", "done", "refused", "reported"):
        said.setdefault(name, 0)
    with world(url) as here:
        while said["steps"] < steps:
            here.done = here.refused = here.reported = 0
            try:
                said["steps"] += round_of(here, number=seed * 1_000_000 + said["rounds"])
            except Exception as error:
                report.wrong.append(f"round {said['rounds']} of seed {seed}: {type(error).__name__}: {error}"[:2000])
                break
            said["rounds"] += 1
            for name in ("done", "refused", "reported"):
                said[name] += getattr(here, name)
            state.save()
            here.reopen()
            if said["rounds"] % 10 == 0:
                say(f"{said['rounds']} rounds, {said['steps']} steps")
    report.lines.append(f"{said['rounds']} rounds of {SERIES} series of at most {STEPS} steps")
    told = f"{said['done']} commands done, {said['refused']} refused, {said['reported']} reports"
    report.lines.append(f"{said['steps']} steps: {told}; one owner once accepted, nothing lost, the fold in any order")
    return report
