"""The gap queue: codes that mappings lack, how often they came, and the messages that hold them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, LiteralString

import psycopg

from healthhub.errors import NotFound
from healthhub.keep.queue import COLUMNS, with_bytes
from healthhub.model.message import Message

Shown = Literal["open", "mapped", "aside"]
CHUNK = 1000
"""Messages of one code that are under way at once."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A code of a source. ``open`` and ``mapped``: how many messages hold it unknown, or by a
    person's map; ``aside_by``, ``aside_why``: who has set it aside, and why."""

    id: int
    source: str
    table: str
    code: str
    display: str
    unit: str
    first: datetime
    last: datetime
    open: int
    mapped: int
    aside_by: str
    aside_why: str
    aside_at: datetime | None

    @property
    def messages(self) -> int:
        """All messages that hold it."""
        return self.open + self.mapped


@dataclass(frozen=True, slots=True)
class Queue:
    """A page of gaps, and how many there are in all. ``more``: there are further ones."""

    gaps: tuple[Gap, ...]
    total: int
    messages: int
    more: bool


@dataclass(frozen=True, slots=True)
class Window:
    """The next stored messages that a changed map concerns: those that wait already, those that
    can be derived again now, and those that cannot be (bytes gone, ignored)."""

    waiting: int
    ready: tuple[int, ...]
    lost: tuple[int, ...]


_COLUMNS = """id, source, tab, code, display, unit, first_seen, last_seen, open, mapped,
    aside_by, aside_why, aside_at"""
_WHERE: dict[Shown, LiteralString] = {
    "open": "open > 0 and aside_at is null",
    "mapped": "mapped > 0",
    "aside": "aside_at is not null",
}


def queue(
    conn: psycopg.Connection,
    shown: Shown = "open",
    *,
    source: str = "",
    start: int = 0,
    limit: int = 50,
) -> Queue:
    """Gaps, the most frequent first. They are as many as there are strange codes, not messages."""
    where = _WHERE[shown] + (" and source = %(source)s" if source else "")
    values = {"source": source, "limit": limit + 1, "start": start}
    rows = conn.execute(
        f"""select {_COLUMNS} from code_gap where {where}
             order by open + mapped desc, source, tab, code
             limit %(limit)s offset %(start)s""",  # noqa: S608
        values,
    ).fetchall()
    row = conn.execute(
        f"select count(*), coalesce(sum(open + mapped), 0)::bigint from code_gap where {where}",  # noqa: S608
        values,
    ).fetchone()
    total, messages = row or (0, 0)
    return Queue(tuple(Gap(*r) for r in rows[:limit]), total, messages, len(rows) > limit)


def counts(conn: psycopg.Connection) -> dict[str, int]:
    """How many open gaps each source has."""
    rows = conn.execute(
        "select source, count(*) from code_gap where open > 0 and aside_at is null group by 1"
    )
    return dict(rows.fetchall())


def get(conn: psycopg.Connection, gap: int) -> Gap:
    """One gap; NotFound otherwise."""
    row = conn.execute(
        f"select {_COLUMNS} from code_gap where id = %s",  # noqa: S608
        (gap,),
    ).fetchone()
    if row is None:
        raise NotFound(f"there is no gap {gap}; the list of gaps shows their numbers")
    return Gap(*row)


def of_sources(conn: psycopg.Connection, sources: Sequence[str], table: str) -> list[Gap]:
    """The codes of a table that these sources have sent."""
    rows = conn.execute(
        f"select {_COLUMNS} from code_gap where source = any(%s) and tab = %s order by id",  # noqa: S608
        (list(sources), table),
    )
    return [Gap(*row) for row in rows]


def messages(conn: psycopg.Connection, gaps: Sequence[int], limit: int) -> list[Message]:
    """The latest messages that hold one of these codes, the last first."""
    rows = conn.execute(
        f"""select {COLUMNS} from message m join message_state s using (id)
             where m.id in (
                select x.message from unnest(%(gaps)s::bigint[]) g(id)
                 cross join lateral (
                    (select message from code_sighting where gap = g.id and version = 0
                      order by message desc limit %(limit)s)
                    union all
                    (select message from code_sighting where gap = g.id and version =
                        (select max(version) from code_sighting where gap = g.id)
                      order by message desc limit %(limit)s)) x)
             order by m.id desc limit %(limit)s""",  # noqa: S608
        {"gaps": list(gaps), "limit": limit},
    ).fetchall()
    return with_bytes(conn, rows)


def set_aside(conn: psycopg.Connection, gap: int, *, who: str, why: str) -> None:
    """Take a gap off the queue: nothing of a standard stands for it. Empty ``why``: back again."""
    conn.execute(
        """update code_gap set aside_by = %(who)s, aside_why = %(why)s,
                  aside_at = case when %(why)s::text = '' then null else now() end
            where id = %(gap)s""",
        {"gap": gap, "who": who if why else "", "why": why.strip()},
    )


def remaining(conn: psycopg.Connection, gap: int, version: int) -> int:
    """Messages of a gap that were not converted with this version (0: with none) yet."""
    row = conn.execute(
        f"select count(*) from code_sighting where gap = %s and {_stale(version)}",  # noqa: S608
        (gap, version),
    ).fetchone()
    return row[0] if row else 0


def window(conn: psycopg.Connection, gap: int, version: int) -> Window:
    """The first messages of a gap that this version (0: none) has still to be applied to."""
    rows = conn.execute(
        f"""select t.id, t.state, exists (
                select from raw_message r
                 where r.id = m.id and r.day = (m.received at time zone 'UTC')::date)
             from (select message from code_sighting where gap = %s and {_stale(version)}
                    order by version, message limit %s) s
             join message_state t on t.id = s.message join message m on m.id = s.message
            order by t.id""",  # noqa: S608
        (gap, version, 2 * CHUNK),
    ).fetchall()
    waiting = sum(state in ("pending", "retry") for _, state, _ in rows)
    settled = [(id_, state in ("done", "parked") and there) for id_, state, there in rows
               if state not in ("pending", "retry")]  # fmt: skip
    ready = [id_ for id_, derivable in settled if derivable]
    return Window(
        waiting,
        tuple(ready[: max(0, CHUNK - waiting)]),
        tuple(id_ for id_, derivable in settled if not derivable),
    )


def derive_again(conn: psycopg.Connection, ids: Sequence[int]) -> int:
    """Make settled messages pending; their new conversion replaces what they were noted for."""
    touched = conn.execute(
        """with chosen as materialized (
               select id from message_state
                where id = any(%s) and state in ('done', 'parked') order by id for update)
           update message_state t set state = 'pending', attempts = 0, next_try = null,
                  changed = now() from chosen where t.id = chosen.id""",
        (list(ids),),
    ).rowcount
    conn.execute("notify message")
    return touched


def forget(conn: psycopg.Connection, gap: int, ids: Sequence[int]) -> None:
    """Messages that can never be derived again count no longer."""
    conn.execute(
        """with gone as (delete from code_sighting where gap = %(gap)s and message = any(%(ids)s)
                         returning version)
           update code_gap g set open = g.open - (select count(*) from gone where version = 0),
                  mapped = g.mapped - (select count(*) from gone where version > 0)
            where g.id = %(gap)s""",
        {"gap": gap, "ids": list(ids)},
    )


def _stale(version: int) -> LiteralString:
    """A version is the latest of its code, so what is older has still to be derived again; when
    the code is unknown again, whatever was mapped. Either is one stretch of the index."""
    return "version < %s" if version else "version > %s"
