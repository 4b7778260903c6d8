"""Writes of FHIR clients: a whole resource replaces what was there."""

from __future__ import annotations

from uuid import UUID

from psycopg import Connection

from healthhub.model.resource import Body, Stored


def create(connection: Connection, resource_type: str, body: Body) -> Stored:
    """Store a new resource under an id of the server's choice; the body's id is ignored."""
    raise NotImplementedError


def update(
    connection: Connection,
    resource_type: str,
    fhir_id: str,
    body: Body,
    if_match: int | None = None,
) -> Stored:
    """Replace, or create under the client's id (version 1). ``if_match``: the version that must be
    current, else PreconditionFailed. A body equal to the current one makes no new version."""
    raise NotImplementedError


def delete(
    connection: Connection, resource_type: str, fhir_id: str, if_match: int | None = None
) -> Stored | None:
    """Delete; None when there was nothing to delete. The history stays."""
    raise NotImplementedError


def key_of(resource_type: str, fhir_id: str) -> UUID:
    """The row id of a FHIR id."""
    raise NotImplementedError
