"""The backup of docs/operations.md: what pg_dump took out, pg_restore brings back whole."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.sql import SQL, Identifier

from healthhub.access import Purpose, Role, clients
from healthhub.store import database as store_database

TABLES = """select relname from pg_class join pg_namespace n on n.oid = relnamespace
            where relkind in ('r', 'p') and nspname = 'public' order by 1"""


@pytest.fixture
def empty(server_dsn: str) -> Iterator[str]:
    """A database without any schema."""
    name = f"test_{os.getpid()}_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(server_dsn, autocommit=True) as connection:
        connection.execute(f"create database {name}")  # type: ignore[arg-type]
    yield make_conninfo(server_dsn, dbname=name)
    with psycopg.connect(server_dsn, autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)")  # type: ignore[arg-type]


def run(dsn: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603
        [sys.executable, "-m", "healthhub", "postgres", *words],
        env={**os.environ, "HEALTHHUB_DATABASE_URL": dsn},
        capture_output=True,
        text=True,
        check=False,
    )


def content(dsn: str) -> dict[str, int]:
    with psycopg.connect(dsn) as connection:
        names = [name for (name,) in connection.execute(TABLES).fetchall()]
        found = {}
        for name in names:
            count = SQL("select count(*) from {}").format(Identifier(name))
            row = connection.execute(count).fetchone()
            assert row is not None
            found[name] = row[0]
        return found


def test_a_dump_restored_into_an_empty_database_is_the_same_hub(
    database: str, empty: str, tmp_path: Path
) -> None:
    with psycopg.connect(database) as connection:
        clients.add(connection, "his", [Role.SYSTEM], Purpose.TREAT)
    file = str(tmp_path / "hub.dump")
    dumped = run(database, "pg_dump", "--format=custom", f"--file={file}")
    assert dumped.returncode == 0, dumped.stderr
    name = conninfo_to_dict(empty)["dbname"]
    restored = run(
        empty, "pg_restore", "--no-owner", "--single-transaction", f"--dbname={name}", file
    )
    assert restored.returncode == 0, restored.stderr
    assert store_database.migrated(empty)
    assert content(empty) == content(database)
    assert content(empty)["client"] == 1


def test_a_program_that_is_not_postgresqls_is_refused(database: str) -> None:
    for word in ("nothing", "../../../bin/sh", "/bin/sh"):
        call = run(database, word)
        assert call.returncode == 2
        assert "there is no program" in call.stderr
