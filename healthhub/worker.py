"""One worker process: claims messages of its lanes and takes them through the pipeline."""

from __future__ import annotations

import logging
import os
import random
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta

import psycopg

from healthhub import clock, keep
from healthhub.convert import Converter
from healthhub.gaps.rederivation import Rederivation
from healthhub.keep import applications, raw
from healthhub.model.message import Message
from healthhub.pipeline import Convert, Tally, process
from healthhub.pipeline.converters import converters_of, spare_the_collector
from healthhub.settings import Settings
from healthhub.store import writer

log = logging.getLogger(__name__)

REBALANCE_SECONDS = 2.0
RESCAN_SECONDS = 2.0
"""How long a replay or a retry may wait behind a long backlog."""
MAPS_SECONDS = 0.5
"""How often a worker asks whether somebody has mapped a code."""
DERIVE_SECONDS = 1.0
IDLE_SECONDS = 1.0
"""Poll while nothing wakes the worker."""
TURN_SECONDS = 0.1
"""Between two looks for messages, unless the first found more than a batch: a look and a batch
cost as much as many messages, so those of a stream gather. What comes after a silence is taken at
once."""
TALLY_SECONDS = 10.0
PRUNE_SECONDS = 3600.0
NICENESS = 10
"""On a machine that they share, acknowledgements and pages go before processing."""


def run(settings: Settings, dsn: str, stop: threading.Event | None = None) -> None:
    """Work until SIGTERM, SIGINT or ``stop``; the batch at hand is finished first.

    When PostgreSQL goes away the worker waits for it to come back.
    """
    stop = stop or stopping()
    os.nice(NICENESS)
    converters = converters_of(settings)
    spare_the_collector()
    failures, at_hand = 0, keep.AtHand()
    while not stop.is_set():
        try:
            with _connect(dsn) as conn:
                failures = 0
                Worker(conn, converters, settings, at_hand).work(stop)
        except psycopg.OperationalError as error:
            failures += 1
            pause = min(5.0, 0.1 * 2 ** min(failures, 6)) * random.uniform(0.5, 1)  # noqa: S311
            log.warning(
                "worker store-away error=%s retry_in=%.1fs", type(error).__name__, pause
            )
            stop.wait(pause)


def stopping() -> threading.Event:
    """An event that SIGTERM and SIGINT set."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


class Worker:
    """The loop of one worker on one connection, which also holds its lanes."""

    def __init__(
        self,
        conn: psycopg.Connection,
        converters: Mapping[str, Convert],
        settings: Settings,
        at_hand: keep.AtHand,
    ) -> None:
        self._conn = conn
        self._at_hand = at_hand
        at_hand.open(conn)
        self._plain = converters
        self._maps, self._asked = 0, -1e9
        self._rederivation, self._derived = Rederivation(), -1e9
        self._converters = converters
        self._settings = settings
        self._lanes = keep.Lanes(conn)
        self._passed = self._newest = keep.newest(conn)
        self._after, self._older = 0, True
        self._begun, self._behind = -1e9, False
        self._rebalanced = self._rescanned = self._pruned = -1e9
        self._tally, self._told = Tally(), time.monotonic()

    def work(self, stop: threading.Event) -> None:
        """Take batch after batch; wait for a notification when there is none."""
        self._conn.execute("listen message")
        while not stop.is_set():
            self._keep_house()
            if not self.step():
                for _ in self._conn.notifies(timeout=IDLE_SECONDS, stop_after=1):
                    pass
            if not self._behind:
                stop.wait(self._begun + TURN_SECONDS - time.monotonic())
        self._tell()
        self._lanes.release()
        self._at_hand.close(self._conn)

    def step(self) -> bool:
        """Claim and process one batch; False when nothing waits."""
        self._begun = time.monotonic()
        batch = self._claim(self._settings.pipeline.batch)
        for piece, deaths in self._at_hand.pieces(self._conn, batch):
            self._take(piece, deaths)
        return bool(batch)

    def _take(self, piece: Sequence[Message], deaths: int) -> None:
        """Process a batch, or a message alone over which workers have died."""
        if deaths < keep.MOST_DEATHS:
            self._at_hand.note(self._conn, piece)
            attempts = self._settings.pipeline.max_attempts
            self._tally.add(process(self._conn, piece, self._converters, attempts))
        else:
            log.error("message %d is parked: %d workers died over it", piece[0].id, deaths)
            parked = keep.park(self._conn, {piece[0].id: [keep.fatal(deaths)]})
            self._tally.add(Tally(parked=len(parked)))
        if deaths:
            self._at_hand.acquit(self._conn, piece[0].id)

    def _claim(self, limit: int) -> list[Message]:
        """What has just come and what is older, half and half while there is both: a large
        replay and the live feed do not wait for each other.

        An id can be committed after a higher one, by another process that receives: what has
        just come begins where the batch before the last one ended."""
        lanes, passed = self._lanes.held, self._passed
        most = max(1, limit // 2) if self._older else limit
        batch = keep.claim(self._conn, lanes, most, passed)
        self._behind = len(batch) >= most
        if batch:
            highest = max(message.id for message in batch)
            self._passed, self._newest = self._newest, max(self._newest, highest)
        if self._older:
            room = max(1, limit - len(batch))
            older = keep.claim_older(self._conn, lanes, room, self._after, passed)
            self._after = max([self._after, *(message.id for message in older)])
            self._older = bool(older)
            self._behind = self._behind or len(older) >= room
            batch += older
        return sorted(batch, key=lambda message: message.id)

    def _follow_maps(self) -> None:
        """Take over what people have mapped meanwhile. Between batches: a message sees one
        version, and whoever was converted with an older one is derived again."""
        if keep.code_maps.newest(self._conn) == self._maps:
            return
        overlay = keep.code_maps.overlay(self._conn)
        self._converters = {
            name: each.overlaid(overlay) if isinstance(each, Converter) else each
            for name, each in self._plain.items()
        }
        writer.forget(self._conn)
        self._maps = overlay.number
        log.info("worker maps version=%d entries=%d", overlay.number, len(overlay.entries))

    def _keep_house(self) -> None:
        now = time.monotonic()
        if now - self._asked > MAPS_SECONDS:
            self._follow_maps()
            self._asked = now
        if now - self._derived > DERIVE_SECONDS:
            self._rederivation.turn(self._conn, self._converters, self._maps)
            self._derived = now
        if now - self._rebalanced > REBALANCE_SECONDS:
            self._at_hand.look(self._conn)
            self._lanes.rebalance()
            self._rebalanced = now
        if now - self._rescanned > RESCAN_SECONDS:
            self._after, self._older, self._rescanned = 0, True, now
        if now - self._told > TALLY_SECONDS:
            self._tell()
        if now - self._pruned > PRUNE_SECONDS:
            self._prune()
            self._pruned = now

    def _tell(self) -> None:
        tally, self._tally = self._tally, Tally()
        seconds, self._told = time.monotonic() - self._told, time.monotonic()
        if tally != Tally():
            log.info(
                "worker done=%d parked=%d retried=%d resources=%d seconds=%.1f lanes=%d",
                tally.done,
                tally.parked,
                tally.retried,
                tally.resources,
                seconds,
                len(self._lanes.held),
            )

    def _prune(self) -> None:
        raw_days = self._settings.pipeline.raw_days
        if raw_days is None:
            return
        gone = raw.prune(self._conn, raw.day_of(clock.now() - timedelta(days=raw_days)))
        for day in gone:
            log.info("pruned raw day=%s bytes=%d", day.day, day.bytes)


def _connect(dsn: str) -> psycopg.Connection:
    """A connection whose commits need not wait for the disk (docs/decisions/0003)."""
    conn = psycopg.connect(
        dsn, autocommit=True, connect_timeout=5, application_name=applications.WORKER
    )
    conn.execute("set synchronous_commit = off")
    conn.execute("set jit = off")
    return conn
