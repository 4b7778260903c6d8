"""Persons: which source patients are one human being."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import psycopg

from healthhub.store.conditions import covering
from healthhub.store.query import Query, fetch

PERSON_OF = """
with recursive heirs as (
    select person_key, successor from person where person_key = %(key)s
    union
    select person.person_key, person.successor
      from person join heirs on person.person_key = heirs.successor)
select coalesce((select person_key from person_link where patient_key = %(key)s),
                (select person_key from heirs where successor is null),
                %(key)s)
"""


def person_of(connection: psycopg.Connection[Any], patient: UUID) -> UUID:
    """The person of a patient: a golden Patient's key, or the patient's own."""
    row = connection.execute(PERSON_OF, {"key": patient}).fetchone()
    return row[0] if row else patient


def cover(connection: psycopg.Connection[Any], patient: UUID) -> list[UUID]:
    """Whose rows a read of ``patient`` covers, itself first.

    A golden patient covers itself and its members; any other patient only itself.
    """
    return fetch(connection, covered(patient))


async def aperson_of(connection: psycopg.AsyncConnection[Any], patient: UUID) -> UUID:
    """``person_of`` on an async connection."""
    row = await (await connection.execute(PERSON_OF, {"key": patient})).fetchone()
    return row[0] if row else patient


def covered(patient: UUID) -> Query[list[UUID]]:
    """``cover`` as a query."""
    return Query(
        covering("select %(key)b::uuid"),
        {"key": patient},
        lambda found: _first(patient, [row[0] for row in found]),
    )


def _first(patient: UUID, keys: list[UUID]) -> list[UUID]:
    return [patient, *sorted(key for key in keys if key != patient)]
