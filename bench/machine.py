"""Where a figure was measured: it means nothing without its machine, versions and commit."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path


def described() -> dict[str, str]:
    """What stands above every table."""
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "commit": _commit(),
        "machine": f"{os.cpu_count()} cores, {_processor()}, {_memory()}",
        "versions": ", ".join(
            (
                _interpreter(),
                f"SQLite {sqlite3.sqlite_version}",
                f"SQLAlchemy {version('sqlalchemy')}",
                f"psycopg {version('psycopg')}",
            )
        ),
    }


def _interpreter() -> str:
    """Which one and whose: Debian's own, in /usr, takes a quarter less CPU than one built with `configure` as it is."""
    name = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{name} of {sys.base_prefix} ({platform.python_compiler()}, built {platform.python_build()[1]})"


def _commit() -> str:
    asked = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip() or "unknown"


def _processor() -> str:
    return _line("/proc/cpuinfo", "model name") or platform.processor() or platform.machine()


def _memory() -> str:
    kilobytes = _line("/proc/meminfo", "MemTotal").partition(" ")[0]
    return f"{int(kilobytes) / 2**20:.0f} GB" if kilobytes else "memory unknown"


def _line(path: str, name: str) -> str:
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")
