"""Convoys: connections on which many short statements travel together and are committed together.

A cursor of psycopg costs a statement some 0.15 ms of Python, and each its own way to the server.
Here all statements that are asked for while the last ones are on their way go as one segment of
libpq's pipeline: one write, one commit, one read. Whoever asks gets the rows once the segment is
committed, so that a statement may write what must be durable before its rows are shown.
https://www.postgresql.org/docs/current/libpq-pipeline-mode.html
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeVar, cast
from uuid import UUID

import psycopg
from psycopg import errors, pq
from psycopg.adapt import Transformer

from healthhub.errors import TryAgain
from healthhub.store import dictionary
from healthhub.store.query import Query, Row

T = TypeVar("T")
CONVOYS = 2
MOST = 64
"""Statements in a segment."""
WAITING = 2000
PREPARED = 150
"""Statements that a convoy keeps prepared; the one used longest ago makes room."""
_PLACE = re.compile(r"%\((\w+)\)b|%%")


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


class _Convoy:
    def __init__(self, conninfo: str, options: str) -> None:
        self._conninfo = conninfo
        self._options = options
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._waiting: deque[_Asked] = deque()
        self._sent: list[_Asked] = []
        self._commands: deque[_Asked | None] = deque()
        self._prepared: OrderedDict[str, bytes] = OrderedDict()
        self._new: list[str] = []
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
        text, names = _numbered(sql)
        loop = asyncio.get_running_loop()
        asked = _Asked(text, [_text(values[name]) for name in names], loop.create_future())
        self._waiting.append(asked)
        if not self._sent and self._turn is None:
            self._turn = loop.create_task(self._go())
        return await asked.future

    async def close(self) -> None:
        """Hang up."""
        self._lose(psycopg.OperationalError("the hub is shutting down"))

    async def _go(self) -> None:
        """Send what waits: all that was asked for in this turn of the loop."""
        try:
            if self._connection is None:
                await self._open()
            self._send()
        except psycopg.Error as error:
            self._lose(error)
        finally:
            self._turn = None

    async def _open(self) -> None:
        connection = await psycopg.AsyncConnection.connect(
            self._conninfo, autocommit=True, options=self._options
        )
        self._connection = connection
        self._decoder = Transformer(connection)
        self._prepared.clear()
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
            _, old = self._prepared.popitem(last=False)
            self._pq.send_query_params(b"deallocate " + old, None)
            self._commands.append(None)
        self._names += 1
        name = b"convoy%d" % self._names
        self._pq.send_prepare(name, sql.encode())
        self._commands.append(None)
        self._prepared[sql] = name
        self._new.append(sql)
        return name

    def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            if self._pq.flush():
                loop.add_writer(self._socket, self._flush)
            else:
                loop.remove_writer(self._socket)
        except psycopg.Error as error:
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
                asked = self._commands.popleft() if self._commands else None
                if asked is not None:
                    asked.result = result
        except psycopg.Error as error:
            self._lose(error)

    def _end(self) -> None:
        """A segment is committed, or has failed as a whole: then each of its statements is sent
        alone, so that one's error is not another's."""
        sent, self._sent = self._sent, []
        self._commands.clear()
        new, self._new = self._new, []
        error, self._error = self._error, None
        if error is None:
            self._alone = self._alone and bool(self._waiting)
            for each in sent:
                self._hand_out(each)
            return
        for sql in new:  # the server may not know it
            self._prepared.pop(sql, None)
        if len(sent) > 1:
            self._alone = True
            self._waiting.extendleft(reversed(sent))
        elif not sent[0].future.done():
            sent[0].future.set_exception(errors.error_from_result(error))

    def _hand_out(self, asked: _Asked) -> None:
        if asked.future.done() or asked.result is None:
            return
        self._decoder.set_pgresult(asked.result, format=pq.Format.BINARY)
        asked.future.set_result(self._decoder.load_rows(0, asked.result.ntuples, tuple))

    def _lose(self, error: psycopg.Error) -> None:
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
        for each in waiting:
            if not each.future.done():
                each.future.set_exception(error)


@lru_cache(maxsize=1000)
def _numbered(sql: str) -> tuple[str, tuple[str, ...]]:
    """The statement with $1, $2... for its named places, and their names in order."""
    names: dict[str, int] = {}

    def place(found: re.Match[str]) -> str:
        name = found.group(1)
        return "%" if name is None else f"${names.setdefault(name, len(names) + 1)}"

    return _PLACE.sub(place, sql), tuple(names)


def _text(value: Any) -> bytes | None:
    """A parameter in text; its type is the one that the statement gives its place."""
    match value:
        case None:
            return None
        case bool():
            return b"t" if value else b"f"
        case str():
            return value.encode()
        case bytes():
            return b"\\x" + value.hex().encode()
        case datetime():
            return value.isoformat().encode()
        case int() | UUID() | Decimal():
            return str(value).encode()
        case list() | tuple():
            return b"{%b}" % b",".join(map(_element, cast(Sequence[Any], value)))
    raise TypeError(f"{type(value).__name__} is no parameter of a convoy")


def _element(value: Any) -> bytes:
    if isinstance(value, str):
        return b'"%b"' % value.replace("\\", "\\\\").replace('"', '\\"').encode()
    return _text(value) or b"null"
