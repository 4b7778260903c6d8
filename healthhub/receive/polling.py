"""The process that polls: a thread for each source with views or a folder, so that one that is
slow or away keeps no other waiting."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psycopg
from sqlalchemy.exc import SQLAlchemyError

from healthhub.adapter_api import registry
from healthhub.adapter_api.tables import SheetReader
from healthhub.errors import HubError
from healthhub.keep import applications, rows
from healthhub.receive.folder import Watch
from healthhub.receive.intake import fault
from healthhub.receive.poll import Poller
from healthhub.receive.tables import connected, taker
from healthhub.receive.whole import Taker as WholeTaker
from healthhub.settings import Settings

log = logging.getLogger("healthhub.poll")

LONGEST_PAUSE = 600.0
BEAT_SECONDS = 10.0
Turn = Callable[[psycopg.Connection], object]


@dataclass(frozen=True, slots=True)
class Duty:
    """What is done again and again for a source, the pause between, and how it ends."""

    turn: Turn
    pause: float
    close: Callable[[], None]


def declared(settings: Settings) -> list[str]:
    """The sources that are to be polled."""
    return [name for name, s in settings.sources.items() if s.database or s.folder]


def run(settings: Settings, dsn: str) -> None:
    """Poll until SIGTERM or SIGINT."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    threads = [
        threading.Thread(
            target=source, args=(settings, name, dsn, stop), name=name, daemon=True
        )
        for name in declared(settings)
    ]
    for thread in threads:
        thread.start()
    beat = Beat(dsn)
    while not stop.wait(1):
        beat.strike()
        dead = [thread.name for thread in threads if not thread.is_alive()]
        if dead:
            raise SystemExit(f"healthhub poll: the thread of {', '.join(dead)} has ended")
    for thread in threads:
        thread.join(5)  # what a killed turn had not committed is read again


class Beat:
    """A connection by which PostgreSQL, and ``healthhub health poll``, knows that it polls."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._conn: psycopg.Connection | None = None
        self._struck = -BEAT_SECONDS

    def strike(self) -> None:
        """Ask for something now and then; while the store is away, try again."""
        if time.monotonic() - self._struck < BEAT_SECONDS:
            return
        self._struck = time.monotonic()
        try:
            if self._conn is None:
                self._conn = psycopg.connect(
                    self._dsn,
                    autocommit=True,
                    connect_timeout=5,
                    application_name=applications.POLL,
                )
            self._conn.execute("select 1")
        except psycopg.Error:
            self._conn = None


def source(settings: Settings, name: str, dsn: str, stop: threading.Event) -> None:
    """All turns of one source, side by side. What is wrong with its settings or mapping is told
    again and again, and hinders no other source."""
    while not stop.is_set():
        try:
            found = duties(settings, name)
        except HubError as error:
            log.error("poll source=%s cannot begin: %s", name, error.message)
            stop.wait(LONGEST_PAUSE)
            continue
        threads = [
            threading.Thread(target=loop, args=(name, d.turn, d.pause, dsn, stop), daemon=True)
            for d in found
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for duty in found:
            duty.close()


def duties(settings: Settings, name: str) -> Sequence[Duty]:
    """What is to be done for a source."""
    source = settings.sources[name]
    found: list[Duty] = []
    if not isinstance(registry.find(source.adapter), SheetReader):
        if source.folder is not None:
            whole = WholeTaker(name, source, settings.pipeline.max_backlog)
            watch = Watch(source.folder, whole)
            found.append(Duty(watch.look, source.folder.every_seconds, lambda: None))
        return found
    of = taker(settings, name)
    if source.folder is not None:
        watch = Watch(source.folder, of)
        found.append(Duty(watch.look, source.folder.every_seconds, lambda: None))
    if source.database is not None:
        poller = Poller(source.database, of)
        found.append(Duty(poller.poll, source.database.every_seconds, poller.close))
    return found


def loop(name: str, turn: Turn, pause: float, dsn: str, stop: threading.Event) -> None:
    """Turn after turn. After a failure the pauses grow; what failed stands in the store and in
    the log, without the text of the other database, which could quote patient data."""
    failures = 0
    while not stop.is_set():
        problem = once(name, turn, dsn)
        failures = failures + 1 if problem else 0
        wait = min(pause * 2 ** min(failures, 10), max(LONGEST_PAUSE, pause))
        if problem:
            log.warning("poll source=%s again_in=%.0fs problem=%s", name, wait, problem)
        stop.wait(wait)


def once(name: str, turn: Turn, dsn: str) -> str:
    """One turn; gives what went wrong, empty if nothing did."""
    try:
        with connected(dsn) as conn:
            problem = _tried(turn, conn)
            rows.trouble(conn, name, problem)
            return problem
    except psycopg.Error as error:
        return f"the store is away ({type(error).__name__})"


def _tried(turn: Turn, conn: psycopg.Connection) -> str:
    try:
        turn(conn)
    except HubError as error:
        return error.message
    except SQLAlchemyError as error:
        return f"the source's database: {type(error).__name__} ({_kind(error)})"
    except OSError as error:
        return f"the folder cannot be read: {error.strerror or type(error).__name__}"
    except psycopg.Error:
        raise
    except Exception as error:  # noqa: BLE001 - one source's fault must not stop the others
        fault("poll", error)
        return f"a fault of the hub ({type(error).__name__}); tell its administrator"
    return ""


def _kind(error: SQLAlchemyError) -> str:
    """The driver's class of the error: it tells a lost connection from a missing right."""
    cause = getattr(error, "orig", None)
    return type(cause).__name__ if cause is not None else "SQLAlchemy"
