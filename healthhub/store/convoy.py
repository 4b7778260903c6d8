"""Convoys: connections on which many short statements travel together and are committed together.

A cursor of psycopg costs a statement some 0.15 ms of Python, and each its own way to the server.
Here all statements that are asked for while the last ones are on their way go as one segment of
libpq's pipeline: one write, one commit, one read. Whoever asks gets the rows once the segment is
committed, so that a statement may write what must be durable before its rows are shown.
https://www.postgresql.org/docs/current/libpq-pipeline-mode.html
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import psycopg
from psycopg import errors, pq
from psycopg.adapt import Transformer

from healthhub.errors import TryAgain
from healthhub.store import dictionary
from healthhub.store.convoy_values import numbered, text
from healthhub.store.query import Query, Row

T = TypeVar("T")
CONVOYS = 2
MOST = 64
"""Statements in a segment."""
WAITING = 2000
CONNECT_SECONDS = 10
"""Then a server that answers nothing is away, and whoever waits is told so."""
PREPARED = 150
"""Statements that a convoy keeps prepared; the one used longest ago makes room."""
MOST_VALUES = 65_535
"""The protocol counts the parameters of a statement in 16 bits."""
CHANGED, FORGOTTEN = "0A000", "26000"
"""A prepared statement's tables have changed since, or the server knows it no longer."""
_STALE = (CHANGED, FORGOTTEN)


class Convoys:
    """A few convoys to one database, opened when they are first wanted."""

    def __init__(self, conninfo: str, options: str, convoys: int = CONVOYS) -> None:
        self._convoys = [_Convoy(conninfo, options) for _ in range(convoys)]

    async def fetch(self, query: Query[T]) -> T:
        """The answer to a query with named parameters, committed. For short statements alone:
        others wait behind it. Raises what the database raises, TryAgain when too many wait."""
        convoy = min(self._convoys, key=_Convoy.load)
        rows = await convoy.ask(query.sql, cast(Mapping[str, Any], query.params))
        try:
            return query.decode(rows)
        except dictionary.UnknownDictionary:
            dictionary.learn(await convoy.ask(dictionary.ALL, {}))
            return query.decode(rows)

    async def close(self) -> None:
        """Let go of the connections; what is under way fails."""
        for convoy in self._convoys:
            await convoy.close()


@dataclass(slots=True)
class _Asked:
    """A statement, and who waits for its rows."""

    sql: str
    values: list[bytes | None]
    future: asyncio.Future[list[Row]]
    result: pq.abc.PGresult | None = None
    again: bool = False


@dataclass(frozen=True, slots=True)
class _Told:
    """A statement that the server is told to prepare under a name, or (no statement) a name
    that it is told to forget."""

    name: bytes
    sql: str | None = None


class _Convoy:
    def __init__(self, conninfo: str, options: str) -> None:
        self._conninfo = conninfo
        self._options = options
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._waiting: deque[_Asked] = deque()
        self._sent: list[_Asked] = []
        self._commands: deque[_Asked | _Told] = deque()
        self._prepared: OrderedDict[str, bytes] = OrderedDict()
        self._old: list[bytes] = []
        self._unknown: set[bytes] = set()
        self._error: pq.abc.PGresult | None = None
        self._names = 0
        self._turn: asyncio.Task[None] | None = None
        self._alone = False

    def load(self) -> int:
        """How many statements would be before the next."""
        return len(self._waiting) + len(self._sent)

    async def ask(self, sql: str, values: Mapping[str, Any]) -> list[Row]:
        """The rows of a statement."""
        if len(self._waiting) >= WAITING:
            raise TryAgain("too many requests wait; send this one again in a few seconds")
        said, names = numbered(sql)
        if len(names) > MOST_VALUES:
            raise psycopg.ProgrammingError(f"a statement has at most {MOST_VALUES} parameters")
        loop = asyncio.get_running_loop()
        asked = _Asked(said, [text(values[name]) for name in names], loop.create_future())
        self._waiting.append(asked)
        if not self._sent and self._turn is None:
            self._turn = loop.create_task(self._go())
        return await asked.future

    async def close(self) -> None:
        """Hang up."""
        if self._turn is not None:
            self._turn.cancel()
            await asyncio.wait([self._turn])
        self._lose(psycopg.OperationalError("the hub is shutting down"))

    async def _go(self) -> None:
        """Send what waits: all that was asked for in this turn of the loop."""
        try:
            if self._connection is None:
                await self._open()
            self._send()
        except Exception as error:  # noqa: BLE001 - whoever waits hears of it
            self._lose(error)
        finally:
            self._turn = None

    async def _open(self) -> None:
        connection = await psycopg.AsyncConnection.connect(
            self._conninfo,
            autocommit=True,
            options=self._options,
            connect_timeout=CONNECT_SECONDS,
        )
        self._connection = connection
        self._decoder = Transformer(connection)
        self._prepared.clear()
        self._old.clear()
        self._pq = connection.pgconn
        self._pq.nonblocking = 1
        self._pq.enter_pipeline_mode()
        self._socket = self._pq.socket
        asyncio.get_running_loop().add_reader(self._socket, self._readable)

    def _send(self) -> None:
        while self._waiting and len(self._sent) < (1 if self._alone else MOST):
            asked = self._waiting.popleft()
            if asked.future.done():  # who asked has gone
                continue
            self._pq.send_query_prepared(
                self._name(asked.sql), asked.values, result_format=pq.Format.BINARY
            )
            self._sent.append(asked)
            self._commands.append(asked)
        if self._sent:
            self._pq.pipeline_sync()
            self._flush()

    def _name(self, sql: str) -> bytes:
        """The name under which the server knows the statement; made known if it is new."""
        name = self._prepared.get(sql)
        if name is not None:
            self._prepared.move_to_end(sql)
            return name
        if len(self._prepared) >= PREPARED:
            self._old.append(self._prepared.popitem(last=False)[1])
        while self._old:
            old = self._old.pop()
            self._pq.send_query_params(b"deallocate " + old, None)
            self._commands.append(_Told(old))
        self._names += 1
        name = b"convoy%d" % self._names
        self._pq.send_prepare(name, sql.encode())
        self._commands.append(_Told(name, sql))
        self._prepared[sql] = name
        return name

    def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            if self._pq.flush():
                loop.add_writer(self._socket, self._flush)
            else:
                loop.remove_writer(self._socket)
        except Exception as error:  # noqa: BLE001 - whoever waits hears of it
            self._lose(error)

    def _readable(self) -> None:
        """Take what came; at a segment's end hand out its rows, and send the next."""
        try:
            self._pq.consume_input()
            while not self._pq.is_busy():
                result = self._pq.get_result()
                if result is None:
                    if not self._commands and not self._sent:
                        break
                    continue
                if result.status == pq.ExecStatus.PIPELINE_SYNC:
                    self._end()
                    self._send()
                    break
                if result.status == pq.ExecStatus.FATAL_ERROR:
                    self._error = self._error or result
                if self._commands:
                    self._came(self._commands.popleft(), result)
        except Exception as error:  # noqa: BLE001 - whoever waits hears of it
            self._lose(error)

    def _came(self, command: _Asked | _Told, result: pq.abc.PGresult) -> None:
        if isinstance(command, _Asked):
            command.result = result
        elif result.status == pq.ExecStatus.COMMAND_OK:
            return
        elif command.sql is not None:
            self._unknown.add(command.name)
            if self._prepared.get(command.sql) == command.name:
                del self._prepared[command.sql]
        elif (
            result.status == pq.ExecStatus.PIPELINE_ABORTED
            and command.name not in self._unknown
        ):
            self._old.append(command.name)  # it is still to be forgotten

    def _end(self) -> None:
        """A segment is committed, or has failed as a whole: then each of its statements is sent
        alone, so that one's error is not another's."""
        sent, self._sent = self._sent, []
        self._commands.clear()
        self._unknown.clear()
        error, self._error = self._error, None
        if error is None:
            self._alone = self._alone and bool(self._waiting)
            for each in sent:
                self._hand_out(each)
            return
        first = sent[0]
        if len(sent) > 1:
            self._alone = True
            self._waiting.extendleft(reversed(sent))
        elif not first.again and (state := errors.error_from_result(error).sqlstate) in _STALE:
            first.again = True
            name = self._prepared.pop(first.sql, None)
            if name is not None and state == CHANGED:
                self._old.append(name)
            self._waiting.appendleft(first)
        elif not first.future.done():
            first.future.set_exception(errors.error_from_result(error))

    def _hand_out(self, asked: _Asked) -> None:
        if asked.future.done():
            return
        try:
            assert asked.result is not None  # noqa: S101 - every statement of a segment has one
            self._decoder.set_pgresult(asked.result, format=pq.Format.BINARY)
            rows = self._decoder.load_rows(0, asked.result.ntuples, tuple)
        except Exception as error:  # noqa: BLE001 - what one cannot read keeps no other waiting
            asked.future.set_exception(error)
        else:
            asked.future.set_result(rows)

    def _lose(self, error: Exception) -> None:
        """The connection is gone: whoever waits hears of it, the next who asks opens another."""
        lost, self._connection = self._connection, None
        if lost is not None:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._socket)
            loop.remove_writer(self._socket)
            lost.pgconn.finish()
        waiting = [*self._sent, *self._waiting]
        self._sent, self._alone, self._error = [], False, None
        self._waiting.clear()
        self._commands.clear()
        self._unknown.clear()
        for each in waiting:
            if not each.future.done():
                each.future.set_exception(error)
