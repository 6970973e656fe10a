"""`scripts/campaign KIND`: run one of the campaigns, print what was shown, end with 1 where something was wrong."""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog

from tests.golden import explained
from tests.golden import orders as golden
from tests.ingest.campaigns import fuzz, fuzz_maps, kill, large, orders
from tests.ingest.campaigns.database import database
from tests.ingest.campaigns.report import Report
from tests.ingest.campaigns.state import State
from tests.model import campaign as model
from tests.model import schemathesis_run
from tests.negotiation import campaign as negotiation


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="scripts/campaign", description="Long tests. Each is seeded, keeps its state in a file and resumes."
    )
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--rounds", type=int, default=10)
    shared.add_argument("--seed", type=int, default=1)
    shared.add_argument("--state", type=Path, help="a file; a campaign that was stopped goes on from it")
    shared.add_argument("--database", default="sqlite", help="sqlite, postgresql (one of its own) or a URL")
    kinds = parser.add_subparsers(dest="kind", required=True)
    killing = kinds.add_parser("kill", parents=[shared], help="kill -9 of the server during ingest")
    killing.add_argument("--longest", type=float, default=3, help="seconds from the first acknowledgement to the kill")
    kinds.add_parser(
        "orders", parents=[shared], help="random orders of arrival; with PostgreSQL, two processes that share them"
    )
    kinds.add_parser("fuzz", parents=[shared], help="altered messages of every package")
    kinds.add_parser("fuzz-maps", parents=[shared], help="altered maps, FHIRPath, StructureMaps and sources; no server")
    modelled = kinds.add_parser("model", parents=[shared], help="a state machine against a model of the specification")
    modelled.add_argument("--requests", type=int, default=50_000, help="in place of rounds")
    parties = kinds.add_parser("tasks", parents=[shared], help="several parties, their systems and mishaps on Tasks")
    parties.add_argument("--steps", type=int, default=100_000, help="in place of rounds")
    parties.add_argument("--kills", type=int, default=negotiation.KILLS, help="acts for each kill -9; none if 0")
    kinds.add_parser("schemathesis", parents=[shared], help="requests made from the OpenAPI document")
    kinds.add_parser(
        "explain", parents=[shared], help="each value of each golden history, led back to its source; once"
    )
    kinds.add_parser("golden", parents=[shared], help="each golden history in random orders; rounds are of each")
    many = kinds.add_parser(
        "large", parents=[shared], help="a large database of all packages, and what is linked in it"
    )
    many.add_argument("--records", type=int, default=100_000, help="in place of rounds")
    many.add_argument("--synthea", type=Path, default=large.SYNTHEA, help="a folder of Bundles")
    given = parser.parse_args()
    structlog.configure(processors=[orders.drop])
    began, cpu = time.monotonic(), time.process_time()
    print(
        f"campaign {given.kind}, seed {given.seed}, {given.rounds} rounds, {given.database.partition(':')[0]}",
        flush=True,
    )
    report = _run(given)
    for line in report.lines:
        print(line)
    for wrong in report.wrong:
        print(f"WRONG {wrong}")
    seconds, used = time.monotonic() - began, time.process_time() - cpu
    print(f"{len(report.wrong)} things wrong; {seconds:.0f} s, {used:.0f} s of CPU in this process")
    sys.exit(bool(report.wrong))


def _run(given: argparse.Namespace) -> Report:
    if given.kind == "fuzz-maps":
        state = State(given.state, kind=given.kind, seed=given.seed)
        return fuzz_maps.campaign(rounds=given.rounds, seed=given.seed, state=state, say=_say)
    if given.kind == "explain":
        return explained.campaign(state=State(given.state, kind=given.kind), say=_say)
    if given.kind == "golden":
        state = State(given.state, kind=given.kind, seed=given.seed)
        return golden.campaign(rounds=given.rounds, seed=given.seed, state=state, say=_say)
    if given.kind == "schemathesis":
        state = State(given.state, kind=given.kind, seed=given.seed)
        return schemathesis_run.campaign(rounds=given.rounds, seed=given.seed, state=state, say=_say)
    if given.kind == "model":
        state = State(given.state, kind=given.kind, seed=given.seed, database=given.database)
        url = None if given.database == "sqlite" else database(given.database, given.state)
        return model.campaign(url, requests=given.requests, seed=given.seed, state=state, say=_say)
    if given.kind == "tasks":
        state = State(given.state, kind=given.kind, seed=given.seed, database=given.database)
        url = None if given.database == "sqlite" else database(given.database, given.state)
        many = {"steps": given.steps, "kills": given.kills, "seed": given.seed}
        return negotiation.campaign(url, **many, state=state, say=_say)
    if given.kind == "large":
        state = State(given.state, kind=given.kind, seed=given.seed, records=given.records)
        with nullcontext(given.state.parent) if given.state else TemporaryDirectory() as folder:
            told = {"records": given.records, "seed": given.seed, "synthea": given.synthea}
            return large.campaign(Path(folder), **told, state=state, say=_say)
    if given.kind == "orders" and given.database == "sqlite":
        state = State(given.state, kind="orders", seed=given.seed)
        return orders.campaign(rounds=given.rounds, seed=given.seed, state=state, say=_say)
    url = database(given.database, given.state)
    if given.kind == "orders":
        return orders.interleaved(url, seed=given.seed)
    state = State(given.state, kind=given.kind, seed=given.seed, database=url)
    if given.kind == "fuzz":
        return fuzz.campaign(url, rounds=given.rounds, seed=given.seed, state=state, say=_say)
    return kill.campaign(url, rounds=given.rounds, seed=given.seed, longest=given.longest, state=state, say=_say)


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
