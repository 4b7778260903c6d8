"""Rows of the store's tables: how a resource becomes one, and how one becomes a resource."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from dataclasses import replace as replace_fields
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from healthhub.model.resource import Body, Stamp, Stored
from healthhub.store import concepts, dictionary, index, own_parameters, types, wire, words
from healthhub.store.arrays import int8s

COLUMNS = "r.type, r.id, r.patient_key, r.version, r.updated, r.deleted, r.message, r.body"


@dataclass(slots=True)
class Current:
    """A version that is about to become the current one."""

    type: str
    id: UUID
    patient: UUID
    version: int
    stamp: Stamp
    stamps: bytes | None
    deleted: bool
    body: Body
    json: bytes = b""
    """The wire form, once it was written."""


def stored(row: Sequence[Any]) -> Stored:
    """A row of COLUMNS as a resource version."""
    number, key, patient, version, updated, deleted, message, body = row[:8]
    return Stored(
        types.name(number),
        key,
        patient,
        version,
        updated,
        deleted,
        dictionary.unpack(body),
        message,
    )


def with_meta(body: Body, version: int, updated: datetime) -> Body:
    """The body with its version and time, meta in the place where FHIR readers expect it."""
    moment = updated.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    meta = {"versionId": str(version), "lastUpdated": moment}
    for name, value in body.get("meta", {}).items():
        meta.setdefault(name, value)
    head = {"resourceType": body["resourceType"], "id": body["id"], "meta": meta}
    return head | {name: value for name, value in body.items() if name not in head}


@dataclass(frozen=True, slots=True)
class Before:
    """The version that a next one follows: whose row it was, and what it was found by."""

    patient: UUID
    body: Body | None


_INSERT = """copy resource (patient_key, id, event_at, message, updated, at_start, at_end, present,
    version, type, authority, deleted, tokens, spans, stamps, body, concept) from stdin (format binary)"""
_INSERT_TYPES = (
    "uuid", "uuid", "timestamptz", "int8", "timestamptz", "timestamptz", "timestamptz", "int8",
    "int4", "int2", "int2", "bool", "bytea", "bytea", "bytea", "bytea",
    "int4",
)  # fmt: skip
"""tokens and spans come as bytes: store.arrays has made them."""

_HISTORY = """insert into resource_history
    (patient_key, id, updated, message, version, type, deleted, body)
    select r.patient_key, r.id, r.updated, r.message, r.version, r.type, r.deleted, r.body
      from unnest(%b::smallint[], %b::uuid[]) u(type, id) join resource r using (type, id)"""

_MOVE = """update resource_history h set patient_key = u.patient
    from unnest(%b::smallint[], %b::uuid[], %b::uuid[]) u(type, id, patient)
   where h.type = u.type and h.id = u.id and h.patient_key <> u.patient
     and h.patient_key = (select patient_key from resource r where r.type = u.type and r.id = u.id)"""

_UPDATE = """update resource r set patient_key = u.patient_key, event_at = u.event_at,
       message = u.message, updated = u.updated, at_start = u.at_start, at_end = u.at_end,
       present = u.present, version = u.version, authority = u.authority, deleted = u.deleted,
       tokens = u.tokens::bigint[], spans = u.spans::bigint[], stamps = u.stamps,
       body = u.body, concept = u.concept
  from unnest(%b::uuid[], %b::uuid[], %b::timestamptz[], %b::bigint[], %b::timestamptz[],
              %b::timestamptz[], %b::timestamptz[], %b::bigint[], %b::int[], %b::smallint[],
              %b::smallint[], %b::bool[], %b::text[], %b::text[], %b::bytea[], %b::bytea[],
              %b::int[])
       u(patient_key, id, event_at, message, updated, at_start, at_end, present, version, type,
         authority, deleted, tokens, spans, stamps, body, concept)
 where r.type = u.type and r.id = u.id"""

_UNIDENTIFY = """delete from resource_identifier i
    using unnest(%b::bigint[], %b::bigint[], %b::bigint[], %b::uuid[], %b::uuid[])
          u(hash, system, kind, patient, id)
    where i.hash = u.hash and i.system = u.system and i.kind is not distinct from u.kind
      and i.patient_key = u.patient and i.id = u.id"""
_UNTEXT = """delete from resource_text t
    using unnest(%b::uuid[], %b::uuid[], %b::smallint[], %b::text[], %b::text[])
          u(patient, id, type, parameter, value)
    where t.type = u.type and t.parameter = u.parameter and t.value = u.value
      and t.patient_key = u.patient and t.id = u.id"""


def insert(conn: Connection, versions: Sequence[Current], updated: datetime) -> None:
    """Store first versions. UniqueViolation when another writer was first."""
    if not versions:
        return
    own_parameters.refresh(conn)
    found = [_indexed(version) for version in versions]
    words.keep(conn, found)
    concepts.keep(conn, [each.concept for each in found])
    copy(
        conn,
        (
            Row(_row(version, updated, entries), *_entries([version], [entries]))
            for version, entries in zip(versions, found, strict=True)
        ),
    )


@dataclass(frozen=True, slots=True)
class Row:
    """A first version as the tables hold it: the columns of _INSERT, and its entries in the
    tables of identifiers and texts."""

    columns: tuple[Any, ...]
    identified: list[Identified]
    worded: list[Worded]


def copy(conn: Connection, rows: Iterable[Row]) -> None:
    """Write rows that are made already, as fast as the database takes them."""
    identified: list[Identified] = []
    worded: list[Worded] = []
    with conn.cursor() as cursor, cursor.copy(_INSERT) as into:
        into.set_types(_INSERT_TYPES)
        for row in rows:
            made = list(row.columns)
            tokens, spans = made[12:14]
            made[12:14] = int8s(tokens), spans and int8s(spans)
            into.write_row(made)
            identified += row.identified
            worded += row.worded
    _index(conn, identified, worded)


def replace(
    conn: Connection, versions: Sequence[Current], before: Sequence[Before], updated: datetime
) -> None:
    """Store next versions of what was ``before``.

    What was current goes to the history, which follows a row that moves to another patient.
    """
    if not versions:
        return
    own_parameters.refresh(conn)
    numbers = [types.NUMBERS[version.type] for version in versions]
    keys = [version.id for version in versions]
    with conn.cursor(binary=True) as cursor:
        cursor.execute(_HISTORY, (numbers, keys))
        moved = [
            (number, version.id, version.patient)
            for number, version, old in zip(numbers, versions, before, strict=True)
            if version.patient != old.patient
        ]
        if moved:
            cursor.execute(_MOVE, tuple(map(list, zip(*moved, strict=True))))
        found = [_indexed(version) for version in versions]
        rows = [
            _row(version, updated, entries)
            for version, entries in zip(versions, found, strict=True)
        ]
        columns: list[list[Any]] = [list(column) for column in zip(*rows, strict=True)]
        columns[12] = [array(values) for values in columns[12]]
        columns[13] = [values and array(values) for values in columns[13]]
        cursor.execute(_UPDATE, columns)
    words.keep(conn, found)
    concepts.keep(conn, [each.concept for each in found])
    _reindex(conn, versions, found, before)


def restamp(conn: Connection, versions: Sequence[Current]) -> None:
    """Note newer statements that say what is known already: no new version."""
    if not versions:
        return
    conn.cursor(binary=True).execute(
        """update resource r set event_at = u.event_at, message = u.message,
                  authority = u.authority, stamps = u.stamps
             from unnest(%b::smallint[], %b::uuid[], %b::timestamptz[], %b::bigint[],
                         %b::smallint[], %b::bytea[])
                  u(type, id, event_at, message, authority, stamps)
            where r.type = u.type and r.id = u.id""",
        (
            [types.NUMBERS[version.type] for version in versions],
            [version.id for version in versions],
            [version.stamp.at for version in versions],
            [version.stamp.message for version in versions],
            [version.stamp.authority for version in versions],
            [version.stamps for version in versions],
        ),
    )


def _indexed(version: Current) -> index.Index:
    if version.deleted:
        return index.Index()
    return index.of(version.body)


def _row(version: Current, updated: datetime, entries: index.Index) -> tuple[Any, ...]:
    start, end = entries.clinical
    version.json = wire.dumps(with_meta(version.body, version.version, updated))
    return (
        version.patient,
        version.id,
        version.stamp.at,
        version.stamp.message,
        updated,
        start,
        end,
        entries.present,
        version.version,
        types.NUMBERS[version.type],
        version.stamp.authority,
        version.deleted,
        sorted(entries.tokens),
        entries.flat,
        version.stamps,
        dictionary.pack(version.json),
        entries.number,
    )


def array(values: Sequence[int]) -> str:
    """An array of integers as PostgreSQL reads it."""
    return "{" + ",".join(map(str, values)) + "}"


Identified = tuple[int, int, int | None, UUID, UUID]
Worded = tuple[UUID, UUID, int, str, str]


def _entries(
    versions: Sequence[Current], found: Sequence[index.Index]
) -> tuple[list[Identified], list[Worded]]:
    """The rows of the index tables."""
    identified: list[Identified] = []
    worded: list[Worded] = []
    for version, entries in zip(versions, found, strict=True):
        patient, key = version.patient, version.id
        identified += [(*hashes, patient, key) for hashes in entries.identifiers]
        if entries.texts:
            number = types.NUMBERS[version.type]
            worded += [(patient, key, number, name, text) for name, text in entries.texts]
    return identified, worded


def _reindex(
    conn: Connection,
    versions: Sequence[Current],
    found: Sequence[index.Index],
    before: Sequence[Before],
) -> None:
    """Bring the index tables from the old versions to the new; most have nothing to change."""
    olds = [
        replace_fields(version, patient=old.patient)
        for version, old in zip(versions, before, strict=True)
    ]
    were = [index.of(old.body) if old.body else index.Index() for old in before]
    new_identifiers, new_words = _entries(versions, found)
    old_identifiers, old_words = _entries(olds, were)
    new_identified, new_worded = set(new_identifiers), set(new_words)
    old_identified, old_worded = set(old_identifiers), set(old_words)
    with conn.cursor(binary=True) as cursor:
        if gone := old_identified - new_identified:
            cursor.execute(_UNIDENTIFY, [list(each) for each in zip(*gone, strict=True)])
        if gone := old_worded - new_worded:
            cursor.execute(_UNTEXT, [list(each) for each in zip(*gone, strict=True)])
    _index(conn, list(new_identified - old_identified), list(new_worded - old_worded))


@dataclass(frozen=True, slots=True)
class Correction:
    """A row whose entries in the index tables are to be those of ``entries`` and no others."""

    patient: UUID
    id: UUID
    type: int
    identifiers: frozenset[tuple[int, int, int | None]]
    texts: frozenset[tuple[str, str]]
    entries: index.Index


def correct(conn: Connection, corrections: Sequence[Correction]) -> None:
    """Replace rows' entries in the index tables."""
    old_identified: list[Identified] = []
    old_worded: list[Worded] = []
    identified: list[Identified] = []
    worded: list[Worded] = []
    for each in corrections:
        patient, key = each.patient, each.id
        old_identified += [(*hashes, patient, key) for hashes in each.identifiers]
        old_worded += [(patient, key, each.type, *text) for text in each.texts]
        identified += [(*hashes, patient, key) for hashes in each.entries.identifiers]
        worded += [(patient, key, each.type, *text) for text in each.entries.texts]
    with conn.cursor(binary=True) as cursor:
        if old_identified:
            cursor.execute(_UNIDENTIFY, [list(c) for c in zip(*old_identified, strict=True)])
        if old_worded:
            cursor.execute(_UNTEXT, [list(c) for c in zip(*old_worded, strict=True)])
    _index(conn, identified, worded)


def _index(
    conn: Connection, identified: Sequence[Identified], worded: Sequence[Worded]
) -> None:
    with conn.cursor() as cursor:
        if identified:
            with cursor.copy(
                "copy resource_identifier (hash, system, kind, patient_key, id)"
                " from stdin (format binary)"
            ) as copy:
                copy.set_types(("int8", "int8", "int8", "uuid", "uuid"))
                for row in identified:
                    copy.write_row(row)
        if worded:
            with cursor.copy(
                "copy resource_text (patient_key, id, type, parameter, value)"
                " from stdin (format binary)"
            ) as copy:
                copy.set_types(("uuid", "uuid", "int2", "text", "text"))
                for row in worded:
                    copy.write_row(row)
