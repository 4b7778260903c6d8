"""What was stored, as an outbox: one row for each new version of the types that are watched.

A trigger writes the row in the transaction of the version itself, whoever the writer is, so
that nothing is lost and nothing is told that was rolled back. It exists only for the types that
somebody watches: a write of any other type pays nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString, cast
from uuid import UUID

import psycopg
from psycopg.errors import LockNotAvailable

from healthhub.model.resource import Stored
from healthhub.store import query, rows, types

Connection = psycopg.Connection[Any]
SUBSCRIPTION = types.NUMBERS["Subscription"]
LOCK_MILLISECONDS = 300
"""How long writers may be held up when the watched types change."""
PATIENT_MILLISECONDS = 1500
"""The same after some vain attempts: autovacuum gives way only to who waits for over a second
(deadlock_timeout)."""


@dataclass(frozen=True, slots=True)
class Change:
    """A version that was stored. ``actor``: who wrote it and why, told of Subscriptions."""

    seq: int
    type: str
    id: UUID
    version: int
    actor: str | None
    at: datetime


def triggers(watched: Iterable[int]) -> list[str]:
    """The statements that make the triggers watch these types."""
    listed = ",".join(str(int(number)) for number in sorted(set(watched)))
    some = f"new.type = any ('{{{listed}}}'::smallint[])"
    return [
        f"""create or replace trigger note_insert after insert on resource
            for each row when ({some}) execute function note_change()""",
        f"""create or replace trigger note_update after update on resource
            for each row when ({some} and new.version <> old.version)
            execute function note_change()""",
        f"update change_watch set types = '{{{listed}}}'",  # noqa: S608 - numbers
    ]


def watched(conn: Connection) -> set[int]:
    """The types whose changes are noted."""
    row = conn.execute("select types from change_watch").fetchone()
    return set(row[0]) if row else set()


def watch(
    conn: Connection, wanted: Iterable[int], milliseconds: int = LOCK_MILLISECONDS
) -> bool:
    """Note changes of these types (and of Subscription) from the commit of this on.

    False when writers held the table for longer than they may be held up in turn: try again,
    after a pause that lets them go on.
    """
    target = {SUBSCRIPTION, *wanted}
    if watched(conn) == target:
        return True
    try:
        with conn.transaction():
            conn.execute("select set_config('lock_timeout', %s, true)", (str(milliseconds),))
            for statement in triggers(target):
                conn.execute(cast(LiteralString, statement))
    except LockNotAvailable:
        return False
    return True


def take(conn: Connection, count: int) -> list[Change]:
    """The oldest changes; they stay until ``drop``.

    Versions of one resource come in their order: a writer holds the resource's row when it
    draws the number. A change that is committed late is found later, and never passed over.
    """
    found = conn.execute(
        "select seq, type, id, version, actor, at from change order by seq limit %s", (count,)
    )
    return [Change(row[0], types.name(row[1]), *row[2:]) for row in found]


def drop(conn: Connection, done: Sequence[Change]) -> None:
    """Forget changes that were dealt with."""
    conn.execute("delete from change where seq = any(%s)", ([change.seq for change in done],))


def sign(conn: Connection, written: Iterable[Stored], who: str, why: str) -> None:
    """Tell who wrote the Subscriptions among these, in the transaction that writes them: events
    are delivered by their writer's rights."""
    found = [(each.id, each.version) for each in written if each.type == "Subscription"]
    if found:
        conn.execute(
            """update change c set actor = %s
                 from unnest(%s::uuid[], %s::int[]) u(id, version)
                where c.type = %s and c.id = u.id and c.version = u.version""",
            (f"{who} {why}", [key for key, _ in found], [n for _, n in found], SUBSCRIPTION),
        )


_VERSIONS = f"""
select {rows.COLUMNS} from unnest(%b::smallint[], %b::uuid[], %b::int[]) u(type, id, version)
  join resource r on r.type = u.type and r.id = u.id and r.version = u.version
 union all
select {rows.COLUMNS.replace("r.", "h.")}
  from unnest(%b::smallint[], %b::uuid[], %b::int[]) u(type, id, version)
  join resource r on r.type = u.type and r.id = u.id and r.version > u.version
  join resource_history h on h.patient_key = r.patient_key and h.type = u.type and h.id = u.id
   and h.version = u.version"""  # noqa: S608


def versions(
    conn: Connection, wanted: Iterable[tuple[str, UUID, int]]
) -> dict[tuple[str, UUID, int], Stored]:
    """These versions of these resources, as far as they are there."""
    listed = list(dict.fromkeys(wanted))
    if not listed:
        return {}
    numbers = [types.NUMBERS[name] for name, _, _ in listed]
    keys = [key for _, key, _ in listed]
    counts = [version for _, _, version in listed]

    def decode(found: list[query.Row]) -> dict[tuple[str, UUID, int], Stored]:
        stored = [rows.stored(row) for row in found]
        return {(each.type, each.id, each.version): each for each in stored}

    values = (numbers, keys, counts) * 2
    return query.fetch(conn, query.Query(_VERSIONS, values, decode))
