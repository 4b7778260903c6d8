"""Rows of the store's tables: how a resource becomes one, and how one becomes a resource."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from healthhub.model.resource import Body, Stamp, Stored
from healthhub.store import dictionary, index, types, wire

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


_INSERT = """copy resource (patient_key, id, event_at, message, updated, at_start, at_end, version,
    type, authority, deleted, tokens, codes, stamps, body) from stdin (format binary)"""
_INSERT_TYPES = (
    "uuid", "uuid", "timestamptz", "int8", "timestamptz", "timestamptz", "timestamptz", "int4",
    "int2", "int2", "bool", "int8[]", "int8[]", "bytea", "bytea",
)  # fmt: skip

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
       version = u.version, authority = u.authority, deleted = u.deleted,
       tokens = u.tokens::bigint[], codes = u.codes::bigint[], stamps = u.stamps, body = u.body
  from unnest(%b::uuid[], %b::uuid[], %b::timestamptz[], %b::bigint[], %b::timestamptz[],
              %b::timestamptz[], %b::timestamptz[], %b::int[], %b::smallint[], %b::smallint[],
              %b::bool[], %b::text[], %b::text[], %b::bytea[], %b::bytea[])
       u(patient_key, id, event_at, message, updated, at_start, at_end, version, type, authority,
         deleted, tokens, codes, stamps, body)
 where r.type = u.type and r.id = u.id"""

_UNINDEX = (
    """delete from resource_identifier i using unnest(%b::uuid[], %b::uuid[]) u(patient_key, id)
        where i.patient_key = u.patient_key and i.id = u.id""",
    """delete from resource_text i using unnest(%b::uuid[], %b::uuid[]) u(patient_key, id)
        where i.patient_key = u.patient_key and i.id = u.id""",
)


def insert(conn: Connection, versions: Sequence[Current], updated: datetime) -> None:
    """Store first versions. UniqueViolation when another writer was first."""
    if not versions:
        return
    found = [_indexed(version) for version in versions]
    with conn.cursor() as cursor, cursor.copy(_INSERT) as copy:
        copy.set_types(_INSERT_TYPES)
        for version, entries in zip(versions, found, strict=True):
            copy.write_row(_row(version, updated, entries))
    _index(conn, versions, found)


def replace(
    conn: Connection, versions: Sequence[Current], before: Sequence[UUID], updated: datetime
) -> None:
    """Store next versions; ``before`` are the patients that the rows belonged to.

    What was current goes to the history, which follows a row that moves to another patient.
    """
    if not versions:
        return
    numbers = [types.NUMBERS[version.type] for version in versions]
    keys = [version.id for version in versions]
    with conn.cursor(binary=True) as cursor:
        cursor.execute(_HISTORY, (numbers, keys))
        moved = [
            (number, version.id, version.patient)
            for number, version, old in zip(numbers, versions, before, strict=True)
            if version.patient != old
        ]
        if moved:
            cursor.execute(_MOVE, tuple(map(list, zip(*moved, strict=True))))
        for statement in _UNINDEX:
            cursor.execute(statement, (list(before), keys))
        found = [_indexed(version) for version in versions]
        rows = [
            _row(version, updated, entries)
            for version, entries in zip(versions, found, strict=True)
        ]
        columns: list[list[Any]] = [list(column) for column in zip(*rows, strict=True)]
        columns[11] = [_array(values) for values in columns[11]]
        columns[12] = [_array(values) for values in columns[12]]
        cursor.execute(_UPDATE, columns)
    _index(conn, versions, found)


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
        return index.Index(set(), set(), set(), set())
    return index.of(version.body)


def _row(version: Current, updated: datetime, entries: index.Index) -> tuple[Any, ...]:
    return (
        version.patient,
        version.id,
        version.stamp.at,
        version.stamp.message,
        updated,
        entries.start,
        entries.end,
        version.version,
        types.NUMBERS[version.type],
        version.stamp.authority,
        version.deleted,
        sorted(entries.tokens),
        sorted(entries.codes),
        version.stamps,
        dictionary.pack(wire.dumps(with_meta(version.body, version.version, updated))),
    )


def _array(values: Sequence[int]) -> str:
    return "{" + ",".join(map(str, values)) + "}"


def _index(conn: Connection, versions: Sequence[Current], found: Sequence[index.Index]) -> None:
    identifiers = [
        (hash_, version.patient, version.id)
        for version, entries in zip(versions, found, strict=True)
        for hash_ in entries.identifiers
    ]
    texts = [
        (version.patient, version.id, types.NUMBERS[version.type], name, value)
        for version, entries in zip(versions, found, strict=True)
        for name, value in entries.texts
    ]
    with conn.cursor() as cursor:
        if identifiers:
            with cursor.copy(
                "copy resource_identifier (hash, patient_key, id) from stdin (format binary)"
            ) as copy:
                copy.set_types(("int8", "uuid", "uuid"))
                for row in identifiers:
                    copy.write_row(row)
        if texts:
            with cursor.copy(
                "copy resource_text (patient_key, id, type, parameter, value)"
                " from stdin (format binary)"
            ) as copy:
                copy.set_types(("uuid", "uuid", "int2", "text", "text"))
                for row in texts:
                    copy.write_row(row)
