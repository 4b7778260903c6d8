"""Each source at a glance: its last message, and how many of its messages stand where."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from healthhub.keep import figures
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
    """Every source that has sent something, from the maintained figures."""
    counted = figures.ever(conn)
    last = figures.last(conn, counted)
    return [
        SourceCounts(
            source,
            last.get(source),
            each.received,
            dict.fromkeys(State, 0) | {State(state): n for state, n in each.state.items()},
        )
        for source, each in sorted(counted.items())
    ]


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
