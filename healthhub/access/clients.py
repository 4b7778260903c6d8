"""Clients: programs that come with a bearer token."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg_pool import AsyncConnectionPool

from healthhub import clock
from healthhub.access.accounts import NAME, digest
from healthhub.access.actor import Actor, Purpose, Role
from healthhub.errors import InvalidRequest, NotFound


@dataclass(frozen=True, slots=True)
class Client:
    """A client as the list shows it."""

    name: str
    roles: tuple[Role, ...]
    purpose: Purpose
    disabled: bool


def add(
    connection: psycopg.Connection[Any], name: str, roles: Sequence[Role], purpose: Purpose
) -> str:
    """Register a client and return its bearer token, which is nowhere stored."""
    if not NAME.fullmatch(name):
        raise InvalidRequest(
            "a client's name is 2 to 63 small letters, digits, '.', '_' or '-', and begins "
            "with a letter",
            expression="name",
        )
    token = secrets.token_urlsafe(32)
    made = connection.execute(
        "insert into client (name, token, roles, purpose) values (%s, %s, %s, %s)"
        " on conflict (name) do nothing returning id",
        (name, digest(token), [role.value for role in roles], purpose.value),
    ).fetchone()
    if made is None:
        raise InvalidRequest("a client of this name exists; choose another", expression="name")
    return token


def disable(connection: psycopg.Connection[Any], name: str) -> None:
    """Refuse the client from now on; its audit stays."""
    changed = connection.execute(
        "update client set disabled_at = coalesce(disabled_at, %s) where name = %s returning id",
        (clock.now(), name),
    ).fetchone()
    if changed is None:
        raise NotFound("there is no client of this name; `healthhub client list` shows them")


def listed(connection: psycopg.Connection[Any]) -> list[Client]:
    """All clients by name."""
    rows = connection.execute(
        "select name, roles, purpose, disabled_at is not null from client order by name"
    )
    return [Client(n, tuple(map(Role, roles)), Purpose(p), off) for n, roles, p, off in rows]


async def acting(pool: AsyncConnectionPool[Any], name: str) -> Actor | None:
    """The client as an actor with its purpose; None when there is none or it is disabled."""
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "select id, roles, purpose from client where name = %s and disabled_at is null",
            (name,),
        )
        row = await cursor.fetchone()
    if row is None:
        return None
    number, roles, purpose = row
    return Actor(
        f"client:{number}",
        "client",
        name,
        frozenset(map(Role, roles)),
        purpose=Purpose(purpose),
    )
