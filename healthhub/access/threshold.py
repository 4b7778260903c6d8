"""What happens at the door each time: check, do the work, audit it, and only then let it out."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast
from uuid import UUID

import psycopg
from psycopg.errors import QueryCanceled
from psycopg_pool import AsyncConnectionPool

from healthhub import identify
from healthhub.access import seal
from healthhub.access.actor import Actor, Purpose
from healthhub.access.audit import Audit, Event, together
from healthhub.access.policy import NEEDS, Action, Of, permits, require
from healthhub.access.seal import Seal
from healthhub.access.threads import Threads
from healthhub.access.together import Together
from healthhub.access.veil import veiled
from healthhub.access.whose import of_any
from healthhub.errors import Forbidden, Gone, HubError, NotFound, TryAgain
from healthhub.store import database, search
from healthhub.store.convoy import Convoys
from healthhub.store.query import Query

_log = logging.getLogger(__name__)
T = TypeVar("T")
W = TypeVar("W")
R = TypeVar("R")
Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class _Create:
    """What one client wants created, and by what."""

    event: Event
    what: Any
    work: Callable[[Connection, Sequence[Any], Seal], Sequence[Any]]


class Threshold:
    """The door's connections, and the steps that all its methods take."""

    def __init__(self, pool: AsyncConnectionPool[Any]) -> None:
        self._pool = pool
        self._audit = Audit(pool)
        self._convoys = Convoys(cast(str, pool.conninfo), database.OPTIONS)
        self._creates = Together(self._create)
        self._threads = Threads(pool)

    async def close(self) -> None:
        """Write the audit events that still wait, and let go of the connections."""
        await self._audit.close()
        await self._convoys.close()
        await self._threads.close()

    async def permit(self, who: Actor, purpose: Purpose, action: Action, *of: Of) -> None:
        """Check alone, for a route that shows no patient's data; a refusal is audited. ``of``:
        the types, and the letters of scopes done to each; all types without it."""
        if not permits(who, purpose, action, *of):
            await self._audit.record(Event(who, purpose, action, "denied"))
            require(who, purpose, action, *of)

    async def operate(
        self,
        who: Actor,
        purpose: Purpose,
        what: str,
        work: Callable[[Connection], T],
        action: Action = Action.OPERATE,
        patients: Callable[[T], tuple[UUID, ...]] = lambda _: (),
    ) -> T:
        """Run an operator's ``work`` (counts, lists, replays) on a connection of its own, or
        that of another action; ``what`` says in the audit what was done, ``patients`` whose
        data the result shows."""
        event = Event(who, purpose, action, query=what)
        return await self._answer(event, lambda: self._threads.run(work), patients)

    async def write(
        self,
        who: Actor,
        purpose: Purpose,
        what: str,
        type_: str | None,
        fhir_id: str | None,
        work: Callable[[Connection, Seal], T],
        of: Sequence[Of] = (),
    ) -> T:
        """Run a client's write. ``work`` commits it, and calls the seal it is given just before:
        what was done to whom is then durable together with the deed, or neither is. ``of``: the
        types, and the letters of scopes done to each; all types without it.

        The seal's further argument are resources that the client is shown besides.
        """
        event = Event(
            who,
            purpose,
            Action.WRITE,
            type=type_,
            ids=(fhir_id,) if fhir_id else (),
            query=what,
        )
        sealed = seal.of(event)
        await self.permit(who, purpose, Action.WRITE, *of)
        try:
            return await self._threads.run(lambda connection: work(connection, sealed))
        except HubError as error:
            await self._audit.record(replace(event, outcome="failed"))
            raise error from None

    async def create(
        self,
        who: Actor,
        purpose: Purpose,
        type_: str,
        what: W,
        work: Callable[[Connection, Sequence[W], Seal], Sequence[R]],
    ) -> R:
        """Run ``work`` for a new resource of the type, together with what others create at this
        moment: one transaction, sealed for each. Not for what may have to wait for a lock."""
        await self.permit(who, purpose, Action.WRITE, (type_, "c"))
        event = Event(who, purpose, Action.WRITE, type=type_, query="create")
        try:
            return await self._creates.of(_Create(event, what, work))
        except HubError as error:
            await self._audit.record(replace(event, outcome="failed"))
            raise error from None

    async def _create(self, wanted: Sequence[_Create]) -> Sequence[Any]:
        sealed = seal.of_each([each.event for each in wanted])
        whats = [each.what for each in wanted]
        return await self._threads.run(
            lambda connection: wanted[0].work(connection, whats, sealed)
        )

    async def _answer(
        self,
        event: Event,
        work: Callable[[], Awaitable[T]],
        patients: Callable[[T], tuple[UUID, ...]],
        more: tuple[UUID, ...] = (),
    ) -> T:
        """Check, do the work, audit it, and only then let the result out."""
        await self.permit(event.actor, event.purpose, event.action, *_of(event))
        try:
            result = await work()
        except HubError as error:
            await self._audit.record(replace(event, outcome="failed", patients=more))
            if event.actor.patient is not None and isinstance(error, NotFound | Gone):
                raise _outside() from None
            raise error from None
        seen = tuple(dict.fromkeys((*more, *patients(result))))
        if event.actor.patient is not None and not await self._is_of(event.actor.patient, seen):
            await self._audit.record(replace(event, outcome="denied", patients=seen))
            raise _outside()
        await self._audit.record(replace(event, patients=seen))
        return veiled(event.actor, event.purpose, result)

    async def _short(self, event: Event, wanted: Query[T], shown: int | None = None) -> T:
        """The same for one short statement, which audits itself and is committed with that."""
        if event.actor.patient is not None:
            return await self._answer(event, lambda: self._convoys.fetch(wanted), of_any)
        await self.permit(event.actor, event.purpose, event.action, *_of(event))
        try:
            result = await self._convoys.fetch(together(event, wanted, shown))
        except QueryCanceled:
            raise search.too_costly() from None
        except psycopg.Error as error:
            _log.warning("an audited read failed: %s", type(error).__name__)
            raise TryAgain(
                "the access cannot be read and audited now, so nothing is shown; try again"
            ) from None
        return veiled(event.actor, event.purpose, result)

    async def _is_of(self, patient: UUID, seen: Sequence[UUID]) -> bool:
        """Whether all that was seen is of the person that the patient is by now."""
        async with self._pool.connection() as connection:
            person = await identify.aperson_of(connection, patient)
        return {patient, *await self._convoys.fetch(identify.covered(person))}.issuperset(seen)


def _outside() -> Forbidden:
    """One answer for what is another's and for what is not there: neither is to be told."""
    return Forbidden(
        "this session shows one person's record and nothing else; open the other one from the "
        "hospital's system"
    )


def _of(event: Event) -> tuple[Of, ...]:
    """The type that an event of reading is about; none stands for all."""
    if event.type is None or event.action not in (Action.READ, Action.SEARCH):
        return ()
    return ((event.type, NEEDS[event.action]),)
