"""Subscription resources taken in: what a client wrote becomes what is matched and delivered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson
import psycopg

from healthhub.errors import HubError, NotFound, PreconditionFailed
from healthhub.model.resource import Body, Stored
from healthhub.pipeline import direct
from healthhub.settings import Subscriptions
from healthhub.store import changes, wire
from healthhub.store.changes import Change
from healthhub.subscriptions import table
from healthhub.subscriptions.topics import Topic, load
from healthhub.subscriptions.wanted import read, types_of

Connection = psycopg.Connection[Any]
UNSIGNED = "the hub does not know who wrote this Subscription; write it again through FHIR"


def require(body: Body, settings: Subscriptions) -> None:
    """Raise Unprocessable when what is being written could not be taken in."""
    if body.get("status") != "off":
        read(body, settings, load(settings.topics_folder))


def take_in(
    conn: Connection, change: Change, settings: Subscriptions, topics: Mapping[str, Topic]
) -> None:
    """Take in one version of a Subscription, in the caller's transaction.

    Any client's write with the status requested or active (or error: the body that was read)
    asks for the subscription anew, so that a PUT of what was read is enough to revive it.
    """
    known = table.by_id(conn, change.id)
    if known is not None and change.version <= known.version:
        return
    stored = changes.versions(conn, [("Subscription", change.id, change.version)]).get(
        ("Subscription", change.id, change.version)
    )
    if stored is None:
        return
    if stored.deleted:
        table.remove(conn, change.id)
        return
    body: Body = orjson.loads(stored.json)
    status = body.get("status")
    if status == "off" or (status == "error" and change.actor is None):
        if known is not None:
            table.turn_off(conn, change.id, change.version)
        return
    who, _, why = (change.actor or "").partition(" ")
    try:
        if not why:
            raise NotFound(UNSIGNED)
        wanted = read(body, settings, topics)
    except HubError as error:
        if known is not None:
            table.turn_off(conn, change.id, change.version, error.message)
        show(conn, change.id, change.version, "error", error.message)
        return
    looked_at = types_of(wanted, topics)
    table.put(conn, change.id, body["id"], (who, why), change.version, wanted, looked_at)


def show(conn: Connection, key: UUID, version: int, status: str, said: str = "") -> bool:
    """Set the status that the resource shows; False when a client has written it meanwhile,
    which is then the next thing to be taken in."""
    found: Stored | None = changes.versions(conn, [("Subscription", key, version)]).get(
        ("Subscription", key, version)
    )
    if found is None or found.deleted:
        return False
    body = wire.reload(found.json)
    if body.get("status") == status and body.get("error", "") == said:
        return True
    body["status"] = status
    body.pop("error", None)
    if said:
        body["error"] = said
    try:
        with conn.transaction():
            stored = direct.update(conn, "Subscription", body["id"], body, version)
            table.versioned(conn, key, stored.version)
    except PreconditionFailed:
        return False
    return True
