"""What a subscription's owner may look at: its status, and its events as they were to be told."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg

from healthhub.errors import NotFound
from healthhub.model.ids import SHARED, row_id
from healthhub.store import changes
from healthhub.subscriptions import notification, table

Connection = psycopg.Connection[Any]
MOST = 1000
"""Events of one answer; the client asks on from the number after the last."""


@dataclass(frozen=True, slots=True)
class Look:
    """JSON for the owner, and whose data is in it."""

    body: bytes
    patients: tuple[UUID, ...] = ()


def status(
    conn: Connection, owner: str, base: str, ids: Collection[str], states: Collection[str]
) -> list[bytes]:
    """Entries with the status of the owner's subscriptions: those with the ids and in the
    states, where any are given."""
    return [
        notification.status_entry("query-status", one, base, found=True)
        for one in table.of_owner(conn, owner)
        if (not ids or one.fhir_id in ids) and (not states or one.state in states)
    ]


def events(
    conn: Connection,
    owner: str,
    base: str,
    fhir_id: str,
    since: int,
    until: int | None,
    content: str | None,
) -> Look:
    """A bundle of the events from ``since`` to ``until``, both included, as far as they are kept.

    NotFound unless the subscription is the owner's.
    """
    one = table.by_id(conn, row_id("Subscription", fhir_id))
    if one is None or one.owner != owner:
        raise NotFound("there is no such Subscription of yours")
    found = table.events(conn, one.id, since, until, MOST)
    versions = changes.versions(conn, [(each.type, each.id, each.version) for each in found])
    body = notification.bundle("query-event", one, base, found, versions, content)
    owners = dict.fromkeys(each.patient for each in versions.values())
    owners.pop(SHARED, None)
    return Look(body, tuple(owners))
