"""Writes of FHIR clients: stored and tied to a person in one transaction."""

from __future__ import annotations

from typing import Any

import orjson
import psycopg

from healthhub import identify
from healthhub.model.resource import Body, Stored
from healthhub.pipeline.attempts import attempt
from healthhub.store import direct as store
from healthhub.store.writer import Action, Written

Connection = psycopg.Connection[Any]


def create(conn: Connection, resource_type: str, body: Body) -> Stored:
    """Store a new resource under an id of the hub's choice."""
    return attempt(conn, lambda: _observed(conn, store.create(conn, resource_type, body)))


def update(
    conn: Connection,
    resource_type: str,
    fhir_id: str,
    body: Body,
    if_match: int | None = None,
) -> Stored:
    """Replace a resource, or create it under the client's id; PreconditionFailed when
    ``if_match`` is not the current version."""
    return attempt(
        conn,
        lambda: _observed(conn, store.update(conn, resource_type, fhir_id, body, if_match)),
    )


def delete(
    conn: Connection, resource_type: str, fhir_id: str, if_match: int | None = None
) -> Stored | None:
    """Delete a resource; None when there was nothing to delete."""

    def work() -> Stored | None:
        stored = store.delete(conn, resource_type, fhir_id, if_match)
        return None if stored is None else _observed(conn, stored)

    return attempt(conn, work)


def _observed(conn: Connection, stored: Stored) -> Stored:
    """Let the person index see the write before it is committed."""
    action: Action = "created" if stored.version == 1 else "updated"
    body: Body = {} if stored.deleted else orjson.loads(stored.json)
    written = Written(stored.type, stored.id, stored.patient, action, stored.version, body)
    identify.observe(conn, [written], [])
    return stored
