"""A message that was rejected and can be read after all: it waits to be processed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

from healthhub.keep import insert, queue, raw
from healthhub.model.message import Incoming

ADMIT = """
with incoming as materialized (
    select * from unnest(
        %b::bigint[], %b::timestamptz[], %b::text[], %b::text[], %b::text[], %b::timestamptz[],
        %b::text[], %b::bigint[], %b::date[], %b::smallint[], %b::bytea[]
    ) as u (id, received, kind, control, patient, at, numbers, order_key, day, packed, raw)
), admitted as (
    update message_state s
       set state = 'pending', lane = i.order_key & 255, order_key = i.order_key, attempts = 0,
           changed = now()
      from incoming i where s.id = i.id and s.state = 'rejected'
    returning s.id
), lost as (
    select i.* from incoming i join admitted using (id)
     where not exists (select from raw_message r where r.id = i.id)
), bytes as (
    insert into raw_message (day, id, packed, raw) select day, id, packed, raw from lost
), described as (
    update message m
       set kind = i.kind, control = i.control, patient = i.patient, at = i.at,
           numbers = coalesce(string_to_array(nullif(i.numbers, ''), E'\\x1f'), '{}'),
           received = case when lost.id is null then m.received else i.received end
      from incoming i join admitted using (id) left join lost using (id)
     where m.id = i.id
), cleared as (
    delete from message_finding f using admitted a where f.message = a.id
)
select id from admitted
"""
"""Takes ids and rows of ``insert.row``. The bytes are there already, unless their day was
dropped: then they count as received now. Its finding goes with the state that it explained."""

_TAKEN = (2, 5, 6, 7, 8, 9, 11, 12, 13, 14)
"""Of a row: received, kind, control, patient, at, numbers, order key, day, packed, raw."""


def columns(ids: Sequence[int], rows: Sequence[tuple]) -> list[list]:
    """The values of ADMIT for messages by id and what is known of them now."""
    return [list(ids)] + [[row[position] for row in rows] for position in _TAKEN]


def admit(conn: psycopg.Connection[Any], message: int, incoming: Incoming) -> int:
    """Let a rejected message wait to be processed; 1 when it does, 0 when it waits already.

    Under another source than the one it was kept for (nobody's, until settings named it) it is
    a new message, and the old one is ignored with the new one's number.
    """
    digest = raw.digest(incoming.source, incoming.raw)
    row = insert.row(incoming, digest, raw.packer())
    kept = conn.execute("select digest = %s from message where id = %s", (digest, message))
    if kept.fetchone() == (True,):
        return conn.execute(ADMIT, columns([message], [row])).rowcount
    raw.ensure_days(conn, raw.day_of(incoming.received), 0)
    fresh = conn.execute(insert.KEEP, [[value] for value in row]).fetchone()
    known = conn.execute("select id from message where digest = %s", (digest,)).fetchone()
    new = fresh[1] if fresh else known[0] if known else message
    conn.execute(
        "update message_state set state = 'ignored', changed = now()"
        " where id = %s and state = 'rejected'",
        (message,),
    )
    _explain(conn, message, "info", "taken", f"taken as message {new} of {incoming.source}")
    return 1 if fresh else 0


def reject(conn: psycopg.Connection[Any], message: int, reason: str) -> None:
    """Note why a rejected message cannot be read now."""
    _explain(conn, message, "error", "rejected", reason)


def via(conn: psycopg.Connection[Any], message: int) -> str:
    """The way that a message came: ``mllp``, ``http`` or ``file``, and its peer's address."""
    row = conn.execute("select via from message where id = %s", (message,)).fetchone()
    return row[0] if row else ""


def _explain(
    conn: psycopg.Connection[Any], message: int, severity: str, code: str, detail: str
) -> None:
    conn.execute("delete from message_finding where message = %s", (message,))
    queue.insert_findings(conn, [(message, 0, severity, code, "", "", detail, "")])
