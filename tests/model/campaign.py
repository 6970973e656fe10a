"""`scripts/campaign model`: the state machine against a live server until so many requests are made, round by round."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from gateway.app import background, wire
from gateway.settings import Settings
from tests.ingest.campaigns.report import Report
from tests.ingest.campaigns.state import State
from tests.model.machine import Machine

STEPS = 50
SERIES = 20


@contextmanager
def served(database: str | None = None) -> Iterator[str]:
    """A server of its own, on SQLite in a folder that goes with it where no database is named."""
    with tempfile.TemporaryDirectory() as folder:
        gateway = wire(Settings(database_url=database or f"sqlite:///{folder}/model.db", worker=False))
        try:
            with background(gateway) as base:
                yield base
        finally:
            gateway.close()


def round_of(base: str, *, number: int, series: int = SERIES, steps: int = STEPS) -> int:
    """One seeded round; AssertionError where an answer is not the foretold one, after the steps that lead there."""
    with httpx.Client(base_url=base, headers={"content-type": "application/fhir+json"}, timeout=60) as client:

        class Round(Machine):
            pass

        Round.client = client
        before = Machine.requests
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
        return Machine.requests - before


def campaign(url: str | None, *, requests: int, seed: int, state: State, say: Callable[[str], None]) -> Report:
    """Rounds until so many requests were made, by this run or those before it."""
    report = Report()
    said = state.said
    said.setdefault("rounds", 0)
    said.setdefault("requests", 0)
    with served(url) as base:
        while said["requests"] < requests:
            try:
                said["requests"] += round_of(base, number=seed * 1_000_000 + said["rounds"])
            except Exception as error:
                report.wrong.append(f"round {said['rounds']} of seed {seed}: {type(error).__name__}: {error}"[:2000])
                break
            said["rounds"] += 1
            state.save()
            if said["rounds"] % 10 == 0:
                say(f"{said['rounds']} rounds, {said['requests']} requests")
    report.lines.append(f"{said['rounds']} rounds of {SERIES} series of at most {STEPS} steps")
    report.lines.append(f"{said['requests']} requests, each answer as the model foretold, no 5xx")
    return report
