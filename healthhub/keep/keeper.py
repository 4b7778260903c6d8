"""Makes messages durable: one commit for all that arrive while the last one runs."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import psycopg

from healthhub import clock
from healthhub.errors import HubError, TryAgain
from healthhub.keep import admission, insert, raw
from healthhub.model.message import Incoming, Kept

log = logging.getLogger(__name__)

GROUP = 500
"""Messages in one commit."""
GROUP_BYTES = 8 * 2**20
QUEUE = 2000
QUEUE_BYTES = 64 * 2**20
"""Messages, and their bytes, that may wait for the next commit; then senders wait."""
COMMIT_SECONDS = 30.0
PACE_SECONDS = 0.01
"""Between the beginnings of two commits while several senders are at work: a commit costs as much
as many messages, so theirs gather. One who sends a message after the other waits for nobody."""
ALONE = 1.05
"""Messages in a commit, on average of the last, up to which there is one sender."""
BACKLOG_SECONDS = 5.0
"""Between two counts of the backlog while there is room."""
RECOUNT_SECONDS = 1.0
"""The same while there is none."""

_AWAY = "the store is away; keep the message and send it again"


@dataclass(slots=True)
class _Waiting:
    incoming: Incoming
    digest: bytes
    kept: asyncio.Future[Kept]


class Keeper:
    """The one writer of new messages in a process.

    ``keep`` returns when the message is on disk (``synchronous_commit = on``). While a commit
    runs, what arrives gathers for the next: the busier, the larger the groups. Raises TryAgain
    at once while PostgreSQL is away or the backlog is full; a sender told so sends again, and
    what was kept after all is recognised by its digest.
    """

    def __init__(self, dsn: str, *, max_backlog: int = 1_000_000, group: int = GROUP) -> None:
        self._dsn = dsn
        self._max_backlog = max_backlog
        self._group = group
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue()
        self._queued_bytes = 0
        self._room = asyncio.Condition()
        self._conn: psycopg.AsyncConnection | None = None
        self._packer = raw.packer()
        self._days: set[date] = set()
        self._away_until = 0.0
        self._failures = 0
        self._begun, self._together = 0.0, 1.0
        self._backlog = 0
        self._counted_at = -BACKLOG_SECONDS
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Keeper:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def start(self) -> None:
        """Begin to commit; PostgreSQL may still be away."""
        self._task = asyncio.create_task(self._run(), name="keeper")

    async def close(self) -> None:
        """Commit what waits, then stop."""
        await self._queue.join()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._disconnect()

    async def keep(self, incoming: Incoming) -> Kept:
        """Make one message durable."""
        return await (await self.submit(incoming))

    async def submit(self, incoming: Incoming) -> asyncio.Future[Kept]:
        """Put a message in line; waits for room, then gives what ``keep`` would.

        Messages submitted one after the other keep their order.
        """
        self._refuse_if_hopeless()
        waiting = _Waiting(
            incoming,
            raw.digest(incoming.source, incoming.raw),
            asyncio.get_running_loop().create_future(),
        )
        async with self._room:
            await self._room.wait_for(self._has_room)
            self._queued_bytes += len(incoming.raw)
            self._queue.put_nowait(waiting)
        return waiting.kept

    def _has_room(self) -> bool:
        return self._queued_bytes < QUEUE_BYTES and self._queue.qsize() < QUEUE

    def _refuse_if_hopeless(self) -> None:
        self._refuse_if_away()
        if time.monotonic() - self._counted_at < RECOUNT_SECONDS:
            self._refuse_if_full()

    def _refuse_if_away(self) -> None:
        if time.monotonic() < self._away_until:
            raise TryAgain(_AWAY)

    def _refuse_if_full(self) -> None:
        if self._backlog >= self._max_backlog:
            raise TryAgain("too many messages wait to be processed; send again in a minute")

    async def _run(self) -> None:
        while True:
            await self._pace()
            batch = await self._gather()
            try:
                await self._keep_batch(batch)
            finally:
                _refuse(batch, TryAgain("the hub is stopping; send again"))
                await self._forget(batch)

    async def _forget(self, batch: Sequence[_Waiting]) -> None:
        """Make room for what comes next."""
        for _ in batch:
            self._queue.task_done()
        self._queued_bytes -= sum(len(waiting.incoming.raw) for waiting in batch)
        async with self._room:
            self._room.notify_all()

    async def _pace(self) -> None:
        """Let messages of several senders gather, unless there is enough for a commit."""
        rest = self._begun + PACE_SECONDS - time.monotonic()
        if rest > 0 and self._together > ALONE and self._queue.qsize() < self._group:
            await asyncio.sleep(rest)

    async def _gather(self) -> list[_Waiting]:
        batch = [await self._queue.get()]
        size = len(batch[0].incoming.raw)
        while len(batch) < self._group and size < GROUP_BYTES and not self._queue.empty():
            batch.append(self._queue.get_nowait())
            size += len(batch[-1].incoming.raw)
        self._begun = time.monotonic()
        self._together += (len(batch) - self._together) / 10
        return batch

    async def _keep_batch(self, batch: Sequence[_Waiting]) -> None:
        try:
            self._refuse_if_away()
            async with asyncio.timeout(COMMIT_SECONDS):
                conn = await self._connected()
                await self._count_backlog(conn)
                self._refuse_if_full()
                await self._commit(conn, batch)
            self._failures = 0
        except TryAgain as refusal:
            _refuse(batch, refusal)
        except (psycopg.OperationalError, psycopg.InterfaceError, OSError) as error:
            await self._lost(error)
            _refuse(batch, TryAgain(_AWAY))
        except Exception as error:  # noqa: BLE001 - one message must not take others with it
            await self._disconnect()
            await self._one_by_one(batch, error)

    async def _one_by_one(self, batch: Sequence[_Waiting], error: Exception) -> None:
        """Find the message that cannot be kept; the others are."""
        if len(batch) == 1:
            log.error("keep refused error=%s", type(error).__name__)
            _refuse(batch, HubError("the message cannot be kept; tell the hub's administrator"))
            return
        for waiting in batch:
            await self._keep_batch([waiting])

    async def _commit(self, conn: psycopg.AsyncConnection, batch: Sequence[_Waiting]) -> None:
        first: dict[bytes, _Waiting] = {}
        for waiting in batch:
            first.setdefault(waiting.digest, waiting)
        chosen = list(first.values())
        rows = [
            insert.row(waiting.incoming, waiting.digest, self._packer) for waiting in chosen
        ]
        await self._have_days(conn, {row[insert.DAY] for row in rows})
        columns = [list(column) for column in zip(*rows, strict=True)]
        cursor = await conn.execute(insert.KEEP, columns, prepare=True)
        ids = {chosen[n - 1].digest: id_ for n, id_, _ in await cursor.fetchall()}
        fresh = set(ids)
        missing = [digest for digest in first if digest not in ids]
        if missing:
            cursor = await conn.execute(insert.KNOWN, (missing,))
            known = [(bytes(digest), id_, no) for digest, id_, no in await cursor.fetchall()]
            ids |= {digest: id_ for digest, id_, _ in known}
            rejected = {digest: id_ for digest, id_, was_rejected in known if was_rejected}
            admitted = await self._admit(conn, first, rejected)
            fresh |= admitted
            if admitted:
                await conn.execute("notify message")
        again: Counter[int] = Counter()
        for waiting in batch:
            repeated = waiting.digest not in fresh or first[waiting.digest] is not waiting
            again[ids[waiting.digest]] += repeated
            if not waiting.kept.done():
                waiting.kept.set_result(Kept(ids[waiting.digest], repeated))
        self._backlog += len(fresh)
        if repeats := sorted((id_, times) for id_, times in again.items() if times):
            await conn.execute(
                insert.AGAIN, [list(column) for column in zip(*repeats, strict=True)]
            )

    async def _admit(
        self,
        conn: psycopg.AsyncConnection,
        sent: Mapping[bytes, _Waiting],
        rejected: Mapping[bytes, int],
    ) -> set[bytes]:
        """What was rejected once and can be read now (its source's charset was corrected, say)
        is taken: its sender is about to be told so."""
        chosen = [digest for digest in rejected if sent[digest].incoming.envelope is not None]
        if not chosen:
            return set()
        rows = [insert.row(sent[d].incoming, d, self._packer) for d in chosen]
        columns = admission.columns([rejected[d] for d in chosen], rows)
        cursor = await conn.execute(admission.ADMIT, columns)
        admitted = {id_ for (id_,) in await cursor.fetchall()}
        return {digest for digest in chosen if rejected[digest] in admitted}

    async def _have_days(self, conn: psycopg.AsyncConnection, needed: set[date]) -> None:
        for day in sorted(needed - self._days):
            async with conn.transaction():
                for statement in raw.day_statements(day):
                    await conn.execute(statement)
            self._days.add(day)

    async def _count_backlog(self, conn: psycopg.AsyncConnection) -> None:
        """Count anew when the estimate could be over the limit; it only grows between."""
        now = time.monotonic()
        over = self._backlog >= self._max_backlog
        if now - self._counted_at < (RECOUNT_SECONDS if over else BACKLOG_SECONDS):
            return
        self._counted_at = now
        cursor = await conn.execute(
            """select count(*) from (select from message_state where state = 'pending'
               limit %s) waiting""",
            (self._max_backlog,),
        )
        row = await cursor.fetchone()
        self._backlog = row[0] if row else 0

    async def _connected(self) -> psycopg.AsyncConnection:
        if self._conn is None or self._conn.closed:
            self._conn = await psycopg.AsyncConnection.connect(
                self._dsn, autocommit=True, connect_timeout=5, application_name="healthhub keep"
            )
            await self._conn.execute("set synchronous_commit = on")
            self._days.clear()
            await self._have_days(self._conn, {raw.day_of(clock.now())})
        return self._conn

    async def _lost(self, error: BaseException) -> None:
        self._failures += 1
        delay = min(5.0, 0.1 * 2 ** min(self._failures, 6)) * random.uniform(0.5, 1)  # noqa: S311
        self._away_until = time.monotonic() + delay
        log.warning("keep store-away error=%s retry_in=%.1fs", type(error).__name__, delay)
        await self._disconnect()

    async def _disconnect(self) -> None:
        conn, self._conn = self._conn, None
        if conn is not None:
            await conn.close()


def _refuse(batch: Sequence[_Waiting], error: HubError) -> None:
    for waiting in batch:
        if not waiting.kept.done():
            waiting.kept.set_exception(type(error)(error.message))
            waiting.kept.exception()  # the sender may be gone: nobody need ask
