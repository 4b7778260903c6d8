"""Conditional interactions: criteria are searched inside the write's own transaction, under a lock.

Two writers whose criteria mean the same thing take the same advisory lock, so that the second
searches only after the first has committed, and finds what it made. The lock is on what the
criteria name most surely: each identifier's value, or else all of them in one normal form.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from hashlib import blake2b
from typing import Any

import orjson
import psycopg

from healthhub.errors import InvalidRequest, PreconditionFailed
from healthhub.identify import golden
from healthhub.model.resource import Stored
from healthhub.pipeline.intent import Criteria
from healthhub.store import search

Connection = psycopg.Connection[Any]
Condition = tuple[str, Criteria]
"""A type and what is to be found of it."""

ENOUGH = 12
"""Matches looked at: more than one is too many, golden Patients aside."""
LOCKS = 512
"""Locks that criteria share: a transaction of a thousand conditions must not fill the server's
lock table. Two that share one without need wait for one another, and no more."""
_LOCK = """select pg_advisory_xact_lock(1668442473, k)
  from (select unnest(%b::int[]) k order by 1) keys"""


def lock(conn: Connection, conditions: Iterable[Condition]) -> None:
    """Wait for other writers with these criteria, in an order that all of them keep."""
    keys = sorted({key for condition in conditions for key in _keys(condition)})
    if keys:
        conn.execute(_LOCK, (keys,), binary=True)


def _keys(condition: Condition) -> list[int]:
    type_, criteria = condition
    named = [
        value.rpartition("|")[2]
        for name, values in criteria
        if name == "identifier"
        for value in values.split(",")
    ]
    if named:
        return [_hash(f"{type_}|{value}") for value in named]
    return [_hash(f"{type_}?" + "&".join(f"{n}={v}" for n, v in sorted(set(criteria))))]


def _hash(text: str) -> int:
    digest = blake2b(text.encode(), digest_size=8, person=b"criteria").digest()
    return int.from_bytes(digest, "big") % LOCKS


def checked(criteria: Criteria) -> Criteria:
    """The criteria without the form of the answer; InvalidRequest when they say nothing."""
    kept = tuple(
        (name, value) for name, value in criteria if name not in ("_format", "_pretty")
    )
    for name, value in kept:
        if name in search.CONTROL:
            raise InvalidRequest(
                f"{name} is no criterion; leave it out of a condition", expression=name
            )
        if not value:
            raise InvalidRequest(f"{name[:64]} has no value; give one", expression=name[:64])
    if not kept:
        raise InvalidRequest(
            "a condition needs at least one search parameter, as identifier=SYSTEM|VALUE"
        )
    return kept


def sole(
    conn: Connection,
    condition: Condition,
    base: str,
    without: Collection[tuple[str, str]] = (),
) -> Stored | None:
    """The one resource that the criteria find, or None; PreconditionFailed for several.

    Golden Patients do not count: the hub makes them of what clients write. ``without`` are
    resources that the same transaction deletes.
    """
    type_, criteria = condition
    params = (*criteria, ("_count", str(ENOUGH)))
    found = [
        stored
        for stored in search.run(conn, type_, params, base).matches
        if not (type_ == "Patient" and golden.is_golden(orjson.loads(stored.json)))
    ]
    if without:
        found = [one for one in found if (type_, id_of(one)) not in without]
    if len(found) > 1:
        raise PreconditionFailed(
            f"the condition finds more than one {type_}; give criteria that only one meets"
        )
    return found[0] if found else None


def id_of(stored: Stored) -> str:
    """The FHIR id of a stored resource."""
    fhir_id: str = orjson.loads(stored.json)["id"]
    return fhir_id
