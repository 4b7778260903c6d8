"""Tokens told about and ended: introspection (RFC 7662) and revocation (RFC 7009).

https://hl7.org/fhir/smart-app-launch/STU2.2/token-introspection.html
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg_pool import AsyncConnectionPool

from healthhub.access import audit
from healthhub.access.accounts import digest
from healthhub.access.actor import Actor, Purpose, Role
from healthhub.access.policy import Action

_TOLD = """
select client.id, client.name, scopes, null as expires_at from client
 where token = %(token)s and disabled_at is null
union all
select client.id, client.name, access_token.scopes, access_token.expires_at
  from access_token join client on client.id = access_token.client
 where access_token.token = %(token)s and access_token.expires_at > now()
   and disabled_at is null
"""
_REVOKE = "delete from access_token where token = %s and client = %s returning client"


@dataclass(frozen=True, slots=True)
class Told:
    """A token that is good: whose it is, its scopes (None: what the client's roles allow), and
    its end (None: that of the client)."""

    client: str
    scopes: tuple[str, ...] | None
    expires: datetime | None


async def told(pool: AsyncConnectionPool[Any], who: Actor, token: str) -> Told | None:
    """What a token is good for; None for one that is good for nothing, and for another client's:
    of those only a client with all rights, as a server of resources is, learns anything."""
    async with pool.connection() as connection:
        row = await (await connection.execute(_TOLD, {"token": digest(token)})).fetchone()
    if row is None:
        return None
    number, name, scopes, expires = row
    sees_all = Role.SYSTEM in who.roles and who.scopes is None
    if who.id != f"client:{number}" and not sees_all:
        return None
    return Told(name, None if scopes is None else tuple(scopes), expires)


async def revoke(pool: AsyncConnectionPool[Any], who: Actor, token: str) -> None:
    """End a token of this client; nothing happens to one that is none, or another's."""
    number = int(who.id.partition(":")[2])
    async with pool.connection() as connection, connection.transaction():
        ended = await connection.execute(_REVOKE, (digest(token), number))
        if await ended.fetchone() is None:
            return
        event = audit.Event(
            who, who.purpose or Purpose.HOPERAT, Action.SIGN_OUT, query="token revoked"
        )
        await connection.execute(audit.INSERT, (audit.as_parameter([event]),))
