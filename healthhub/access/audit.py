"""The audit: who did what to whose data and why, durable before the answer is given."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast
from uuid import UUID

import orjson
import psycopg
from psycopg_pool import AsyncConnectionPool

from healthhub.access.actor import Actor, Purpose
from healthhub.access.policy import Action
from healthhub.errors import TryAgain
from healthhub.model.ids import SHARED
from healthhub.store.query import Query

T = TypeVar("T")
_log = logging.getLogger(__name__)

INSERT = """
insert into audit_event (actor, purpose, action, outcome, type, patients, ids, query, address)
select actor, purpose, action, outcome, type, patients, ids, query, address
  from jsonb_to_recordset(%s::jsonb) as event (
       actor text, purpose text, action text, outcome text, type text, patients uuid[],
       ids text[], query text, address text)
"""
TOGETHER = """
with found as materialized ({sql}), noted as (
    insert into audit_event (actor, purpose, action, outcome, type, patients, ids, query, address)
    select %(a_actor)b, %(a_purpose)b, %(a_action)b, {outcome}, %(a_type)b,
           array(select distinct f.patient_key
                   from (select patient_key from found limit %(a_shown)b::bigint) f
                  where f.patient_key <> %(a_nobody)b),
           %(a_ids)b, %(a_query)b, %(a_address)b)
select * from found
"""
"""A read and its audit in one statement: they are committed together."""
SEEN = "case when (select not deleted from found limit 1) then 'done' else 'failed' end"
BATCH = 500
WAITING = 10_000


@dataclass(frozen=True, slots=True)
class Event:
    """One access. ``query`` may hold search values: this store is protected, logs are not.

    ``outcome``: ``done``, ``denied`` (by the policy), ``failed`` (nothing was shown).
    """

    actor: Actor
    purpose: Purpose
    action: Action
    outcome: str = "done"
    type: str | None = None
    patients: tuple[UUID, ...] = ()
    ids: tuple[str, ...] = ()
    query: str | None = None


def together(event: Event, query: Query[T], shown: int | None = None) -> Query[T]:
    """The query with the event, whose patients are those of the rows found; of the first
    ``shown`` rows, when not all are shown. Without ``shown`` the query is of one resource, and
    has failed when that is not there."""
    values = {
        **cast(Mapping[str, Any], query.params),
        "a_actor": event.actor.id,
        "a_purpose": event.purpose,
        "a_action": event.action,
        "a_type": event.type,
        "a_shown": 1 if shown is None else shown,
        "a_nobody": SHARED,
        "a_ids": event.ids,
        "a_query": event.query.replace("\0", "") if event.query else None,
        "a_address": event.actor.address,
    }
    outcome = SEEN if shown is None else "'done'"
    return replace(query, sql=TOGETHER.format(sql=query.sql, outcome=outcome), params=values)


def as_parameter(events: Sequence[Event]) -> str:
    """The events as the one parameter of INSERT."""
    return orjson.dumps(
        [
            {
                "actor": event.actor.id,
                "purpose": event.purpose,
                "action": event.action,
                "outcome": event.outcome,
                "type": event.type,
                "patients": event.patients,
                "ids": event.ids,
                "query": event.query.replace("\0", "") if event.query else None,
                "address": event.actor.address,
            }
            for event in events
        ]
    ).decode()


class Audit:
    """Takes events of many requests and commits them together.

    While one commit is under way, later events gather for the next (group commit), on a
    connection of its own: a reader that holds a pooled connection can never wait for itself.
    """

    def __init__(self, pool: AsyncConnectionPool[Any]) -> None:
        self._pool = pool
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._waiting: deque[tuple[Event, asyncio.Future[None]]] = deque()
        self._writer: asyncio.Task[None] | None = None

    async def record(self, event: Event) -> None:
        """Return when the event is durable; TryAgain when it cannot be made so."""
        if len(self._waiting) >= WAITING:
            raise TryAgain("too many accesses wait to be audited; send the request again later")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((event, done))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_all())
        await done

    async def close(self) -> None:
        """Write what waits, and let go of the connection."""
        if self._writer is not None:
            await self._writer
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    async def _write_all(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            failure = await self._write([event for event, _ in batch])
            for _, done in batch:
                if done.done():
                    continue
                if failure is None:
                    done.set_result(None)
                else:
                    done.set_exception(failure)

    async def _write(self, events: Sequence[Event]) -> TryAgain | None:
        parameter = as_parameter(events)
        for attempt in (1, 2):
            try:
                connection = await self._connected()
                await connection.execute(INSERT, (parameter,))
            except (psycopg.Error, OSError) as error:
                _log.warning(
                    "audit of %d events failed (attempt %d): %s",
                    len(events),
                    attempt,
                    type(error).__name__,
                )
            else:
                return None
        return TryAgain("the access cannot be audited now, so nothing is shown; try again")

    async def _connected(self) -> psycopg.AsyncConnection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = await psycopg.AsyncConnection.connect(
                cast(str, self._pool.conninfo), autocommit=True
            )
        return self._connection
