"""Clients: programs that come with a bearer token, or sign for one with a key of their own."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

from healthhub import clock
from healthhub.access import keys
from healthhub.access.accounts import NAME, digest
from healthhub.access.actor import Actor, Purpose, Role
from healthhub.access.scopes import Scopes, wanted
from healthhub.errors import InvalidRequest, NotFound

Connection = psycopg.Connection[Any]
ACTING = "client.id, client.name, client.roles, client.purpose, client.source"
"""What ``actor`` makes a client of, with the scopes as a sixth column."""
_ADD = """
insert into client (name, token, roles, purpose, scopes, source, jwks, jwks_url)
values (%(name)s, %(token)s, %(roles)s, %(purpose)s, %(scopes)s, %(source)s, %(jwks)s, %(url)s)
on conflict (name) do nothing returning id
"""
_NAMED = f"""select {ACTING}, client.scopes from client
 where name = %s and disabled_at is null"""  # noqa: S608
_LIST = """
select name, roles, purpose, disabled_at is not null, scopes, source,
       case when jwks_url is not null then 'keys at ' || jwks_url
            when jwks is not null then 'keys ' || (
                select string_agg(key->>'kid', ',') from jsonb_array_elements(jwks) key)
            else 'token' end
  from client order by name
"""


@dataclass(frozen=True, slots=True)
class Client:
    """A client as the list shows it; ``known_by``: its token, its keys or their address."""

    name: str
    roles: tuple[Role, ...]
    purpose: Purpose
    disabled: bool
    scopes: tuple[str, ...] = ()
    source: str | None = None
    known_by: str = "token"


@dataclass(frozen=True, slots=True)
class Keys:
    """The public keys that a client signs with: themselves, or the address they are read from."""

    listed: Sequence[keys.Jwk] = ()
    url: str = ""

    def columns(self) -> dict[str, Any]:
        """As they are stored."""
        return {
            "jwks": Jsonb([*self.listed]) if self.listed else None,
            "url": self.url or None,
        }


def add(
    connection: Connection,
    name: str,
    roles: Sequence[Role],
    purpose: Purpose,
    scopes: Scopes | None = None,
    source: str | None = None,
) -> str:
    """Register a client and return its bearer token, which is nowhere stored."""
    token = secrets.token_urlsafe(32)
    known = {"token": digest(token), **Keys().columns()}
    _add(connection, name, roles, purpose, scopes, source, known)
    return token


def add_signing(
    connection: Connection,
    name: str,
    roles: Sequence[Role],
    purpose: Purpose,
    scopes: Scopes,
    source: str | None,
    signs_with: Keys,
) -> None:
    """Register a client that signs for short-lived tokens; its scopes bound each of them."""
    known = {"token": None, **signs_with.columns()}
    _add(connection, name, roles, purpose, scopes, source, known)


def _add(
    connection: Connection,
    name: str,
    roles: Sequence[Role],
    purpose: Purpose,
    scopes: Scopes | None,
    source: str | None,
    known: dict[str, Any],
) -> None:
    if not NAME.fullmatch(name):
        raise InvalidRequest(
            "a client's name is 2 to 63 small letters, digits, '.', '_' or '-', and begins "
            "with a letter",
            expression="name",
        )
    values = known | {
        "name": name,
        "roles": [role.value for role in roles],
        "purpose": purpose.value,
        "scopes": None if scopes is None else scopes.words(),
        "source": source,
    }
    if connection.execute(_ADD, values).fetchone() is None:
        raise InvalidRequest("a client of this name exists; choose another", expression="name")


def set_keys(connection: Connection, name: str, signs_with: Keys) -> None:
    """Give a client that signs other keys. The tokens that it holds end at once, as the old
    keys may be in other hands."""
    changed = connection.execute(
        "update client set jwks = %(jwks)s, jwks_url = %(url)s"
        " where name = %(name)s and token is null returning id",
        signs_with.columns() | {"name": name},
    ).fetchone()
    if changed is None:
        raise NotFound(
            "there is no client of this name that signs; see `healthhub client list`"
        )
    connection.execute("delete from access_token where client = %s", changed)


def disable(connection: Connection, name: str) -> None:
    """Refuse the client from now on; its audit stays."""
    changed = connection.execute(
        "update client set disabled_at = coalesce(disabled_at, %s) where name = %s returning id",
        (clock.now(), name),
    ).fetchone()
    if changed is None:
        raise NotFound("there is no client of this name; `healthhub client list` shows them")
    connection.execute("delete from access_token where client = %s", changed)


def listed(connection: Connection) -> list[Client]:
    """All clients by name."""
    return [
        Client(n, tuple(map(Role, roles)), Purpose(p), off, tuple(scopes or ()), *rest)
        for n, roles, p, off, scopes, *rest in connection.execute(_LIST)
    ]


async def acting(pool: AsyncConnectionPool[Any], name: str) -> Actor | None:
    """The client as an actor with its purpose; None when there is none or it is disabled."""
    async with pool.connection() as connection:
        cursor = await connection.execute(_NAMED, (name,))
        row = await cursor.fetchone()
    return None if row is None else actor(*row)


def actor(
    number: int,
    name: str,
    roles: Sequence[str],
    purpose: str,
    source: str | None,
    scopes: Sequence[str] | None,
) -> Actor:
    """The client as an actor, bounded by scopes where it or its token has some."""
    return Actor(
        f"client:{number}",
        "client",
        name,
        frozenset(map(Role, roles)),
        purpose=Purpose(purpose),
        scopes=None if scopes is None else wanted(scopes),
        source=source,
    )
