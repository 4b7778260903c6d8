"""The order of a search's matches, and the place in it where a page ends."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from healthhub.errors import InvalidRequest
from healthhub.store.conditions import Clauses
from healthhub.store.hashes import half
from healthhub.store.parameters import Parameter, named

MOST_KEYS = 4


@dataclass(frozen=True, slots=True)
class Key:
    """One value that matches are sorted by: its SQL, its type there, its direction."""

    sql: str
    type: str
    descending: bool
    always: bool = False

    @property
    def way(self) -> str:
        """Its direction. What every row has is left without a word on nulls, as its index is."""
        return ("desc" if self.descending else "asc") + ("" if self.always else " nulls last")


@dataclass(frozen=True, slots=True)
class Order:
    """How matches are sorted. The id breaks ties; rows without a value come last."""

    keys: tuple[Key, ...] = ()
    descending: bool = False

    @property
    def newest(self) -> bool:
        """Whether the clinical date alone says it, the newest first."""
        return [key.sql for key in self.keys] == ["r.at_end"] and not self.descending

    @property
    def indexed(self) -> bool:
        """Whether an index holds a type's rows in this order."""
        first = self.keys[0] if self.keys else None
        return first is None or first.always or (first.sql == "r.at_end" and first.descending)

    def by(self, row: str, *, driven: bool, names: Sequence[str] = ()) -> str:
        """The ORDER BY; ``names`` stand for the keys where a subquery has them.

        Where an index finds few rows (``driven``), the last key is made an expression that no
        index has: a limit would tempt the planner to walk a whole type in its order instead.
        """
        parts = [
            f"{names[n] if names else key.sql} {key.way}" for n, key in enumerate(self.keys)
        ]
        last = f"uuid_send({row}.id)" if driven else f"{row}.id"
        return ", ".join([*parts, f"{last} {'desc' if self.descending else 'asc'}"])


def order_of(clauses: Clauses, sort: str) -> Order:
    """What ``_sort`` asks for (http://hl7.org/fhir/R4/search.html#sort): dates, numbers,
    quantities and strings, _lastUpdated, _id; ``-`` turns one round."""
    keys: list[Key] = []
    for part in sort.split(",") if sort else ():
        descending, name = part.startswith("-"), part.removeprefix("-")
        if name == "_id":
            return Order(tuple(keys), descending)
        keys.append(_key(clauses, name, descending))
    if len(keys) > MOST_KEYS:
        raise InvalidRequest(f"_sort takes at most {MOST_KEYS} keys", expression="_sort")
    return Order(tuple(keys))


def _key(clauses: Clauses, name: str, descending: bool) -> Key:
    row = clauses.row
    parameter = named(clauses.type).get(name)
    if name == "_lastUpdated":
        return Key(f"{row}.updated", "timestamptz", descending, always=True)
    if parameter is not None and parameter.clinical:
        # A period's end makes it the newest, its start the oldest.
        return Key(
            f"{row}.at_end" if descending else f"{row}.at_start", "timestamptz", descending
        )
    if parameter is not None and parameter.kind in ("date", "number", "quantity"):
        keys = clauses.value([half(place.path) for place in parameter.places])
        value = "max" if descending else "min"
        spans = f"{row}.spans"
        end = f"{spans}[i+2]" if descending else f"{spans}[i+1]"
        return Key(
            f"(select {value}({end}) from generate_series(1, cardinality({spans}), 3) i"  # noqa: S608
            f" where ({spans}[i] >> 32) = any({keys}::bigint[]))",
            "bigint",
            descending,
        )
    if parameter is not None and parameter.kind == "string" and name != "phonetic":
        fields = clauses.value([place.path for place in parameter.places])
        value = "max" if descending else "min"
        return Key(
            f"(select {value}(t.value) from resource_text t where t.id = {row}.id"  # noqa: S608
            f" and t.type = {row}.type and t.parameter = any({fields}::text[]))",
            "text",
            descending,
        )
    raise _unsortable(clauses.type, name)


def _unsortable(resource_type: str, name: str) -> InvalidRequest:
    kinds = ("date", "number", "quantity", "string")
    known = [one.name for one in named(resource_type).values() if _sorts(one, kinds)]
    return InvalidRequest(
        f"{resource_type or 'a search of all types'} can be sorted by "
        f"{', '.join(['_id', *known])}; {name[:64]!r} is not among them",
        expression="_sort",
    )


def _sorts(parameter: Parameter, kinds: Sequence[str]) -> bool:
    return parameter.kind in kinds and parameter.name != "phonetic"


def place_text(key: UUID, values: Sequence[Any]) -> str:
    """The place after a match, as an opaque text."""
    parts = [value.isoformat() if isinstance(value, datetime) else value for value in values]
    return base64.urlsafe_b64encode(orjson.dumps([str(key), *parts])).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ended: the last match's id and the values it was sorted by."""

    id: UUID
    values: tuple[Any, ...]


def place_of(order: Order, text: str) -> Place:
    """The place that ``place_text`` wrote."""
    try:
        held = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        first, *found = orjson.loads(held)
        if len(found) != len(order.keys):
            raise ValueError
        values = [_read(key, value) for key, value in zip(order.keys, found, strict=True)]
        return Place(UUID(first), tuple(values))
    except (ValueError, TypeError, AttributeError):
        raise InvalidRequest(
            "the page's cursor is damaged or of another search; begin again with the first page",
            expression="_cursor",
        ) from None


def after(clauses: Clauses, order: Order, place: Place) -> str:
    """The clause that begins after a place; its values go into the clauses'."""
    way = "<" if order.descending else ">"
    made = f"{clauses.row}.id {way} {clauses.value(place.id)}"
    for key, value in reversed(list(zip(order.keys, place.values, strict=True))):
        if value is None:
            made = f"({key.sql} is null and {made})"
            continue
        here = f"{clauses.value(value)}::{key.type}"
        way = "<" if key.descending else ">"
        if key.always:  # in a form of which an index takes the first part as where to begin
            made = f"({key.sql} {way}= {here} and ({key.sql} <> {here} or {made}))"
            continue
        made = (
            f"({key.sql} {way} {here} or {key.sql} is null or ({key.sql} = {here} and {made}))"
        )
    return made


def _read(key: Key, value: Any) -> Any:
    if value is None:
        return None
    match key.type:
        case "timestamptz":
            return datetime.fromisoformat(value)
        case "bigint" if type(value) is int and -(2**63) <= value < 2**63:
            return value
        case "text" if type(value) is str and "\0" not in value:
            return value
    raise ValueError
