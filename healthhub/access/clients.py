"""Clients: programs that come with a bearer token."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg

from healthhub.access.actor import Purpose, Role


def add(
    connection: psycopg.Connection, name: str, roles: Sequence[Role], purpose: Purpose
) -> str:
    """Register a client and return its bearer token, which is nowhere stored."""
    raise NotImplementedError
