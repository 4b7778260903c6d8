"""/health: is the process alive, and can it serve? For probes; it tells nothing else."""

from __future__ import annotations

import logging

import psycopg
from fastapi import APIRouter, Request
from psycopg_pool import PoolTimeout
from starlette.responses import JSONResponse

from healthhub.store import database

READY_SECONDS = 3.0

log = logging.getLogger(__name__)
router = APIRouter(include_in_schema=False)


@router.get("/health")
async def live() -> JSONResponse:
    """The process answers."""
    return JSONResponse({"status": "live"})


@router.get("/health/ready")
async def ready(request: Request) -> JSONResponse:
    """The database answers and has this release's schema."""
    try:
        async with request.app.state.pool.connection(timeout=READY_SECONDS) as connection:
            cursor = await connection.execute("select version_num from alembic_version")
            row = await cursor.fetchone()
    except (psycopg.Error, PoolTimeout):
        return JSONResponse({"status": "no database"}, 503)
    if row is None or row[0] != database.newest():
        return JSONResponse({"status": "schema of another release"}, 503)
    return JSONResponse({"status": "ready"})
