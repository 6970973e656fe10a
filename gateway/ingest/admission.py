"""Which packages a gateway may use as it finds them at its start: those that compile and whose cases hold.

A changed version is tried before it takes another's place (`reload.py`); what lies there at the start takes nobody's
place, so it is tried before its first message is worked, once. A package that is refused has its messages held, whole
and to be replayed; the others go on. What comes with the gateway was tried when it was made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from threading import Lock
from typing import TYPE_CHECKING

from gateway.logs import logger

if TYPE_CHECKING:
    from gateway.mapping import Packages

log = logger(__name__)

Problems = tuple[str, ...]


class Admission:
    """What is wrong with each package; nothing is said of one that has not been looked at."""

    def __init__(self, packages: Packages, broken: Mapping[str, Problems] | None = None, *, own: bool = True) -> None:
        self._packages = packages
        self._broken = dict(broken or {})
        """Those whose manifest cannot be read: they are none of the packages."""
        self._own = own
        self._known: dict[str, Problems] = {}
        self._lock = Lock()
        for id, problems in self._broken.items():
            log.warning("map-refused", package=id, problems=list(problems))

    @property
    def refused(self) -> frozenset[str]:
        """Those that are known to be refused, by id."""
        found = {id for id, package in self._packages.items() if self._known.get(package.hash)}
        return frozenset(found | (self._broken.keys() - self._packages.keys()))

    def problems(self, id: str) -> Problems:
        """Why a package may not be used: empty where it may, or where there is none."""
        package = self._packages.get(id)
        if package is None:
            return self._broken.get(id, ())
        if not self._own:
            return ()
        from gateway.mapping.trial import trial

        with self._lock:
            known = self._known.get(package.hash)
            if known is None:
                known = self._known[package.hash] = tuple(trial(package, needs_case=False))
                if known:
                    log.warning("map-refused", package=id, problems=list(known))
        return known

    def look(self, ids: Iterable[str]) -> None:
        """Try these now, so that the log tells of them before a message comes."""
        for id in ids:
            self.problems(id)
