"""Concepts: what a resource's code says, as one number by which the rows of everybody are walked.

A row bears the number of its concept: the codings of its code, the units of its value, and
whether its time is long. The index ``resource_coded`` holds the rows of each concept by time,
with the bounds of the value, so that a code, a value range and a time are found together and
in order. ``resource_concept`` tells which concepts a code that is searched for belongs to.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, lru_cache
from typing import LiteralString
from weakref import WeakKeyDictionary

from psycopg import Connection

from healthhub.model.resource import Body
from healthhub.store.hashes import half, token
from healthhub.store.parameters import Parameter, named
from healthhub.store.spans import Both

LONG = timedelta(days=31)
"""A time that is longer has an end that says little of its beginning."""
LONG_TIME, SEVERAL_VALUES = 1, 2
"""What a concept's rows may be: then an end, or the bounds of a value, do not choose among them."""
_NAMES = ("code", "vaccine-code")
_SIZE = "value-quantity"
REMEMBERED = 50_000

Entry = tuple[int, int, int, int]
"""A row of resource_concept: a code's token, the concept, the hash of a unit (0: none), traits."""
Span = tuple[int, int, int]
"""Key, first and last."""


@dataclass(frozen=True, slots=True)
class Concept:
    """The number that a row bears, and the entries by which it is found."""

    number: int
    entries: tuple[Entry, ...]


@cache
def code_of(resource_type: str) -> Parameter | None:
    """The parameter of the code by which a type's rows are walked; None where there is none."""
    for name in _NAMES:
        found = named(resource_type).get(name)
        if found is None or found.own or len(found.places) != 1:
            continue
        place = found.places[0]
        if place.type == "CodeableConcept" and not place.many and len(place.steps) == 1:
            return found
    return None


@cache
def _halves(resource_type: str) -> frozenset[int]:
    """The upper halves of the keys under which a type's value stands among the spans."""
    found = named(resource_type).get(_SIZE)
    if found is None or code_of(resource_type) is None:
        return frozenset()
    return frozenset(half(place.path) for place in found.places)


def is_code(resource_type: str, parameter: Parameter) -> bool:
    """Whether a token is the code by which a type's rows are walked."""
    code = code_of(resource_type) if resource_type else None
    return code is not None and [each.path for each in parameter.places] == [
        each.path for each in code.places
    ]


def is_size(resource_type: str, parameter: Parameter) -> bool:
    """Whether a quantity is the value that the index of a type's concepts has the bounds of."""
    halves = {half(place.path) for place in parameter.places}
    return bool(halves) and halves <= _halves(resource_type)


def sizes(resource_type: str, spans: Iterable[Span]) -> list[Span]:
    """Those of a row's spans that are its value."""
    halves = _halves(resource_type)
    return [span for span in spans if span[0] >> 32 in halves] if halves else []


def of(body: Body, sizes: Sequence[Span], time: Both) -> Concept | None:
    """The concept of a resource, from its code, its value's spans and its clinical date."""
    kind = body["resourceType"]
    parameter = code_of(kind)
    if parameter is None:
        return None
    path = parameter.places[0].path
    held = body.get(path)
    if not isinstance(held, dict):
        return None
    said = [(each.get("system", ""), each.get("code", "")) for each in held.get("coding", ())]
    if not any(system or code for system, code in said):
        return None
    start, end = time
    traits = LONG_TIME if start and end and end - start > LONG else 0
    if len({span[1:] for span in sizes}) > 1:
        traits |= SEVERAL_VALUES
    units = tuple(sorted({signed(key & 0xFFFFFFFF) for key, _, _ in sizes})) or (0,)
    return _concept(kind, path, tuple(sorted(said)), units, traits)


def unit(name: str) -> int:
    """The number of a unit in the entries of a concept."""
    return half(name) if name else 0


def signed(number: int) -> int:
    """Four bytes as PostgreSQL's integer has them."""
    return number - (1 << 32) if number >> 31 else number


@lru_cache(maxsize=REMEMBERED)
def _concept(
    kind: str,
    path: str,
    codings: tuple[tuple[str, str], ...],
    units: tuple[int, ...],
    traits: int,
) -> Concept:
    number = half(repr((kind, codings, units, traits)))
    tokens: set[int] = set()
    for system, code in codings:
        if code:
            tokens |= {token(path, code), token(path, f"{system}|{code}")}
        if system:
            tokens.add(token(path, f"{system}|"))
    return Concept(
        number, tuple((each, number, of, traits) for each in sorted(tokens) for of in units)
    )


_ABSENT: LiteralString = """select distinct u.n
  from unnest(%b::int[], %b::bigint[], %b::int[], %b::int[], %b::smallint[])
       u(n, token, concept, unit, traits)
 where not exists (select from resource_concept c where c.token = u.token
    and c.concept = u.concept and c.unit = u.unit and c.traits = u.traits"""
_EARLIER: LiteralString = " and age(c.xmin) > 0"
"""Only what an earlier transaction wrote is remembered: no rollback can make it a lie."""
_INSERT: LiteralString = """insert into resource_concept (token, concept, unit, traits)
    select * from unnest(%b::bigint[], %b::int[], %b::int[], %b::smallint[])"""

_seen: WeakKeyDictionary[Connection, OrderedDict[Concept, None]] = WeakKeyDictionary()
"""Each connection remembers for itself, as it belongs to one database."""


def keep(connection: Connection, found: Iterable[Concept | None]) -> None:
    """Enter the concepts that are not there yet.

    Two writers may enter the same at once; it then stands there twice, which changes no answer
    and makes neither wait for the other.
    """
    seen = _seen.setdefault(connection, OrderedDict())
    new = [each for each in dict.fromkeys(found) if each is not None and each not in seen]
    if not new:
        return
    absent = _absent(connection, new, _ABSENT + _EARLIER + ")")
    seen.update((each, None) for n, each in enumerate(new) if n not in absent)
    while len(seen) > REMEMBERED:
        seen.popitem(last=False)
    entries = [entry for n in absent for entry in new[n].entries]
    if entries:
        with connection.cursor(binary=True) as cursor:
            cursor.execute(_INSERT, [list(column) for column in zip(*entries, strict=True)])


def missing(connection: Connection, concept: Concept) -> bool:
    """Whether a concept lacks an entry."""
    return bool(_absent(connection, [concept], _ABSENT + ")"))


def _absent(connection: Connection, some: Sequence[Concept], sql: LiteralString) -> set[int]:
    """Which of the concepts are not wholly there."""
    entries = [(n, *entry) for n, each in enumerate(some) for entry in each.entries]
    with connection.cursor(binary=True) as cursor:
        columns = [list(column) for column in zip(*entries, strict=True)]
        return {n for (n,) in cursor.execute(sql, columns)}
