"""A task at which the hub fails is ended and says so; the others, and the watching, go on."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import psycopg
import pytest
from psycopg import errors

from healthhub import keep
from healthhub.keep import Choice, tasks
from healthhub.model.message import State
from healthhub.receive import again
from healthhub.settings import Settings
from healthhub.watch import errands, process
from tests.keep.test_tasks import put
from tests.watch.test_alarms import wait_for

SETTINGS = Settings()


@pytest.fixture
def conn(database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database, autocommit=True) as opened:
        yield opened


@pytest.fixture
def two(conn: psycopg.Connection) -> psycopg.Connection:
    """A task that ignores messages, and one that replays messages."""
    put(conn, "his", "parked", 3)
    put(conn, "lis", "done", 2)
    tasks.begin(conn, Choice(source="his"), "ignore", who="admin", reason="x")
    tasks.begin(conn, Choice(source="lis"), "replay", who="admin", reason="x")
    return conn


def failing(monkeypatch: pytest.MonkeyPatch, error: Exception, times: int = 1_000) -> None:
    """Let each step of a dismissal fail, so many times."""
    left = [error] * times
    real = again.step

    def step(
        conn: psycopg.Connection, sources: Mapping[str, Any], action: str, ids: Sequence[int]
    ) -> int:
        if action == "ignore" and left:
            raise left.pop()
        return real(conn, sources, action, ids)

    monkeypatch.setattr(again, "step", step)
    monkeypatch.setattr(errands, "PAUSE_SECONDS", 0.0)


def test_a_task_that_fails_is_ended_with_its_fault_and_the_next_goes_on(
    two: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, ZeroDivisionError("of patient 7"))
    errand = errands.Errands(SETTINGS)
    while errand.go_on(two):
        pass
    replay, ignore = tasks.listed(two)
    assert (ignore.fault, ignore.touched, ignore.choice) == ("ZeroDivisionError", 0, None)
    assert (replay.fault, replay.touched) == ("", 2)
    assert keep.counts(two, "his").by_state[State.PARKED] == 3


@pytest.mark.parametrize(("times", "fault"), [(4, ""), (5, "DeadlockDetected")])
def test_a_fault_that_may_pass_is_given_time_but_not_for_ever(
    two: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, times: int, fault: str
) -> None:
    failing(monkeypatch, errors.DeadlockDetected(), times)
    errand = errands.Errands(SETTINGS)
    while errand.go_on(two):
        pass
    assert tasks.listed(two)[1].fault == fault


def test_the_watching_goes_on_under_a_task_that_always_fails(
    two: psycopg.Connection, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, ZeroDivisionError())
    stop = threading.Event()
    thread = threading.Thread(target=process.run, args=(SETTINGS, database, stop))
    thread.start()
    try:
        wait_for(lambda: all(task.finished for task in tasks.listed(two)))
        assert thread.is_alive()
    finally:
        stop.set()
        thread.join(10)
