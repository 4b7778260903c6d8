"""Reads within a client's transaction: they see what it has just written.

They are no way around the door: its ``write`` runs them, and its seal audits what they show.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

from healthhub.model.ids import row_id
from healthhub.model.resource import Stored
from healthhub.store import query, reads
from healthhub.store import search as store_search

Connection = psycopg.Connection[Any]


def read(connection: Connection, type_: str, fhir_id: str, version: int | None) -> Stored:
    """The current version, or the one asked for; NotFound, Gone."""
    key = row_id(type_, fhir_id)
    if version is not None:
        return query.fetch(connection, reads.by_version(type_, key, version))
    return query.fetch(connection, reads.by_id(type_, key))


def search(
    connection: Connection, type_: str, params: Sequence[tuple[str, str]], base: str
) -> query.Page:
    """The first page of a search; golden patients cover their sources."""
    return store_search.run(connection, type_, params, base)
