"""The one place that wires everything: settings in, a gateway or its web application out.

Nothing is decided here.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import structlog
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from gateway import __version__, definitions, logs
from gateway.access.bearer import Trust
from gateway.access.door import Door
from gateway.access.exporting import EXPORT
from gateway.access.identities import Identity, TestIdentities
from gateway.access.importing import IMPORT
from gateway.access.issuers import Issuers
from gateway.access.known import REINDEX, Known
from gateway.access.later import JOB as REQUEST
from gateway.access.reading import Rooms
from gateway.adapters import file_drop, mllp
from gateway.definitions import Definitions, shipped
from gateway.ingest import sources as source_instances
from gateway.ingest.admission import Admission
from gateway.ingest.housekeeping import Housekeeping
from gateway.ingest.pipeline import Ingest
from gateway.ingest.rebuild import Rebuilt, rebuild
from gateway.ingest.reload import Reload
from gateway.ingest.sources import Sources
from gateway.ingest.worker import Worker
from gateway.jobs.reindex import SETTLE, Reindex
from gateway.jobs.runner import LEASE, Apart, Runner
from gateway.jobs.watching import WATCH, Watching
from gateway.jobs.watching import begin as begin_watch
from gateway.mapping import Packages
from gateway.records import Source
from gateway.rest import openapi, outcome, routes
from gateway.rest.cors import Cors
from gateway.rest.edge import Edge
from gateway.rest.fetch import Fetcher
from gateway.rest.interactions.transaction import transact_all
from gateway.rest.later import Performer
from gateway.rest.rounds import Rounds
from gateway.search.index import Indexer
from gateway.search.links import PageLinks
from gateway.settings import Settings
from gateway.store import Job, Store
from gateway.web import pages, refusals
from gateway.web.forms import FormTokens

Clock = Callable[[], datetime]
SWITCH = 0.0002
WATCH_LEASE = timedelta(seconds=10)
"""Another process goes on with the gap watch so long after the one that had it was killed. A step takes a second."""
log = structlog.get_logger(__name__)


@dataclass(slots=True)
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
    ingest: Ingest
    door: Door
    reload: Reload | None = None
    """What watches the mappings folder, where the settings ask for it."""
    admission: Admission = field(kw_only=True)

    @property
    def definitions(self) -> Definitions:
        """The snapshot that is in use now."""
        return self.known.current

    def jobs(
        self, settle: timedelta = SETTLE, app: FastAPI | None = None, *, lease: timedelta = LEASE, exports: bool = False
    ) -> Runner:
        """What works in the background, for a server to start or a command to run.

        A server performs requests too, and leaves imports to `imports`. `exports`: nothing but exports.
        """
        apart: dict[str, Apart] = {EXPORT: self.door.settle_export}
        if exports:
            return Runner(self.store, {}, apart, lease=lease)
        if app is None:
            apart[IMPORT] = self.door.run_import
        else:
            apart[REQUEST] = Performer(app, self.door).perform
        return Runner(self.store, {REINDEX: Reindex(self.ingest.recorder.keep_bearings, settle)}, apart, lease=lease)

    def imports(self) -> Runner:
        """What does imports; apart, as one may take hours, and wait for a host that is slow."""
        return Runner(self.store, {}, {IMPORT: self.door.run_import})

    def watch(self) -> Runner:
        """What raises gaps when they begin and resolves them when they end; apart, so that no other work delays it."""
        self.store.write(begin_watch)
        return Runner(self.store, {}, standing={WATCH: Watching(self.door)}, lease=WATCH_LEASE, clock=self.clock)

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
        return rebuild(self.store, self.ingest.recorder, progress)

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


def wire(settings: Settings, clock: Clock | None = None) -> Gateway:
    """Open the store (migrating it where needed) and join the parts."""
    clock = clock or clock_of(settings)
    zone = ZoneInfo(settings.timezone)
    _make_folder(settings.database_url)
    tables = definitions.load()
    bases = (f"{settings.base_url.rstrip('/')}/fhir",) if settings.base_url else ()
    known = Known(tables, lambda snapshot: Indexer(snapshot, zone=zone, bases=bases))
    store = Store.open(settings.database_url, index=known.index)
    known.watch(store)
    folder = settings.mappings or shipped.folder("mappings")
    broken: dict[str, tuple[str, ...]] = {}
    packages = Packages.load(folder, tables, broken) if settings.mappings else Packages.shipped()
    admission = Admission(packages, broken, own=settings.mappings is not None)
    sources = configured_sources(settings, packages, broken)
    identities = TestIdentities(store.secret("test-identities"))
    lease = timedelta(seconds=settings.lease)
    ingest = Ingest(store, packages, sources, clock, lease=lease, admission=admission, rules=settings.task_rules)
    rooms = Rooms(
        store=store,
        known=known,
        recorder=ingest.recorder,
        packages=packages,
        sources={source.id: source for source in sources},
        keep=ingest.keep,
        replay=ingest.replay,
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
    reload = Reload(packages, folder, tables) if settings.watch_mappings else None
    door = Door(rooms)
    return Gateway(
        settings, clock, store, known, packages, sources, identities, issuers, ingest, door, reload, admission=admission
    )


def settle() -> None:
    """For a process that goes on working: what was made by now stays, and garbage is looked for less often.

    A range of records makes ten thousands of objects and hardly a cycle; to look for one took an eighth of ingest.
    """
    gc.freeze()
    gc.set_threshold(50_000)
    # A thread whose database has answered waits for the one that runs for so long, and for 5 ms if nothing is said.
    sys.setswitchinterval(SWITCH)


def _make_folder(database_url: str) -> None:
    if database_url.startswith("sqlite:///"):
        Path(database_url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)


def create_app(gateway: Gateway) -> FastAPI:
    """The web application over a wired gateway."""
    app = FastAPI(title="Samverka", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)
    app.router.lifespan_context = _lifespan(gateway)
    app.state.settings = gateway.settings
    app.state.zone = ZoneInfo(gateway.settings.timezone)
    app.state.door = gateway.door
    app.state.reads = Rounds(gateway.door.read_all)
    app.state.writes = Rounds(gateway.door.store_all)
    app.state.transactions = Rounds(transact_all)
    app.state.trust = Trust(
        gateway.issuers,
        gateway.identities,
        loopback=gateway.settings.loopback,
        network=gateway.settings.demo_network,
    )
    app.state.test_identities = gateway.test_identities
    app.state.clock = gateway.clock
    app.state.forms = FormTokens(gateway.store.secret("forms"))
    outcome.install(app)
    refusals.install(app)
    routes.install(app)  # What is added first lies innermost.
    if origins := (gateway.settings.cors_origins or "").split():
        app.add_middleware(Cors, origins=tuple(origins))
    app.add_middleware(Edge)
    app.state.openapi = lambda kind: openapi.document(gateway.definitions, app.state.described, resource_type=kind)
    app.include_router(pages.router())
    app.mount("/static", pages.static())
    app.state.ready = lambda: _ready(gateway)
    # The framework keeps each of its handlers for ever: one made here would keep its gateway with it.
    app.get("/health", include_in_schema=False)(_health)
    app.get("/ready", include_in_schema=False)(_readiness)
    return app


async def _health() -> Response:
    return PlainTextResponse("alive")


async def _readiness(request: Request) -> Response:
    told = await asyncio.to_thread(request.app.state.ready)
    return JSONResponse(told, 200 if told["ready"] else 503)


def _ready(gateway: Gateway) -> dict[str, Any]:
    """Whether the database answers, and what is in use."""
    return {"ready": gateway.store.ready(), "version": __version__, "maps": _maps(gateway)}


def _maps(gateway: Gateway) -> list[dict[str, Any]]:
    """The packages in use; `refused`: what lies there could not be taken, as the log tells."""
    not_used = gateway.admission.refused
    refused = {*not_used, *(gateway.reload.refused if gateway.reload else ())}
    broken = [
        {"package": id, "version": "", "hash": "", "refused": True} for id in sorted(not_used - gateway.packages.keys())
    ]
    return broken + [
        {
            "package": one.id,
            "version": one.version,
            "hash": one.hash,
            **({"refused": True} if one.id in refused else {}),
        }
        for one in gateway.packages.values()
    ]


def _lifespan(gateway: Gateway) -> Callable[[FastAPI], contextlib.AbstractAsyncContextManager[None]]:
    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        worker = Worker(gateway.ingest, Housekeeping(gateway.store))
        jobs, imports = gateway.jobs(app=app), gateway.imports()
        watches = gateway.settings.worker and gateway.settings.watch_gaps
        watch = await asyncio.to_thread(gateway.watch) if watches else None
        if gateway.settings.worker:
            worker.start()
            jobs.start()
            imports.start()
        if watch is not None:
            watch.start()
        gateway.known.on_put = jobs.wake
        app.state.deferred, app.state.ordered = jobs.wake, imports.wake
        gateway.ingest.on_kept = worker.wake
        async with contextlib.AsyncExitStack() as transports:
            for source in gateway.sources:
                await _open_transports(transports, gateway, source)
            if gateway.reload is not None:
                await transports.enter_async_context(gateway.reload.watching())
            looking = asyncio.create_task(asyncio.to_thread(gateway.admission.look, gateway.packages.ids))
            yield
            await looking
        await asyncio.to_thread(worker.stop)
        await asyncio.to_thread(jobs.stop)
        await asyncio.to_thread(imports.stop)
        if watch is not None:
            await asyncio.to_thread(watch.stop)

    return lifespan


async def _open_transports(stack: contextlib.AsyncExitStack, gateway: Gateway, source: Source) -> None:
    async def keep(body: bytes, media_type: str, transport: str, *, id: str | None = None) -> str:
        return await asyncio.to_thread(gateway.ingest.keep, source, body, media_type, transport=transport, id=id)

    if source.mllp_port is not None:
        package = gateway.packages.get(source.package)
        form = package.format if package else mllp.ANY_MESSAGE  # Of a package that is refused, messages are kept too.
        # Never the gateway's own address by itself: MLLP does not say who is sending.
        listener = mllp.listen(source.id, source.mllp_host, source.mllp_port, keep, form=form, clock=gateway.clock)
        await stack.enter_async_context(listener)
    if source.watch:
        await stack.enter_async_context(file_drop.watch(source.id, Path(source.watch), keep))


class AddressError(RuntimeError):
    """The gateway was asked to listen where nothing says who is asking."""


def serve(settings: Settings) -> None:
    """Serve until told to stop."""
    logs.configure(settings.log_format, settings.log_level)
    gateway = wire(settings)
    try:
        serve_gateway(gateway)
    finally:
        gateway.close()


def serve_gateway(gateway: Gateway) -> None:
    """Serve a wired gateway until told to stop. AddressError where nothing would say who is asking."""
    settings = gateway.settings
    if not (settings.loopback or settings.demo_network or gateway.issuers):
        raise AddressError(
            f"{settings.host} is not a loopback address, and no issuer of tokens is configured. Listen on 127.0.0.1, "
            "configure issuers (SAMVERKA_ISSUERS), or give --demo-network to honour test identities there."
        )
    server = _server(gateway, host=settings.host, port=settings.port)
    settle()
    server.run()


def _server(gateway: Gateway, **where: Any) -> uvicorn.Server:
    config = uvicorn.Config(
        create_app(gateway),
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=10,
        server_header=False,
        proxy_headers=False,
        **where,
    )
    return uvicorn.Server(config)


@contextlib.contextmanager
def background(gateway: Gateway, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """The same server in a thread, for tests and examples; yields its address and stops by itself."""
    listener = socket.create_server((host, port))
    server = _server(gateway)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        while not server.started and thread.is_alive():
            thread.join(0.01)
        yield f"http://{host}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
