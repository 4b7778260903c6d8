"""Writes of FHIR clients: a whole resource replaces what was there."""

from __future__ import annotations

from uuid import UUID, uuid4

from psycopg import Connection

from healthhub import clock
from healthhub.errors import PreconditionFailed, Unprocessable
from healthhub.model.ids import SHARED, row_id
from healthhub.model.resource import Body, Stamp, Stored
from healthhub.store import elements, rows, types, wire
from healthhub.store.parameters import OWNERS

AUTHORITY = 2
"""A client's write is deliberate: what a feed states in passing or anew does not undo it,
unless it comes later and is a correction as well."""


def create(connection: Connection, resource_type: str, body: Body) -> Stored:
    """Store a new resource under an id of the server's choice; the body's id is ignored."""
    return update(connection, resource_type, str(uuid4()), body)


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
    stamp = Stamp(AUTHORITY, clock.now(), 0)
    body = _cleaned(body, resource_type, fhir_id)
    patient = owner(body)
    before = _current(connection, resource_type, key, if_match)
    version = rows.Current(resource_type, key, patient, 1, stamp, None, False, body)
    if before is None:
        rows.insert(connection, [version], stamp.at)
        return _stored(version, stamp)
    current, old_stamps = before
    if not current.deleted:
        old = wire.loads(current.json)
        if _cleaned(old, resource_type, fhir_id) == body and wire.dumps(
            _cleaned(old, resource_type, fhir_id)
        ) == wire.dumps(body):
            return current
        said = elements.of_body(body, stamp, {})
        gone = elements.of_body(old, stamp, elements.unpack_stamps(old_stamps))
        erased = {name: (stamp, {}) for name in gone if name not in said}
        version.stamps = elements.pack_stamps(said | erased, stamp)
    version.version = current.version + 1
    rows.replace(connection, [version], [current.patient], stamp.at)
    return _stored(version, stamp)


def delete(
    connection: Connection, resource_type: str, fhir_id: str, if_match: int | None = None
) -> Stored | None:
    """Delete; None when there was nothing to delete. The history stays."""
    key = key_of(resource_type, fhir_id)
    before = _current(connection, resource_type, key, if_match)
    if before is None or before[0].deleted:
        return None
    current = before[0]
    stamp = Stamp(AUTHORITY, clock.now(), 0)
    version = rows.Current(
        resource_type,
        key,
        current.patient,
        current.version + 1,
        stamp,
        None,
        True,
        {"resourceType": resource_type, "id": fhir_id},
    )
    rows.replace(connection, [version], [current.patient], stamp.at)
    return _stored(version, stamp)


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


def _current(
    connection: Connection, resource_type: str, key: UUID, if_match: int | None
) -> tuple[Stored, bytes | None] | None:
    with connection.cursor(binary=True) as cursor:
        row = cursor.execute(
            f"select {rows.COLUMNS}, r.stamps from resource r"  # noqa: S608
            " where type = %b and id = %b for update",
            (types.NUMBERS[resource_type], key),
        ).fetchone()
    found = 0 if row is None else row[3]
    if if_match is not None and if_match != found:
        raise PreconditionFailed(
            f"version {if_match} is not the current one; read it again and repeat the change"
        )
    return None if row is None else (rows.stored(row), row[8])


def _stored(version: rows.Current, stamp: Stamp) -> Stored:
    return Stored(
        version.type,
        version.id,
        version.patient,
        version.version,
        stamp.at,
        version.deleted,
        wire.dumps(rows.with_meta(version.body, version.version, stamp.at)),
        stamp.message,
    )
