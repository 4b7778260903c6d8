"""Worker processes' loop: wakes, shares lanes, survives the store, stops cleanly."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from healthhub import keep, worker
from healthhub.keep import Choice, insert, raw
from healthhub.model.message import Envelope, Incoming, State
from healthhub.pipeline import process
from healthhub.settings import Settings
from tests.pipeline.test_process import AT, Plain, fill

Running = Callable[..., Any]


@pytest.fixture
def running(database: str, monkeypatch: pytest.MonkeyPatch) -> Running:
    """``with running(2):`` so many workers, each in a thread with a connection of its own."""
    monkeypatch.setattr(worker, "converters_of", lambda settings: {"his": Plain()})

    @contextmanager
    def run(workers: int = 1, **pipeline: Any) -> Iterator[None]:
        settings = Settings.model_validate({"pipeline": pipeline})
        stop = threading.Event()
        threads = [
            threading.Thread(target=worker.run, args=(settings, database, stop))
            for _ in range(workers)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join(20)
                assert not thread.is_alive()

    return run


@pytest.fixture
def conn(database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database, autocommit=True) as opened:
        yield opened


def people(count: int, first: int = 0) -> list[dict[str, str]]:
    return [{"patient": str(n), "name": f"n{n}"} for n in range(first, first + count)]


def settled(conn: psycopg.Connection, count: int, seconds: float = 15) -> float:
    """Wait until so many messages are done; how long it took."""
    start = time.monotonic()
    while keep.counts(conn).by_state[State.DONE] < count:
        assert time.monotonic() - start < seconds, keep.counts(conn)
        time.sleep(0.01)
    return time.monotonic() - start


def test_a_waiting_worker_takes_a_message_at_once(
    running: Running, conn: psycopg.Connection
) -> None:
    with running():
        fill(conn, *people(1))
        settled(conn, 1)
        time.sleep(0.1)
        fill(conn, *people(1, first=1))
        assert settled(conn, 2) < worker.IDLE_SECONDS / 2


def test_an_id_that_is_committed_after_a_higher_one_does_not_wait_for_the_next_rescan(
    running: Running, conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes receive: who begins first need not be the first to commit."""
    monkeypatch.setattr(worker, "RESCAN_SECONDS", 3600)
    envelope = Envelope("ADT^A01", "C0", "0", AT)
    late = Incoming("his", json.dumps(people(1)[0]).encode(), AT, "test", envelope)
    row = insert.row(late, raw.digest(late.source, late.raw), raw.packer())
    with running(), psycopg.connect(conn.info.dsn) as other:
        fill(conn, *people(1, first=1))
        settled(conn, 1)
        other.execute(insert.KEEP, [[value] for value in row])
        fill(conn, *people(1, first=2))
        settled(conn, 2)
        other.commit()
        settled(conn, 3)


def test_a_worker_that_lets_messages_gather_takes_full_batches_at_once_and_stops_when_told(
    running: Running, conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "TURN_SECONDS", 3600)
    fill(conn, *people(60))
    with running(batch=10):
        settled(conn, 60)


def test_a_backlog_is_worked_off_by_all_workers(
    running: Running, conn: psycopg.Connection
) -> None:
    fill(conn, *people(300))
    with running(3, batch=20):
        settled(conn, 300)
    assert conn.execute("select count(*) from resource").fetchone() == (300,)


def test_a_replay_does_not_wait_for_the_end_of_a_backlog(
    running: Running, conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "RESCAN_SECONDS", 0.2)
    first, *_ = fill(conn, *people(1))
    with running(batch=1):
        settled(conn, 1)
        fill(conn, *people(600, first=1))
        keep.replay(conn, Choice(ids=(first,)), who="ann", reason="look again")
        deadline = time.monotonic() + 10
        while keep.get(conn, first).state is not State.DONE:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        assert keep.counts(conn).by_state[State.PENDING] > 0


def test_a_live_message_does_not_wait_for_the_end_of_a_replay(
    running: Running, conn: psycopg.Connection
) -> None:
    fill(conn, *people(600))
    with running(batch=10):
        settled(conn, 600)
        keep.replay(conn, Choice(source="his"), who="ann", reason="new mapping")
        (live,) = fill(conn, *people(1, first=600))
        deadline = time.monotonic() + 10
        while keep.get(conn, live).state is not State.DONE:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        assert keep.counts(conn).by_state[State.PENDING] > 100
        settled(conn, 601)


def test_workers_go_on_when_their_connections_were_cut(
    running: Running, conn: psycopg.Connection
) -> None:
    with running(2):
        fill(conn, *people(50))
        conn.execute(
            """select pg_terminate_backend(pid) from pg_stat_activity
               where application_name = 'healthhub worker'
                 and datname = current_database()"""
        )
        fill(conn, *people(50, first=50))
        settled(conn, 100)
    assert conn.execute("select count(*) from resource").fetchone() == (100,)


def test_a_worker_that_stops_frees_its_lanes_and_leaves_nothing_half_done(
    running: Running, conn: psycopg.Connection
) -> None:
    fill(conn, *people(200))
    with running(batch=10):
        settled(conn, 1)
    done = keep.counts(conn).by_state[State.DONE]
    assert conn.execute("select count(*) from resource").fetchone() == (done,)
    locks = conn.execute(
        """select count(*) from pg_locks where locktype = 'advisory'
           and database = (select oid from pg_database where datname = current_database())"""
    ).fetchone()
    assert locks == (0,)


def test_raw_bytes_are_pruned_by_the_worker_as_the_settings_say(
    running: Running, conn: psycopg.Connection
) -> None:
    (only,) = fill(conn, *people(1))
    keep.finish(conn, {only: []})
    with running(raw_days=1):
        deadline = time.monotonic() + 10
        while keep.get(conn, only).raw:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_a_source_whose_mapping_is_wrong_does_not_stop_the_others(
    conn: psycopg.Connection,
) -> None:
    """Its messages are parked with the error, and pass by a replay once it is corrected."""
    base = {"institution": "h", "mapping": "national/hl7v2"}
    settings = Settings.model_validate(
        {
            "institutions": {"h": {"title": "江城市第一人民医院"}},
            "sources": {"his": {**base, "mapping": "no-such"}, "lis": base},
        }
    )
    converters = worker.converters_of(settings)
    (only,) = fill(conn, *people(1))
    process(conn, keep.claim(conn, range(256), 10), converters, 3)
    (finding,) = keep.findings(conn, [only])[only]
    assert finding.code == "mapping"
    assert "no-such" in finding.detail
    assert set(converters) == {"his", "lis"}
