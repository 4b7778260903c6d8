"""Fixtures of all tests: a server, and for each test a database of its own."""

from __future__ import annotations

import hashlib
import os
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from healthhub import clock, postgres
from healthhub.settings import Settings
from healthhub.store import database as store_database

FAST = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "128MB"}
"""A test's data need not outlive a crash of the machine; tests that need it say so."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that drive a browser come last: its library leaves an event loop running in the
    process, in which no test could run one of its own any more."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


@pytest.fixture(scope="session")
def server_dsn() -> Iterator[str]:
    """Address of a server's maintenance database.

    HEALTHHUB_TEST_DATABASE_URL names a given server. Else one embedded server is shared by all
    test runs of this user and version of the programs; the last run to end stops it.
    """
    given = os.environ.get("HEALTHHUB_TEST_DATABASE_URL")
    if given:
        yield given
        return
    wanted = os.environ.get("HEALTHHUB_POSTGRES_BIN", "")
    key = hashlib.sha256(wanted.encode()).hexdigest()[:6] if wanted else "any"
    folder = Path(tempfile.gettempdir()) / f"healthhub-tests-{os.geteuid()}-{key}"
    with postgres.running(Settings(data_dir=folder, postgres_bin=wanted), FAST) as dsn:
        _sweep(dsn)
        yield dsn


@pytest.fixture(scope="session")
def template(server_dsn: str) -> str:
    """Name of a migrated database that tests copy; made once for each state of the migrations."""
    digest = hashlib.sha256(clock.now().date().isoformat().encode())
    for path in sorted((store_database.MIGRATIONS / "versions").glob("*.py")):
        digest.update(path.read_bytes())
    name = f"template_{digest.hexdigest()[:16]}"
    with psycopg.connect(server_dsn, autocommit=True) as connection:
        connection.execute("select pg_advisory_lock(726)")
        if not _exists(connection, name):
            fresh = f"{name}_new"
            connection.execute(f"drop database if exists {fresh} with (force)")
            connection.execute(f"create database {fresh}")
            store_database.migrate(make_conninfo(server_dsn, dbname=fresh))
            connection.execute(f"alter database {fresh} rename to {name}")
    return name


@pytest.fixture
def database(server_dsn: str, template: str) -> Iterator[str]:
    """Address of a fresh migrated database, dropped after the test."""
    name = f"test_{os.getpid()}_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(server_dsn, autocommit=True) as connection:
        connection.execute(f"create database {name} template {template} strategy file_copy")
    yield make_conninfo(server_dsn, dbname=name)
    with psycopg.connect(server_dsn, autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)")


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection]:
    """A connection to the test's database; what the test does not commit is lost."""
    with psycopg.connect(database) as opened:
        yield opened
        opened.rollback()


def _exists(connection: psycopg.Connection, name: str) -> bool:
    found = connection.execute("select 1 from pg_database where datname = %s", (name,))
    return found.fetchone() is not None


def _sweep(dsn: str) -> None:
    """Drop the databases of test runs that were killed."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        rows = connection.execute(
            "select datname from pg_database where datname like 'test\\_%'"
        )
        for (name,) in rows.fetchall():
            if not Path("/proc", name.split("_")[1]).exists():
                connection.execute(f"drop database if exists {name} with (force)")
