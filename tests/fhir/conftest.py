"""Fixtures of the FHIR service's tests: the application, and clients of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from serving import answering, copied

from healthhub.access import Purpose, Role, clients
from healthhub.main import build_app
from healthhub.settings import Settings, Web
from healthhub.store import database as store_database

BASE = "http://hub.test"


def registered(database: str) -> str:
    """The bearer token of a new client with all rights."""
    with store_database.connect(database) as connection:
        return clients.add(connection, "his", [Role.SYSTEM], Purpose.TREAT)


@contextmanager
def serving(database: str, token: str = "") -> Iterator[httpx.Client]:
    """The application on a database, and a client of it."""
    with answering(build_app(Settings(web=Web(base_url=BASE)), database)) as client:
        if token:
            client.headers["authorization"] = f"Bearer {token}"
        yield client


@pytest.fixture
def token(database: str) -> str:
    """The bearer token of a client with all rights."""
    return registered(database)


@pytest.fixture
def hub(database: str, token: str) -> Iterator[httpx.Client]:
    """A client with all rights."""
    with serving(database, token) as client:
        yield client


@pytest.fixture(scope="module")
def shared_database(server_dsn: str, template: str) -> Iterator[str]:
    """A database that the module's tests share."""
    with copied(server_dsn, template) as database:
        yield database


@pytest.fixture(scope="module")
def shared_hub(shared_database: str) -> Iterator[httpx.Client]:
    """A client with all rights of a hub that the module's tests share."""
    with serving(shared_database, registered(shared_database)) as client:
        yield client
