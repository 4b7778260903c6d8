"""What an account or a client is now: for work that goes on after its request has ended."""

from __future__ import annotations

from typing import Any, LiteralString

import psycopg

from healthhub.access.actor import Actor, Role

_FOUND: dict[str, LiteralString] = {
    "account": "select name, title, roles from account where id = %s and disabled_at is null",
    "client": "select name, '', roles from client where id = %s and disabled_at is null",
}


def actor_of(conn: psycopg.Connection[Any], actor_id: str) -> Actor | None:
    """The actor with its roles of today; None when it was closed."""
    kind, _, number = actor_id.partition(":")
    if kind not in ("account", "client") or not number.isdigit():
        return None
    row = conn.execute(_FOUND[kind], (int(number),)).fetchone()
    if row is None:
        return None
    name, title, roles = row
    return Actor(actor_id, kind, name, frozenset(map(Role, roles)), title)
