"""The one statement that makes a group of messages durable, and its rows."""

from __future__ import annotations

from datetime import MAXYEAR, UTC, datetime

import zstandard

from healthhub.keep import lanes, raw
from healthhub.keep.queue import storable
from healthhub.model.message import Incoming

KEEP = """
with incoming as materialized (
    select nextval('message_id') as id, i.* from (
        select * from unnest(
            %b::bytea[], %b::text[], %b::timestamptz[], %b::text[], %b::int[], %b::text[],
            %b::text[], %b::text[], %b::timestamptz[], %b::text[], %b::text[], %b::bigint[],
            %b::date[], %b::smallint[], %b::bytea[], %b::text[], %b::timestamptz[]
        ) with ordinality as u (digest, source, received, via, size, kind, control, patient,
            at, numbers, state, order_key, day, packed, raw, rejected, rests, position)
        order by position) i
), fresh as (
    insert into message (id, digest, source, received, via, size, kind, control, patient, at,
                         numbers)
    select id, digest, source, received, via, size, kind, control, patient, at,
           coalesce(string_to_array(nullif(numbers, ''), E'\\x1f'), '{}')
      from incoming order by digest
    on conflict (digest) do nothing
    returning id
), standing as (
    insert into message_state (id, state, lane, order_key, next_try)
    select id, state, order_key & 255, order_key, rests from incoming join fresh using (id)
), bytes as (
    insert into raw_message (day, id, packed, raw)
    select day, id, packed, raw from incoming join fresh using (id)
), found as (
    insert into message_finding (message, ordinal, severity, code, place, rule, detail, value)
    select id, 0, 'error', 'rejected', '', '', rejected, ''
      from incoming join fresh using (id) where state = 'rejected'
)
select i.position, i.id, (select pg_notify('message', '')) from incoming i join fresh using (id)
"""
"""Workers are told by the commit that it is about: a commit of its own would wait for the disk too."""

KNOWN = """select digest, id, state = 'rejected' from message join message_state using (id)
    where digest = any(%b)"""

AGAIN = """insert into message_repeat (message, times, at)
    select id, n, now() from unnest(%b::bigint[], %b::int[]) as u (id, n) order by id
    on conflict (message)
    do update set times = message_repeat.times + excluded.times, at = excluded.at"""
"""Notes messages whose bytes came again, by ascending id."""

DAY = 12
"""Position of the partition's day in a row."""


def row(incoming: Incoming, digest: bytes, packer: zstandard.ZstdCompressor) -> tuple:
    """A message as KEEP takes it. Envelope texts are made fit for PostgreSQL; the bytes are
    never touched."""
    envelope = incoming.envelope
    patient = envelope.patient if envelope else ""
    packed, stored = raw.pack(incoming.raw, packer)
    return (
        digest,
        incoming.source,
        incoming.received,
        storable(incoming.via, 200),
        len(incoming.raw),
        storable(envelope.kind, 40) if envelope else "",
        storable(envelope.control, 200) if envelope else "",
        storable(patient, 200),
        _readable(envelope.at) if envelope else None,
        "\x1f".join(storable(n, 200) for n in envelope.numbers if n) if envelope else "",
        "pending" if envelope else "rejected",
        lanes.order_key(incoming.source, patient, digest),
        raw.day_of(incoming.received),
        packed,
        stored,
        storable(incoming.rejected),
        _rests(incoming),
    )


def _readable(at: datetime | None) -> datetime | None:
    """The time that the message names, unless it is one that can be written and not read again:
    some systems send 0001-01-01 for "none", which is a year earlier in UTC."""
    return at if at is not None and 1 < at.year < MAXYEAR else None


def _rests(incoming: Incoming) -> datetime | None:
    """Until when the message waits for others of its kind: the end of a span that is the same
    for all that come in it, so that they are claimed together."""
    seconds = incoming.envelope.rest if incoming.envelope else 0
    if not seconds:
        return None
    spans = int(incoming.received.timestamp() // seconds) + 1
    return datetime.fromtimestamp(spans * seconds, UTC)
