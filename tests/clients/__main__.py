"""`make test-clients`: every client against one live server; ends with 1 where one of them finds it wrong.

What a client needs is put under var/clients, by its lock file, all clients at once; they run one after the other.
`--fetch` does nothing but that. What was fetched for the same lock file is not fetched again.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
KEPT = ROOT / "var/clients"
LONGEST_SECONDS = 420


NPM = ("npm", "ci", "--omit=optional", "--no-audit", "--no-fund", "--silent", "--cache", "../npm")
MVN = ("mvn", "--quiet", "--batch-mode", "-Dmaven.repo.local=../maven", "dependency:copy-dependencies")
PIP = ("bin/pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile", "--require-hashes", "-r")


@dataclass(frozen=True, slots=True)
class Fetch:
    """How a folder under var/clients gets what its clients need: the programs for it, and the commands."""

    needs: tuple[str, ...]
    commands: tuple[Sequence[str], ...]

    @property
    def missing(self) -> list[str]:
        return [program for program in self.needs if shutil.which(program) is None]


FETCHES = {
    "python": Fetch((), ((str(ROOT / "scripts/make-venv"), "."), (*PIP, str(ROOT / "requirements-clients.lock")))),
    "fhirclient-js": Fetch(("node", "npm"), (NPM,)),
    "fhir-kit-client": Fetch(("node", "npm"), (NPM,)),
    "hapi": Fetch(("javac", "mvn"), ((*MVN, "-DoutputDirectory=lib"),)),
}
"""By folder; what lies in tests/clients under the same name is copied there first."""

CLIENTS: dict[str, tuple[str, Sequence[str]]] = {
    "fhirclient-py": ("python", ("bin/python", str(HERE / "fhirclient-py/client.py"))),
    "fhirpy": ("python", ("bin/python", str(HERE / "fhirpy/client.py"))),
    "gql": ("python", ("bin/python", str(HERE / "gql/client.py"))),
    "smart-fetch": ("python", ("bin/python", str(HERE / "smart-fetch/client.py"))),
    "fhirclient-js": ("fhirclient-js", ("node", "client.mjs")),
    "fhir-kit-client": ("fhir-kit-client", ("node", "client.mjs")),
    "hapi": ("hapi", ("java", "-XX:TieredStopAtLevel=1", "-cp", "lib/*", "HapiClient.java")),
}
"""By name: the folder that it runs in, and its command, which is given the server's address."""


def main(given: Sequence[str]) -> int:
    names = [name for name in given if name != "--fetch"]
    wanted = [name for name in CLIENTS if not names or name in names]
    present = [name for name in wanted if not _skipped(name)]
    began = time.monotonic()
    folders = sorted({CLIENTS[name][0] for name in present})
    with ThreadPoolExecutor() as together:
        problems = dict(zip(folders, together.map(_fetch, folders), strict=True))
    print(f"fetched in {time.monotonic() - began:.0f} s", flush=True)
    for folder, problem in problems.items():
        if problem:
            print(f"{folder}: cannot be fetched\n{problem}")
    if "--fetch" in given:
        return 1 if any(problems.values()) else 0
    wrong = [name for name in present if problems[CLIENTS[name][0]]]
    with _served() as base:
        wrong += [name for name in present if name not in wrong and not _run(name, base)]
    print(f"WRONG: {', '.join(wrong)}" if wrong else f"{len(present)} clients find the server right")
    return 1 if wrong else 0


@contextmanager
def _served() -> Iterator[str]:
    """The address of a server."""
    import structlog  # What fetches does not need it, and goes by beside the installation.

    from gateway.app import background, wire
    from gateway.settings import Settings

    def drop(*_: object) -> None:
        raise structlog.DropEvent

    structlog.configure(processors=[drop])
    with tempfile.TemporaryDirectory() as folder:
        gateway = wire(Settings(database_url=f"sqlite:///{folder}/clients.db"))
        try:
            with background(gateway) as base:
                yield f"{base}/fhir"
        finally:
            gateway.close()


def _skipped(name: str) -> bool:
    missing = FETCHES[CLIENTS[name][0]].missing
    if missing:
        print(f"{name}: SKIPPED, {', '.join(missing)} not installed: scripts/test-needs --clients")
    return bool(missing)


def _fetch(name: str) -> str:
    """Fetch what a folder needs; what was printed where that fails."""
    folder = KEPT / name
    wanted = _wanted(name)
    done_before = folder / ".fetched"
    if done_before.exists() and done_before.read_text() == wanted:
        return ""
    folder.mkdir(parents=True, exist_ok=True)
    if (HERE / name).is_dir():
        shutil.copytree(HERE / name, folder, dirs_exist_ok=True)
    for command in FETCHES[name].commands:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=LONGEST_SECONDS)
        if done.returncode:
            return done.stdout + done.stderr
    done_before.write_text(wanted)
    return ""


def _wanted(name: str) -> str:
    """What decides on what is fetched, and on what is run: the commands, and every file that they are given."""
    files = [ROOT / "requirements-clients.lock", *sorted(one for one in (HERE / name).rglob("*") if one.is_file())]
    told = hashlib.sha256(repr(FETCHES[name].commands).encode())
    for file in files:
        told.update(file.name.encode() + b"\0" + file.read_bytes())
    return told.hexdigest()


def _run(name: str, base: str) -> bool:
    folder, command = CLIENTS[name]
    print(f"{name}:", flush=True)
    began = time.monotonic()
    done = subprocess.run([*command, base], cwd=KEPT / folder, check=False, timeout=LONGEST_SECONDS)
    print(f"  {'right' if done.returncode == 0 else 'WRONG'}, {time.monotonic() - began:.1f} s", flush=True)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
