"""Alarms open once, are acknowledged, close by themselves; hooks are told, signed, in the end."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pydantic import SecretStr

from healthhub import clock, keep
from healthhub.errors import InvalidRequest, NotFound
from healthhub.keep import figures, rows
from healthhub.model.finding import Finding
from healthhub.settings import Settings
from healthhub.watch import alarms, process
from healthhub.watch.process import Watcher
from healthhub.watch.rules import Trouble
from tests.console.conftest import take
from tests.receive.test_mllp_listener import message

SECRET = b"a secret of the duty room"


class Receiver:
    """A hook that answers with what it is told to, and remembers what it was sent."""

    def __init__(self) -> None:
        self.status = 200
        self.got: list[tuple[dict[str, str], bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
                self.send_response(outer.status)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/in?key=hidden"

    @property
    def said(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.got]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture
def settings(receiver: Receiver, tmp_path: Path) -> Settings:
    secret = tmp_path / "secret"
    secret.write_bytes(SECRET + b"\n")
    return Settings.model_validate(
        {
            "institutions": {"h": {"title": "江城市第一人民医院"}},
            "sources": {
                "his": {
                    "institution": "h",
                    "mapping": "national/hl7v2",
                    "title": "市一医院 HIS",
                    "alarms": {"silent_minutes": 30},
                }
            },
            "alarms": {
                "calm_minutes": 0,
                "hooks": {"duty": {"url": receiver.url, "secret_file": secret}},
            },
        }
    )


@contextmanager
def watching(conn: psycopg.Connection, settings: Settings) -> Iterator[Watcher]:
    watcher = Watcher(conn, settings)
    try:
        yield watcher
    finally:
        watcher.close()


@pytest.fixture
def conn(database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database, autocommit=True) as opened:
        yield opened


def age(conn: psycopg.Connection, minutes: int) -> None:
    """Let what was received be so much older, and its hour with it."""
    conn.execute(
        "update message set received = received - make_interval(mins => %s)", (minutes,)
    )


def test_a_silence_opens_one_alarm_is_told_once_and_closes_with_the_next_message(
    conn: psycopg.Connection, database: str, settings: Settings, receiver: Receiver
) -> None:
    take(database, "his", message("A1").encode())
    age(conn, 40)
    for _ in range(3):  # as after restarts: each look is by a new watcher
        with watching(conn, settings) as watcher:
            watcher.look()
            assert watcher._teller.tell(conn) in (0, 1)
    (alarm,) = alarms.listed(conn, is_open=True)
    assert (alarm.source, alarm.rule, alarm.facts["minutes"]) == ("his", "silent", 30)
    assert [each["type"] for each in receiver.said] == ["alarm.opened"]
    take(database, "his", message("A2").encode())
    with watching(conn, settings) as watcher:
        watcher.look()
        watcher._teller.tell(conn)
    assert alarms.listed(conn, is_open=True) == []
    assert [each["type"] for each in receiver.said] == ["alarm.opened", "alarm.closed"]
    told = receiver.said[0]
    assert told["title"] == "市一医院 HIS"
    assert "超过设定的 30 分钟" in told["text"]
    assert told["source"] == "his"


def test_what_is_sent_is_signed_and_holds_nothing_of_a_patient(
    conn: psycopg.Connection, database: str, settings: Settings, receiver: Receiver
) -> None:
    take(database, "his", message("A1", name="赵^一").encode())
    age(conn, 40)
    with watching(conn, settings) as watcher:
        watcher.look()
        watcher._teller.tell(conn)
    ((headers, body),) = receiver.got
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    mac = base64.b64encode(hmac.new(SECRET, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{mac}"
    assert "赵" not in body.decode()
    assert "PA1" not in body.decode()


def test_a_hook_that_fails_is_tried_again_under_the_same_id_and_the_failure_shows(
    conn: psycopg.Connection, database: str, settings: Settings, receiver: Receiver
) -> None:
    receiver.status = 503
    take(database, "his", message("A1").encode())
    age(conn, 40)
    with watching(conn, settings) as watcher:
        watcher.look()
        assert watcher._teller.tell(conn) == 0
        assert watcher._teller.tell(conn) == 0, "not before its pause is over"
    (state,) = alarms.hook_states(conn)
    assert (state.waiting, state.sent, state.said) == (1, 0, "answered HTTP 503")
    conn.execute("update alarm_notice set next_try = now(), made = made - interval '11 min'")
    with watching(conn, settings) as watcher:
        watcher.look()
        assert {a.rule for a in alarms.listed(conn, is_open=True)} == {"silent", "hook"}
        receiver.status = 204
        assert watcher._teller.tell(conn) == 1
        watcher.look()
    assert {a.rule for a in alarms.listed(conn, is_open=True)} == {"silent"}
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    assert len(receiver.got) == 2


def test_a_hook_that_is_away_is_tried_once_in_a_turn_whatever_waits_for_it(
    conn: psycopg.Connection, database: str, settings: Settings, receiver: Receiver
) -> None:
    hook = settings.alarms.hooks["duty"]
    nobody = hook.model_copy(update={"url": SecretStr("http://127.0.0.1:9/")})
    told = settings.alarms.model_copy(update={"hooks": {"duty": hook, "away": nobody}})
    both = settings.model_copy(update={"alarms": told})
    found = [Trouble(f"s{n}", "failed", {"wrong": 9, "all": 9, "usual": 0}) for n in range(5)]
    alarms.settle(conn, found, ["away", "duty"], lambda *_: "{}", 0)
    with watching(conn, both) as watcher:
        assert watcher._teller.tell(conn) == 5
        assert watcher._teller.tell(conn) == 0
    tried = conn.execute("select sum(attempts) from alarm_notice where hook = 'away'")
    assert tried.fetchone() == (1,)
    assert {state.hook: state.waiting for state in alarms.hook_states(conn)} == {
        "away": 5,
        "duty": 0,
    }


def test_an_alarm_that_is_over_is_told_after_its_opening_was(
    conn: psycopg.Connection, database: str, settings: Settings, receiver: Receiver
) -> None:
    receiver.status = 500
    take(database, "his", message("A1").encode())
    age(conn, 40)
    with watching(conn, settings) as watcher:
        watcher.look()
        watcher._teller.tell(conn)
        take(database, "his", message("A2").encode())
        watcher.look()
        receiver.status, receiver.got = 200, []
        assert watcher._teller.tell(conn) == 0, "the opening waits, and the closing behind it"
        conn.execute("update alarm_notice set next_try = now()")
        assert watcher._teller.tell(conn) == 1
        assert watcher._teller.tell(conn) == 1
    assert [each["type"] for each in receiver.said] == ["alarm.opened", "alarm.closed"]


def test_after_its_time_a_notice_is_given_up_and_that_shows(
    conn: psycopg.Connection, database: str, settings: Settings, receiver: Receiver
) -> None:
    receiver.status = 500
    take(database, "his", message("A1").encode())
    age(conn, 40)
    with watching(conn, settings) as watcher:
        watcher.look()
        conn.execute("update alarm_notice set made = now() - interval '80 hours'")
        watcher._teller.tell(conn)
        conn.execute("update alarm_notice set next_try = now()")
        assert watcher._teller.tell(conn) == 0
    (state,) = alarms.hook_states(conn)
    assert (state.waiting, state.given_up) == (0, 1)


def test_a_flapping_trouble_stays_one_alarm_until_it_is_calm(
    conn: psycopg.Connection,
) -> None:
    trouble = Trouble("his", "failed", {"wrong": 9, "all": 10, "usual": 0})

    def settle(*found: Trouble, calm: float = 5) -> None:
        alarms.settle(conn, found, ["duty"], lambda *_: "{}", calm)

    settle(trouble)
    settle()
    settle(Trouble("his", "failed", {"wrong": 10, "all": 10, "usual": 0}))
    settle()
    (alarm,) = alarms.listed(conn, is_open=True)
    assert alarm.facts["wrong"] == 10
    conn.execute("update alarm set calm_since = now() - interval '6 min'")
    settle()
    assert alarms.listed(conn, is_open=True) == []
    settle(trouble)
    assert len(alarms.listed(conn, is_open=True)) == 1
    events = conn.execute("select event from alarm_notice order by id").fetchall()
    assert events == [("opened",), ("closed",), ("opened",)]


def test_two_that_look_at_the_same_moment_open_one_alarm(
    conn: psycopg.Connection, database: str
) -> None:
    trouble = [Trouble("his", "silent", {"last": "2026-03-01T00:00:00+00:00", "minutes": 1})]
    with psycopg.connect(database, autocommit=True) as other:
        threads = [
            threading.Thread(
                target=alarms.settle, args=(each, trouble, ["duty"], lambda *_: "{}", 5)
            )
            for each in (conn, other)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(alarms.listed(conn, is_open=True)) == 1
        assert conn.execute("select count(*) from alarm_notice").fetchone() == (1,)


def test_an_alarm_is_acknowledged_with_words_while_it_is_open(
    conn: psycopg.Connection,
) -> None:
    alarms.settle(conn, [Trouble("", "backlog", {"since": "x"})], [], lambda *_: "", 0)
    (alarm,) = alarms.listed(conn, is_open=True)
    with pytest.raises(InvalidRequest):
        alarms.acknowledge(conn, alarm.id, "admin", " ")
    alarms.acknowledge(conn, alarm.id, "admin", "加了工作进程")
    (alarm,) = alarms.listed(conn, is_open=True)
    assert (alarm.who, alarm.note) == ("admin", "加了工作进程")
    alarms.settle(conn, [], [], lambda *_: "", 0)
    with pytest.raises(NotFound):
        alarms.acknowledge(conn, alarm.id, "admin", "x")


def test_failures_a_backlog_and_a_poll_that_fails_are_seen(
    conn: psycopg.Connection, database: str, settings: Settings
) -> None:
    ids = take(database, "his", *(message(f"F{n}").encode() for n in range(8)))
    keep.park(conn, {id_: [Finding("error", "invalid", "", "x")] for id_ in ids[:6]})
    conn.execute(
        "update message_state set changed = now() - interval '31 min' where state = 'pending'"
    )
    rows.trouble(conn, "his", "the folder cannot be read: x")
    with watching(conn, settings) as watcher:
        watcher.look()
        assert {a.rule for a in alarms.listed(conn, is_open=True)} == {"failed", "backlog"}
        conn.execute("update source_cursor set at = at - interval '6 min' where tab = ''")
        rows.trouble(conn, "his", "the folder cannot be read: y")
        watcher.look()
        assert "poll" in {a.rule for a in alarms.listed(conn, is_open=True)}
        rows.trouble(conn, "his", "")
        keep.ignore(conn, keep.Choice(source="his"), who="x", reason="x")
        watcher.look()
    assert alarms.listed(conn, is_open=True) == []


def test_a_learned_silence_is_seen_from_the_store(
    conn: psycopg.Connection, settings: Settings
) -> None:
    hour = clock.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=4)
    conn.execute(
        """insert into message (id, digest, source, received, via, size, kind, control, patient,
                                at, numbers)
           select nextval('message_id'), sha256(convert_to(h::text || k, 'UTF8')), 'lis', h,
                  'x', 1, 'A', '', '', h, '{}'
             from generate_series(%s::timestamptz - interval '15 days', %s, '1 hour') h,
                  generate_series(1, 9) k""",
        (hour, hour),
    )
    source = settings.sources["his"].model_copy(
        update={"alarms": type(settings.sources["his"].alarms)()}
    )
    with watching(conn, settings.model_copy(update={"sources": {"lis": source}})) as watcher:
        watcher.look()
    (alarm,) = alarms.listed(conn, is_open=True)
    assert (alarm.rule, alarm.facts["expected"], alarm.facts["weeks"]) == ("silent", 36, 2)


def test_the_process_folds_looks_tells_and_a_second_one_takes_its_place(
    conn: psycopg.Connection, database: str, settings: Settings, receiver: Receiver
) -> None:
    take(database, "his", message("A1").encode())
    age(conn, 40)
    stops = [threading.Event(), threading.Event()]
    threads = [
        threading.Thread(target=process.run, args=(settings, database, stop)) for stop in stops
    ]
    for thread in threads:
        thread.start()
    try:
        wait_for(lambda: len(receiver.got) == 1)
        assert conn.execute("select count(*) from figure_tally").fetchone() == (0,)
        assert figures.ever(conn)["his"].received == 1
        pids = conn.execute(
            "select objid from pg_locks where locktype = 'advisory' and granted"
        ).fetchall()
        assert pids
        stops[0].set()
        threads[0].join(10)
        take(database, "his", message("A2").encode())
        wait_for(
            lambda: (
                conn.execute("select count(*) from figure_tally").fetchone() == (0,)
                and figures.ever(conn)["his"].received == 2
            )
        )
    finally:
        for stop in stops:
            stop.set()
        for thread in threads:
            thread.join(10)


def wait_for(holds: Any) -> None:
    until = threading.Event()
    for _ in range(400):
        if holds():
            return
        until.wait(0.05)
    raise AssertionError("it did not come about")
