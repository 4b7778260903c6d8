"""Reads by key: one resource, a version, the history, several by id, a patient's everything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from healthhub.errors import Gone, InvalidRequest, NotFound
from healthhub.model.ids import SHARED, row_id
from healthhub.model.resource import Stamp, Stored
from healthhub.store import elements, rows, types
from healthhub.store.query import Page, Query, Row

_CURRENT = f"select {rows.COLUMNS} from resource r"  # noqa: S608


def _number(resource_type: str) -> int:
    number = types.NUMBERS.get(resource_type)
    if number is None:
        raise NotFound(f"{resource_type[:64]!r} is no resource type of FHIR R4")
    return number


def _one(what: str) -> Callable[[list[Row]], Stored]:
    return lambda found: alive(what, rows.stored(found[0]) if found else None)


def alive(what: str, found: Stored | None) -> Stored:
    """What was found; NotFound when that is nothing, Gone when it is a deletion."""
    if found is None:
        raise NotFound(f"there is no such {what}")
    if found.deleted:
        raise Gone(f"this {what} was deleted; its history can still be read")
    return found


def by_id(resource_type: str, key: UUID) -> Query[Stored]:
    """The current version; NotFound, or Gone when it was deleted."""
    return Query(
        f"{_CURRENT} where r.type = %(type)b and r.id = %(id)b",
        {"type": _number(resource_type), "id": key},
        _one(resource_type),
    )


_VERSIONS = f"""select {rows.COLUMNS} from resource r where r.type = %b and r.id = %b
    union all
    select {rows.COLUMNS.replace("r.", "h.")} from resource r
      join resource_history h using (patient_key, type, id) where r.type = %b and r.id = %b"""  # noqa: S608


def by_version(resource_type: str, key: UUID, version: int) -> Query[Stored]:
    """One version; NotFound when there is none, Gone when that version is the deletion."""
    number = _number(resource_type)
    return Query(
        f"select * from ({_VERSIONS}) v where v.version = %b",  # noqa: S608
        (number, key, number, key, version),
        _one(f"version of this {resource_type}"),
    )


def history(resource_type: str, key: UUID, count: int | None = None) -> Query[list[Stored]]:
    """All versions, newest first, deletions included; NotFound when there is none."""
    number = _number(resource_type)

    def decode(found: list[Row]) -> list[Stored]:
        if not found:
            raise NotFound(f"there is no such {resource_type}")
        return [rows.stored(row) for row in found]

    return Query(
        f"select * from ({_VERSIONS}) v order by v.version desc limit %b::bigint",  # noqa: S608
        (number, key, number, key, count),
        decode,
    )


def by_ids(keys: Iterable[UUID]) -> Query[list[Stored]]:
    """The current versions of any type by row id, deleted ones left out, in id order."""
    return Query(
        f"{_CURRENT} where r.type = any(%b) and r.id = any(%b) and not r.deleted order by r.id",
        (list(range(1, len(types.NAMES) + 1)), list(keys)),
        _all,
    )


def by_references(references: Iterable[str]) -> Query[list[Stored]]:
    """The current versions of what ``Type/id`` references name, deleted ones left out."""
    numbers: list[int] = []
    keys: list[UUID] = []
    for reference in sorted(set(references)):
        resource_type, _, fhir_id = reference.partition("/")
        if resource_type in types.NUMBERS and fhir_id:
            numbers.append(types.NUMBERS[resource_type])
            keys.append(row_id(resource_type, fhir_id.partition("/")[0]))
    return Query(
        f"""select {rows.COLUMNS} from unnest(%b::smallint[], %b::uuid[]) u(type, id)
             join resource r using (type, id) where not r.deleted order by r.type, r.id""",  # noqa: S608
        (numbers, keys),
        _all,
    )


def _all(found: list[Row]) -> list[Stored]:
    return [rows.stored(row) for row in found]


def everything(
    patients: Sequence[UUID],
    types_: Sequence[str] | None = None,
    since: datetime | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    after: str | None = None,
    count: int | None = None,
) -> Query[Page]:
    """All that belongs to the patients (Patient/$everything), Patients first.

    ``start`` and ``end`` bound the clinical date (rows without one stay in); ``since`` the
    time of the last change. With ``count`` a page, continued with ``after=page.next``.
    """
    clauses = ["r.patient_key = any(%(patients)b)", "not r.deleted"]
    values: dict[str, Any] = {"patients": list(patients)}
    if types_:
        clauses.append("r.type = any(%(types)b)")
        values["types"] = [_number(name) for name in types_]
    if since is not None:
        clauses.append("r.updated >= %(since)b")
        values["since"] = since
    if start is not None:
        clauses.append("(r.at_end is null or r.at_end >= %(start)b)")
        values["start"] = start
    if end is not None:
        clauses.append("(r.at_start is null or r.at_start <= %(end)b)")
        values["end"] = end
    if after is not None:
        clauses.append("(r.type, r.id) > (%(after_type)b::smallint, %(after_id)b::uuid)")
        values["after_type"], values["after_id"] = _place(after)
    paged = ""
    if count is not None or after is not None:
        paged = "order by r.type, r.id limit %(limit)b::bigint"
        values["limit"] = None if count is None else count + 1

    def decode(found: list[Row]) -> Page:
        if not paged:  # cheaper here than in the database, which would sort the bodies along
            found.sort(key=_by_type)
        more = count is not None and len(found) > count
        page = _all(found[:count] if more else found)
        last = found[len(page) - 1] if more else None
        return Page(page, next=f"{last[0]}.{last[1]}" if last else None)

    return Query(f"{_CURRENT} where {' and '.join(clauses)} {paged}", values, decode)


def _by_type(row: Row) -> tuple[int, int]:
    return row[0], row[1].int


def _place(cursor: str) -> tuple[int, UUID]:
    number, _, key = cursor.partition(".")
    try:
        return int(number), UUID(key)
    except ValueError:
        raise InvalidRequest(
            "the page's cursor is damaged; begin again with the first page"
        ) from None


def shared_of(page: Sequence[Stored]) -> Query[list[Stored]]:
    """The organisations, practitioners, locations... that the resources refer to."""
    found: set[str] = set()
    for resource in page:
        if resource.patient != SHARED:
            _references(orjson.loads(resource.json), found)
    shared = ("Organization/", "Practitioner", "Location/", "HealthcareService/", "Medication/")
    return by_references(text for text in found if text.startswith(shared))


def _references(value: Any, into: set[str]) -> None:
    if isinstance(value, dict):
        for name, child in value.items():
            if name == "reference" and isinstance(child, str):
                into.add(child)
            elif isinstance(child, dict | list):
                _references(child, into)
    else:
        for child in value:
            if isinstance(child, dict | list):
                _references(child, into)


def origins(resource_type: str, key: UUID) -> Query[dict[str, Stamp]]:
    """Which statement each element of the current version comes from; ``""`` is the row's.

    Elements are named as store.elements does (``value[x]``, ``period.end``); one that is not
    in the answer has the row's stamp.
    """

    def decode(found: list[Row]) -> dict[str, Stamp]:
        if not found:
            raise NotFound(f"there is no such {resource_type}")
        authority, at, message, stamps = found[0]
        return {"": Stamp(authority, at, message), **elements.unpack_stamps(stamps)}

    return Query(
        "select authority, event_at, message, stamps from resource where type = %b and id = %b",
        (_number(resource_type), key),
        decode,
    )
