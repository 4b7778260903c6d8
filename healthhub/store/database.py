"""Connections to the database, and its migrations (run at start, under a lock)."""

from __future__ import annotations

from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg_pool import AsyncConnectionPool

MIGRATIONS = Path(__file__).resolve().parent / "migrations"
MIGRATION_LOCK = 0x6865616C7468
"""Key of the advisory lock that lets one process migrate at a time ("health" in ASCII)."""


def connect(dsn: str) -> psycopg.Connection:
    """Open a connection with transactions (autocommit off)."""
    return psycopg.connect(dsn)


def async_pool(dsn: str, size: int) -> AsyncConnectionPool:
    """A pool of at most ``size`` connections, not opened yet.

    Each statement is a transaction of its own (a read then is one trip to the server, not
    three); what must hold together is put into ``async with connection.transaction()``.
    """
    return AsyncConnectionPool(
        dsn, min_size=min(size, 2), max_size=size, open=False, kwargs={"autocommit": True}
    )


def migrate(dsn: str) -> None:
    """Bring the schema to the newest revision; nothing happens when it is there already.

    Several processes may call this at once: the first migrates, the others wait and find it
    done.
    """
    if migrated(dsn):
        return
    with psycopg.connect(dsn, autocommit=True) as guard:
        guard.execute("select pg_advisory_lock(%s)", (MIGRATION_LOCK,))
        command.upgrade(_config(dsn), "head")


def migrated(dsn: str) -> bool:
    """Whether the schema is at the newest revision."""
    with psycopg.connect(dsn) as connection:
        return current(connection) == newest()


def current(connection: psycopg.Connection) -> str | None:
    """The revision that the schema is at; None for an empty database."""
    row = connection.execute("select to_regclass('alembic_version')").fetchone()
    if row is None or row[0] is None:
        return None
    found = connection.execute("select version_num from alembic_version").fetchone()
    return None if found is None else found[0]


def newest() -> str | None:
    """The newest revision that this release knows."""
    return ScriptDirectory.from_config(_config("")).get_current_head()


def _config(dsn: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["dsn"] = dsn
    return config
