"""What must be done from time to time beside ingest: numbering the change log, sealing the audit trail."""

from __future__ import annotations

from time import monotonic

from gateway.store import Store, UnitOfWork

SEAL_SECONDS = 600.0
"""How long the end of an audit chain stays unsealed: what is cut off before its seal can go unnoticed."""
SEALING = "audit-seal"


class Housekeeping:
    """For one process; any number of processes may keep house on one database."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._sealed = monotonic()

    def run(self) -> None:
        """Do what is due."""
        self._store.number_changes()
        if monotonic() - self._sealed >= SEAL_SECONDS:
            self.seal()

    def seal(self) -> None:
        self._sealed = monotonic()
        self._store.write(_seal)


def _seal(uow: UnitOfWork) -> None:
    uow.lock([SEALING])
    uow.audit.seal()
