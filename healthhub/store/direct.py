"""Writes of FHIR clients: a whole resource replaces what was there, many at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID, uuid4

from psycopg import Connection
from psycopg.errors import UniqueViolation

from healthhub import clock
from healthhub.errors import Conflict, PreconditionFailed, Unprocessable
from healthhub.model.ids import SHARED, row_id
from healthhub.model.resource import Body, Stamp, Stored
from healthhub.store import elements, rows, types, wire
from healthhub.store.r4_settled import OWNERS

Action = Literal["created", "updated", "unchanged", "deleted", "nothing"]
Name = tuple[str, str]
"""A resource's type and FHIR id."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a client wants of one id: this body, or with None its deletion."""

    type: str
    id: str
    body: Body | None


@dataclass(frozen=True, slots=True)
class Held:
    """A current row, locked until the transaction ends, with its stamps."""

    stored: Stored
    stamp: Stamp
    stamps: bytes | None


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a change. ``stored`` is None if there was nothing to delete; ``body`` is
    empty after a deletion."""

    action: Action
    stored: Stored | None
    body: Body


def create(connection: Connection, resource_type: str, body: Body) -> Stored:
    """Store a new resource under an id of the server's choice; the body's id is ignored."""
    return _sole(apply(connection, [Change(resource_type, str(uuid4()), body)], {}))


def update(
    connection: Connection,
    resource_type: str,
    fhir_id: str,
    body: Body,
    if_match: int | None = None,
) -> Stored:
    """Replace, or create under the client's id (version 1). ``if_match``: the version that must be
    current, else PreconditionFailed. A body equal to the current one makes no new version."""
    name, change = (resource_type, fhir_id), Change(resource_type, fhir_id, body)
    for _ in range(2):
        held = hold(connection, [name])
        demand(held.get(name), if_match)
        try:
            with connection.transaction():
                return _sole(apply(connection, [change], held))
        except UniqueViolation:  # another writer made it at this moment, and has committed
            continue
    raise Conflict("another writer was at work on this resource; send it again")


def delete(
    connection: Connection, resource_type: str, fhir_id: str, if_match: int | None = None
) -> Stored | None:
    """Delete; None when there was nothing to delete. The history stays."""
    name = (resource_type, fhir_id)
    held = hold(connection, [name])
    demand(held.get(name), if_match)
    return apply(connection, [Change(resource_type, fhir_id, None)], held)[0].stored


def _sole(done: list[Done]) -> Stored:
    stored = done[0].stored
    assert stored is not None  # noqa: S101 - only a deletion can give None
    return stored


def demand(held: Held | None, if_match: int | None) -> None:
    """PreconditionFailed unless ``if_match`` is None or the current version."""
    if if_match is not None and if_match != (held.stored.version if held else 0):
        raise PreconditionFailed(
            f"version {if_match} is not the current one; read it again and repeat the change"
        )


_HOLD = f"""select {rows.COLUMNS}, r.authority, r.event_at, r.stamps, u.place
    from unnest(%b::smallint[], %b::uuid[], %b::int[]) u(type, id, place)
    join resource r using (type, id) order by r.type, r.id for update of r"""  # noqa: S608


def hold(connection: Connection, names: Iterable[Name]) -> dict[Name, Held]:
    """Lock what exists of these, in the order of (type, id) in which all writers lock."""
    wanted = sorted(set(names))
    if not wanted:
        return {}
    numbers = [types.NUMBERS[resource_type] for resource_type, _ in wanted]
    keys = [row_id(*name) for name in wanted]
    with connection.cursor(binary=True) as cursor:
        cursor.execute(_HOLD, (numbers, keys, list(range(len(wanted)))))
        return {
            wanted[row[11]]: Held(rows.stored(row), Stamp(row[8], row[9], row[6]), row[10])
            for row in cursor
        }


def current(held: Held) -> Body:
    """The body of a row that is held."""
    return wire.reload(held.stored.json)


def apply(
    connection: Connection, changes: Sequence[Change], held: Mapping[Name, Held]
) -> list[Done]:
    """Do the changes, each of another id, in the connection's transaction.

    ``held`` are the rows that exist, as ``hold`` gave them. A new row that another writer makes
    at the same moment raises UniqueViolation: the caller tries again and finds it.
    """
    updated = clock.now()
    plans = [_plan(change, held.get((change.type, change.id)), updated) for change in changes]
    fresh = [plan.version for plan in plans if plan.version and plan.before is None]
    fresh.sort(key=lambda version: (types.NUMBERS[version.type], version.id))
    rows.insert(connection, fresh, updated)
    replaced = [(plan.version, plan.before) for plan in plans if plan.version and plan.before]
    rows.replace(
        connection, [version for version, _ in replaced], [old for _, old in replaced], updated
    )
    return [
        Done(plan.action, _stored(plan.version, updated), plan.body)
        if plan.version
        else Done(plan.action, plan.known, plan.body)
        for plan in plans
    ]


@dataclass(frozen=True, slots=True)
class _Plan:
    action: Action
    body: Body
    version: rows.Current | None = None
    before: rows.Before | None = None
    known: Stored | None = None


def _plan(change: Change, held: Held | None, now: datetime) -> _Plan:
    """The next version of an id, if there is to be one."""
    key = row_id(change.type, change.id)
    if change.body is None:
        return _Plan("nothing", {}) if held is None else _deletion(change, key, held, now)
    body = cleaned(change.body, change.type, change.id)
    if held is None:
        version = rows.Current(
            change.type, key, owner(body), 1, Stamp(1, now, 0), None, False, body
        )
        return _Plan("created", body, version)
    stamp = _after(held, now)
    number = held.stored.version + 1
    version = rows.Current(change.type, key, owner(body), number, stamp, None, False, body)
    if held.stored.deleted:
        return _Plan("created", body, version, rows.Before(held.stored.patient, None))
    known = wire.reload(held.stored.json)
    if wire.dumps(cleaned(known, change.type, change.id)) == wire.dumps(body):
        return _Plan("unchanged", body, known=held.stored)
    said = elements.of_body(body, stamp, {})
    gone = elements.of_body(known, stamp, elements.unpack_stamps(held.stamps))
    erased = {name: (stamp, {}) for name in gone if name not in said}
    version.stamps = elements.pack_stamps(said | erased, stamp)
    return _Plan("updated", body, version, rows.Before(held.stored.patient, known))


def _deletion(change: Change, key: UUID, held: Held, now: datetime) -> _Plan:
    old = held.stored
    if old.deleted:
        return _Plan("nothing", {})
    stub: Body = {"resourceType": change.type, "id": change.id}
    stamp = _after(held, now)
    version = rows.Current(
        change.type, key, old.patient, old.version + 1, stamp, None, True, stub
    )
    return _Plan("deleted", {}, version, rows.Before(old.patient, wire.reload(old.json)))


def _after(held: Held, now: datetime) -> Stamp:
    """The stamp of a client's write: a statement of now, and over what was there, even if a
    source's clock is ahead or the last word was a correction."""
    authority = max(1, held.stamp.authority)
    if authority == held.stamp.authority:
        now = max(now, held.stamp.at + timedelta(microseconds=1))
    return Stamp(authority, now, 0)


def owner(body: Body) -> UUID:
    """The patient whose row a resource is: the Patient itself, the one it names, or SHARED.

    The first Patient counts where several may be named (a reference by absolute URL names one
    of another server, who is nobody here).
    """
    resource_type = body["resourceType"]
    if resource_type == "Patient":
        return row_id("Patient", body["id"])
    path = OWNERS.get(resource_type, "subject")
    for reference in _references(body, path.split(".") if path else []):
        if reference.startswith("Patient/"):
            return row_id("Patient", reference.split("/")[1])
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


def cleaned(body: Body, resource_type: str, fhir_id: str) -> Body:
    """The body under its id, without what the server sets itself."""
    if body.get("resourceType") != resource_type:
        raise Unprocessable(
            f"resourceType must be {resource_type}, as in the address",
            expression="resourceType",
        )
    head: Body = {"resourceType": resource_type, "id": fhir_id}
    meta = body.get("meta")
    if meta:
        kept = {n: value for n, value in meta.items() if n not in ("versionId", "lastUpdated")}
        if kept:
            head["meta"] = kept
    for name, value in body.items():
        if name not in ("resourceType", "id", "meta"):
            head[name] = value
    return head


def _stored(version: rows.Current, updated: datetime) -> Stored:
    return Stored(
        version.type,
        version.id,
        version.patient,
        version.version,
        updated,
        version.deleted,
        version.json,
        version.stamp.message,
    )
