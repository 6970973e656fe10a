"""Where the tests keep their files: in memory, where there is enough of it.

On a disk a commit takes some milliseconds, and whoever waits for it leaves a core idle.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

FOLDER = Path("/dev/shm")
ENOUGH = 4 << 30
"""Bytes. A whole run takes some 500 MB, and pytest keeps what the last three left behind."""


def use() -> None:
    """Let temporary files be made there, unless TMPDIR says where."""
    if "TMPDIR" not in os.environ and FOLDER.is_dir() and _fits(os.statvfs(FOLDER)):
        os.environ["TMPDIR"] = str(FOLDER)  # For the processes that tests start, too.
        tempfile.tempdir = None  # Found anew.


def _fits(there: os.statvfs_result) -> bool:
    # Some containers forbid to run what lies there.
    fit = os.access(FOLDER, os.W_OK) and not there.f_flag & (os.ST_NOEXEC | os.ST_RDONLY)
    return fit and min(there.f_bavail * there.f_frsize, _available()) > ENOUGH


def _available() -> int:
    """Bytes of memory that are free, or can be at once; none where that is not told."""
    told = Path("/proc/meminfo")
    lines = told.read_text().splitlines() if told.exists() else []
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:")), 0)
