"""The only door to data: it knows who asks and why, checks, audits, and then answers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg_pool import AsyncConnectionPool

from healthhub import identify, keep
from healthhub.access import everything, finding_people, kept, looks, matching
from healthhub.access.actor import Actor, Purpose
from healthhub.access.audit import Event
from healthhub.access.policy import NEEDS, Action, require_at_hand
from healthhub.access.threshold import Threshold
from healthhub.access.whose import of_all, of_one, of_page
from healthhub.errors import HubError
from healthhub.model import ids
from healthhub.model.code_maps import Overlay
from healthhub.model.message import Message
from healthhub.model.resource import Body, Stored
from healthhub.store import histories, origins, own_parameters, query, reads, search

SAME_NAME = 10
"""Persons whose messages are listed together when a name is not one person's alone."""


class Door(Threshold):
    """Every read of patient data in the hub, and every write by a client, goes through here.

    Each method takes the actor and the purpose first; each raises Forbidden when the policy
    says no, NotFound or Gone as FHIR means them, TryAgain when it cannot be audited.
    """

    def __init__(self, pool: AsyncConnectionPool[Any]) -> None:
        super().__init__(pool)
        self._database = ""

    async def read(self, who: Actor, purpose: Purpose, type_: str, fhir_id: str) -> Stored:
        """The current version; Gone when it was deleted."""
        event = Event(who, purpose, Action.READ, type=type_, ids=(fhir_id,))

        return await self._short(event, reads.by_id(type_, ids.row_id(type_, fhir_id)))

    async def vread(
        self, who: Actor, purpose: Purpose, type_: str, fhir_id: str, version: int
    ) -> Stored:
        """One version."""
        wanted = reads.by_version(type_, ids.row_id(type_, fhir_id), version)
        event = Event(
            who, purpose, Action.READ, type=type_, ids=(fhir_id,), query=f"_history/{version}"
        )
        return await self._answer(event, lambda: query.afetch(self._pool, wanted), of_one)

    async def history(
        self, who: Actor, purpose: Purpose, type_: str, fhir_id: str, count: int | None = None
    ) -> list[Stored]:
        """All versions, the newest first, deletions included."""
        wanted = reads.history(type_, ids.row_id(type_, fhir_id), count)
        event = Event(who, purpose, Action.READ, type=type_, ids=(fhir_id,), query="_history")
        return await self._answer(event, lambda: query.afetch(self._pool, wanted), of_all)

    async def versions(
        self,
        who: Actor,
        purpose: Purpose,
        types: Sequence[str],
        fhir_id: str | None,
        span: histories.Span,
        count: int,
        after: str | None = None,
    ) -> query.Page:
        """A page of the versions of a resource, or of all of these types, the newest first."""
        key = None if fhir_id is None else ids.row_id(types[0], fhir_id)
        wanted = histories.history(types, key, span, count, after)
        event = Event(
            who,
            purpose,
            Action.SEARCH if fhir_id is None else Action.READ,
            type=types[0] if len(types) == 1 else None,
            ids=() if fhir_id is None else (fhir_id,),
            query="_history",
        )
        return await self._answer(event, lambda: query.afetch(self._pool, wanted), of_page)

    async def histories(
        self, who: Actor, purpose: Purpose, type_: str, fhir_ids: Sequence[str], count: int
    ) -> dict[str, list[Stored]]:
        """``history`` of several resources of one type, in one look; at most ``count`` each."""
        event = Event(
            who, purpose, Action.READ, type=type_, ids=tuple(fhir_ids), query="_history"
        )

        async def work() -> dict[str, list[Stored]]:
            async with self._pool.connection() as connection:
                wanted = {
                    key: reads.history(type_, ids.row_id(type_, key), count) for key in fhir_ids
                }
                return {key: await query.afetch(connection, one) for key, one in wanted.items()}

        return await self._answer(
            event,
            work,
            lambda found: of_all([s for versions in found.values() for s in versions]),
        )

    async def search(
        self,
        who: Actor,
        purpose: Purpose,
        type_: str,
        params: Sequence[tuple[str, str]],
        base_url: str = "",
    ) -> search.SearchPage:
        """A page of results. Golden patients cover their sources."""
        event = Event(who, purpose, Action.SEARCH, type=type_, query=_written(params))
        of = [(type_, NEEDS[Action.SEARCH])] if type_ else []
        await self.permit(who, purpose, Action.SEARCH, *of)
        try:
            require_at_hand(who, params)
            await self._refresh()
            short = search.short(type_, params, base_url)
        except HubError as error:
            await self._audit.record(replace(event, outcome="failed"))
            raise error from None
        if short is not None:
            return await self._short(event, *short)

        async def work() -> search.SearchPage:
            async with self._pool.connection() as connection:
                return await search.arun(connection, type_, params, base_url)

        return await self._answer(event, work, of_page)

    async def images(self, who: Actor, purpose: Purpose, study: str, what: str) -> list[Stored]:
        """The ImagingStudies of a DICOM study, before images of it are shown; ``what`` says in
        the audit which."""
        event = Event(who, purpose, Action.READ, type="ImagingStudy", query=what[:400])

        async def work() -> list[Stored]:
            async with self._pool.connection() as connection:
                params = [("identifier", f"urn:dicom:uid|urn:oid:{study}")]
                return list((await search.arun(connection, "ImagingStudy", params)).matches)

        return await self._answer(event, work, of_all)

    async def keep(self, who: Actor, place: str, params: Sequence[tuple[str, str]]) -> str:
        """Keep a search that is not to stand in an address; the token that stands for it."""
        return await self._convoys.fetch(kept.keep(who, place, params))

    async def kept(self, who: Actor, place: str, token: str) -> list[tuple[str, str]]:
        """The search that was kept for this actor; Gone after an hour."""
        return await self._convoys.fetch(kept.kept(who, place, token))

    async def everything(
        self,
        who: Actor,
        purpose: Purpose,
        patient: str,
        *,
        types: Sequence[str] | None = None,
        since: datetime | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        after: str | None = None,
        count: int | None = None,
    ) -> search.SearchPage:
        """All that the hub holds of the Patient with this FHIR id; of a golden Patient, all
        that it holds of its members too. ``included``: the organisations, practitioners and
        places that a page refers to. NotFound when there is no such Patient."""
        key = ids.row_id("Patient", patient)
        event = Event(
            who, purpose, Action.READ, type="Patient", ids=(patient,), query="$everything"
        )

        async def work() -> search.SearchPage:
            covered = await self._covered(key)
            return await everything.page(
                self._pool, key, covered, types, since, start, end, after, count
            )

        return await self._answer(event, work, of_page, (key,))

    async def referenced(
        self, who: Actor, purpose: Purpose, references: Collection[str]
    ) -> list[Stored]:
        """The current versions of what ``Type/id`` references name; deleted ones and those that
        are not here are left out."""
        wanted = reads.by_references(references)
        event = Event(
            who, purpose, Action.READ, ids=tuple(references)[:100], query="references"
        )
        return await self._answer(event, lambda: query.afetch(self._pool, wanted), of_all)

    async def person(self, who: Actor, purpose: Purpose, patient: str) -> UUID:
        """The person's key: the golden Patient's, or the only Patient's own."""
        key = ids.row_id("Patient", patient)
        event = Event(
            who, purpose, Action.READ, type="Patient", ids=(patient,), query=looks.PERSON
        )

        async def work() -> UUID:
            async with self._pool.connection() as connection:
                return await identify.aperson_of(connection, key)

        return await self._answer(event, work, lambda person: (person,))

    async def patients(
        self, who: Actor, purpose: Purpose, text: str, count: int = 20
    ) -> list[Stored]:
        """Persons by a number, a phone or a name, for the search field of the pages; one
        Patient for each person, the golden one where there is one."""
        event = Event(who, purpose, Action.SEARCH, type="Patient", query=text[:200])
        return await self._answer(
            event, lambda: finding_people.find(self._pool, text, count), of_all
        )

    async def readers(
        self, who: Actor, purpose: Purpose, patient: str, since: datetime, count: int
    ) -> list[looks.Look]:
        """Who has looked at the person's record since then, the last first, a line for each
        reader, purpose and day. What was asked for before this call is among it."""
        key = ids.row_id("Patient", patient)
        event = Event(
            who, purpose, Action.READ, type="Patient", ids=(patient,), query=looks.READERS
        )

        async def work() -> list[looks.Look]:
            covered = await self._covered(key)
            async with self._pool.connection() as connection:
                return await looks.latest(connection, covered, since, count)

        return await self._answer(event, work, lambda _: (key,))

    async def match(self, who: Actor, purpose: Purpose, wanted: Body) -> list[matching.Match]:
        """The persons that this Patient could be, graded, the best first (Patient/$match)."""
        event = Event(who, purpose, Action.SEARCH, type="Patient", query="$match")
        return await self._answer(
            event,
            lambda: matching.find(self._pool, wanted),
            lambda found: of_all([one.patient for one in found]),
        )

    async def message(self, who: Actor, purpose: Purpose, message: int) -> Message:
        """A raw message, for the page that shows where a value came from."""
        event = Event(who, purpose, Action.MESSAGE, type="message", ids=(str(message),))
        return await self._answer(
            event, lambda: self._threads.run(lambda conn: keep.get(conn, message)), lambda _: ()
        )

    async def messages_of(
        self, who: Actor, purpose: Purpose, text: str, most: int
    ) -> tuple[int, ...]:
        """The messages of the persons that a number, a phone or a name stands for: those that
        made what the store holds of them, and those that name the same patient of the same
        source and made nothing (yet). Newest first; what was typed is not in the audit, whose
        messages they are is."""
        event = Event(who, purpose, Action.OPERATE, query="messages of a patient")

        async def work() -> tuple[tuple[int, ...], tuple[UUID, ...]]:
            found = await finding_people.find(self._pool, text, SAME_NAME)
            keys = tuple(
                dict.fromkeys([key for each in found for key in await self._covered(each.id)])
            )
            if not keys:
                return (), ()
            made = await query.afetch(self._pool, origins.messages(keys, most))
            akin = await self._threads.run(lambda conn: keep.akin(conn, made, most))
            return tuple(sorted({*made, *akin}, reverse=True)[:most]), keys

        messages, _ = await self._answer(event, work, lambda result: result[1])
        return messages

    async def code_maps(self) -> Overlay:
        """What people have mapped beside the mappings; no patient's data, so nobody is asked."""
        return await self._threads.run(keep.code_maps.overlay)

    async def _refresh(self) -> None:
        """See that the parameters of searches are those that the database holds now."""
        if own_parameters.is_fresh(self._database):
            return
        async with self._pool.connection() as connection:
            await own_parameters.arefresh(connection)
            self._database = own_parameters.database(connection)

    async def _covered(self, patient: UUID) -> Sequence[UUID]:
        """Whose rows a read of the patient covers, itself first."""
        return await self._convoys.fetch(identify.covered(patient))


def _written(params: Sequence[tuple[str, str]]) -> str:
    return "&".join(f"{name}={value}" for name, value in params)[:4000]
