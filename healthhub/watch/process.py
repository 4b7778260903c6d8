"""The process that watches: folds figures, looks, opens and closes alarms, tells hooks. One at
a time works; a second one stands by. All that must outlive it stands in the database."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Sequence
from typing import Any

import psycopg

from healthhub import clock
from healthhub.keep import applications, figures, uploads
from healthhub.receive import uploading
from healthhub.receive.intake import fault
from healthhub.settings import Settings
from healthhub.watch import alarms, hooks
from healthhub.watch.duties import Duty, troubles
from healthhub.watch.errands import Errands
from healthhub.watch.looking import Looker
from healthhub.watch.rules import Trouble

log = logging.getLogger(__name__)

LOCK = 0x5741544348  # "WATCH": who holds it works
STANDBY_SECONDS = 2.0
FOLD_SECONDS = 2.0
HOUSE_SECONDS = 3600.0
JOIN_SECONDS = 5.0
UPLOAD_FAULT_SECONDS = 60.0
KEEP_DAYS = 400
"""Days for which alarms that are over are kept."""


def run(settings: Settings, dsn: str, stop: threading.Event) -> None:
    """Watch until ``stop``; when PostgreSQL goes away, wait for it to come back."""
    failures, errands = 0, Errands(settings)
    while not stop.is_set():
        try:
            with psycopg.connect(
                dsn, autocommit=True, connect_timeout=5, application_name=applications.WATCH
            ) as conn:
                failures = 0
                while not stop.is_set() and not _alone(conn):
                    stop.wait(STANDBY_SECONDS)
                if not stop.is_set():
                    watcher = Watcher(conn, settings, errands)
                    over = threading.Event()
                    thread = threading.Thread(
                        target=_take_uploads, args=(settings, dsn, over), daemon=True
                    )
                    thread.start()
                    try:
                        watcher.work(stop)
                    finally:
                        over.set()
                        watcher.close()
                        thread.join(JOIN_SECONDS)
        except psycopg.OperationalError as error:
            failures += 1
            pause = min(5.0, 0.1 * 2 ** min(failures, 6)) * random.uniform(0.5, 1)  # noqa: S311
            log.warning("watch store-away error=%s again_in=%.1fs", type(error).__name__, pause)
            stop.wait(pause)


def _take_uploads(settings: Settings, dsn: str, over: threading.Event) -> None:
    """Take what was uploaded in the console, apart from the rest: a large file takes its time.
    A file half taken when this ends is taken again by who comes after, and says nothing twice."""
    while not over.is_set():
        try:
            with psycopg.connect(
                dsn, autocommit=True, connect_timeout=5, application_name=applications.WATCH
            ) as conn:
                while not over.is_set():
                    uploads.expire(conn)
                    if not uploading.work(conn, settings, dsn):
                        over.wait(FOLD_SECONDS)
        except psycopg.OperationalError as error:
            log.warning("watch uploads store-away error=%s", type(error).__name__)
            over.wait(STANDBY_SECONDS)
        except Exception as error:  # noqa: BLE001 - a fault of ours must not end the taking
            fault("upload", error)
            over.wait(UPLOAD_FAULT_SECONDS)


def _alone(conn: psycopg.Connection[Any]) -> bool:
    row = conn.execute("select pg_try_advisory_lock(%s)", (LOCK,)).fetchone()
    return row is not None and row[0]


class Watcher:
    """The loop, on a connection that commits each statement and each block by itself."""

    def __init__(
        self, conn: psycopg.Connection[Any], settings: Settings, errands: Errands | None = None
    ) -> None:
        self._conn, self._settings = conn, settings
        self._errands = errands or Errands(settings)
        self._looker = Looker(settings)
        self._teller = hooks.Teller(settings)
        self._busy = False
        every = settings.alarms.look_seconds
        self._look = Duty("look", self.look, every)
        self._duties = (
            Duty("fold", lambda: figures.fold(conn)),
            self._look,
            Duty("tell", lambda: self._teller.tell(conn)),
            Duty("errands", self._go_on),
            Duty("forget_figures", lambda: figures.forget(conn), HOUSE_SECONDS),
            Duty("forget_alarms", lambda: alarms.forget(conn, KEEP_DAYS), HOUSE_SECONDS),
        )
        self._own = Duty("look", self._look_at_itself, every)

    def close(self) -> None:
        """Let go of the hooks."""
        self._teller.close()

    def work(self, stop: threading.Event) -> None:
        """Turn after turn."""
        while not stop.is_set():
            self.turn()
            stop.wait(0 if self._busy else FOLD_SECONDS)

    def turn(self) -> None:
        """Each duty once, if it is time for it."""
        for duty in self._duties:
            duty.turn(self._conn)
        if self._look.faults:
            self._own.turn(self._conn)

    def _go_on(self) -> None:
        self._busy = False
        self._busy = self._errands.go_on(self._conn)

    def look(self) -> None:
        """One look: what is wrong becomes alarms, what is over closes them."""
        found = self._looker.look(self._conn, clock.now())
        others = (duty for duty in self._duties if duty is not self._look)
        self._settle([*found, *troubles(others)])

    def _look_at_itself(self) -> None:
        """Where looking fails, nothing is known to be over: alarms stay as they are, beside one
        of the fault."""
        found = [
            Trouble(alarm.source, alarm.rule, alarm.facts)
            for alarm in alarms.listed(self._conn, is_open=True)
        ]
        self._settle([*found, *troubles(self._duties)])

    def _settle(self, found: Sequence[Trouble]) -> None:
        opened, closed = alarms.settle(
            self._conn,
            found,
            list(self._settings.alarms.hooks),
            lambda alarm, event, hook: hooks.body(self._settings, alarm, event, hook),
            self._settings.alarms.calm_minutes,
        )
        for event, changed in (("opened", opened), ("closed", closed)):
            for alarm in changed:
                log.warning("alarm %s source=%s rule=%s", event, alarm.source, alarm.rule)
