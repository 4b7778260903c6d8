"""Index against body: what a row is found by must follow from its body, and from nothing else.

The store is gone through by ranges of ids, each read in one snapshot: writers go on meanwhile.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import Connection, IsolationLevel

from healthhub.store import concepts, dictionary, index, types, wire
from healthhub.store.hashes import token

ROWS = 20_000
"""Rows of a range, about."""
MOST_RANGES = 65_536
_READ = """select r.type, r.id, r.patient_key, r.version, r.deleted, r.tokens, r.spans,
       r.present, r.at_start, r.at_end, r.concept, r.body from resource r
 where r.type = any(%(types)b::smallint[]) and r.id >= %(low)b and r.id <= %(high)b"""
_IDENTIFIERS = """select i.patient_key, i.id, i.hash, i.system, i.kind from resource_identifier i
 where i.id >= %(low)b and i.id <= %(high)b"""
_TEXTS = """select t.type, t.patient_key, t.id, t.parameter, t.value from resource_text t
 where t.id >= %(low)b and t.id <= %(high)b"""
_WORDS = """select t from unnest(%b::bigint[]) t
 where not exists (select from resource_word w where w.token = t)"""

Identified = tuple[int, int, int | None]
Worded = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Difference:
    """A row whose entries are not those of its body. ``entries`` are the right ones; ``what``
    names the kinds that differ; the rest is what stands there now."""

    type: str
    id: UUID
    patient: UUID
    version: int
    what: tuple[str, ...]
    entries: index.Index
    identifiers: frozenset[Identified]
    texts: frozenset[Worded]


def ranges(connection: Connection) -> int:
    """Into how many ranges of ids the store is parted."""
    row = connection.execute(
        "select greatest(reltuples, 0)::bigint from pg_class where oid = 'resource'::regclass"
    ).fetchone()
    return min(max(1, math.ceil((row[0] if row else 0) / ROWS)), MOST_RANGES)


def bounds(number: int, parts: int) -> tuple[UUID, UUID]:
    """First and last id of a range."""
    size = 2**128
    return UUID(int=size * number // parts), UUID(int=size * (number + 1) // parts - 1)


def find(connection: Connection, number: int, parts: int) -> Iterator[Difference | None]:
    """The differences of one range; None for each row that is as it should be.

    The connection must be in no transaction; it is used for one of its own.
    """
    low, high = bounds(number, parts)
    values = {"low": low, "high": high, "types": list(range(1, len(types.NAMES) + 1))}
    before = connection.isolation_level
    connection.isolation_level = IsolationLevel.REPEATABLE_READ
    try:
        with connection.transaction():
            identifiers: dict[tuple[UUID, UUID], list[Identified]] = {}
            texts: dict[tuple[int, UUID, UUID], list[Worded]] = {}
            with connection.cursor(binary=True) as cursor:
                for patient, key, *hashes in cursor.execute(_IDENTIFIERS, values):
                    identifiers.setdefault((patient, key), []).append(tuple(hashes))  # type: ignore[arg-type]
                for kind, patient, key, field, text in cursor.execute(_TEXTS, values):
                    texts.setdefault((kind, patient, key), []).append((field, text))
            with connection.cursor("rows", binary=True) as cursor:
                cursor.itersize = 500
                for row in cursor.execute(_READ, values):
                    held = identifiers.pop((row[2], row[1]), [])
                    yield _of(row, held, texts.pop((row[0], row[2], row[1]), []), connection)
            for patient, key in identifiers:
                yield _stray(patient, key, frozenset(identifiers[patient, key]), frozenset())
            for kind, patient, key in texts:
                stray = frozenset(texts[kind, patient, key])
                yield _stray(patient, key, frozenset(), stray, types.name(kind))
    finally:
        connection.isolation_level = before


def _of(
    row: Sequence[Any],
    identifiers: Sequence[Identified],
    texts: Sequence[Worded],
    connection: Connection,
) -> Difference | None:
    (
        kind,
        key,
        patient,
        version,
        deleted,
        tokens,
        spans,
        present,
        start,
        end,
        concept,
        packed,
    ) = row
    body = wire.reload(_unpacked(connection, packed))
    entries = index.Index() if deleted else index.of(body)
    compared = {
        "tokens": sorted(entries.tokens) == tokens,
        "spans": entries.flat == spans,
        "presence": entries.present == present,
        "date": entries.clinical == (start, end),
        "concept": entries.number == concept
        and not (entries.concept and concepts.missing(connection, entries.concept)),
        "identifiers": len(identifiers) == len(entries.identifiers)
        and set(identifiers) == entries.identifiers,
        "texts": len(texts) == len(entries.texts) and set(texts) == entries.texts,
        "words": not _missing(connection, entries),
        "version": body.get("meta", {}).get("versionId") == str(version),
    }
    what = tuple(name for name, equal in compared.items() if not equal)
    if not what:
        return None
    return Difference(
        types.name(kind),
        key,
        patient,
        version,
        what,
        entries,
        frozenset(identifiers),
        frozenset(texts),
    )


def _unpacked(connection: Connection, packed: bytes) -> bytes:
    try:
        return dictionary.unpack(packed)
    except dictionary.UnknownDictionary:
        with connection.cursor(binary=True) as cursor:
            dictionary.learn(cursor.execute(dictionary.ALL).fetchall())
        return dictionary.unpack(packed)


def _missing(connection: Connection, entries: index.Index) -> bool:
    if not entries.words:
        return False
    hashed = [token(field, value) for field, value in entries.words]
    with connection.cursor(binary=True) as cursor:
        return cursor.execute(_WORDS, (hashed,)).fetchone() is not None


def _stray(
    patient: UUID,
    key: UUID,
    identifiers: frozenset[Identified],
    texts: frozenset[Worded],
    kind: str = "",
) -> Difference:
    """Entries of a row that is not there."""
    return Difference(kind, key, patient, 0, ("stray",), index.Index(), identifiers, texts)
