"""A replay or dismissal of many goes in steps, survives what ends a process, and can be stopped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthhub import keep
from healthhub.errors import InvalidRequest, NotFound
from healthhub.keep import Choice, tasks
from healthhub.model.message import State
from healthhub.receive import again

MESSAGES = """
with m as (insert into message (id, digest, source, received, via, size, kind, control, patient,
                                at, numbers)
    select nextval('message_id'), sha256(convert_to(%(source)s || g, 'UTF8')), %(source)s, now(),
           'x', 1, 'A', 'C' || g, 'P7', now(), '{}' from generate_series(1, %(count)s) g
    returning id)
insert into message_state (id, state, lane, order_key) select id, %(state)s, 0, id from m
"""


@pytest.fixture
def conn(database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database, autocommit=True) as opened:
        yield opened


def put(conn: psycopg.Connection, source: str, state: str, count: int) -> None:
    conn.execute(MESSAGES, {"source": source, "state": state, "count": count})


def step(conn: psycopg.Connection, action: str, ids: Sequence[int]) -> int:
    return again.step(conn, {}, action, ids)


def work(conn: psycopg.Connection, how: tasks.Step = step) -> int:
    """A step of the task that is due."""
    task = tasks.due(conn)
    return 0 if task is None else tasks.work(conn, task, how)


def stand(conn: psycopg.Connection, source: str) -> dict[State, int]:
    return {s: n for s, n in keep.counts(conn, source).by_state.items() if n}


def test_all_that_was_there_is_replayed_in_steps_and_logged_once(
    conn: psycopg.Connection,
) -> None:
    put(conn, "his", "done", 1_100)
    put(conn, "lis", "done", 10)
    tasks.begin(conn, Choice(source="his"), "replay", who="admin", reason="字典已更正")
    put(conn, "his", "done", 0)
    conn.execute("update message set source = 'late' where id = (select max(id) from message)")
    sizes = []
    while size := work(conn):
        sizes.append(size)
    assert sizes == [500, 500, 100]
    assert stand(conn, "his") == {State.PENDING: 1_100}
    assert stand(conn, "lis") == {State.DONE: 9}
    (task,) = tasks.listed(conn)
    assert (task.touched, task.choice, task.stopped, task.percent) == (1_100, None, "", 100)
    (act,) = keep.acts(conn)
    assert (act.who, act.reason, act.messages) == ("admin", "字典已更正", 1_100)
    assert work(conn) == 0


def test_what_comes_after_it_was_begun_is_not_touched(conn: psycopg.Connection) -> None:
    put(conn, "his", "parked", 3)
    tasks.begin(conn, Choice(source="his"), "ignore", who="admin", reason="x")
    put_again = MESSAGES.replace("%(source)s || g", "%(source)s || 'b' || g")
    conn.execute(put_again, {"source": "his", "state": "parked", "count": 2})
    work(conn)
    assert stand(conn, "his") == {State.IGNORED: 3, State.PARKED: 2}


def test_a_step_that_dies_changes_nothing_and_is_done_again(conn: psycopg.Connection) -> None:
    put(conn, "his", "parked", 600)
    tasks.begin(conn, Choice(source="his"), "ignore", who="admin", reason="x")

    def dying(conn: psycopg.Connection, action: str, ids: Sequence[int]) -> int:
        step(conn, action, ids)
        raise KeyboardInterrupt

    work(conn)
    with pytest.raises(KeyboardInterrupt):
        work(conn, dying)
    assert stand(conn, "his") == {State.IGNORED: 500, State.PARKED: 100}
    work(conn)
    assert stand(conn, "his") == {State.IGNORED: 600}
    assert tasks.listed(conn)[0].touched == 600


def test_two_processes_do_not_do_the_same_step(conn: psycopg.Connection, database: str) -> None:
    put(conn, "his", "parked", 700)
    tasks.begin(conn, Choice(source="his"), "ignore", who="admin", reason="x")
    with psycopg.connect(database, autocommit=True) as other:
        for one in (conn, other, conn, other):
            work(one)
    assert tasks.listed(conn)[0].touched == 700


def test_a_task_waits_while_enough_messages_wait(
    conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(conn, "his", "done", 3)
    put(conn, "lis", "pending", 2)
    tasks.begin(conn, Choice(source="his"), "replay", who="admin", reason="x")
    monkeypatch.setattr(tasks, "MOST_WAITING", 2)
    assert work(conn) == 0
    monkeypatch.setattr(tasks, "MOST_WAITING", 3)
    assert work(conn) == 3


def test_a_task_that_is_stopped_keeps_what_it_did_and_says_who(
    conn: psycopg.Connection,
) -> None:
    put(conn, "his", "parked", 600)
    number = tasks.begin(conn, Choice(source="his"), "ignore", who="admin", reason="x")
    work(conn)
    tasks.stop(conn, number, "chief")
    assert work(conn) == 0
    (task,) = tasks.listed(conn)
    assert (task.touched, task.stopped) == (500, "stopped by chief")
    assert keep.acts(conn)[0].messages == 500
    with pytest.raises(NotFound):
        tasks.stop(conn, number, "chief")


def test_a_task_needs_a_reason_and_a_condition_and_shows_no_number(
    conn: psycopg.Connection,
) -> None:
    for choice, reason in ((Choice(), "x"), (Choice(source="his"), " ")):
        with pytest.raises(InvalidRequest):
            tasks.begin(conn, choice, "ignore", who="admin", reason=reason)
    put(conn, "his", "parked", 1)
    tasks.begin(conn, Choice(number="P7"), "ignore", who="admin", reason="x")
    work(conn)
    (task,) = tasks.listed(conn)
    assert task.shown == {"number": "(given)"}
    assert (task.touched, task.choice) == (1, None)


@given(
    st.builds(
        Choice,
        ids=st.lists(st.integers(1, 99), max_size=3).map(tuple),
        source=st.sampled_from(["", "his"]),
        state=st.sampled_from([None, *State]),
        since=st.sampled_from([None, "2026-03-01T08:00:00+08:00"]).map(
            lambda at: at and datetime.fromisoformat(at)
        ),
        flaw=st.sampled_from(["", "conformity"]),
        number=st.text(max_size=5),
    )
)
def test_a_choice_is_read_as_it_was_written(choice: Any) -> None:
    assert Choice.of(choice.whole()) == choice
