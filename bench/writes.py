"""What creates and transactions over REST cost behind the HTTP server, in groups as `rest/rounds.py` makes them.

    python -m bench.writes [--database-url postgresql] [--group 16 --group 8 --group 1] [--count 800]

Prints milliseconds of CPU of this process for each, checks and parsing of the body included; on PostgreSQL the
server's own CPU comes beside it in `bench/serving.py`.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
from collections.abc import Callable, Sequence

import orjson
import structlog

from bench import databases, machine, population
from bench.transactions import ASKING, BASE
from gateway.access.bundled import Bundled
from gateway.access.commands import Body, Create
from gateway.access.together import Sent
from gateway.app import settle, wire
from gateway.fhir.entries import read
from gateway.settings import Settings

PERSONS = 100
WARM = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database-url", default="sqlite", help="sqlite, postgresql, or the URL of a PostgreSQL")
    parser.add_argument("--group", type=int, action="append", help="how many go together; 16, 8 and 1")
    parser.add_argument("--count", type=int, default=800)
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory() as folder:
        name = given.database_url
        url = (
            f"sqlite:///{folder}/bench.db"
            if name == "sqlite"
            else databases.postgresql()
            if "://" not in name
            else name
        )
        print("\n".join(f"{what}: {text}" for what, text in machine.described().items()))
        gateway = wire(Settings(database_url=url, worker=False))
        door = gateway.door
        persons = [Sent(ASKING, "Patient", _person(n), id=population.patient_id(n)) for n in range(PERSONS)]
        _sound(door.store_all(persons))
        settle()

        def create(numbers: Sequence[int]) -> None:
            names = [f"Patient/{population.patient_id(n % PERSONS)}" for n in numbers]
            bodies = [population.observation(n % PERSONS, n, name) for n, name in zip(numbers, names, strict=True)]
            _sound(door.store_all([Sent(ASKING, "Observation", _body(one)) for one in bodies]))

        def bundle(number: int) -> Bundled:
            body = _body(population.transaction(number))
            entries = read(door.parsed("Bundle", body), door.definitions, BASE)
            commands = {
                one.index: Create(resource_type=one.path, resource=door.whole(one.path, one.resource))
                for one in entries
            }
            return Bundled(ASKING, body, commands, entries, BASE)

        def transact(numbers: Sequence[int]) -> None:
            _sound(door.transact_all([bundle(n) for n in numbers]))

        for what, work in (("create", create), ("transaction of 2", transact)):
            for group in given.group or (16, 8, 1):
                _run(work, range(WARM), group)
                began = time.process_time()
                _run(work, range(WARM, WARM + given.count), group)
                each = (time.process_time() - began) / given.count * 1000
                print(f"{what:17} in groups of {group:3} {each:8.3f} ms", flush=True)
        gateway.close()


def _run(work: Callable[[Sequence[int]], None], numbers: Sequence[int], group: int) -> None:
    for start in range(0, len(numbers), group):
        work(numbers[start : start + group])


def _body(resource: object) -> Body:
    return Body(orjson.dumps(resource))


def _person(number: int) -> Body:
    return _body(population.patient(number) | {"id": population.patient_id(number)})


def _sound(answers: Sequence[object]) -> None:
    for one in answers:
        if isinstance(one, Exception):
            raise one


if __name__ == "__main__":
    main()
