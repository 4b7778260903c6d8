"""Search parameters that an administrator adds: SearchParameter resources of this very store.

A process looks for changes every few seconds. From then on what it writes is indexed by a new
parameter; what was there before is by the next ``healthhub store reindex``, and only after it
does a search take the parameter, so that no answer is silently a part.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any, LiteralString

from psycopg import AsyncConnection, Connection
from psycopg_pool import AsyncConnectionPool

from healthhub.model.resource import Body
from healthhub.store import dictionary, expressions, index, parameters, types, wire
from healthhub.store.parameters import Parameter

SECONDS = 5.0
"""How long a process may not know of a change."""
SETTLED_SECONDS = 2 * SECONDS
"""A reindex begins this long after a change: every process knows of it then."""
KINDS = ("number", "date", "string", "token", "reference", "quantity", "uri")

_STATE: LiteralString = """select coalesce(max(r.updated), '-infinity')::text || coalesce(
           (select max(finished_at)::text from index_run), '')
  from public.resource r where r.type = 93"""
_READ: LiteralString = """select r.body, exists (select from index_run i where i.finished_at is not null
           and i.started_at >= r.updated + make_interval(secs => 10))
  from public.resource r where r.type = 93 and not r.deleted order by r.id"""
_NEWEST: LiteralString = """select coalesce(extract(epoch from clock_timestamp() - max(updated)), 1e9)
  from public.resource where type = 93"""

log = logging.getLogger(__name__)
_checked: dict[str, tuple[float, str]] = {}
_installed = ["", ""]
"""The database and the state whose parameters this process has."""


def refresh(connection: Connection[Any]) -> None:
    """Take in what changed, if it is time to look."""
    name = database(connection)
    if is_fresh(name):
        return
    with connection.cursor(binary=True) as cursor:
        row = cursor.execute(_STATE).fetchone()
        state = row[0] if row else ""
        if _installed != [name, state]:
            _take(cursor.execute(_READ).fetchall(), cursor.execute(dictionary.ALL).fetchall())
    _note(name, state)


async def arefresh(source: AsyncConnection[Any] | AsyncConnectionPool[Any]) -> None:
    """``refresh`` on an async connection or pool."""
    if isinstance(source, AsyncConnectionPool):
        async with source.connection() as connection:
            return await arefresh(connection)
    name = database(source)
    if is_fresh(name):
        return None
    async with source.cursor(binary=True) as cursor:
        await cursor.execute(_STATE)
        row = await cursor.fetchone()
        state = row[0] if row else ""
        if _installed != [name, state]:
            await cursor.execute(_READ)
            found = await cursor.fetchall()
            await cursor.execute(dictionary.ALL)
            _take(found, await cursor.fetchall())
    _note(name, state)
    return None


def settle(connection: Connection[Any]) -> None:
    """Wait until every process knows of the newest change, and every transaction that began
    before it has ended: then no row can be written any more that lacks an entry."""
    row = connection.execute(_NEWEST).fetchone()
    time.sleep(max(0.0, SETTLED_SECONDS - float(row[0])) if row else 0)
    started = connection.execute("select clock_timestamp()").fetchone()
    while connection.execute(
        "select 1 from pg_stat_activity where datname = current_database()"
        " and backend_xid is not null and xact_start < %s and pid <> pg_backend_pid() limit 1",
        started,
    ).fetchone():
        time.sleep(0.1)
    _checked.pop(database(connection), None)
    refresh(connection)


def database(connection: Connection[Any] | AsyncConnection[Any]) -> str:
    """The name under which ``is_fresh`` knows a connection's database."""
    info = connection.info
    return f"{info.host}:{info.port}/{info.dbname}"


def is_fresh(name: str) -> bool:
    """Whether it is not yet time to look for changes in a database."""
    looked, _ = _checked.get(name, (0.0, ""))
    return name == _installed[0] and time.monotonic() < looked + SECONDS


def _note(name: str, state: str) -> None:
    _checked[name] = (time.monotonic(), state)
    _installed[:] = [name, state]


def _take(rows: Sequence[tuple[bytes, bool]], dictionaries: Sequence[Any]) -> None:
    dictionary.learn(dictionaries)
    own: dict[str, tuple[Parameter, ...]] = {}
    for packed, ready in rows:
        body = wire.reload(dictionary.unpack(packed))
        for kind, parameter in _defined(body, ready):
            own[kind] = (*own.get(kind, ()), parameter)
    if not own and not parameters.edition():
        return
    parameters.install(own)
    index.forget()


def _defined(body: Body, ready: bool) -> list[tuple[str, Parameter]]:
    """What a SearchParameter defines, for each of its types."""
    if body.get("status") != "active" or body.get("type") not in KINDS:
        return []
    made: list[tuple[str, Parameter]] = []
    for kind in body.get("base", ()):
        if kind not in types.NUMBERS:
            continue
        targets = tuple(each for each in body.get("target", ()) if each in types.NUMBERS)
        try:
            parameter = parameters.define(
                kind,
                body["code"],
                body["type"],
                body["url"],
                body.get("expression", ""),
                targets,
                ready,
            )
        except expressions.Unreadable as error:
            log.warning("SearchParameter/%s is not searched by: %s", body["id"], error)
            continue
        made.append((kind, parameter))
    return made
