"""Bulk import and export: CPU a resource and resident memory, step by step as the database grows.

    python -m bench.bulk [--resources 20000] [--step 10000] [--database sqlite|postgresql]... [--state FOLDER] [--json]

Each step is a file of `bench.population`, imported by the engine of `samverka import` in a process of its own; in the
end everything is exported by the engine of `samverka export`. CPU is that of the process, and beside it PostgreSQL's.
With `--state` the databases and the figures stay in the folder: cut off, or with more `--resources`, the next run goes
on where it was. So a million resources can be measured in several sittings.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from bench import databases, machine, population
from bench.serving import postgres_process, spent_with_children
from gateway.access.caller import OPERATOR, Asking
from gateway.access.export_files import line
from gateway.access.exporting import Wanted
from gateway.access.importing import Input
from gateway.app import settle, wire
from gateway.fhir.view import WHOLE
from gateway.settings import Settings

NAMES = ("sqlite", "postgresql")


@dataclass(frozen=True, slots=True)
class Step:
    """What one import, or one export, took. CPU is in seconds."""

    database: str
    what: str
    first: int
    resources: int
    counted: int
    """Those that the figures are of: less where an earlier run was cut off within the step."""
    cpu: float
    database_cpu: float
    wall: float
    peak_mb: float

    def line(self) -> str:
        def each(seconds: float) -> str:
            return f"{1000 * seconds / max(self.counted, 1):10.3f}"

        figures = " ".join(map(each, (self.cpu, self.database_cpu, self.wall)))
        return f"{self.database:10} {self.what:7} {self.first + self.resources:9} {figures} {self.peak_mb:8.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resources", type=int, default=20_000)
    parser.add_argument("--step", type=int, default=10_000)
    parser.add_argument("--database", action="append", choices=NAMES)
    parser.add_argument("--state", type=Path, help="a folder that the databases and figures stay in")
    parser.add_argument("--json", action="store_true", help="print JSON for machines")
    parser.add_argument("--do", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.do:
        what, url, first = given.do
        print(json.dumps(done(what, url, int(first), given.step)))
        return
    with _folder(given.state) as folder:
        rows = [row for name in given.database or NAMES for row in measured(name, folder, given.resources, given.step)]
    if given.json:
        print(json.dumps(machine.described() | {"rows": [asdict(row) for row in rows]}, indent=2))
        return
    print("\n".join(f"{name}: {text}" for name, text in machine.described().items()))
    print(f"{'':10} {'':7} {'':9} {'ms a resource':>32}")
    print(f"{'database':10} {'what':7} {'resources':>9} {'CPU':>10} {'its server':>10} {'wall':>10} {'peak MB':>8}")
    print("\n".join(row.line() for row in rows))


def measured(name: str, folder: Path, resources: int, step: int) -> Iterator[Step]:
    """The steps that were measured before, and those that are not yet; the export once all of them are there."""
    place = folder / f"{name}.json"
    rows = [Step(**one) for one in json.loads(place.read_text())] if place.exists() else []
    rows = [row for row in rows if row.what == "import"]
    with _database(name, folder) as (url, server):
        while (first := sum(row.resources for row in rows)) < resources:
            rows.append(_measured(name, "import", url, server, first, min(step, resources - first)))
            place.write_text(json.dumps([asdict(row) for row in rows]))
        rows.append(_measured(name, "export", url, server, 0, first))
        place.write_text(json.dumps([asdict(row) for row in rows]))
    yield from rows


def _measured(name: str, what: str, url: str, server: int | None, first: int, count: int) -> Step:
    """One step in a process of its own."""
    before = spent_with_children(server) if server else 0.0
    command = [sys.executable, "-m", "bench.bulk", "--step", str(count), "--do", what, url, str(first)]
    told = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    after = spent_with_children(server) if server else 0.0
    return Step(
        name,
        what,
        first,
        told["resources"],
        told["counted"],
        told["cpu"],
        after - before,
        told["wall"],
        told["peak_mb"],
    )


def done(what: str, url: str, first: int, count: int) -> dict[str, Any]:
    """Import or export, here and now; what it took, the start of the gateway left out."""
    gateway = wire(Settings(database_url=url, worker=False))
    settle()
    asking = Asking(OPERATOR, what, request_id="bench")
    body = b"".join(_lines(first, count)) if what == "import" else b""
    began, spent, before = time.perf_counter(), time.process_time(), 0
    if what == "import":
        begun = gateway.door.begin_import(asking, [Input(f"from {first}", hash=str(first))])
        before = begun.total.stored
        gateway.door.import_file(asking, begun.id, 0, BytesIO(body))
        total = gateway.door.end_import(begun.id).total
        assert (total.stored, total.held) == (count, 0)
        resources = total.stored
    else:
        id = gateway.door.export(asking, Wanted("system"), url="bench", base="")
        gateway.jobs(exports=True).run_due()
        found, resources = gateway.door.exported(asking, id), 0
        with tempfile.TemporaryFile() as to:
            for file in found.files or ():
                for batch in gateway.door.exported_lines(asking, found, file):
                    to.write(b"".join(line(version, WHOLE, gateway.definitions) for version in batch))
                    resources += len(batch)
        gateway.door.drop_export(asking, id)
    took = {"cpu": time.process_time() - spent, "wall": time.perf_counter() - began}
    gateway.close()
    return {"resources": resources, "counted": resources - before, **took, "peak_mb": _peak_mb()}


def _lines(first: int, count: int) -> Iterator[bytes]:
    """So many resources of the population, from one on."""
    person, skipped = divmod(first, population.EACH)
    left = count
    while left:
        for resource in [*population.of(person)][skipped : skipped + left]:
            yield json.dumps(resource).encode() + b"\n"
            left -= 1
        person, skipped = person + 1, 0


def _peak_mb() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(one.split()[1]) for one in lines if one.startswith("VmHWM")) / 1024


@contextmanager
def _database(name: str, folder: Path) -> Iterator[tuple[str, int | None]]:
    """The URL, and the process of the server where there is one."""
    if name == "sqlite":
        yield f"sqlite:///{folder}/bulk.db", None
        return
    with databases.kept(folder) as server:
        yield f"{server}/postgres", postgres_process(folder)


@contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    if given is not None:
        given.mkdir(parents=True, exist_ok=True)
        yield given
        return
    made = Path(tempfile.mkdtemp(prefix="bulk-"))
    made.chmod(0o755)  # PostgreSQL runs as a user of its own.
    yield made
    shutil.rmtree(made)


if __name__ == "__main__":
    main()
