"""Alarms in their table: opened once, acknowledged, closed by themselves; and their outbox."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from healthhub.errors import InvalidRequest, NotFound
from healthhub.watch.rules import Trouble

Connection = psycopg.Connection[Any]
AT_ONCE = ("silent",)
"""Rules that close when they no longer hold: a message has come. The others wait a while."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm, open or over."""

    id: int
    source: str
    rule: str
    opened: datetime
    facts: dict[str, Any]
    closed: datetime | None
    acknowledged: datetime | None
    who: str
    note: str


@dataclass(frozen=True, slots=True)
class Notice:
    """What is to be sent to a hook."""

    id: int
    alarm: int
    hook: str
    event: str
    body: str
    made: datetime
    attempts: int


@dataclass(frozen=True, slots=True)
class HookState:
    """How telling a hook goes: what waits, what was given up, the last success and failure."""

    hook: str
    waiting: int
    given_up: int
    sent: int
    last_sent: datetime | None
    failing_since: datetime | None
    said: str


_COLUMNS = "id, source, rule, opened, facts, closed, acknowledged, who, note"


def settle(
    conn: Connection,
    found: Iterable[Trouble],
    hooks: Sequence[str],
    body: Callable[[Alarm, str, str], str],
    calm_minutes: float,
) -> tuple[list[Alarm], list[Alarm]]:
    """Open an alarm for each trouble that has none, close those whose trouble is over, and put
    what hooks are told of both into the outbox; all in one transaction. Gives what was opened
    and closed. ``body`` makes what a hook is sent of an alarm and event."""
    with conn.transaction():
        now = {(each.source, each.rule): each for each in found}
        opened = [alarm for each in now.values() if (alarm := _open(conn, each)) is not None]
        closed = _close(conn, now, calm_minutes)
        for event, changed in (("opened", opened), ("closed", closed)):
            for alarm in changed:
                for hook in hooks:
                    if alarm.rule != "hook":
                        _put(conn, alarm, hook, event, body(alarm, event, hook))
    return opened, closed


def _open(conn: Connection, each: Trouble) -> Alarm | None:
    """The alarm that was opened; None where there is one already, whose facts are renewed."""
    with conn.cursor(row_factory=class_row(Alarm)) as cursor:
        fresh = cursor.execute(
            f"""insert into alarm (source, rule, facts) values (%s, %s, %s)
                on conflict (source, rule) where closed is null do nothing
                returning {_COLUMNS}""",  # noqa: S608
            (each.source, each.rule, Jsonb(dict(each.facts))),
        ).fetchone()
    if fresh is None:
        conn.execute(
            """update alarm set facts = %s, calm_since = null
                where source = %s and rule = %s and closed is null
                  and (facts <> %s or calm_since is not null)""",
            (Jsonb(dict(each.facts)), each.source, each.rule, Jsonb(dict(each.facts))),
        )
    return fresh


def _close(
    conn: Connection, now: Collection[tuple[str, str]], calm_minutes: float
) -> list[Alarm]:
    over = [
        alarm.id
        for alarm in listed(conn, is_open=True)
        if (alarm.source, alarm.rule) not in now
    ]
    conn.execute(
        "update alarm set calm_since = now() where id = any(%s) and calm_since is null", (over,)
    )
    with conn.cursor(row_factory=class_row(Alarm)) as cursor:
        return cursor.execute(
            f"""update alarm set closed = now() where id = any(%s) and closed is null
                   and (rule = any(%s)
                        or calm_since <= now() - make_interval(secs => %s))
                returning {_COLUMNS}""",  # noqa: S608
            (over, list(AT_ONCE), calm_minutes * 60),
        ).fetchall()


def listed(conn: Connection, *, is_open: bool, limit: int = 500) -> list[Alarm]:
    """Alarms that are open, or the latest that are over."""
    with conn.cursor(row_factory=class_row(Alarm)) as cursor:
        return cursor.execute(
            f"""select {_COLUMNS} from alarm where (closed is null) = %s
                 order by coalesce(closed, opened) desc, id desc limit %s""",  # noqa: S608
            (is_open, limit),
        ).fetchall()


def acknowledge(conn: Connection, alarm: int, who: str, note: str) -> None:
    """Note that somebody looks after an open alarm, and what they say to it."""
    if not note.strip():
        raise InvalidRequest("say what is being done about it", expression="note")
    touched = conn.execute(
        """update alarm set acknowledged = now(), who = %s, note = %s
            where id = %s and closed is null""",
        (who, note.strip()[:500], alarm),
    ).rowcount
    if not touched:
        raise NotFound("there is no such open alarm; it may have closed by itself meanwhile")


def _put(conn: Connection, alarm: Alarm, hook: str, event: str, body: str) -> None:
    conn.execute(
        "insert into alarm_notice (alarm, hook, event, body) values (%s, %s, %s, %s)",
        (alarm.id, hook, event, body),
    )


def due(conn: Connection, limit: int = 20) -> list[Notice]:
    """What is to be sent now; of one alarm and hook only the first that waits."""
    with conn.cursor(row_factory=class_row(Notice)) as cursor:
        return cursor.execute(
            """select id, alarm, hook, event, body, made, attempts from (
                   select distinct on (hook, alarm) * from alarm_notice
                    where sent is null and given_up is null order by hook, alarm, id) first
                where next_try <= now() order by id limit %s""",
            (limit,),
        ).fetchall()


def sent(conn: Connection, notice: int) -> None:
    """Note that a hook took it."""
    conn.execute(
        "update alarm_notice set sent = now(), attempts = attempts + 1, said = '' where id = %s",
        (notice,),
    )


def not_sent(conn: Connection, notice: int, said: str, pause: float, *, last: bool) -> None:
    """Note why a hook did not, and when it is tried again, if it is."""
    conn.execute(
        """update alarm_notice set attempts = attempts + 1, said = %s,
                  next_try = now() + make_interval(secs => %s),
                  given_up = case when %s then now() end where id = %s""",
        (said, pause, last, notice),
    )


def put_off(conn: Connection, notice: int, pause: float) -> None:
    """Let a notice wait: its hook has just been found away."""
    conn.execute(
        "update alarm_notice set next_try = now() + make_interval(secs => %s) where id = %s",
        (pause, notice),
    )


def hook_states(conn: Connection) -> list[HookState]:
    """Each hook that was ever told or is to be told something."""
    with conn.cursor(row_factory=class_row(HookState)) as cursor:
        return cursor.execute(
            """select hook, count(*) filter (where sent is null and given_up is null) as waiting,
                      count(*) filter (where given_up is not null) as given_up,
                      count(sent) as sent, max(sent) as last_sent,
                      min(made) filter (where sent is null and given_up is null
                                          and attempts > 0) as failing_since,
                      coalesce((array_agg(said order by id)
                                filter (where sent is null and said <> ''))[1], '') as said
                 from alarm_notice group by hook order by hook"""
        ).fetchall()


def forget(conn: Connection, days: int) -> None:
    """Drop alarms that were over so long ago, and what was told of them."""
    conn.execute(
        """with gone as (select id from alarm where closed < now() - make_interval(days => %s)),
                told as (delete from alarm_notice n using gone where n.alarm = gone.id)
           select 1""",
        (days,),
    )
    conn.execute(
        """delete from alarm a where closed < now() - make_interval(days => %s)
             and not exists (select from alarm_notice n where n.alarm = a.id)""",
        (days,),
    )


def dumped(value: object) -> str:
    """JSON as it is sent and signed."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
