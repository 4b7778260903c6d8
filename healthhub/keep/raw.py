"""The bytes themselves: packed, in partitions by day of receipt, dropped by policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import blake2b

import psycopg
import zstandard
from psycopg import sql

AHEAD = 7
"""Days for which partitions stand ready."""

_PARTITION_LOCK = 0x44415953  # "DAYS": one process at a time makes or drops partitions
_SMALL = 256  # bytes below which packing gains nothing


def day_of(received: datetime) -> date:
    """The partition of a moment of receipt."""
    return received.astimezone(UTC).date()


def digest(source: str, raw: bytes) -> bytes:
    """What makes a message of a source the same message: 128 bits over source and bytes."""
    return blake2b(
        raw, digest_size=16, key=blake2b(source.encode(), digest_size=32).digest()
    ).digest()


def pack(raw: bytes, packer: zstandard.ZstdCompressor) -> tuple[int, bytes]:
    """Bytes as stored, and how: 0 as they came, 1 zstd."""
    if len(raw) > _SMALL:
        packed = packer.compress(raw)
        if len(packed) < len(raw):
            return 1, packed
    return 0, raw


def unpack(packed: int, stored: bytes) -> bytes:
    """The bytes as they came."""
    return zstandard.ZstdDecompressor().decompress(stored) if packed else bytes(stored)


def packer() -> zstandard.ZstdCompressor:
    """A compressor for one process; not to be shared between threads."""
    return zstandard.ZstdCompressor(level=3, write_content_size=True)


def has_day(conn: psycopg.Connection, day: date) -> bool:
    """Whether the partition of a day stands ready."""
    row = conn.execute("select to_regclass(%s)", (f"raw_message_{day:%Y%m%d}",)).fetchone()
    return row is not None and row[0] is not None


def ensure_days(conn: psycopg.Connection, first: date, ahead: int = AHEAD) -> None:
    """Make the partitions of ``first`` and the days after it; harmless when they exist.

    A table is made and then attached, which does not stop writers (PostgreSQL 15, ALTER TABLE:
    ATTACH PARTITION takes SHARE UPDATE EXCLUSIVE, CREATE ... PARTITION OF takes ACCESS
    EXCLUSIVE).
    """
    for statement in day_statements(first, ahead):
        conn.execute(statement)


def day_statements(first: date, ahead: int = AHEAD) -> list[sql.Composed]:
    """The statements of ensure_days, for callers on an asynchronous connection."""
    lock = sql.SQL("select pg_advisory_xact_lock({}, 0)").format(_PARTITION_LOCK)
    return [lock] + [_make_day(first + timedelta(days=n)) for n in range(ahead + 1)]


def _make_day(day: date) -> sql.Composed:
    name = f"raw_message_{day:%Y%m%d}"
    return sql.SQL(
        """do $$ begin
             if to_regclass({literal}) is null then
               create table {name} (like raw_message including all);
               alter table raw_message attach partition {name}
                 for values from ({start}) to ({end});
             end if;
           end $$"""
    ).format(
        literal=name,
        name=sql.Identifier(name),
        start=day.isoformat(),
        end=(day + timedelta(days=1)).isoformat(),
    )


@dataclass(frozen=True, slots=True)
class Day:
    """One day of raw bytes: what it takes on disk, and whether it still waits for work."""

    day: date
    bytes: int
    waiting: int


def days(conn: psycopg.Connection) -> list[Day]:
    """Every partition with its size and its messages that are pending, retried or parked."""
    rows = conn.execute(
        """with waiting as (
               select (m.received at time zone 'UTC')::date as day, count(*) as count
               from message_state s join message m using (id)
               where s.state = 'pending' or s.state in ('retry', 'parked') group by 1)
           select d.day, pg_total_relation_size(d.oid), coalesce(w.count, 0)
           from (select c.oid, to_date(right(c.relname, 8), 'YYYYMMDD') as day
                 from pg_inherits i join pg_class c on c.oid = i.inhrelid
                 where i.inhparent = 'raw_message'::regclass) d
           left join waiting w using (day) order by 1"""
    ).fetchall()
    return [Day(*row) for row in rows]


def prune(conn: psycopg.Connection, before: date) -> list[Day]:
    """Drop the bytes of days before ``before`` and give back their disk.

    A day that holds a message still to be processed stays. States, findings and digests stay
    too: a message that comes again after its bytes were dropped is still known.
    """
    with conn.transaction():
        conn.execute("select pg_advisory_xact_lock(%s, 0)", (_PARTITION_LOCK,))
        conn.execute("set local lock_timeout = '3s'")
        gone = [day for day in days(conn) if day.day < before and not day.waiting]
        for day in gone:
            name = sql.Identifier(f"raw_message_{day.day:%Y%m%d}")
            conn.execute(sql.SQL("drop table {}").format(name))
    return gone


def fetch(
    conn: psycopg.Connection, received: Sequence[date], ids: Sequence[int]
) -> dict[int, bytes]:
    """The bytes of messages by id; one whose day was dropped is missing from the answer."""
    rows = conn.execute(
        "select id, packed, raw from raw_message where day = any(%s) and id = any(%s)",
        (sorted(set(received)), list(ids)),
        binary=True,
    )
    return {id_: unpack(packed, stored) for id_, packed, stored in rows}
