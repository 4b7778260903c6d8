"""Replays and dismissals of many messages: step by step, resumed after any death, stopped by a
word, and never so fast that new messages wait behind them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from healthhub.errors import NotFound
from healthhub.keep import rows
from healthhub.keep.choice import Choice
from healthhub.keep.replay import note, required, touchable

Connection = psycopg.Connection[Any]
STEP = 500
"""Messages in one transaction."""
FAULT = "fault "
MOST_WAITING = 5_000
"""Messages that wait at which a task waits too."""
_COLUMNS = """id, made, who, action, reason, shown, choice, reached, until, touched, finished,
    stopped"""

Ids = Sequence[int]
Step = Callable[[Connection, str, Ids], int]
"""Acts on messages by their ids, in the caller's transaction; gives how many it touched."""


@dataclass(frozen=True, slots=True)
class Task:
    """One task: what it does to which messages, and how far it has come."""

    id: int
    made: datetime
    who: str
    action: str
    reason: str
    shown: dict[str, Any]
    choice: dict[str, Any] | None
    reached: int
    until: int
    touched: int
    finished: datetime | None
    stopped: str

    @property
    def fault(self) -> str:
        """The fault of the hub that ended it; empty: none did."""
        return self.stopped.removeprefix(FAULT) if self.stopped.startswith(FAULT) else ""

    @property
    def percent(self) -> int:
        """How much of the messages it has been through."""
        return 100 if self.finished else min(99, self.reached * 100 // max(1, self.until))


def begin(conn: Connection, choice: Choice, action: str, *, who: str, reason: str) -> int:
    """Enter a task for the messages of now; gives its number."""
    required(choice, reason)
    row = conn.execute(
        """insert into message_task (who, action, reason, shown, choice, until)
           values (%s, %s, %s, %s, %s, coalesce((select max(id) from message), 0))
           returning id""",
        (who, action, reason.strip(), choice.as_json(), Jsonb(choice.whole())),
    ).fetchone()
    assert row is not None  # noqa: S101 - an insert gives its row
    return row[0]


def listed(conn: Connection, limit: int = 20) -> list[Task]:
    """Tasks under way first, then the latest."""
    with conn.cursor(row_factory=class_row(Task)) as cursor:
        return cursor.execute(
            f"""select {_COLUMNS} from message_task
                 order by finished is null desc, id desc limit %s""",  # noqa: S608
            (limit,),
        ).fetchall()


def stop(conn: Connection, task: int, who: str) -> None:
    """End a task under way; what it has touched stays so."""
    with conn.transaction():
        found = _locked(conn, task)
        if found is None:
            raise NotFound("there is no such task under way; it may just have come to its end")
        _end(conn, found, f"stopped by {who}")


def fail(conn: Connection, task: int, error: str) -> None:
    """End a task under way at which the hub fails; ``error`` is the kind of its fault."""
    with conn.transaction():
        found = _locked(conn, task)
        if found is not None:
            _end(conn, found, FAULT + error)


def due(conn: Connection, but: Collection[int] = ()) -> int | None:
    """The oldest task under way ``but`` these; None when there is none or enough messages wait
    already."""
    row = conn.execute(
        """select id from message_task where finished is null and id <> all(%s)
            order by id limit 1""",
        (list(but),),
    ).fetchone()
    return None if row is None or rows.waiting(conn, MOST_WAITING) else row[0]


def work(conn: Connection, number: int, step: Step) -> int:
    """One step of a task; gives how many messages it went through, 0 when it is over already."""
    with conn.transaction():
        task = _locked(conn, number)
        if task is None:
            return 0
        ids = _next(conn, task)
        touched = step(conn, task.action, ids) if ids else 0
        conn.execute(
            "update message_task set reached = %s, touched = touched + %s where id = %s",
            (ids[-1] if ids else task.until, touched, task.id),
        )
        if len(ids) < STEP:
            found = _locked(conn, task.id)
            _end(conn, found or task, "")
    return len(ids) or 1


def _locked(conn: Connection, task: int) -> Task | None:
    with conn.cursor(row_factory=class_row(Task)) as cursor:
        return cursor.execute(
            f"""select {_COLUMNS} from message_task where id = %s and finished is null
                for update""",  # noqa: S608
            (task,),
        ).fetchone()


def _next(conn: Connection, task: Task) -> list[int]:
    where, values = Choice.of(task.choice or {}).where()
    found = conn.execute(
        f"""select m.id from message m join message_state s using (id)
             where {where} and s.state = any(%(states)s)
               and m.id > %(reached)s and m.id <= %(until)s order by m.id limit %(step)s""",  # noqa: S608
        values
        | {
            "states": touchable(task.action),
            "reached": task.reached,
            "until": task.until,
            "step": STEP,
        },
    )
    return [id_ for (id_,) in found]


def _end(conn: Connection, task: Task, why: str) -> None:
    conn.execute(
        """update message_task set finished = now(), choice = null, stopped = %s
            where id = %s""",
        (why, task.id),
    )
    note(conn, task.who, task.action, task.reason, Jsonb(task.shown), task.touched)
