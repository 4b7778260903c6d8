"""The store as it was at a moment: pages of resources by key, however long the reading takes.

A resource's row holds its current version and the history those before, each with the time it
was stored. So the state at a moment T can be read at any later time, page by page and after any
crash, without a snapshot that would have to stay open. One thing must be waited for: a writer
takes the time of its version before it commits, so versions of before T can appear after T
until every transaction that was writing then has ended (``settle``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString, cast
from uuid import UUID

import psycopg

from healthhub import clock
from healthhub.model.ids import SHARED
from healthhub.store import dictionary, types

Connection = psycopg.Connection[Any]
GRACE_SECONDS = 1.0
"""How long after taking its time a writer may yet begin its transaction."""
POLL_SECONDS = 0.1
PAGE_BYTES = 4 * 2**20
"""Packed bytes of a page, unless its first resource alone has more: bounds the memory of it."""


@dataclass(frozen=True, slots=True)
class Version:
    """A resource as it was. ``packed`` as the store holds it; ``changed``: there is a later
    version by now."""

    id: UUID
    patient: UUID
    version: int
    updated: datetime
    deleted: bool
    changed: bool
    packed: bytes


def settle(conn: Connection, moment: datetime, go_on: Callable[[], bool]) -> bool:
    """Wait until no transaction can add a version of ``moment`` or before; False when
    ``go_on`` said no."""
    while (clock.now() - moment).total_seconds() < GRACE_SECONDS:
        time.sleep(POLL_SECONDS)
    writers = _writers(conn)
    while writers & _writers(conn):
        if not go_on():
            return False
        time.sleep(POLL_SECONDS)
    return True


def _writers(conn: Connection) -> set[str]:
    """The transactions that hold what a writer of the store holds from its first statement on:
    those of this database alone, and no reader."""
    found = conn.execute(
        """select virtualtransaction from pg_locks
            where locktype = 'relation' and relation = 'resource'::regclass
              and database = (select oid from pg_database where datname = current_database())
              and mode in ('RowShareLock', 'RowExclusiveLock')"""
    )
    return {row[0] for row in found}


_PAGE = """
select r.id, r.patient_key, coalesce(h.version, r.version) as version,
       coalesce(h.updated, r.updated) as updated, coalesce(h.deleted, r.deleted) as deleted,
       h.version is not null as changed, coalesce(h.body, r.body) as body
  from resource r left join lateral (
       select v.version, v.updated, v.deleted, v.body from resource_history v
        where r.updated > %(moment)b and v.patient_key = r.patient_key and v.type = r.type
          and v.id = r.id and v.updated <= %(moment)b
        order by v.version desc limit 1) h on true
 where r.type = %(type)b and (r.updated <= %(moment)b or h.version is not null)"""


def page(
    conn: Connection,
    resource_type: str,
    moment: datetime,
    after: UUID | None,
    count: int,
    *,
    since: datetime | None = None,
    owned: bool = False,
) -> list[Version]:
    """Up to ``count`` resources of a type as they were at ``moment``, in id order after
    ``after``, deleted ones among them; fewer where they are large, none only at the end. ``since``: only what changed after it; ``owned``: only
    what belongs to a patient."""
    clauses, values = _common(resource_type, moment, count, since)
    if owned:
        clauses += " and r.patient_key <> %(shared)b"
        values["shared"] = SHARED
    if after is not None:
        clauses += " and r.id > %(after)b"
        values["after"] = after
    return _fetch(conn, clauses, "r.type, r.id", "id", values)


def page_of(
    conn: Connection,
    resource_type: str,
    moment: datetime,
    patients: Sequence[UUID],
    after: tuple[UUID, UUID] | None,
    count: int,
    *,
    since: datetime | None = None,
) -> list[Version]:
    """The same of some patients alone, in order of patient and id."""
    clauses, values = _common(resource_type, moment, count, since)
    clauses += " and r.patient_key = any(%(patients)b::uuid[])"
    values["patients"] = list(patients)
    if after is not None:
        clauses += " and (r.patient_key, r.id) > (%(patient)b::uuid, %(after)b::uuid)"
        values["patient"], values["after"] = after
    return _fetch(conn, clauses, "r.patient_key, r.id", "patient_key, id", values)


def _common(
    resource_type: str, moment: datetime, count: int, since: datetime | None
) -> tuple[str, dict[str, Any]]:
    values: dict[str, Any] = {
        "type": types.NUMBERS[resource_type],
        "moment": moment,
        "count": count,
    }
    if since is None:
        return "", values
    values["since"] = since
    return " and coalesce(h.updated, r.updated) > %(since)b", values


def _fetch(
    conn: Connection, clauses: str, order: str, listed: str, values: dict[str, Any]
) -> list[Version]:
    """The page, cut where its bodies reach PAGE_BYTES; sizes are known without reading them."""
    sql = f"""
        select id, patient_key, version, updated, deleted, changed, body from (
            select page.*, sum(octet_length(body)) over (order by {listed}) as size,
                   row_number() over (order by {listed}) as place
              from ({_PAGE}{clauses} order by {order} limit %(count)b::bigint) page) sized
         where size <= %(bytes)b::bigint or place = 1 order by {listed}"""  # noqa: S608
    with conn.cursor(binary=True) as cursor:
        found = cursor.execute(cast(LiteralString, sql), values | {"bytes": PAGE_BYTES})
        return [Version(*row) for row in found]


def changed(
    conn: Connection, resource_type: str, keys: Sequence[UUID], moment: datetime
) -> set[UUID]:
    """Which of the resources have a version of after ``moment`` by now."""
    with conn.cursor(binary=True) as cursor:
        found = cursor.execute(
            "select id from resource where type = %b and id = any(%b) and updated > %b",
            (types.NUMBERS[resource_type], list(keys), moment),
        )
        return {key for (key,) in found}


def bodies(conn: Connection, found: Sequence[Version]) -> list[bytes]:
    """The wire JSON of each."""
    try:
        return [dictionary.unpack(each.packed) for each in found]
    except dictionary.UnknownDictionary:
        dictionary.learn(conn.execute(dictionary.ALL).fetchall())
        return [dictionary.unpack(each.packed) for each in found]
