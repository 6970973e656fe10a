"""Where the folders lie that the package ships beside its code: conformance, mappings, demo.

In a working copy they lie next to the package, in an installed wheel under `gateway/_shipped`.
"""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def folder(name: str) -> Path:
    """The shipped folder of that name."""
    for candidate in (PACKAGE / "_shipped" / name, PACKAGE.parent / name):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"The package ships no folder {name}: install it again, or run from a working copy.")
