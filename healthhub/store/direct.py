"""Writes of FHIR clients: a whole resource replaces what was there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from psycopg import Connection
from psycopg.errors import UniqueViolation

from healthhub import clock
from healthhub.errors import Conflict, PreconditionFailed, Unprocessable
from healthhub.model.ids import SHARED, row_id
from healthhub.model.resource import Body, Stamp, Stored
from healthhub.store import elements, rows, types, wire
from healthhub.store.parameters import OWNERS


def create(connection: Connection, resource_type: str, body: Body) -> Stored:
    """Store a new resource under an id of the server's choice; the body's id is ignored."""
    fhir_id = str(uuid4())
    return _insert(connection, resource_type, _cleaned(body, resource_type, fhir_id))


def update(
    connection: Connection,
    resource_type: str,
    fhir_id: str,
    body: Body,
    if_match: int | None = None,
) -> Stored:
    """Replace, or create under the client's id (version 1). ``if_match``: the version that must be
    current, else PreconditionFailed. A body equal to the current one makes no new version."""
    key = key_of(resource_type, fhir_id)
    body = _cleaned(body, resource_type, fhir_id)
    before = _current(connection, resource_type, key, if_match)
    if before is None:
        try:
            with connection.transaction():
                return _insert(connection, resource_type, body)
        except UniqueViolation:  # another writer made it at this moment, and has committed
            before = _current(connection, resource_type, key, if_match)
    if before is None:
        raise Conflict("another writer was at work on this resource; send it again")
    current, old = before
    stamp = _after(old)
    known: Body | None = None
    version = rows.Current(
        resource_type, key, owner(body), current.version + 1, stamp, None, False, body
    )
    if not current.deleted:
        known = wire.reload(current.json)
        if wire.dumps(_cleaned(known, resource_type, fhir_id)) == wire.dumps(body):
            return current
        said = elements.of_body(body, stamp, {})
        gone = elements.of_body(known, stamp, elements.unpack_stamps(old.stamps))
        erased = {name: (stamp, {}) for name in gone if name not in said}
        version.stamps = elements.pack_stamps(said | erased, stamp)
    return _replace(connection, version, rows.Before(current.patient, known))


def delete(
    connection: Connection, resource_type: str, fhir_id: str, if_match: int | None = None
) -> Stored | None:
    """Delete; None when there was nothing to delete. The history stays."""
    key = key_of(resource_type, fhir_id)
    before = _current(connection, resource_type, key, if_match)
    if before is None or before[0].deleted:
        return None
    current, old = before
    version = rows.Current(
        resource_type,
        key,
        current.patient,
        current.version + 1,
        _after(old),
        None,
        True,
        {"resourceType": resource_type, "id": fhir_id},
    )
    return _replace(
        connection, version, rows.Before(current.patient, wire.reload(current.json))
    )


def _insert(connection: Connection, resource_type: str, body: Body) -> Stored:
    updated = clock.now()
    key = key_of(resource_type, body["id"])
    version = rows.Current(
        resource_type, key, owner(body), 1, Stamp(1, updated, 0), None, False, body
    )
    rows.insert(connection, [version], updated)
    return _stored(version, updated)


def _replace(connection: Connection, version: rows.Current, before: rows.Before) -> Stored:
    updated = clock.now()
    rows.replace(connection, [version], [before], updated)
    return _stored(version, updated)


def key_of(resource_type: str, fhir_id: str) -> UUID:
    """The row id of a FHIR id."""
    return row_id(resource_type, fhir_id)


def owner(body: Body) -> UUID:
    """The patient whose row a resource is: the Patient itself, the one it names, or SHARED.

    The first Patient counts where several may be named (a reference by absolute URL names one
    of another server, who is nobody here).
    """
    resource_type = body["resourceType"]
    if resource_type == "Patient":
        return key_of("Patient", body["id"])
    path = OWNERS.get(resource_type, "subject")
    for reference in _references(body, path.split(".") if path else []):
        if reference.startswith("Patient/"):
            return key_of("Patient", reference.split("/")[1])
    return SHARED


def _references(value: object, steps: list[str]) -> list[str]:
    if isinstance(value, list):
        return [found for entry in value for found in _references(entry, steps)]
    if not isinstance(value, dict):
        return []
    if not steps:
        reference = value.get("reference")
        return [reference] if isinstance(reference, str) else []
    return _references(value.get(steps[0]), steps[1:])


def _cleaned(body: Body, resource_type: str, fhir_id: str) -> Body:
    """The body under its id, without what the server sets itself."""
    if body.get("resourceType") != resource_type:
        raise Unprocessable(
            f"resourceType must be {resource_type}, as in the address",
            expression="resourceType",
        )
    meta = {
        name: value
        for name, value in body.get("meta", {}).items()
        if name not in ("versionId", "lastUpdated")
    }
    head: Body = {"resourceType": resource_type, "id": fhir_id}
    if meta:
        head["meta"] = meta
    return head | {
        name: value
        for name, value in body.items()
        if name not in ("resourceType", "id", "meta")
    }


@dataclass(frozen=True, slots=True)
class _Stamps:
    """The stamps of a row: its own, and packed those of elements that differ."""

    row: Stamp
    stamps: bytes | None


def _after(old: _Stamps) -> Stamp:
    """The stamp of a client's write: a statement of now, and over what was there, even if a
    source's clock is ahead or the last word was a correction."""
    authority, now = max(1, old.row.authority), clock.now()
    if authority == old.row.authority:
        now = max(now, old.row.at + timedelta(microseconds=1))
    return Stamp(authority, now, 0)


def _current(
    connection: Connection, resource_type: str, key: UUID, if_match: int | None
) -> tuple[Stored, _Stamps] | None:
    with connection.cursor(binary=True) as cursor:
        row = cursor.execute(
            f"select {rows.COLUMNS}, r.authority, r.event_at, r.stamps from resource r"  # noqa: S608
            " where type = %b and id = %b for update",
            (types.NUMBERS[resource_type], key),
        ).fetchone()
    found = 0 if row is None else row[3]
    if if_match is not None and if_match != found:
        raise PreconditionFailed(
            f"version {if_match} is not the current one; read it again and repeat the change"
        )
    if row is None:
        return None
    return rows.stored(row), _Stamps(Stamp(row[8], row[9], row[6]), row[10])


def _stored(version: rows.Current, updated: datetime) -> Stored:
    return Stored(
        version.type,
        version.id,
        version.patient,
        version.version,
        updated,
        version.deleted,
        wire.dumps(rows.with_meta(version.body, version.version, updated)),
        version.stamp.message,
    )
