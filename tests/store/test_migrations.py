"""Migrations: once, whoever starts first; a schema of a later release and a bad address are told."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from healthhub.errors import SettingError
from healthhub.store import database as store_database

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def empty(server_dsn: str) -> Iterator[str]:
    """A database without any schema."""
    name = f"test_{os.getpid()}_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(server_dsn, autocommit=True) as connection:
        connection.execute(f"create database {name}")  # type: ignore[arg-type]
    yield make_conninfo(server_dsn, dbname=name)
    with psycopg.connect(server_dsn, autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)")  # type: ignore[arg-type]


def test_processes_that_start_at_once_migrate_once_and_all_find_it_done(empty: str) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "healthhub", "migrate"],
            env={**os.environ, "HEALTHHUB_DATABASE_URL": empty},
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for process in processes:
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said
    assert store_database.migrated(empty)
    with psycopg.connect(empty) as connection:
        rows = connection.execute("select version_num from alembic_version").fetchall()
    assert rows == [(store_database.newest(),)]


def test_migrating_waits_for_whoever_migrates(empty: str) -> None:
    with psycopg.connect(empty, autocommit=True) as guard:
        guard.execute("select pg_advisory_lock(%s)", (store_database.MIGRATION_LOCK,))
        process = subprocess.Popen(
            [sys.executable, "-m", "healthhub", "migrate"],
            env={**os.environ, "HEALTHHUB_DATABASE_URL": empty},
            cwd=ROOT,
            stderr=subprocess.DEVNULL,
        )
        waiting = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
        while guard.execute(waiting).fetchone() == (0,):
            assert process.poll() is None
        assert store_database.current(guard) is None
    assert process.wait(120) == 0
    assert store_database.migrated(empty)


def test_a_schema_of_a_later_release_is_refused_and_left_alone(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("update alembic_version set version_num = '9999'")
    with pytest.raises(SettingError, match="schema 9999, made by a later release"):
        store_database.migrate(database)
    with psycopg.connect(database) as connection:
        assert store_database.current(connection) == "9999"


@pytest.mark.parametrize(
    ("dsn", "says"),
    [
        ("postgresql://hub:hunter2@127.0.0.1:1/hub", "cannot be used"),
        ("postgresql://hub:hunter2@127.0.0.1:port/hub", 'invalid integer value "port"'),
        ("hunter2", "no address of a database"),
    ],
    ids=["nobody answers", "a wrong port", "no address"],
)
def test_a_database_without_a_way_in_is_told_by_the_setting_and_without_its_password(
    dsn: str, says: str
) -> None:
    with pytest.raises(SettingError, match=says) as caught:
        store_database.migrate(dsn)
    assert caught.value.expression == "database_url"
    assert "hunter2" not in caught.value.message
