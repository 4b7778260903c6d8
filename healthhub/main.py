"""The web application: pages, FHIR and feeds over HTTP, wired to one pool, door and keeper."""

from __future__ import annotations

import gc
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from healthhub import edge, health, postgres
from healthhub.access import Door
from healthhub.receive import http as feeds
from healthhub.receive import soap, stow
from healthhub.serve import apidocs, console, dicomweb, fhir, launch, oauth, record, signin
from healthhub.settings import Settings
from healthhub.store import database
from healthhub.web import assets, compression, cors

POOL = 16
"""Connections of one web process."""
GRACE_SECONDS = 10
FHIR = "/fhir"
ROUTERS = (
    health.router,
    soap.router,
    stow.router,
    feeds.router,
    dicomweb.router,
    assets.router,
    signin.router,
    oauth.router,
    launch.router,
    console.router,
    record.router,
    apidocs.router,
)
"""Looked through in this order for each request: first what machines call all day."""


class Application(FastAPI):
    """The pages and feeds, and beside them the FHIR service, which needs none of their layers."""

    def build_middleware_stack(self) -> ASGIApp:
        """Part the requests of the FHIR service from the others."""
        pages = super().build_middleware_stack()
        service = _service(self.state.settings)

        async def parted(scope: Scope, receive: Receive, send: Send) -> None:
            await (service if fhir.is_ours(scope) else pages)(scope, receive, send)

        return parted


def _service(settings: Settings) -> ASGIApp:
    """The FHIR service with its layers, the outermost last."""
    limit = settings.web.max_body_bytes
    service: ASGIApp = fhir.Ways(fhir.LINES, fhir.unknown, edge.failed)
    service = compression.Compression(service, limit=limit, prefix=FHIR)
    if settings.web.cors_origins:
        service = cors.Cors(service, origins=settings.web.cors_origins, prefix=FHIR)
    return edge.Edge(service, max_body_bytes=limit)


def build_app(settings: Settings, dsn: str) -> FastAPI:
    """The application. It opens its connections when it starts, so this needs no database."""
    app = Application(
        title="HealthHub",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=_lifespan,
    )
    app.state.settings = settings
    app.state.dsn = dsn
    edge.install(app)
    for router in ROUTERS:
        app.include_router(router)
    app.add_middleware(edge.Edge, max_body_bytes=settings.web.max_body_bytes)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with database.async_pool(app.state.dsn, POOL) as pool:
        app.state.pool = pool
        app.state.door = Door(pool)
        # What was loaded at start (definitions, tables, code) stays: it is not looked through
        # for garbage again and again while requests wait, and what is new not at every turn.
        gc.collect()
        gc.freeze()
        gc.set_threshold(10_000, 20, 20)
        try:
            yield
        finally:
            await app.state.door.close()


def serve(settings: Settings, descriptor: int) -> int:
    """Serve on an inherited listening socket until SIGTERM."""
    with postgres.running(settings) as dsn:
        config = uvicorn.Config(
            build_app(settings, dsn),
            loop="uvloop",
            http="httptools",
            # No access log: an address can hold what someone searched for.
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=True,
            forwarded_allow_ips=",".join(settings.web.proxies),
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        uvicorn.Server(config).run(sockets=[socket.socket(fileno=descriptor)])
    return 0
