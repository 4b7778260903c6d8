"""Persons: which source patients are one human being."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import psycopg


def person_of(connection: psycopg.Connection, patient: UUID) -> UUID:
    """The person of a patient: a golden Patient's key, or the patient's own."""
    raise NotImplementedError


def cover(connection: psycopg.Connection, patient: UUID) -> list[UUID]:
    """Whose rows a read of ``patient`` covers.

    A golden patient covers itself and its members; any other patient only itself.
    """
    raise NotImplementedError


async def aperson_of(connection: psycopg.AsyncConnection[Any], patient: UUID) -> UUID:
    """``person_of`` on an async connection."""
    raise NotImplementedError


async def acover(connection: psycopg.AsyncConnection[Any], patient: UUID) -> list[UUID]:
    """``cover`` on an async connection."""
    raise NotImplementedError
