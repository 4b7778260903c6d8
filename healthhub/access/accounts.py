"""Accounts of people: passwords, lock-out, sessions that end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg_pool import AsyncConnectionPool

from healthhub.access.actor import Actor, Role


@dataclass(frozen=True, slots=True)
class Signed:
    """A fresh session: its cookie, which is nowhere else, its end, and whose it is."""

    token: str
    expires: datetime
    actor: Actor


def add(
    connection: psycopg.Connection,
    name: str,
    password: str,
    roles: Sequence[Role],
    title: str = "",
) -> None:
    """Make an account; InvalidRequest when the name is taken or the password too weak."""
    raise NotImplementedError


async def sign_in(
    pool: AsyncConnectionPool[Any], name: str, password: str, address: str, idle_minutes: int
) -> Signed:
    """Open a session; NotSignedIn with one and the same sentence whatever was wrong."""
    raise NotImplementedError
