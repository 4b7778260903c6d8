"""Histories: the versions of a resource, of a type, or of all, the newest first, in pages."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from healthhub.errors import InvalidRequest, NotFound
from healthhub.store import rows, types
from healthhub.store.query import Page, Query, Row

_HISTORY = rows.COLUMNS.replace("r.", "h.")
_ORDER = "updated desc, type desc, id desc, version desc"


@dataclass(frozen=True, slots=True)
class Span:
    """Which versions: stored at ``since`` or later; current at a moment from ``first`` to
    ``last`` (_at). http://hl7.org/fhir/R4/http.html#history"""

    since: datetime | None = None
    first: datetime | None = None
    last: datetime | None = None


def history(
    types_: Sequence[str], key: UUID | None, span: Span, count: int, after: str | None = None
) -> Query[Page]:
    """A page of the versions of these types, or of the one resource ``key``.

    NotFound when the first page of a resource's whole history is empty. ``total`` is known for
    the whole history of one resource: its newest version counts them.
    """
    values: dict[str, Any] = {
        "types": [types.NUMBERS[name] for name in types_],
        "limit": count + 1,
    }
    clauses = ["{0}.type = t.type"]
    if key is not None:
        clauses.append("{0}.id = %(key)b")
        values["key"] = key
    if span.since is not None:
        clauses.append("{0}.updated >= %(since)b")
        values["since"] = span.since
    if span.last is not None:
        clauses.append("{0}.updated <= %(last)b")
        values["last"] = span.last
    if after is not None:
        clauses.append(
            "{0}.updated <= %(at)b and ({0}.updated, {0}.type, {0}.id, {0}.version)"
            " < (%(at)b, %(at_type)b::smallint, %(at_id)b::uuid, %(at_version)b::int)"
        )
        values |= _place(after)
    where = " and ".join(clauses)
    superseded = ""
    if span.first is not None:
        superseded = f" and not ({_SUPERSEDED})"
        values["first"] = span.first
    order = f"order by {_ORDER} limit %(limit)b::bigint"
    earlier = f"from resource_history h where {where.format('h')}{superseded}"
    if key is not None:  # the row tells whose it is, which the key of its history begins with
        earlier = (
            "from resource o join resource_history h using (patient_key, type, id)"
            f" where o.type = t.type and o.id = %(key)b and {where.format('h')}{superseded}"
        )
    sql = f"""select v.* from unnest(%(types)b::smallint[]) t(type) cross join lateral (
        (select {rows.COLUMNS} from resource r where {where.format("r")} {order})
        union all
        (select {_HISTORY} {earlier} {order})) v
        {order}"""  # noqa: S608

    def decode(found: list[Row]) -> Page:
        if not found and key is not None and span == Span() and after is None:
            raise NotFound(f"there is no such {types_[0]}")
        page = found[:count]
        whole = key is not None and span == Span() and after is None
        return Page(
            [rows.stored(row) for row in page],
            next=_text(page[-1]) if len(found) > count else None,
            total=page[0][3] if whole else None,
        )

    return Query(sql, values, decode)


_SUPERSEDED = """exists (select 1 from resource n where n.type = h.type and n.id = h.id
        and n.version > h.version and n.updated <= %(first)b)
    or exists (select 1 from resource_history n where n.patient_key = h.patient_key
        and n.type = h.type and n.id = h.id and n.version > h.version
        and n.updated <= %(first)b)"""
"""A version that another had followed by then; a row of ``resource`` is followed by none."""


def _text(row: Row) -> str:
    """The place after a row, as an opaque text."""
    parts = [row[4].isoformat(), row[0], str(row[1]), row[3]]
    return base64.urlsafe_b64encode(orjson.dumps(parts)).decode().rstrip("=")


def _place(text: str) -> dict[str, Any]:
    try:
        at, number, key, version = orjson.loads(
            base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        )
        return {
            "at": datetime.fromisoformat(at),
            "at_type": int(number),
            "at_id": UUID(key),
            "at_version": int(version),
        }
    except (ValueError, TypeError, AttributeError):
        raise InvalidRequest(
            "the page's cursor is damaged; begin again with the first page",
            expression="_cursor",
        ) from None
