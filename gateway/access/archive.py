"""Packages as they were archived: an older version that can be run again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gateway.definitions import Definitions
from gateway.mapping import Package
from gateway.mapping.files import Files
from gateway.mapping.package import COMMON
from gateway.store import ArchivedMap


class _Archived(Files):
    """A package's files as they were archived."""

    def __init__(self, folder: str, texts: Mapping[str, str]) -> None:
        super().__init__(Path(folder))
        self.texts = {name: text for name, text in texts.items() if name.startswith(f"{folder}/")}


def unpacked(archived: ArchivedMap, definitions: Definitions) -> Package:
    """The package, to be run as it was then."""
    own = next(name.removesuffix("/map.yaml") for name in archived.files if name.endswith("/map.yaml"))
    return Package(_Archived(own, archived.files), _Archived(COMMON, archived.files), definitions)
