"""Everything kept: inbox, statements, resources, search rows, change log, audit."""

from gateway.store.audit import AuditRow, Break, Event
from gateway.store.bearing import Bearing, Named
from gateway.store.changes import Change
from gateway.store.failures import TakesLong
from gateway.store.inbox import Claimed, Entry, Item, LeaseLost
from gateway.store.jobs import Job
from gateway.store.maps import ArchivedMap
from gateway.store.saving import Index, IndexRows, Saved, SavedResource
from gateway.store.snapshots import Snapshot
from gateway.store.store import Store
from gateway.store.unit import UnitOfWork, Units
from gateway.store.uploads import Upload
from gateway.store.versions import Found, Stored
from gateway.store.watch import Kept, Said

__all__ = [
    "ArchivedMap",
    "AuditRow",
    "Bearing",
    "Break",
    "Change",
    "Claimed",
    "Entry",
    "Event",
    "Found",
    "Index",
    "IndexRows",
    "Item",
    "Job",
    "Kept",
    "LeaseLost",
    "Named",
    "Said",
    "Saved",
    "SavedResource",
    "Snapshot",
    "Store",
    "Stored",
    "TakesLong",
    "UnitOfWork",
    "Units",
    "Upload",
]
