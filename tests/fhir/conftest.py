"""Fixtures of the FHIR service's tests: the application, and clients of it."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from serving import answering

from healthhub.access import Purpose, Role, clients
from healthhub.main import build_app
from healthhub.settings import Settings, Web
from healthhub.store import database as store_database


@pytest.fixture
def token(database: str) -> str:
    """The bearer token of a client with all rights."""
    with store_database.connect(database) as connection:
        return clients.add(connection, "his", [Role.SYSTEM], Purpose.TREAT)


@pytest.fixture
def anyone(database: str) -> Iterator[httpx.Client]:
    """A client that brings no credentials."""
    with answering(
        build_app(Settings(web=Web(base_url="http://hub.test")), database)
    ) as client:
        yield client


@pytest.fixture
def hub(anyone: httpx.Client, token: str) -> httpx.Client:
    """A client with all rights."""
    anyone.headers["authorization"] = f"Bearer {token}"
    return anyone
