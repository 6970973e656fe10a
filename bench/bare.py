"""The least that a server in Python could do for a read: Starlette's bare route, one prepared query, the bytes.

    BARE_DATABASE=postgresql://… uvicorn bench.bare:app

It decides nothing, records nothing and negotiates nothing: what `bench.serving` holds the gateway against.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

READ = """
    SELECT resource.body FROM locator JOIN resource USING (rid, partition)
    WHERE locator.id = $1 AND locator.resource_type = $2
"""


@asynccontextmanager
async def pooled(app: Starlette) -> AsyncIterator[None]:
    async with asyncpg.create_pool(os.environ["BARE_DATABASE"], min_size=8, max_size=8) as pool:
        app.state.pool = pool
        yield


async def read(request: Request) -> Response:
    parts = request.path_params
    found = await request.app.state.pool.fetchval(READ, parts["id"], parts["resource_type"])
    return Response(found, 200 if found else 404, media_type="application/fhir+json")


app = Starlette(routes=[Route("/fhir/{resource_type}/{id}", read)], lifespan=pooled)
