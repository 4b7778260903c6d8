"""FHIR search: parameters of a URL to one SQL query, and its rows to a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from psycopg import AsyncConnection, Connection
from psycopg_pool import AsyncConnectionPool

from healthhub.model.resource import Stored
from healthhub.store.parameters import Parameter, parameters
from healthhub.store.query import Page as SearchPage
from healthhub.store.query import Query

__all__ = ["Parameter", "SearchPage", "compile", "includes", "parameters", "patient_references"]

Params = Sequence[tuple[str, str]]


def compile(
    resource_type: str,
    params: Params,
    cover: Mapping[UUID, Sequence[UUID]] | None = None,
    base_url: str = "",
) -> Query[SearchPage]:
    """The search as one query.

    ``cover`` maps a golden patient's key to the keys it stands for (patient_references tells
    which to ask for). ``page.next`` is an opaque cursor: the next page is the same search with
    the parameter ``_cursor`` set to it. Raises UnknownParameter, InvalidRequest.
    """
    raise NotImplementedError


def includes(
    resource_type: str, params: Params, page: SearchPage, base_url: str = ""
) -> Query[list[Stored]] | None:
    """The second query, for _include; None when nothing is to be fetched."""
    raise NotImplementedError


def patient_references(resource_type: str, params: Params, base_url: str = "") -> set[UUID]:
    """The patients that the search names, whose cover ``compile`` needs."""
    raise NotImplementedError


def run(
    connection: Connection,
    resource_type: str,
    params: Params,
    cover: Mapping[UUID, Sequence[UUID]] | None = None,
    base_url: str = "",
) -> SearchPage:
    """Search and includes in one go."""
    raise NotImplementedError


async def arun(
    source: AsyncConnection | AsyncConnectionPool,
    resource_type: str,
    params: Params,
    cover: Mapping[UUID, Sequence[UUID]] | None = None,
    base_url: str = "",
) -> SearchPage:
    """Search and includes in one go."""
    raise NotImplementedError
