"""`samverka serve` as a process of its own, which can be killed as `kill -9` kills it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import httpx

COMMAND = Path(sys.executable).with_name("samverka")
START_SECONDS = 60


class Server:
    """One process at a time, always on the same port; its log goes to one file."""

    def __init__(self, database_url: str, log: Path, **settings: object) -> None:
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port = int(found.getsockname()[1])
        self.address = f"http://127.0.0.1:{self.port}"
        self.log = log
        self._url = database_url
        self._settings = {f"SAMVERKA_{name.upper()}": str(value) for name, value in settings.items()}
        self._process: subprocess.Popen[bytes] | None = None
        self._output: IO[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def start(self) -> float:
        """Start, and wait until it is ready; how long that took."""
        began = time.monotonic()
        self._output = self.log.open("ab")
        self._process = subprocess.Popen(
            [str(COMMAND), "serve", "--port", str(self.port), "--database-url", self._url],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
            env=os.environ | self._settings,
        )
        while time.monotonic() - began < START_SECONDS:
            if self._process.poll() is not None:
                break
            try:
                if httpx.get(f"{self.address}/ready", timeout=2).status_code == 200:
                    return time.monotonic() - began
            except httpx.HTTPError:
                time.sleep(0.02)
        raise RuntimeError(f"the server did not start:\n{self.log.read_text()[-2000:]}")

    def kill(self) -> None:
        """No code of ours runs after this."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None
        if self._output is not None:
            self._output.close()
            self._output = None
