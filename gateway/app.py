"""The web application over a wired gateway, and the server that runs it.

Nothing is decided here.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import State
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from gateway import __version__, logs
from gateway.access.bearer import Trust
from gateway.logs import logger
from gateway.records import Incoming, Source
from gateway.rest import outcome
from gateway.rest.connection import Connection
from gateway.rest.cors import Cors
from gateway.rest.edge import Edge
from gateway.rest.patience import Pace
from gateway.rest.rounds import Rounds
from gateway.rest.served import Lookup, Served
from gateway.settings import AddressError, Settings
from gateway.wiring import MADE, Gateway, settle, wire
from gateway.workers import Workers

if TYPE_CHECKING:
    from fastapi import FastAPI

    from gateway.rest.later import Job

__all__ = [
    "AddressError",
    "Gateway",
    "background",
    "create_app",
    "require_free",
    "serve",
    "serve_gateway",
    "settle",
    "wire",
]

LISTENING_SECONDS = 0.05
"""So long after it is wired is a server given to listen, and to answer who waits for it, before it loads the rest."""
log = logger(__name__)


def create_app(gateway: Gateway) -> Starlette:
    """The web application over a wired gateway: the API at once, the pages when the first of them is asked for."""
    app = Starlette(routes=[Route("/health", _health), Route("/ready", _readiness)], lifespan=_lifespan(gateway))
    app.state.settings = gateway.settings
    app.state.zone = ZoneInfo(gateway.settings.timezone)

    def keep_all(coming: Sequence[Callable[[], Incoming]]) -> list[str]:
        return gateway.ingest.keep_all(coming)  # Which is loaded when something comes.

    # On SQLite a round of reads is over sooner than anybody comes back.
    app.state.reads = Rounds(gateway.reading.read_all, patient=gateway.store.answers_several)
    app.state.incoming = Rounds(keep_all, patient=True)
    app.state.trust = Trust(
        gateway.issuers,
        gateway.identities,
        loopback=gateway.settings.loopback,
        network=gateway.settings.demo_network,
    )
    app.state.test_identities = gateway.test_identities
    app.state.clock = gateway.clock
    app.state.ready = lambda: _ready(gateway)
    outcome.install(app)
    app.state.beside = app.router.default = Beside(gateway, app.state)
    app.state.load = Rest(gateway, app)
    app.add_middleware(Served, load=app.state.load)  # What is added first lies innermost.
    if origins := (gateway.settings.cors_origins or "").split():
        app.add_middleware(Cors, origins=tuple(origins))
    app.add_middleware(Edge, pace=Pace(gateway.settings.body_seconds, gateway.settings.body_bytes))
    return app


class Rest:
    """What the first answers do not need: every handler of the API, the whole door, the pages. Loaded once."""

    def __init__(self, gateway: Gateway, app: Starlette) -> None:
        self._gateway = gateway
        self._app = app
        self._lock = threading.Lock()
        self._lookup: Lookup | None = None

    def __call__(self) -> Lookup:
        """Load what is not loaded yet; who looks an address up in the table of routes."""
        with self._lock:
            if self._lookup is None:
                self._lookup = self._load()
        return self._lookup

    def _load(self) -> Lookup:
        from gateway.rest import openapi, routes
        from gateway.rest.interactions.transaction import transact_all
        from gateway.rest.looks import Looks

        app, gateway = self._app, self._gateway
        app.state.door = gateway.door
        app.state.looks = Looks(gateway.door.search_all) if gateway.store.answers_several else None
        app.state.writes = Rounds(gateway.door.store_all, patient=True)
        app.state.transactions = Rounds(transact_all, patient=True)
        app.state.openapi = lambda kind: openapi.document(gateway.definitions, app.state.described, resource_type=kind)
        routes.install(app)
        return routes.answering


class Beside:
    """What the table of routes does not answer: a FastAPI application, made when something of it is first asked for.

    To load the framework and the pages takes as long as all that a first answer of the API needs (ADR 60).
    """

    def __init__(self, gateway: Gateway, state: State) -> None:
        self._gateway = gateway
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if "app" not in self.__dict__:
            await asyncio.to_thread(self.load)
        await self.app(scope, receive, send)

    def load(self) -> None:
        """Make it now, so that nobody waits for it later."""
        _ = self.app

    @cached_property
    def app(self) -> FastAPI:
        """The pages, and the answers to addresses that are none."""
        from fastapi import FastAPI

        from gateway.web import pages, refusals
        from gateway.web.forms import FormTokens

        app = FastAPI(title="Samverka", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)
        app.state = self._state
        app.state.forms = FormTokens(self._gateway.store.secret("forms"))
        outcome.install(app)
        refusals.install(app)
        app.include_router(pages.router())
        app.state.pages = pages.router().routes
        app.mount("/static", pages.static())
        return app


async def _health(_: Request) -> Response:
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


def _lifespan(gateway: Gateway) -> Callable[[Starlette], contextlib.AbstractAsyncContextManager[None]]:
    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        def perform(job: Job) -> None:
            from gateway.rest.later import Performer

            Performer(app, gateway.door).perform(job)

        workers = Workers(gateway, perform, load=app.state.load, beside=app.state.beside.load)
        gateway.known.on_put = app.state.deferred = partial(workers.wake, "jobs")
        app.state.ordered = partial(workers.wake, "imports")
        async with contextlib.AsyncExitStack() as transports:
            for source in gateway.sources:
                await _open_transports(transports, gateway, source, app.state.incoming)
            if gateway.reload is not None:
                await transports.enter_async_context(gateway.reload.watching())
            beginning = asyncio.get_running_loop().call_later(LISTENING_SECONDS, workers.start)
            yield
            beginning.cancel()
        await asyncio.to_thread(workers.stop)

    return lifespan


async def _open_transports(
    stack: contextlib.AsyncExitStack, gateway: Gateway, source: Source, incoming: Rounds[Callable[[], Incoming], str]
) -> None:
    if source.mllp_port is None and not source.watch:
        return
    from gateway.adapters import file_drop, mllp

    async def keep(body: bytes, media_type: str, transport: str, *, id: str | None = None) -> str:
        return await incoming.ask(
            lambda: Incoming(gateway.ingest.message(source, body, media_type, transport=transport, id=id))
        )

    if source.mllp_port is not None:
        package = gateway.packages.get(source.package)
        form = package.format if package else mllp.ANY_MESSAGE  # Of a package that is refused, messages are kept too.
        # Never the gateway's own address by itself: MLLP does not say who is sending.
        listener = mllp.listen(source.id, source.mllp_host, source.mllp_port, keep, form=form, clock=gateway.clock)
        await stack.enter_async_context(listener)
    if source.watch:
        await stack.enter_async_context(file_drop.watch(source.id, Path(source.watch), keep))


UNUSABLE = {
    errno.EADDRINUSE: "another process has this port. End that one, or take another (--port, SAMVERKA_PORT).",
    errno.EACCES: "this port is kept for root. Take one of 1024 or more (--port, SAMVERKA_PORT).",
    errno.EADDRNOTAVAIL: "this machine does not have the address. Give --host one of its own.",
}
"""Why an address cannot be listened on, and what to do, by the system's error."""


def serve(settings: Settings) -> None:
    """Serve until told to stop."""
    logs.configure(settings.log_format, settings.log_level)
    require_free(settings.host, settings.port)
    gateway = wire(settings)
    if gateway.store.made:
        log.warning("database-made", database=gateway.store.address, told=MADE)
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

    def end(number: int, _: object) -> None:
        # Else the database would be left as it is for a process that died: SQLite's file without what lies beside it.
        gateway.close()
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)  # Whoever sent it sees that it was heeded, and nothing keeps the process longer.

    signal.signal(signal.SIGTERM, end)  # uvicorn raises it once more, when it has done what it does then.
    server.run()


def require_free(host: str, port: int) -> None:
    """See that the address can be listened on, before anything is opened for it. AddressError where it cannot."""
    told = f"{host}:{port} cannot be listened on"
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise AddressError(f"{told}: no address is known by this name. Give --host an address.") from error
    for family, kind, protocol, _, address in found:
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(address)
            except OSError as error:
                if error.errno in UNUSABLE:
                    raise AddressError(f"{told}: {UNUSABLE[error.errno]}") from error


def _server(gateway: Gateway, **where: Any) -> uvicorn.Server:
    connection: Any = partial(Connection, seconds=gateway.settings.body_seconds)
    config = uvicorn.Config(
        create_app(gateway),
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=10,
        server_header=False,
        proxy_headers=False,
        http=connection,
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
