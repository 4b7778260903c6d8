"""Connections for what runs in threads: writes, and the operators' pages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar, cast

import psycopg
from psycopg_pool import AsyncConnectionPool, ConnectionPool, PoolTimeout

from healthhub.errors import TryAgain

T = TypeVar("T")
Connection = psycopg.Connection[Any]
THREADS = 4

LOCK_SECONDS = 15
"""A write that waits longer for another's rows is put off (503)."""


class Threads:
    """A few connections to the database of ``pool``, opened when the first is wanted."""

    def __init__(self, pool: AsyncConnectionPool[Any]) -> None:
        self._of = pool
        self._pool: ConnectionPool[Connection] | None = None

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Do the work on a connection of its own; TryAgain when none comes free in time."""
        if self._pool is None:
            self._pool = ConnectionPool(
                cast(str, self._of.conninfo),
                min_size=0,
                max_size=THREADS,
                open=True,
                kwargs={"options": f"-c lock_timeout={LOCK_SECONDS}s"},
            )
        pool = self._pool

        def with_connection() -> T:
            try:
                with pool.connection() as connection:
                    return work(connection)
            except PoolTimeout:
                raise TryAgain("too many writes wait; send this one again later") from None

        return await asyncio.to_thread(with_connection)

    async def close(self) -> None:
        """Let go of the connections."""
        if self._pool is not None:
            await asyncio.to_thread(self._pool.close)
