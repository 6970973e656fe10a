"""Ingest end to end: keep, parse, map, resolve, state, agree, index, save; audit on, durable commits.

    python -m bench.ingest [--records 10000] [--package NAME …] [--database-url URL]

Records per second of CPU is what counts: the machines are shared and noisy. Each package starts with an empty database.
"""

from __future__ import annotations

import argparse
import logging
import os
import platform
import resource
import sqlite3
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import structlog
from sqlalchemy import create_engine, make_url, text

from bench.generate import GENERATORS, generate
from gateway.app import wire
from gateway.settings import Settings
from gateway.tables import metadata


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--package", action="append", choices=list(GENERATORS))
    parser.add_argument("--database-url", default="sqlite")
    parser.add_argument("--profile", action="store_true", help="print where the time goes")
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    print(
        f"{platform.python_implementation()} {platform.python_version()}, SQLite {sqlite3.sqlite_version}, "
        f"{os.cpu_count()} cores, {platform.machine()}, {given.database_url.partition(':')[0]}"
    )
    print(
        f"{'package':16} {'records':>8} {'held':>5} {'statements':>10} {'resources':>9} "
        f"{'seconds':>8} {'rec/s':>7} {'CPU ms/rec':>10} {'rec/CPU s':>9}"
    )
    for package in given.package or GENERATORS:
        _run(package, given.records, given.database_url, given.profile)
    print(f"peak resident memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def _run(package: str, count: int, database_url: str, profiled: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/bench.db" if database_url == "sqlite" else database_url
        _empty(url)
        gateway = wire(Settings(database_url=url), clock=lambda: datetime.now(UTC))
        source = gateway.sources.get(package)
        messages = list(generate(package, count))
        # Compile the maps first: a service does that once.
        for message in generate(package, 1, seed=2):
            gateway.ingest.process(gateway.ingest.keep(source, message.body, "application/octet-stream"))
        items = held = statements = resources = 0
        profile = None
        if profiled:
            import cProfile

            profile = cProfile.Profile()
        began, cpu = time.perf_counter(), time.process_time()
        for message in messages:
            kept = gateway.ingest.keep(source, message.body, "application/octet-stream")
            if profile:
                profile.enable()
            outcome = gateway.ingest.process(kept)
            if profile:
                profile.disable()
            items += outcome.items
            held += outcome.held
            statements += outcome.statements
            resources += outcome.resources
        seconds, used = time.perf_counter() - began, time.process_time() - cpu
        gateway.close()
    print(
        f"{package:16} {items:8} {held:5} {statements:10} {resources:9} {seconds:8.1f} {items / seconds:7.0f} "
        f"{1000 * used / items:10.3f} {items / used:9.0f}",
        flush=True,
    )
    if profile:
        import pstats

        pstats.Stats(profile, stream=sys.stdout).sort_stats("tottime").print_stats(30)


def _empty(url: str) -> None:
    """An empty schema on PostgreSQL; a new file needs nothing."""
    if make_url(url).get_backend_name() == "postgresql":
        engine = create_engine(url)
        with engine.begin() as connection:
            there = connection.execute(text("SELECT to_regclass('inbox')")).scalar()
            if there:
                names = ", ".join(f'"{name}"' for name in metadata.tables)
                connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY"))
        engine.dispose()
    else:
        Path(url.removeprefix("sqlite:///")).unlink(missing_ok=True)


if __name__ == "__main__":
    main()
