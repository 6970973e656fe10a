"""Kill -9 at random moments: what was acknowledged is there, nothing is there twice, and no number is missing."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from gateway.store import Store

ROOT = Path(__file__).parents[2]
KILLS = 3


def test_what_was_acknowledged_survives_being_killed(database_url: str, tmp_path: Path) -> None:
    acknowledged = tmp_path / "acknowledged"
    acknowledged.touch()
    for _ in range(KILLS):
        before = len(acknowledged.read_bytes())
        writer = subprocess.Popen(
            [sys.executable, "-m", "tests.store.crash_writer", database_url, str(acknowledged)], cwd=ROOT
        )
        while len(acknowledged.read_bytes()) == before:
            time.sleep(0.01)
            assert writer.poll() is None
        time.sleep(random.uniform(0, 0.15))
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
    told = acknowledged.read_text().split()
    with Store.open(database_url) as store:
        store.number_changes()
        changes = store.read(lambda unit: unit.changes.after(0, limit=1_000_000))
        assert [change.seq for change in changes] == list(range(1, len(changes) + 1))
        ids = [change.id for change in changes]
        assert len(ids) == len(set(ids)), "each message took effect once"
        kept = {entry.id for entry in store.read(lambda unit: unit.inbox.entries(limit=1_000_000))}
        assert {id.removeprefix("kept:") for id in told if id.startswith("kept:")} <= kept
        assert {id.removeprefix("saved:") for id in told if id.startswith("saved:")} <= set(ids)
        found = store.read(lambda unit: {one.id for one in unit.resources.all()})
        assert found == set(ids)
        assert store.read(lambda unit: {said.resource_id for said in unit.statements.all()}) == found
        assert store.read(lambda unit: unit.audit.verify()) == []
        events = [row.event for row in store.read(lambda unit: unit.audit.latest(limit=1_000_000))]
        assert sorted(one["wrote"] for one in events if "wrote" in one) == sorted(ids)
        # What was answered is recorded first, in groups; what was not answered any more may be, once.
        answered = [one["answered"] for one in events if "answered" in one]
        assert {id.removeprefix("recorded:") for id in told if id.startswith("recorded:")} <= set(answered)
        assert len(answered) == len(set(answered))
