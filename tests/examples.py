"""Runs the examples of a page of documentation as a reader would: in a clone after `make demo`, its server running.

Blocks marked `sh` and `python` are run, in order, in one shell; blocks marked `console` only show (they need another
machine, or do not end). A curl must get an answer of 2xx, or the status in the comment behind it (`# 404`). A block
marked `output` is what was printed since the one before, or a part of it.

`samverka` is forked from a process that has loaded it: sixty starts would cost more than all else.
"""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FENCE = re.compile(r"^(?P<indent> *)```(?P<kind>\w*)[^\n]*\n(?P<text>.*?)^(?P=indent)```", re.MULTILINE | re.DOTALL)
EXPECTED = re.compile(r"#\s*(\d{3})\s*$")
PATTERNS = {"2": r"2\d\d", "2+": r"2\d\d(?: 2\d\d)*"}
ADDRESS = "127.0.0.1:8000"

CLIENT = """\
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({path!r})
    asked = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(server, [len(asked).to_bytes(4, "big") + asked], [0, 1, 2])
    sys.exit((server.recv(1) or b"\\1")[0])
"""
CURL = '#!/bin/sh\nexec {curl} --max-time 20 --write-out "%{{stderr}}%{{http_code}}\\n" "$@" 2>>"$STATUSES"\n'


@dataclass(frozen=True)
class Block:
    """A fenced block of a page; `line` is where its text begins."""

    kind: str
    text: str
    line: int


def blocks(path: Path) -> list[Block]:
    page = path.read_text(encoding="utf-8")
    return [
        Block(found["kind"], found["text"], page.count("\n", 0, found.start()) + 2) for found in FENCE.finditer(page)
    ]


def script(path: Path) -> str:
    """The page's examples as one shell script."""
    parts = ["set -eu"]  # Not pipefail: what `head` cuts off is no failure, and what curl is answered is looked at.
    for block in blocks(path):
        if block.kind == "sh":
            parts.append(block.text)
        elif block.kind == "python":
            parts.append(f"python3 - <<'END_OF_PYTHON'\n{block.text}END_OF_PYTHON")
    return "\n".join(parts)


def statuses(text: str) -> list[str]:
    """What each curl of a script must be answered, in order: `2`, a whole status, or `2+` where one asks repeatedly."""
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        calls = len(re.findall(r"(?<![\w-])curl ", line))
        if calls and line.lstrip().startswith("until "):
            found.append("2+")
            continue
        expected = EXPECTED.search(line)
        found += ["2"] * (calls - bool(expected)) + ([expected[1]] if calls and expected else [])
    return found


class Clone:
    """A folder that looks like a clone after `make demo`, whose server is at `address`."""

    def __init__(self, folder: Path, address: str, commands: Path) -> None:
        self.folder = folder
        self.address = address
        self._path = f"{commands}:{Path(sys.executable).parent}:{os.environ['PATH']}"

    def run(self, path: Path) -> None:
        """Run a page's examples; AssertionError where one does not do what the page says."""
        text = script(path)
        seen = self.folder / f"statuses-{path.stem}"
        seen.write_text("")
        done = subprocess.run(
            ["bash", "-c", text.replace(ADDRESS, self.address)],
            cwd=self.folder,
            env={"PATH": self._path, "HOME": str(self.folder), "LANG": "C.UTF-8", "STATUSES": str(seen)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,  # Many commands; a busy machine is no fault of the page.
            check=False,
        )
        assert done.returncode == 0, (
            f"{path}: exit code {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        )
        left = done.stdout
        for block in blocks(path):
            if block.kind == "output":
                before, found, left = left.partition(block.text)
                assert found, f"{path}:{block.line}: not printed:\n{block.text}\nbut:\n{before[:2000]}"
        answered = " ".join(seen.read_text().split())
        expected = statuses(text)
        assert re.fullmatch(" ".join(map(PATTERNS.get, expected, expected)), answered), (
            f"{path}: {expected} expected, {answered} answered"
        )


def put_commands(folder: Path, endpoint: Path) -> None:
    """`samverka` and `curl` as the scripts find them."""
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed: apt-get install curl")
    client = f"#!{sys.executable} -IS\n{CLIENT.format(path=str(endpoint))}"
    for name, text in (("samverka", client), ("curl", CURL.format(curl=curl))):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)


def serve_commands(endpoint: str) -> None:
    """Fork a `samverka` for each client, with the client's arguments, folder, environment and streams.

    Ends when standard input does: with the process of the tests, however that ends.
    """
    from gateway import definitions
    from gateway.cli import every, main

    every()
    definitions.load()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(endpoint)
    listener.listen()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        if sys.stdin in ready:
            return
        client, _ = listener.accept()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            code = 1
            try:
                code = _become(client, main)
            finally:
                client.send(bytes([code]))
                os._exit(code)
        client.close()


def _become(client: socket.socket, main: object) -> int:
    asked, streams, _, _ = socket.recv_fds(client, 1 << 20, 3)
    size = int.from_bytes(asked[:4], "big")
    while len(asked) < size + 4:
        asked += client.recv(1 << 20)
    arguments, folder, environment = json.loads(asked[4:])
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["samverka", *arguments]
    try:
        main()  # type: ignore[operator]
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        import traceback

        traceback.print_exc()
        return 70
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


if __name__ == "__main__":
    serve_commands(sys.argv[1])
