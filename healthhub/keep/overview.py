"""Each source at a glance: its last message, and how many of its messages stand where."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from healthhub.model.message import State


@dataclass(frozen=True, slots=True)
class SourceCounts:
    """A source's messages by state, which add up to ``total``; ``last`` is when the latest
    came (None: it has sent nothing yet)."""

    source: str
    last: datetime | None
    total: int
    by_state: dict[State, int]


@dataclass(frozen=True, slots=True)
class Act:
    """A replay or dismissal in the log: when, who, what, why, how many."""

    at: datetime
    who: str
    action: str
    reason: str
    filter: dict[str, Any]
    messages: int


def sources(conn: psycopg.Connection[Any]) -> list[SourceCounts]:
    """Every source that has sent something, in one snapshot. What is done, nearly all, is not
    counted row by row: it is what the other states leave."""
    rows = conn.execute(
        """with all_of_it as (
               select source, count(*) as total, max(id) as last from message group by source
           ), noted as (
               select source, state, count(*) as count from (
                   select id, state from message_state where state = 'pending'
                   union all
                   select id, state from message_state
                    where state in ('retry', 'parked', 'rejected', 'ignored')) s
               join message using (id) group by 1, 2
           )
           select a.source, m.received, a.total,
                  coalesce((select jsonb_object_agg(n.state, n.count) from noted n
                            where n.source = a.source), '{}')
             from all_of_it a join message m on m.id = a.last order by a.source"""
    ).fetchall()
    return [
        SourceCounts(source, last, total, _by_state(total, noted))
        for source, last, total, noted in rows
    ]


def _by_state(total: int, noted: dict[str, int]) -> dict[State, int]:
    by_state = dict.fromkeys(State, 0) | {State(state): n for state, n in noted.items()}
    return by_state | {State.DONE: total - sum(noted.values())}


def oldest_waiting(conn: psycopg.Connection[Any]) -> datetime | None:
    """When the oldest message came that is pending or waits for a retry."""
    row = conn.execute(
        """select min(received) from message where id in (
               (select id from message_state where state = 'pending' order by id limit 1)
               union all (select id from message_state where state = 'retry'))"""
    ).fetchone()
    return row[0] if row else None


def acts(
    conn: psycopg.Connection[Any], message: int | None = None, limit: int = 20
) -> list[Act]:
    """The latest replays and dismissals; of one message, those that named it by its number."""
    rows = conn.execute(
        """select at, who, action, reason, filter, messages from message_log
           where %(message)s::bigint is null
              or filter -> 'ids' @> to_jsonb(%(message)s::bigint)
           order by id desc limit %(limit)s""",
        {"message": message, "limit": limit},
    )
    return [Act(*row) for row in rows]
