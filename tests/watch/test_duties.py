"""A duty of the watcher that fails is told, tried again, and holds up none of the others."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from healthhub.keep import figures
from healthhub.settings import Settings
from healthhub.watch import alarms, duties, hooks, looking, process, words
from healthhub.watch.duties import Duty
from healthhub.watch.errands import Errands
from healthhub.watch.process import Watcher
from healthhub.watch.rules import Trouble
from healthhub.web.language import LANGUAGES, translator
from tests.watch.test_alarms import wait_for

SETTINGS = Settings.model_validate({"alarms": {"look_seconds": 1, "calm_minutes": 0}})
FAULT = ZeroDivisionError("of patient 赵一")
ROOMS: dict[str, tuple[object, str]] = {
    "fold": (figures, "fold"),
    "look": (looking.Looker, "look"),
    "tell": (hooks.Teller, "tell"),
    "errands": (Errands, "go_on"),
    "forget_figures": (figures, "forget"),
    "forget_alarms": (alarms, "forget"),
}


@pytest.fixture
def conn(database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database, autocommit=True) as opened:
        yield opened


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Turns follow one another at once, and what failed is tried in the next."""
    monkeypatch.setattr(process, "FOLD_SECONDS", 0.01)
    monkeypatch.setattr(duties, "FIRST_PAUSE", 0.0)


class Counted:
    """What each duty does, counted; some fail so many times."""

    def __init__(self, patch: pytest.MonkeyPatch, **failing: int) -> None:
        self.done = dict.fromkeys(ROOMS, 0)
        self.left = failing
        for name, (room, work) in ROOMS.items():
            patch.setattr(room, work, self._counting(name, getattr(room, work)))

    def _counting(self, name: str, real: Any) -> Any:
        def work(*args: Any) -> Any:
            self.done[name] += 1
            if self.left.get(name, 0) > 0:
                self.left[name] -= 1
                raise FAULT
            return real(*args)

        return work


def opened(conn: psycopg.Connection) -> dict[str, dict[str, Any]]:
    """The facts of open alarms by rule."""
    return {alarm.rule: alarm.facts for alarm in alarms.listed(conn, is_open=True)}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("failing", ROOMS)
def test_whatever_duty_fails_is_an_alarm_and_the_others_go_on(
    failing: str,
    conn: psycopg.Connection,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    counted = Counted(monkeypatch, **{failing: 10**9})
    stop = threading.Event()
    thread = threading.Thread(target=process.run, args=(SETTINGS, database, stop))
    thread.start()
    try:
        wait_for(lambda: all(counted.done.values()) and counted.done[failing] > 2)
        wait_for(lambda: opened(conn).get("watch", {}).get("parts") == failing)
        facts = opened(conn)["watch"]
        assert facts["error"] == "ZeroDivisionError"
        assert facts["wrong"] >= 1
        counted.left.clear()
        wait_for(lambda: not opened(conn))
        assert thread.is_alive()
    finally:
        stop.set()
        thread.join(10)
    told = [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR]
    assert any(
        each.startswith(f"watch {failing} fault error=ZeroDivisionError") for each in told
    )
    assert "赵" not in caplog.text


def test_where_looking_fails_open_alarms_stay_as_they_are(
    conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    alarms.settle(conn, [Trouble("his", "silent", {"minutes": 1})], [], lambda *_: "", 0)
    Counted(monkeypatch, look=1)
    watcher = Watcher(conn, SETTINGS)
    try:
        watcher.turn()
    finally:
        watcher.close()
    assert opened(conn).keys() == {"silent", "watch"}


def test_pauses_grow_while_a_duty_fails_and_end_when_it_works(
    conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(duties, "time", SimpleNamespace(monotonic=lambda: now))
    failing, times = True, list[float]()

    def work() -> None:
        times.append(now)
        if failing:
            raise FAULT

    duty = Duty("fold", work)
    while now < 300:
        duty.turn(conn)
        now += 1
    assert times == [0, 2, 6, 14, 30, 62, 122, 182, 242]
    failing = False
    now = 302.0
    for _ in range(3):
        duty.turn(conn)
    assert times[-3:] == [302, 302, 302]
    assert (duty.faults, duty.error) == (0, "")


def test_a_connection_that_is_lost_is_no_fault_of_a_duty(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as conn:
        conn.close()
        duty = Duty("fold", lambda: conn.cursor().execute("select 1"))
        with pytest.raises(psycopg.OperationalError):
            duty.turn(conn)
        duty = Duty("fold", lambda: 1 // 0)
        with pytest.raises(psycopg.OperationalError):
            duty.turn(conn)


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_alarm_of_a_duty_names_it_in_words(language: str, conn: psycopg.Connection) -> None:
    failing = [Duty(name, lambda: None, faults=2, error="KeyError") for name in ROOMS]
    [trouble] = duties.troubles(failing)
    [alarm], _ = alarms.settle(conn, [trouble], [], lambda *_: "", 0)
    t = translator(language)
    text = words.text(alarm, t)
    assert "KeyError" in text
    assert all(t(f"duty.{name}") in text for name in ROOMS)
    assert list(duties.troubles([Duty("fold", lambda: None)])) == []
