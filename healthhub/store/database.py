"""Connections to the database, and its migrations (run at start, under a lock)."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import psycopg
from psycopg_pool import AsyncConnectionPool

from healthhub.errors import SettingError

MIGRATIONS = Path(__file__).resolve().parent / "migrations"
LONGEST_SECONDS = 20
"""What a statement of a request may take."""
OPTIONS = f"-c statement_timeout={LONGEST_SECONDS}s"
MIGRATION_LOCK = 0x6865616C7468
"""Key of the advisory lock that lets one process migrate at a time ("health" in ASCII)."""


def connect(dsn: str) -> psycopg.Connection:
    """Open a connection with transactions (autocommit off)."""
    return psycopg.connect(dsn)


def async_pool(dsn: str, size: int) -> AsyncConnectionPool:
    """A pool of at most ``size`` connections, not opened yet.

    Each statement is a transaction of its own (a read then is one trip to the server, not
    three); what must hold together is put into ``async with connection.transaction()``. One
    that takes LONGEST_SECONDS is ended, so that no search can hold the database.
    """
    return AsyncConnectionPool(
        dsn,
        min_size=min(size, 2),
        max_size=size,
        open=False,
        kwargs={"autocommit": True, "options": OPTIONS},
    )


def migrate(dsn: str) -> None:
    """Bring the schema to the newest revision; nothing happens when it is there already.

    Several processes may call this at once: the first migrates, the others wait and find it
    done. A SettingError says what is wrong when there is no way in.
    """
    try:
        _migrate(dsn)
    except psycopg.OperationalError as error:
        raise SettingError(
            f"database_url: the database cannot be used: {str(error).strip()}; check the address "
            "and that the server is up",
            expression="database_url",
        ) from None
    except psycopg.ProgrammingError as error:
        if error.sqlstate is not None:
            raise
        # Without a state it did not come from a server: libpq cannot read the address. Its
        # message repeats the address, password and all.
        raise SettingError(
            "database_url: this is no address of a database; write "
            "postgresql://USER:PASSWORD@HOST:PORT/DATABASE",
            expression="database_url",
        ) from None


def _migrate(dsn: str) -> None:
    if migrated(dsn):
        return
    with psycopg.connect(dsn, autocommit=True) as guard:
        guard.execute("select pg_advisory_lock(%s)", (MIGRATION_LOCK,))
        found = current(guard)
        if found is not None and found not in revisions():
            raise SettingError(
                f"the database has schema {found}, made by a later release; this one knows "
                f"{newest()} and must not touch it: install that release, or restore a backup "
                "of before the upgrade",
                expression="database_url",
            )
        _upgrade(dsn)


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


def newest() -> str:
    """The newest revision that this release knows."""
    return revisions()[-1]


@cache
def revisions() -> tuple[str, ...]:
    """All revisions in order; a revision is the number that its file's name begins with."""
    files = (MIGRATIONS / "versions").glob("[0-9]*_*.py")
    return tuple(sorted(path.name.split("_", 1)[0] for path in files))


def _upgrade(dsn: str) -> None:
    # Imported here: only who migrates pays for it, in time and 30 MB of memory.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["dsn"] = dsn
    command.upgrade(config, "head")
