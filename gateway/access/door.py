"""The one door: everything that people and clients may ask of what is kept, in one place.

Each part decides, narrows, answers and audits by the same rules (`reading.py`, `decision.py`).
"""

from __future__ import annotations

from datetime import datetime

from gateway.access.accounting import Accounting
from gateway.access.applying import Applying
from gateway.access.bench import Benching
from gateway.access.bundled import Bundling
from gateway.access.capacity import CapacityDoor
from gateway.access.discharging import Discharging
from gateway.access.everything import Everything
from gateway.access.exporting import Exporting
from gateway.access.graphs import Graphs
from gateway.access.histories import Histories
from gateway.access.importing import Importing
from gateway.access.labels import Labelling
from gateway.access.lastn import Lastn
from gateway.access.later import Deferring
from gateway.access.matching import Matching
from gateway.access.months import Months
from gateway.access.organisations import Organisation, organisations
from gateway.access.packaging import Packaging
from gateway.access.persons import Persons
from gateway.access.planned import Planned
from gateway.access.queue import Queueing
from gateway.access.reading import Rooms
from gateway.access.remapping import Remaps
from gateway.access.rotating import Rotating
from gateway.access.terms import Terms
from gateway.access.together import Together
from gateway.access.transforming import Transforming
from gateway.access.translating import Translating
from gateway.access.validating import Validating
from gateway.access.watching import Watching
from gateway.definitions import Definitions


class Door(
    Packaging,
    Importing,
    Bundling,
    Together,
    Translating,
    Applying,
    Planned,
    Terms,
    Validating,
    Transforming,
    Everything,
    Labelling,
    Graphs,
    Lastn,
    Matching,
    Discharging,
    Months,
    CapacityDoor,
    Histories,
    Watching,
    Persons,
    Queueing,
    Rotating,
    Accounting,
    Remaps,
    Benching,
    Deferring,
    Exporting,
):
    """read, vread, history, search, create, update, delete; who does what; inbox, audit trail, explanations."""

    def __init__(self, rooms: Rooms) -> None:
        super().__init__(rooms)
        self.started: datetime = rooms.clock()

    @property
    def definitions(self) -> Definitions:
        return self._rooms.definitions

    def organisations(self) -> list[Organisation]:
        """The directory's organisations: what test identities are made of."""
        return self._rooms.store.read(lambda uow: organisations(uow, self._rooms.sources.values()))
