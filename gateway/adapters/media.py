"""The media type of a file by its name: what comes as a file has nobody else to say it."""

from __future__ import annotations

from pathlib import Path

MEDIA_TYPES = {
    ".csv": "text/csv",
    ".hl7": "x-application/hl7-v2+er7",
    ".json": "application/json",
    ".ndjson": "application/x-ndjson",
    ".xml": "application/xml",
}
"""The same on every machine, unlike what its operating system knows of names."""


def media_type(path: Path) -> str:
    return MEDIA_TYPES.get(path.suffix.lower(), "application/octet-stream")
