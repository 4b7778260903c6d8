"""A query as a value: SQL, its parameters, and how its rows become an answer."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, LiteralString, TypeVar, cast

from psycopg import AsyncConnection, Connection
from psycopg_pool import AsyncConnectionPool

from healthhub.model.resource import Stored
from healthhub.store import dictionary

T = TypeVar("T")
Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """Some of a query's resources. ``next`` continues after them, None when there are no more;
    ``total`` is known only if it was asked for."""

    matches: list[Stored]
    included: list[Stored] = field(default_factory=list)
    next: str | None = None
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Query(Generic[T]):
    """One statement and the reading of its result; run it with ``fetch`` or ``afetch``.

    ``decode`` gets all rows (binary results: uuid, int, datetime, bytes) and may raise a
    HubError such as NotFound.
    """

    sql: str
    params: Mapping[str, Any] | Sequence[Any]
    decode: Callable[[list[Row]], T]


def fetch(connection: Connection[Any], query: Query[T]) -> T:
    """Run the query in the connection's transaction."""
    with connection.cursor(binary=True) as cursor:
        cursor.execute(cast(LiteralString, query.sql), query.params)
        rows = cursor.fetchall()
        try:
            return query.decode(rows)
        except dictionary.UnknownDictionary:
            dictionary.learn(cursor.execute(dictionary.ALL).fetchall())
            return query.decode(rows)


async def afetch(source: AsyncConnection[Any] | AsyncConnectionPool[Any], query: Query[T]) -> T:
    """Run the query on a connection, or on one borrowed from the pool."""
    if isinstance(source, AsyncConnectionPool):
        async with source.connection() as connection:
            return await afetch(connection, query)
    async with source.cursor(binary=True) as cursor:
        await cursor.execute(cast(LiteralString, query.sql), query.params)
        rows = await cursor.fetchall()
        try:
            return query.decode(rows)
        except dictionary.UnknownDictionary:
            await cursor.execute(dictionary.ALL)
            dictionary.learn(await cursor.fetchall())
            return query.decode(rows)


Plan = Generator[Query[Any], Any, T]
"""Queries of which each may depend on the answers of those before."""


def follow(connection: Connection[Any], plan: Plan[T]) -> T:
    """Run a plan's queries; what it ends with."""
    try:
        query = next(plan)
        while True:
            query = plan.send(fetch(connection, query))
    except StopIteration as ended:
        return ended.value


async def afollow(source: AsyncConnection[Any] | AsyncConnectionPool[Any], plan: Plan[T]) -> T:
    """Run a plan's queries; what it ends with."""
    try:
        query = next(plan)
        while True:
            query = plan.send(await afetch(source, query))
    except StopIteration as ended:
        return ended.value
