"""One process of a load: takes portions all the way in, one after the other."""

from __future__ import annotations

import ctypes
import logging
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection as Pipe

import psycopg

from healthhub import keep
from healthhub.adapter_api import registry
from healthhub.adapter_api.tables import SheetReader
from healthhub.convert import Converter
from healthhub.convert.sheets import Refused
from healthhub.keep import history as keeping
from healthhub.keep import raw, rows
from healthhub.keep.history import Arrival
from healthhub.keep.rows import Versioned
from healthhub.load.portion import SHOWN, Numbered, Outcome, Portion
from healthhub.model.message import Incoming
from healthhub.pipeline import Convert, attempts, history, process
from healthhub.pipeline.converters import converters_of
from healthhub.receive.tables import Taker, taker
from healthhub.settings import Settings
from healthhub.store import writer

log = logging.getLogger(__name__)

AHEAD = 2
"""Portions that lie ready in a process while it works on another."""
LONGEST_PAUSE = 5.0
PR_SET_PDEATHSIG = 1
Put = Callable[[psycopg.Connection, Sequence[Arrival]], Sequence[int]]


def run(loader: Loader, parent: int, pipe: Pipe) -> None:
    """Take portions from the pipe and answer each with its outcome, until the parent ends."""
    _die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent says when it ends
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    logging.getLogger().setLevel(logging.WARNING)
    ready: queue.Queue[Portion | None] = queue.Queue(AHEAD)
    threading.Thread(target=_receive, args=(pipe, ready), daemon=True).start()
    while (portion := ready.get()) is not None:
        pipe.send(loader.take(portion))


def _receive(pipe: Pipe, ready: queue.Queue[Portion | None]) -> None:
    try:
        while True:
            ready.put(pipe.recv())
    except (EOFError, OSError):
        ready.put(None)


def _die_with(parent: int) -> None:
    """Ask the kernel to kill this process with its parent: what it had not committed is then
    read again, and nothing else writes beside the next load."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


class Loader:
    """Takes portions of one source; made before the processes that use it, it connects in each."""

    def __init__(self, settings: Settings, name: str, via: str, dsn: str) -> None:
        self._name = name
        self._via = via
        self._dsn = dsn
        self._most_attempts = settings.pipeline.max_attempts
        self._plain = converters_of(settings, [name])
        self._converters: Mapping[str, Convert] = self._plain
        self._maps = 0
        adapter = registry.find(settings.sources[name].adapter)
        self._taker: Taker | None = (
            taker(settings, name) if isinstance(adapter, SheetReader) else None
        )
        self._packer = raw.packer()
        self._conn: psycopg.Connection | None = None

    def take(self, portion: Portion) -> Outcome:
        """Take a portion, however long the store is away meanwhile."""
        failures = 0
        while True:
            try:
                return self._take(self._connected(), portion)
            except psycopg.OperationalError as error:
                log.warning("load store-away error=%s", type(error).__name__)
                if self._conn is not None:
                    self._conn.close()
                self._conn = None
                attempts.pause(failures, LONGEST_PAUSE)
                failures += 1

    def _connected(self) -> psycopg.Connection:
        if self._conn is None:
            self._conn = psycopg.connect(
                self._dsn,
                autocommit=True,
                connect_timeout=5,
                application_name="healthhub load",
            )
            # Nobody was promised anything yet: the load's last commit waits for the disk.
            self._conn.execute("set synchronous_commit = off")
            self._conn.execute("set jit = off")
        return self._conn

    def _follow_maps(self, conn: psycopg.Connection) -> None:
        """Take over what people have mapped meanwhile, as a worker does between batches."""
        if keep.code_maps.newest(conn) == self._maps:
            return
        overlay = keep.code_maps.overlay(conn)
        self._converters = {
            name: each.overlaid(overlay) if isinstance(each, Converter) else each
            for name, each in self._plain.items()
        }
        writer.forget(conn)
        self._maps = overlay.number

    def _take(self, conn: psycopg.Connection, portion: Portion) -> Outcome:
        self._follow_maps(conn)
        if not portion.wary:
            try:
                outcome, admitted = attempts.attempt(
                    conn, lambda: self._all_the_way(conn, portion)
                )
                self._process(conn, admitted, outcome)
                return outcome
            except Exception:  # noqa: BLE001 - the message at fault is found by itself
                attempts.usable(conn)
        return self._piecemeal(conn, portion)

    def _all_the_way(
        self, conn: psycopg.Connection, portion: Portion
    ) -> tuple[Outcome, list[int]]:
        """Besides the outcome: messages that were rejected once, and are yet to be processed."""
        outcome, admitted = Outcome(share=portion.share), list[int]()

        def put(conn: psycopg.Connection, arrivals: Sequence[Arrival]) -> Sequence[int]:
            taken = history.take(conn, arrivals, self._converters, self._packer)
            outcome.done += taken.tally.done
            outcome.parked += taken.tally.parked
            outcome.resources += taken.tally.resources
            outcome.known += len(taken.repeated)
            outcome.rejected += taken.rejected
            admitted.extend(taken.admitted)
            if self._taker is None:
                keeping.again(conn, taken.repeated)
            return taken.ids

        self._put(conn, portion, put, outcome)
        return outcome, admitted

    def _piecemeal(self, conn: psycopg.Connection, portion: Portion) -> Outcome:
        """Keep a portion in which something is wrong as it would come by the feed, then take
        its messages one by one, unless a process died over them."""
        outcome, kept = Outcome(share=portion.share), dict[int, None]()

        def put(conn: psycopg.Connection, arrivals: Sequence[Arrival]) -> Sequence[int]:
            known = keeping.known(conn, [each.digest for each in arrivals])
            ids = rows.insert_all(conn, [each.incoming for each in arrivals])
            for id_, each in zip(ids, arrivals, strict=True):
                if each.digest in known or id_ in kept:
                    outcome.known += 1
                elif each.incoming.envelope is None:
                    outcome.rejected += 1
                else:
                    kept[id_] = None
            return ids

        def keep_all() -> None:
            self._put(conn, portion, put, outcome)

        with conn.transaction():
            keep_all()
        if portion.wary:
            outcome.waiting = len(kept)
        else:
            self._process(conn, list(kept), outcome)
        return outcome

    def _process(
        self, conn: psycopg.Connection, messages: Sequence[int], outcome: Outcome
    ) -> None:
        """Process messages that wait, as a worker does."""
        if not messages:
            return
        batch = keep.waiting(conn, messages)
        tally = process(conn, batch, self._converters, self._most_attempts)
        outcome.done += tally.done
        outcome.parked += tally.parked
        outcome.resources += tally.resources
        outcome.waiting += len(messages) - tally.done - tally.parked

    def _put(
        self, conn: psycopg.Connection, portion: Portion, put: Put, outcome: Outcome
    ) -> None:
        """Put messages as they are, rows as what they say anew."""
        if self._taker is None:
            put(conn, [each for each in portion.items if isinstance(each, Arrival)])
            return
        of, good = self._taker, list[Versioned]()
        bad: list[Arrival] = []
        for each in portion.items:
            assert isinstance(each, Numbered)  # noqa: S101 - a source of tables sends rows
            if isinstance(each.cut, Refused):
                bad.append(Arrival(each.id, of.rejected(each.cut, self._via)))
                if len(outcome.refused) < SHOWN:
                    outcome.refused.append((each.cut.place, each.cut.reason))
            else:
                good.append(of.versioned(each.cut, self._via, each.id))

        def insert(
            conn: psycopg.Connection,
            changed: Sequence[Versioned],
            incoming: Sequence[Incoming],
        ) -> list[int]:
            pairs = zip(changed, incoming, strict=True)
            return list(put(conn, [Arrival(row.reserved, said) for row, said in pairs]))

        counts = rows.keep_beside(conn, self._name, good, insert)
        outcome.known += counts.unchanged
        if bad:
            put(conn, bad)
