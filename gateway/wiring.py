"""The one place that joins the parts: settings in, a gateway out.

Nothing is decided here, and nothing is served: what serves it is `app.py`.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, TypeVar
from zoneinfo import ZoneInfo

from gateway import definitions
from gateway.access.identities import Identity, TestIdentities
from gateway.access.issuers import Issuers
from gateway.access.known import REINDEX, Known
from gateway.access.reading import Reading, Rooms
from gateway.definitions import Definitions, shipped
from gateway.ingest import sources as source_instances
from gateway.ingest.admission import Admission
from gateway.ingest.sources import Sources
from gateway.jobs.reindex import SETTLE, Reindex
from gateway.jobs.runner import LEASE, Apart, Runner
from gateway.mapping.package import Packages
from gateway.rest.fetch import Fetcher
from gateway.search.links import PageLinks
from gateway.settings import Settings
from gateway.store import Index, Job, Store

if TYPE_CHECKING:
    from gateway.access.door import Door
    from gateway.ingest.pipeline import Ingest
    from gateway.ingest.rebuild import Rebuilt
    from gateway.ingest.reload import Reload

Clock = Callable[[], datetime]
T = TypeVar("T")
SWITCH = 0.0002
MADE = "This database is new, and empty. Where one was to be there, name it (--database-url, SAMVERKA_DATABASE_URL)."
"""What whoever opened it is told where a database was made: its path may be mistyped, or its disk not there."""
WATCH_LEASE = timedelta(seconds=10)
"""Another process goes on with the gap watch so long after the one that had it was killed. A step takes a second."""

MONTHS_LEASE = timedelta(minutes=10)
"""A month of a large region is counted in seconds, on a busy machine in minutes."""


@dataclass
class Gateway:
    """Everything wired, for the server, the commands and the tests alike."""

    settings: Settings
    clock: Clock
    store: Store
    known: Known
    packages: Packages
    sources: Sources
    identities: TestIdentities
    issuers: Issuers
    ingest_of: Callable[[], Ingest]
    rooms: Rooms
    reload: Reload | None = None
    """What watches the mappings folder, where the settings ask for it."""
    admission: Admission = field(kw_only=True)

    @cached_property
    def door(self) -> Door:
        """The one door; it has everything behind it, and takes as long to load as all else."""
        from gateway.access.door import Door

        self.ingest_of()  # It looks into the store, which nobody may from within a unit of work.
        return Door(self.rooms)

    @cached_property
    def reading(self) -> Reading:
        """As much of the door as a read needs."""
        return Reading(self.rooms)

    @property
    def ingest(self) -> Ingest:
        """The way of a message; it has the whole agreement behind it."""
        return self.ingest_of()

    @property
    def definitions(self) -> Definitions:
        """The snapshot that is in use now."""
        return self.known.current

    def jobs(
        self,
        settle: timedelta = SETTLE,
        *,
        perform: Apart | None = None,
        lease: timedelta = LEASE,
        exports: bool = False,
    ) -> Runner:
        """What works in the background, for a server to start or a command to run.

        A server performs requests too (`perform`), and leaves imports to `imports`. `exports`: nothing but exports.
        """
        from gateway.access.exporting import EXPORT
        from gateway.access.importing import IMPORT
        from gateway.access.later import JOB as REQUEST

        apart: dict[str, Apart] = {EXPORT: self.door.settle_export}
        if exports:
            return Runner(self.store, {}, apart, lease=lease)
        if perform is None:
            apart[IMPORT] = self.door.run_import
        else:
            apart[REQUEST] = perform
        return Runner(self.store, {REINDEX: Reindex(self.ingest.recorder.keep_bearings, settle)}, apart, lease=lease)

    def imports(self) -> Runner:
        """What does imports; apart, as one may take hours, and wait for a host that is slow."""
        from gateway.access.importing import IMPORT

        return Runner(self.store, {}, {IMPORT: self.door.run_import})

    def watch(self) -> Runner:
        """What raises gaps when they begin and resolves them when they end; apart, so that no other work delays it."""
        from gateway.jobs.watching import WATCH, Watching, begin

        self.store.write(begin)
        return Runner(self.store, {}, standing={WATCH: Watching(self.door)}, lease=WATCH_LEASE, clock=self.clock)

    def months(self, reporter: str) -> Runner:
        """What stores each month's measures when it is over, in the name of the organisation with this HSA-id."""
        from gateway.jobs.months import MONTHS, Counting, begin

        self.store.write(begin)
        standing = {MONTHS: Counting(self.door, reporter)}
        return Runner(self.store, {}, standing=standing, lease=MONTHS_LEASE, clock=self.clock)

    def reindex(self, progress: Callable[[int, int], None]) -> Job:
        """Index everything anew, here or in whatever process takes it first; returns when it is done."""
        number, runner = self.known.reindex(), self.jobs()
        while (job := self.store.read(lambda uow: uow.jobs.get(number))) is not None:
            progress(job.done, job.total)
            if job.state in ("done", "failed"):
                return job
            if not runner.run_due(lambda step: progress(step.done, step.total)):
                time.sleep(0.2)
        raise AssertionError("A job is never removed.")

    def test_identities(self) -> list[Identity]:
        """One for each organisation of the directory, or of the sources where there is no directory."""
        return self.identities.of(self.door.organisations()) or self.identities.of_sources(self.sources)

    def rebuild(self, progress: Callable[[int, int], None]) -> Rebuilt:
        from gateway.ingest.rebuild import rebuild

        return rebuild(self.store, self.ingest.recorder, progress)

    def store_anew(self, found: Rebuilt, progress: Callable[[int, int], None]) -> None:
        """Store what the statements give now of what a rebuild found to differ."""
        from gateway.ingest.rebuild import store_anew

        store_anew(self.store, self.ingest.recorder, found, self.clock, progress)

    def close(self) -> None:
        self.store.close()


def clock_of(settings: Settings) -> Clock:
    """The real clock, or the fixed one of a demo."""
    if settings.now is None:
        return lambda: datetime.now(UTC)
    fixed = settings.now if settings.now.tzinfo else settings.now.replace(tzinfo=ZoneInfo(settings.timezone))
    return lambda: fixed


def configured_sources(settings: Settings, packages: Packages | None = None, broken: Iterable[str] = ()) -> Sources:
    """The source instances of the configuration, or one for each mapping package; they may name a broken one."""
    packages = packages or (Packages.load(settings.mappings) if settings.mappings else Packages.shipped())
    if settings.sources:
        return source_instances.read(settings.sources, [*packages.ids, *broken])
    return source_instances.defaults(packages.instances)


def wire(settings: Settings, clock: Clock | None = None, *, new: bool = True) -> Gateway:
    """Open the store (migrating it where needed) and join the parts. NotFound where it would be `new`, and must not."""
    clock = clock or clock_of(settings)
    zone = ZoneInfo(settings.timezone)
    if new:
        _make_folder(settings.database_url)
    tables = definitions.load()
    bases = (f"{settings.base_url.rstrip('/')}/fhir",) if settings.base_url else ()

    def indexer(snapshot: Definitions) -> Index:
        from gateway.search.index import Indexer

        return Indexer(snapshot, zone=zone, bases=bases)

    known = Known(tables, indexer)
    store = Store.open(settings.database_url, index=known.index, new=new)
    known.watch(store)
    folder = settings.mappings or shipped.folder("mappings")
    broken: dict[str, tuple[str, ...]] = {}
    packages = Packages.load(folder, tables, broken) if settings.mappings else Packages.shipped()
    admission = Admission(packages, broken, own=settings.mappings is not None)
    sources = configured_sources(settings, packages, broken)
    identities = TestIdentities(store.secret("test-identities"))
    lease = timedelta(seconds=settings.lease)
    store.namespace()  # What is made of it later may be made within a unit of work, which waits for no other.

    @once
    def ingest() -> Ingest:
        from gateway.ingest.pipeline import Ingest

        return Ingest(store, packages, sources, clock, lease=lease, admission=admission, rules=settings.task_rules)

    rooms = Rooms(
        store=store,
        known=known,
        intake=ingest,
        packages=packages,
        sources={source.id: source for source in sources},
        clock=clock,
        zone=zone,
        page_size=settings.page_size,
        links=PageLinks(store.secret("page-links")),
        validate_on_write=settings.validate_on_write,
        require_if_match=settings.require_if_match,
        export_kept=timedelta(hours=settings.export_hours),
        export_lines=settings.export_lines,
        fetcher=Fetcher(settings.import_hosts, settings.import_bytes),
        own_mappings=settings.mappings,
        care_plans=settings.care_plans,
        task_rules=settings.task_rules,
    )
    issuers = Issuers.read(settings.issuers, clock) if settings.issuers else Issuers({}, clock)
    reload = None
    if settings.watch_mappings:
        from gateway.ingest.reload import Reload

        reload = Reload(packages, folder, tables)
    return Gateway(
        settings=settings,
        clock=clock,
        store=store,
        known=known,
        packages=packages,
        sources=sources,
        identities=identities,
        issuers=issuers,
        ingest_of=ingest,
        rooms=rooms,
        reload=reload,
        admission=admission,
    )


def once(make: Callable[[], T]) -> Callable[[], T]:
    """What makes something when it is first asked for it, whoever asks meanwhile, and then has it."""
    lock, made = Lock(), list[T]()

    def found() -> T:
        if not made:
            with lock:
                if not made:
                    made.append(make())
        return made[0]

    return found


def settle() -> None:
    """For a process that goes on working: what was made by now stays, and garbage is looked for less often.

    A range of records makes a hundred thousand objects, which all go with it, and hardly a cycle: to look for one took
    an eighth of ingest, and a thirtieth where half a range was enough to look.
    """
    gc.freeze()
    gc.set_threshold(200_000)
    # A thread whose database has answered waits for the one that runs for so long, and for 5 ms if nothing is said.
    sys.setswitchinterval(SWITCH)


def _make_folder(database_url: str) -> None:
    if database_url.startswith("sqlite:///"):
        Path(database_url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
