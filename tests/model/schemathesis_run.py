"""`scripts/campaign schemathesis`: requests made from the OpenAPI document, by schemathesis, against a live server.

It looks for a 5xx and for an answer that the document does not tell of: a status, a format, a header, a body that is
not by its schema, a method that is taken although the document has none. What breaks a schema must be refused.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.ingest.campaigns.report import Report
from tests.ingest.campaigns.state import State
from tests.model.campaign import served

CONFIG = Path(__file__).with_name("schemathesis.toml")
TYPES = ("", "Patient", "Task", "CarePlan", "Encounter", "Organization", "Observation", "Binary")
"""The document of everything, and those of some types, one a round."""
LONGEST_SECONDS = 3600
EXAMPLES = 30
"""Requests that are made up for each operation, beside those of the coverage phase."""
_CASES = re.compile(r"(\d+) generated")


def run(
    base: str, *, resource_type: str = "", seed: int = 1, examples: int = 5, phases: str = "", only: str = ""
) -> tuple[int, str]:
    """How many requests were made, and what was found; nothing where all agree. `only` is of the operations' ids."""
    document = f"{base}/openapi.json" + (f"?type={resource_type}" if resource_type else "")
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        f"--config-file={CONFIG}",
        "--no-color",
        "run",
        document,
        f"--seed={seed}",
        f"--max-examples={examples}",
        "--continue-on-failure",
        # They are about how fast bodies are made up, and how many are thrown away: our schemas are large, and strict.
        "--suppress-health-check=all",
        "--no-shrink",
    ]
    if phases:
        command.append(f"--phases={phases}")
    if only:
        command.append(f"--include-operation-id-regex={only}")
    with TemporaryDirectory() as folder:  # What it keeps of its runs goes with it.
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LONGEST_SECONDS, cwd=folder)
    made = _CASES.search(done.stdout)
    return int(made[1]) if made else 0, "" if done.returncode == 0 else done.stdout + done.stderr


def campaign(*, rounds: int, seed: int, state: State, say: Callable[[str], None]) -> Report:
    """Each round is one document, with a seed of its own."""
    report = Report()
    said = state.said
    said.setdefault("rounds", 0)
    said.setdefault("requests", 0)
    with served() as base:
        while said["rounds"] < rounds:
            kind = TYPES[said["rounds"] % len(TYPES)]
            made, found = run(base, resource_type=kind, seed=seed * 1000 + said["rounds"], examples=EXAMPLES)
            if found:
                report.wrong.append(f"round {said['rounds']} ({kind or 'everything'}):\n{found}")
                break
            said["rounds"] += 1
            said["requests"] += made
            state.save()
            say(f"round {said['rounds']} ({kind or 'everything'}): {made} requests")
    report.lines.append(f"{said['requests']} requests in {said['rounds']} rounds, none disagrees with the document")
    return report
