"""Two hubs for each history: one takes it message by message, the other loads it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo


@pytest.fixture
def other(server_dsn: str, template: str) -> Iterator[str]:
    """Address of a second database, as ``database`` is."""
    name = f"test_{os.getpid()}_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(server_dsn, autocommit=True) as connection:
        made = sql.SQL("create database {} template {} strategy file_copy")
        connection.execute(made.format(sql.Identifier(name), sql.Identifier(template)))
    yield make_conninfo(server_dsn, dbname=name)
    with psycopg.connect(server_dsn, autocommit=True) as connection:
        dropped = sql.SQL("drop database {} with (force)")
        connection.execute(dropped.format(sql.Identifier(name)))
