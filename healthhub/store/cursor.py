"""The order of a search's matches, and the place in it where a page ends."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from healthhub.errors import InvalidRequest
from healthhub.store.conditions import ends
from healthhub.store.parameters import Parameter


@dataclass(frozen=True, slots=True)
class Order:
    """How matches are sorted: SQL of the value, and its direction. The id breaks ties."""

    value: str
    descending: bool

    def by(self, *, driven: bool) -> str:
        """The ORDER BY; rows without a value come last in either direction.

        Where an index finds few rows (``driven``), the id is made an expression that no index
        has: a limit would tempt the planner to walk the ids of a whole type instead.
        """
        way = "desc" if self.descending else "asc"
        key = "uuid_send(r.id)" if driven else "r.id"
        if self.value == "null::timestamptz":
            return f"{key} {way}"
        return f"({self.value} is null), {self.value} {way}, {key}"


BY_ID = Order("null::timestamptz", False)


def order_of(resource_type: str, sort: str, known: Mapping[str, Parameter]) -> Order:
    """What ``_sort`` asks for: a date parameter, _lastUpdated or _id; ``-`` turns it round."""
    if not sort:
        return BY_ID
    descending = sort.startswith("-")
    name = sort.removeprefix("-")
    if name == "_id":
        return Order("null::timestamptz", descending)
    if name == "_lastUpdated":
        return Order("r.updated", descending)
    if name in known and known[name].kind == "date":
        return Order(ends(known[name])[0], descending)
    dates = [p.name for p in known.values() if p.kind == "date"]
    raise InvalidRequest(
        f"{resource_type} can be sorted by one of {', '.join(['_id', *dates])}; "
        f"{sort[:64]!r} is not among them",
        expression="_sort",
    )


def place_text(key: UUID, value: datetime | None) -> str:
    """The place after a match, as an opaque text."""
    parts = [str(key), value.isoformat() if value else None]
    return base64.urlsafe_b64encode(orjson.dumps(parts)).decode().rstrip("=")


def place_of(order: Order, text: str) -> tuple[str, dict[str, Any]]:
    """The clause that begins after a place, and its values."""
    try:
        key, value = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        values: dict[str, Any] = {"place_id": UUID(key)}
        if value is not None:
            values["place"] = datetime.fromisoformat(value)
    except (ValueError, TypeError, AttributeError):
        raise InvalidRequest(
            "the page's cursor is damaged; begin again with the first page",
            expression="_cursor",
        ) from None
    way = "<" if order.descending else ">"
    if order.value == "null::timestamptz":
        return f"r.id {way} %(place_id)b", values
    column = order.value
    if "place" not in values:
        return f"({column} is null and r.id > %(place_id)b)", values
    return (
        f"({column} {way} %(place)b or {column} is null"
        f" or ({column} = %(place)b and r.id > %(place_id)b))",
        values,
    )
