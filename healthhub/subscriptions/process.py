"""The process of subscriptions: matches what changes, and delivers it. One at a time works."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any
from uuid import UUID

import psycopg
from psycopg_pool import ConnectionPool

from healthhub.errors import HubError
from healthhub.keep import applications
from healthhub.settings import Settings
from healthhub.store import changes
from healthhub.store.changes import Change
from healthhub.subscriptions import registry, table
from healthhub.subscriptions.delivery import Deliverer, client_of
from healthhub.subscriptions.matcher import Matcher
from healthhub.subscriptions.table import Subscription
from healthhub.subscriptions.topics import load

log = logging.getLogger(__name__)

LOCK = 0x5355425321  # "SUBS!": who holds it works, others wait to take its place
BATCH = 500
IDLE_SECONDS = 0.25
"""How long a change may wait before anybody looks."""
PRUNE_SECONDS = 3600.0
STANDBY_SECONDS = 2.0
"""How soon another takes the place of one that died."""
POOL = 8
LARGE = frozenset({"Binary", "Bundle", "DocumentReference", "Media"})
MOST_LARGE = 10
"""Changes of types that may hold whole documents, in one batch: bounds the memory of it."""
IMPATIENT = 3

Connection = psycopg.Connection[Any]


def run(settings: Settings, dsn: str, stop: threading.Event) -> None:
    """Work until ``stop``; when PostgreSQL goes away, wait for it to come back."""
    failures = 0
    while not stop.is_set():
        try:
            with (
                psycopg.connect(
                    dsn, autocommit=True, application_name=applications.NOTIFY
                ) as conn,
                ExitStack() as stack,
            ):
                failures = 0
                while not stop.is_set() and not _alone(conn):
                    stop.wait(STANDBY_SECONDS)
                if not stop.is_set():
                    Notifier(conn, settings, dsn, stack).work(stop)
        except psycopg.OperationalError as error:
            failures += 1
            pause = min(5.0, 0.1 * 2 ** min(failures, 6)) * random.uniform(0.5, 1)  # noqa: S311
            log.warning(
                "notify store-away error=%s retry_in=%.1fs", type(error).__name__, pause
            )
            stop.wait(pause)


def _bounded(found: list[Change]) -> list[Change]:
    """As many of the changes, from the first, as can be held at a time."""
    large = 0
    for place, change in enumerate(found):
        large += change.type in LARGE
        if large > MOST_LARGE:
            return found[:place]
    return found


def _alone(conn: Connection) -> bool:
    row = conn.execute("select pg_try_advisory_lock(%s)", (LOCK,)).fetchone()
    return row is not None and row[0]


class Notifier:
    """The loop, on a connection that commits each statement and each block by itself."""

    def __init__(
        self, conn: Connection, settings: Settings, dsn: str, stack: ExitStack
    ) -> None:
        self._conn, self._settings = conn, settings.subscriptions
        self._topics = load(self._settings.topics_folder)
        base = base_of(settings)
        apart = stack.enter_context(psycopg.connect(dsn))
        self._matcher = Matcher(conn, apart, self._topics, base)
        client = stack.enter_context(client_of(self._settings))
        pool: ConnectionPool[Connection] = ConnectionPool(
            dsn, min_size=1, max_size=POOL, open=True
        )
        stack.enter_context(pool)
        self._deliverer = Deliverer(pool, client, self._settings, self._topics, base)
        self._threads = stack.enter_context(ThreadPoolExecutor(self._settings.at_once))
        self._busy: set[UUID] = set()
        self._pruned = self._watch_at = -1e9
        self._watch_failures = 0

    def work(self, stop: threading.Event) -> None:
        """Match and deliver until told to stop; deliveries under way are finished first."""
        while not stop.is_set():
            found = _bounded(changes.take(self._conn, BATCH))
            if found:
                self._match(found)
            self._watch()
            for one in table.due(self._conn, list(self._busy)):
                if len(self._busy) < self._settings.at_once:
                    self._busy.add(one.id)
                    self._threads.submit(self._attend, one)
            if time.monotonic() - self._pruned > PRUNE_SECONDS:
                table.prune(self._conn, self._settings.keep_days)
                self._pruned = time.monotonic()
            if not found:
                stop.wait(IDLE_SECONDS)

    def _watch(self) -> None:
        """Have the wanted types watched. Where long writes stand against it, try again after
        growing pauses, so that other writers do not queue behind the attempts."""
        if time.monotonic() < self._watch_at:
            return
        last = self._watch_failures >= IMPATIENT
        milliseconds = changes.PATIENT_MILLISECONDS if last else changes.LOCK_MILLISECONDS
        if changes.watch(self._conn, table.wanted_types(self._conn), milliseconds):
            self._watch_failures = 0
            return
        self._watch_failures += 1
        pause = min(30.0, 2.0**self._watch_failures)
        self._watch_at = time.monotonic() + pause
        log.warning(
            "notify long writes hold up a change of what is watched retry_in=%.0fs", pause
        )

    def _match(self, found: Sequence[Change]) -> None:
        """All at once; if that fails each by itself, so that one cannot hold up the others."""
        try:
            self._settle(found)
        except psycopg.OperationalError:
            raise
        except Exception as error:  # noqa: BLE001 - the one at fault is found one by one
            log.warning("notify batch error=%s; one by one", type(error).__name__)
            for change in found:
                self._by_itself(change)

    def _by_itself(self, change: Change) -> None:
        try:
            self._settle([change])
        except psycopg.OperationalError:
            raise
        except Exception as error:  # noqa: BLE001 - the process's edge: told, and set aside
            log.error(
                "notify fault seq=%d type=%s error=%s; its subscribers are not told",
                change.seq,
                change.type,
                type(error).__name__,
            )
            changes.drop(self._conn, [change])

    def _settle(self, found: Sequence[Change]) -> None:
        with self._conn.transaction():
            for change in found:
                if change.type == "Subscription":
                    registry.take_in(self._conn, change, self._settings, self._topics)
            self._matcher.enter(found)
            changes.drop(self._conn, found)

    def _attend(self, one: Subscription) -> None:
        try:
            self._deliverer.attend(one)
        except (psycopg.Error, HubError) as error:
            log.warning("notify delivery error=%s", type(error).__name__)
            time.sleep(IDLE_SECONDS)
        except Exception as error:  # noqa: BLE001 - the thread's edge
            log.error("notify fault error=%s", type(error).__name__)
            time.sleep(IDLE_SECONDS)
        finally:
            self._busy.discard(one.id)


def base_of(settings: Settings) -> str:
    """The address of the FHIR service as notifications name it."""
    configured = settings.web.base_url or f"http://{settings.web.host}:{settings.web_port}"
    return f"{configured.rstrip('/')}/fhir"
