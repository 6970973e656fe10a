"""Altered maps, FHIRPath expressions, StructureMaps and messages, read, compiled and run in this one process."""

from __future__ import annotations

import resource
import time
from collections import Counter
from collections.abc import Callable

from tests.ingest.campaigns.report import Report
from tests.ingest.campaigns.state import State
from tests.mapping.fuzz import Tally
from tests.mapping.fuzz import campaign as tried

PER_ROUND = 100
"""Cases of each kind in a round."""


def campaign(*, rounds: int, seed: int, state: State, say: Callable[[str], None]) -> Report:
    """Rounds of cases, from where the state says that they ended; what was wrong is told at once and at the end."""
    said = state.said
    for name, empty in {"round": 0, "outcomes": {}, "wrong": [], "slowest": [0.0, ""], "cpu": 0.0}.items():
        said.setdefault(name, empty)
    for number in range(said["round"], rounds):
        tally, began = Tally(), time.process_time()
        tried(tally, seed=seed, first=number * PER_ROUND, count=PER_ROUND)
        said["outcomes"] = dict(sorted((Counter(said["outcomes"]) + tally.outcomes).items()))
        said["wrong"] += tally.wrong
        said["slowest"] = max(said["slowest"], list(tally.slowest))
        said["cpu"] += time.process_time() - began
        said["round"] = number + 1
        state.save()
        say(f"round {number + 1:4}: {said['cpu']:.0f} s of CPU" + "".join(f"\nWRONG {one}" for one in tally.wrong))
    lines = [f"{count:7,} {outcome}" for outcome, count in said["outcomes"].items()]
    lines.append(f"slowest: {said['slowest'][0]:.2f} s of CPU ({said['slowest'][1]})")
    lines.append(f"{said['cpu']:.0f} s of CPU in all rounds")
    lines.append(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB at most")
    return Report(lines, list(said["wrong"]))
