"""Resident memory of a server while it is asked all kinds of things whose words do not come back.

    python -m bench.memory [--requests 50000] [--every 5000] [--database postgresql]

Four clients read, search by values and shapes of chance, create, patch, validate, and ask what is refused. What grows
without end beside the database would show as a line that does not bend: caches have bounds, and are full after a while.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from bench import databases, machine
from tests.postgres import free_port

CLIENTS = 4
FHIR, PLAIN = "application/fhir+json", "application/json"
Asked = tuple[str, str, str, object]
"""Method, address, media type and body."""


@dataclass
class Chance:
    """What one client asks."""

    random: random.Random
    patients: list[str] = field(default_factory=list)

    def word(self, length: int = 6) -> str:
        return "".join(self.random.choices("abcdefghijklmnopqrstuvwxyz", k=length))

    def one(self) -> str:
        return self.random.choice(self.patients or ["none"])

    def asked(self) -> Asked:
        kind: Callable[[Chance], Asked] = self.random.choices(KINDS, WEIGHTS)[0]
        return kind(self)


def _got(address: str) -> Asked:
    return "GET", address, FHIR, None


def _search(c: Chance) -> Asked:
    names = c.random.sample(("name", "family", "given", "address", "email", "gender", "name:exact"), k=3)
    return _got(f"/fhir/Patient?{'&'.join(f'{one}={c.word()}' for one in names[: c.random.randint(1, 3)])}")


def _measured(c: Chance) -> Asked:
    value, code = c.random.random() * 100, quote(f"http://loinc.org|{c.word()}")
    return _got(f"/fhir/Observation?code={code}&value-quantity=gt{value}&patient={c.one()}&_sort=-date")


def _create(c: Chance) -> Asked:
    born = f"{c.random.randint(1900, 2025)}-01-0{c.random.randint(1, 9)}"
    patient = {"resourceType": "Patient", "name": [{"family": c.word(8), "given": [c.word()]}], "birthDate": born}
    return "POST", "/fhir/Patient", FHIR, patient


def _patch(c: Chance) -> Asked:
    value = [{"op": "add", "path": "/name/0/text", "value": c.word()}]
    return "PATCH", f"/fhir/Patient/{c.one()}", "application/json-patch+json", value


def _validate(c: Chance) -> Asked:
    profile, extension = f"http://a.example/{c.word()}", {"url": f"http://b.example/{c.word()}", "valueString": "x"}
    patient = {"resourceType": "Patient", "meta": {"profile": [profile]}, "extension": [extension], c.word(): 1}
    return "POST", "/fhir/Patient/$validate", FHIR, patient


def _graphql(c: Chance) -> Asked:
    return "POST", "/fhir/$graphql", PLAIN, {"query": f'{{PatientList(name: "{c.word()}") {{id}}}}'}


MIX: dict[Callable[[Chance], Asked], int] = {
    lambda c: _got(f"/fhir/Patient/{c.one()}"): 25,
    lambda c: _got(f"/fhir/Patient/{c.word(12)}"): 5,
    _search: 20,
    _measured: 10,
    lambda c: _got(f"/fhir/Patient?{c.word()}=1"): 5,
    lambda c: _got(f"/{c.word()}/{c.word()}"): 4,
    lambda c: _got(f"/fhir/Patient?_format={c.word()}"): 3,
    lambda c: _got(f"/fhir/_history?_count=2&_since=2026-0{c.random.randint(1, 9)}-01"): 2,
    _create: 10,
    lambda c: ("POST", "/fhir/Patient", FHIR, {"resourceType": "Patient", c.word(): c.word()}): 3,
    _patch: 3,
    _validate: 7,
    _graphql: 3,
}
"""How often each is asked, of a hundred."""
KINDS, WEIGHTS = tuple(MIX), tuple(MIX.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=50_000)
    parser.add_argument("--every", type=int, default=5_000)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    given = parser.parse_args()
    print("\n".join(f"{name}: {text}" for name, text in machine.described().items()))
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/memory.db" if given.database == "sqlite" else databases.postgresql()
        port = free_port()
        command = [sys.executable, "-m", "gateway", "serve", "--port", str(port), "--database-url", url]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
            try:
                measure(server.pid, port, given.requests, given.every)
            finally:
                server.terminate()


def measure(pid: int, port: int, requests: int, every: int) -> None:
    """Ask, and print what is resident after each so many."""
    until = time.monotonic() + 60
    while not _answers(port) and time.monotonic() < until:
        time.sleep(0.1)
    statuses, lock = Counter[int](), threading.Lock()

    def ask(seed: int) -> None:
        chance, line = Chance(random.Random(seed)), http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for _ in range(requests // CLIENTS):
            method, address, media_type, body = chance.asked()
            line.request(method, address, json.dumps(body) if body else None, {"Content-Type": media_type})
            answer = line.getresponse()
            answer.read()
            if answer.status == 201:
                chance.patients.append(answer.headers["Location"].split("/")[-3])
            with lock:
                statuses[answer.status] += 1
                if (done := statuses.total()) % every == 0:
                    print(f"{done:8} {_resident(pid):6.0f} MB", flush=True)

    print(f"{0:8} {_resident(pid):6.0f} MB", flush=True)
    clients = [threading.Thread(target=ask, args=(seed,)) for seed in range(CLIENTS)]
    for one in clients:
        one.start()
    for one in clients:
        one.join()
    print("answers: " + ", ".join(f"{status} {count}" for status, count in sorted(statuses.items())))


def _answers(port: int) -> bool:
    try:
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        line.request("GET", "/ready")
        return line.getresponse().status == 200
    except OSError:
        return False


def _resident(pid: int) -> float:
    told = Path(f"/proc/{pid}/status").read_text()
    return int(told.partition("VmRSS:")[2].split()[0]) / 1024


if __name__ == "__main__":
    main()
