"""`scripts/campaign tasks`: several parties on a few Tasks, step by step, until so many steps are done."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from traceback import format_exception_only, format_tb

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.ingest.campaigns.report import Report
from tests.ingest.campaigns.state import State
from tests.negotiation.machine import Machine, World
from tests.negotiation.process import Nursery

STEPS = 60
SERIES = 20
FRAMES = 4
"""Of where a mistake was noticed, so many are printed."""
LED = 12
"""Of what led to it, so many lines: one of a killed process may not come again."""
KILLS = 25
"""Of so many acts the process is killed during one."""
COUNTED = ("done", "refused", "reported", "killed", "killed_answered", "killed_done")


@contextmanager
def world(database: str | None = None, *, kills: int = 0, seed: int = 0, series: int = 0) -> Iterator[World]:
    """An installation, on SQLite in a folder that goes with it where no database is named.

    Acts are done by processes of their own, killed during one of `kills`; here, where that is 0.
    """
    with ExitStack() as stack:
        nursery = stack.enter_context(Nursery()) if kills else None
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        url = database or f"sqlite:///{folder}/tasks.db"
        made = World(url, nursery, kills=kills, seed=seed, series=series)
        try:
            yield made
        finally:
            made.close()


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


def campaign(url: str | None, *, steps: int, kills: int, seed: int, state: State, say: Callable[[str], None]) -> Report:
    """Rounds until so many steps were done, by this run or those before it; each begins with a gateway opened anew.

    The acts are done by a process of its own, and it is killed during one of `kills`; by none where that is 0.
    """
    report, said = Report(), state.said
    for name in ("rounds", "series", "steps", *COUNTED):
        said.setdefault(name, 0)
    with world(url, kills=kills, seed=seed + said["rounds"], series=said["series"]) as here:
        while said["steps"] < steps:
            for name in COUNTED:
                setattr(here, name, 0)
            try:
                said["steps"] += round_of(here, number=seed * 1_000_000 + said["rounds"])
            except Exception as error:
                report.wrong.append(f"round {said['rounds']} of seed {seed}: {type(error).__name__}: {error}"[:2000])
                say("".join([*format_tb(error.__traceback__)[-FRAMES:], *format_exception_only(error)[-LED:]]))
                break
            said["rounds"] += 1
            said["series"] = here.series
            for name in COUNTED:
                said[name] += getattr(here, name)
            state.save()
            here.reopen()
            if said["rounds"] % 10 == 0:
                say(f"{said['rounds']} rounds, {said['steps']} steps, {said['killed']} kills")
    report.lines.append(f"{said['rounds']} rounds of {SERIES} series of at most {STEPS} steps")
    told = f"{said['done']} commands done, {said['refused']} refused, {said['reported']} reports"
    report.lines.append(f"{said['steps']} steps: {told}; one owner once accepted, nothing lost, the fold in any order")
    if kills:
        found = f"{said['killed_answered']} had answered, {said['killed_done']} had changed what is stored"
        report.lines.append(f"{said['killed']} times kill -9 of the process that did an act: {found}; none did a half")
    return report
