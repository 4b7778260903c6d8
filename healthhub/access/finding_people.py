"""Find persons by what a doctor types into one field: a number, a phone, a name."""

from __future__ import annotations

import re
import unicodedata
from typing import Any
from uuid import UUID

from psycopg_pool import AsyncConnectionPool

from healthhub import identify
from healthhub.identify.identity import parse_resident_id
from healthhub.model.resource import Stored
from healthhub.store import query, reads, search

_PHONE = re.compile(r"\+?\d{7,15}")


def parameters(text: str) -> list[list[tuple[str, str]]]:
    """The searches that ``text`` stands for, the likeliest first; the first with a result wins."""
    typed = unicodedata.normalize("NFKC", text).strip()
    if not typed:
        return []
    if resident := parse_resident_id(typed):
        return [[("identifier", resident.number)]]
    escaped = re.sub(r"([\\,|$])", r"\\\1", typed)
    if _PHONE.fullmatch(typed):
        return [[("identifier", escaped)], [("phone", escaped)]]
    if any(character.isdigit() for character in typed):
        return [[("identifier", escaped)], [("name", escaped)]]
    return [[("name", escaped)]]


async def find(pool: AsyncConnectionPool[Any], text: str, count: int) -> list[Stored]:
    """One Patient for each person found, golden where there is one, in the order of relevance."""
    async with pool.connection() as connection:
        for params in parameters(text):
            limit = ("_count", str(count * 3))
            page = await search.arun(connection, "Patient", [*params, limit])
            if not page.matches:
                continue
            found = {stored.id: stored for stored in page.matches}
            persons: dict[UUID, None] = {}
            for key in found:
                persons.setdefault(await identify.aperson_of(connection, key))
            missing = [key for key in persons if key not in found]
            if missing:
                golden = await query.afetch(connection, reads.by_ids(missing))
                found.update({stored.id: stored for stored in golden})
            return [found[key] for key in persons if key in found][:count]
    return []
