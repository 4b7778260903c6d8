"""The processes of a load: what is read is shared out among them by patient, and what has been
taken is noted in the order in which it was read."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection as Pipe
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess

import psycopg

from healthhub.errors import HubError
from healthhub.keep import history, lanes
from healthhub.keep.history import Arrival
from healthhub.load import loader
from healthhub.load.arriving import Item, Mark, Skipped
from healthhub.load.loader import Loader
from healthhub.load.portion import Numbered, Outcome, Portion
from healthhub.model.message import Incoming
from healthhub.pipeline.converters import spare_the_collector
from healthhub.settings import Settings

ITEMS = 400
"""Messages or rows in one transaction, unless they are large."""
BYTES = 2 * 2**20
OUTSTANDING = 64 * 2**20
"""Bytes that all processes together may have been given; a portion that is larger goes alone."""
RESERVED = 5000
"""Ids of messages that are reserved at once."""
NOTE_SECONDS = 1.0
"""Between two notes of how far the load has come."""
MOST_DEATHS = 5
_FORKED = multiprocessing.get_context("fork")
"""They have what this one has imported and compiled, in a moment and in the same memory. Its
connections are theirs too: they must not use them, and end without a word to the server."""


class Died(HubError):
    """Processes of a load that end again and again."""

    code, status = "load-died", 500


@dataclass
class _Hand:
    """One process, what is gathered for it, and what it works on."""

    pipe: Pipe
    process: BaseProcess
    gathered: Portion | None = None
    since: float = 0.0
    working: deque[Portion] = field(default_factory=deque[Portion])


class Crew:
    """So many processes for one source. ``put`` what is read, in its order; ``finish`` waits.

    Messages of one patient go to one process, in their order. No more lies in memory than
    each process has gathered, works on and has ready.
    """

    def __init__(
        self,
        settings: Settings,
        name: str,
        via: str,
        dsn: str,
        conn: psycopg.Connection,
        told: Callable[[Outcome], None],
    ) -> None:
        self._loader = Loader(settings, name, via, dsn)
        self._conn = conn
        self._told = told
        self._count = 0
        self._ids: deque[int] = deque()
        self._marks: deque[tuple[int, Mark]] = deque()
        self._noted = time.monotonic()
        self._deaths = 0
        self._hands: list[_Hand] = []
        self.outcome = Outcome()

    def start(self, processes: int) -> None:
        """Start the processes."""
        spare_the_collector()
        self._hands = [self._hand() for _ in range(processes)]

    def _hand(self) -> _Hand:
        ours, theirs = _FORKED.Pipe()
        process = _FORKED.Process(
            target=loader.run,
            args=(self._loader, os.getpid(), theirs),
            name="load",
            daemon=True,
        )
        process.start()
        theirs.close()
        return _Hand(ours, process)

    def put(self, what: Item | Mark | Skipped) -> None:
        """Give something to the process that it is for; waits while that one has enough."""
        if isinstance(what, Skipped):
            self.outcome.add(Outcome(skipped=int(what.whole), share=what.share))
            return
        if isinstance(what, Mark):
            self._marks.append((self._count, what))
            self._note()
            return
        hand = self._hands[lanes.lane_of(what.key) % len(self._hands)]
        self._count += 1
        if hand.gathered is None:
            hand.gathered, hand.since = Portion(self._count), time.monotonic()
        gathered = hand.gathered
        gathered.items.append(self._numbered(what))
        gathered.size += what.size
        gathered.share += what.share
        if len(gathered.items) >= ITEMS or gathered.size >= BYTES:
            self._send(hand)
        self._note()

    def _numbered(self, item: Item) -> Arrival | Numbered:
        if not self._ids:
            self._ids.extend(history.reserve(self._conn, RESERVED))
        id_ = self._ids.popleft()
        if isinstance(item.what, Incoming):
            return Arrival(id_, item.what)
        return Numbered(id_, item.what)

    def _send(self, hand: _Hand) -> None:
        """Send what is gathered, once the process has room for it."""
        if (portion := hand.gathered) is None:
            return
        while hand.working and (
            len(hand.working) > loader.AHEAD or self._outstanding() + portion.size > OUTSTANDING
        ):
            self._hear(None)
        hand.gathered = None
        self._give(hand, portion)

    def _outstanding(self) -> int:
        """Bytes that processes have been given and not answered for."""
        return sum(portion.size for hand in self._hands for portion in hand.working)

    def _give(self, hand: _Hand, portion: Portion) -> None:
        hand.working.append(portion)
        try:
            hand.pipe.send(portion)
        except OSError:
            self._replace(hand)

    def _hear(self, seconds: float | None) -> None:
        """Take what processes have to say."""
        for pipe in wait([hand.pipe for hand in self._hands], seconds):
            hand = next(each for each in self._hands if each.pipe is pipe)
            try:
                outcome: Outcome = hand.pipe.recv()
            except (EOFError, OSError):
                self._replace(hand)
                continue
            hand.working.popleft()
            self._deaths = 0
            self.outcome.add(outcome)
            self._told(self.outcome)

    def _replace(self, hand: _Hand) -> None:
        """Another process goes on with what one had when it died, warily."""
        self._deaths += 1
        hand.pipe.close()
        hand.process.join()
        if self._deaths >= MOST_DEATHS:
            raise Died(
                f"the processes of the load end again and again (status {hand.process.exitcode}); "
                "look at their messages above, then run the same command again: it goes on where "
                "it was"
            )
        fresh, left = self._hand(), hand.working
        hand.pipe, hand.process, hand.working = fresh.pipe, fresh.process, deque()
        for portion in left:
            portion.wary = True
            self._give(hand, portion)

    def _note(self) -> None:
        """Now and then: note how far all before has been taken."""
        now = time.monotonic()
        if now - self._noted < NOTE_SECONDS:
            return
        self._noted = now
        for hand in self._hands:
            if hand.gathered is not None and now - hand.since > NOTE_SECONDS:
                self._send(hand)
        self._hear(0)
        self._note_until(self._low())

    def _low(self) -> int:
        """All up to this number have been taken."""
        open_ = [
            portion.first
            for hand in self._hands
            for portion in (*hand.working, *([hand.gathered] if hand.gathered else []))
        ]
        return min(open_) - 1 if open_ else self._count

    def _note_until(self, low: int) -> None:
        last: dict[str, Mark] = {}
        while self._marks and self._marks[0][0] <= low:
            _, mark = self._marks.popleft()
            last[mark.what] = mark
        if last:
            with self._conn.transaction():
                for mark in last.values():
                    mark.note(self._conn)

    def finish(self) -> None:
        """Wait until all that was put is taken and noted, on disk."""
        for hand in self._hands:
            self._send(hand)
        while any(hand.working for hand in self._hands):
            self._hear(None)
        self._note_until(self._count)
        self._settle()

    def _settle(self) -> None:
        """The processes' commits did not wait for the disk. This one does, and takes theirs
        along, as the log is written in order."""
        with self._conn.transaction():
            self._conn.execute("set local synchronous_commit = on")
            self._conn.execute("select pg_logical_emit_message(true, 'healthhub', 'loaded')")

    def close(self) -> None:
        """End the processes; what they work on is given up."""
        for hand in self._hands:
            hand.pipe.close()
            hand.process.terminate()
        for hand in self._hands:
            hand.process.kill()
            hand.process.join()
