"""Patient/$everything: a page of all that the hub holds of a patient, with what it refers to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg_pool import AsyncConnectionPool

from healthhub.model.resource import Stored
from healthhub.store import query, reads, search


async def page(
    pool: AsyncConnectionPool[Any],
    key: UUID,
    covered: Sequence[UUID],
    types: Sequence[str] | None,
    since: datetime | None,
    start: datetime | None,
    end: datetime | None,
    after: str | None,
    count: int | None,
) -> search.SearchPage:
    """A page of the rows of all that the patient covers; NotFound when there is none."""
    async with pool.connection() as connection:
        wanted = reads.everything(covered, types, since, start, end, after, count)
        found = await query.afetch(connection, wanted)
        if after is None and not any(one.id == key for one in found.matches):
            await query.afetch(connection, reads.by_id("Patient", key))
        named = _shared(found.matches, types)
        shared = await query.afetch(connection, reads.by_references(named)) if named else []
        return search.SearchPage(found.matches, shared, found.next)


_SHARED = re.compile(
    rb'"reference":"((?:Organization|Practitioner(?:Role)?|Location|HealthcareService|Medication'
    rb"|Device)/[A-Za-z0-9.-]{1,64})"
)


def _shared(page: Sequence[Stored], types: Sequence[str] | None) -> list[str]:
    """What the page's bodies refer to that belongs to no patient: found in the bytes, since
    the store writes them without blanks."""
    named = {found for stored in page for found in _SHARED.findall(stored.json)}
    references = [name.decode() for name in named]
    return [name for name in references if types is None or name.partition("/")[0] in types]
