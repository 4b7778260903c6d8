"""What an account or a client is now: for work that goes on after its request has ended."""

from __future__ import annotations

from typing import Any, LiteralString

import psycopg

from healthhub.access.actor import Actor, Role
from healthhub.access.scopes import wanted

_FOUND: dict[str, LiteralString] = {
    "account": "select name, title, roles, null from account"
    " where id = %s and disabled_at is null",
    "client": "select name, '', roles, scopes from client where id = %s and disabled_at is null",
}


def actor_of(conn: psycopg.Connection[Any], actor_id: str) -> Actor | None:
    """The actor with its roles and scopes of today; None when it was closed."""
    kind, _, number = actor_id.partition(":")
    if kind not in ("account", "client") or not number.isdigit():
        return None
    row = conn.execute(_FOUND[kind], (int(number),)).fetchone()
    if row is None:
        return None
    name, title, roles, scopes = row
    bounds = None if scopes is None else wanted(scopes)
    return Actor(actor_id, kind, name, frozenset(map(Role, roles)), title, scopes=bounds)
