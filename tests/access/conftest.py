"""Fixtures of the tests of access: the application, accounts, and a way to sign in."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import psycopg
import pytest
from fastapi import FastAPI
from psycopg_pool import AsyncConnectionPool
from serving import answering

from healthhub.main import build_app
from healthhub.settings import Settings
from healthhub.store import database as store_database


@pytest.fixture
def app(database: str) -> FastAPI:
    """The whole application."""
    return build_app(Settings(), database)


@pytest.fixture
def anyone(app: FastAPI) -> Iterator[httpx.Client]:
    """A client without credentials."""
    with answering(app) as client:
        yield client


@pytest.fixture
def pool(database: str) -> AsyncConnectionPool[psycopg.AsyncConnection]:
    """A pool, to be opened by the test inside its event loop."""
    return store_database.async_pool(database, 8)
