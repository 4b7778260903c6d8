"""All patients who could be one person with the given ones, read and locked without deadlock."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson
import psycopg

from healthhub.identify.evidence import Evidence

Connection = psycopg.Connection[Any]
ROUNDS = 50

_HOLD = """
select patient_key, number from patient_identity
 where patient_key = any(%b) order by patient_key for update
"""
_NAMED = """
insert into patient_identity (patient_key, known)
select key, false from unnest(%b::uuid[]) as key order by 1
on conflict (patient_key) do nothing
"""
_NOTE = """
update patient_identity
   set number = new.number, names = new.names, birth = new.birth, known = new.known,
       nameless = new.nameless
  from jsonb_to_recordset(%s::jsonb) as new (
       key uuid, number text, names text[], birth date, known boolean, nameless boolean)
 where patient_identity.patient_key = new.key
"""
_FOUND = """
select identity.patient_key, number, names, birth, known, nameless,
       person_key, rule, evidence
  from patient_identity identity left join person_link using (patient_key)
 where identity.patient_key = any(%(keys)b) or number = any(%(numbers)b)
    or identity.patient_key in (
       select patient_key from person_link where person_key = any(%(persons)b))
"""
_PAIRS = """
select kept, replaced, undone from patient_pair
 where kept = any(%(keys)b) or replaced = any(%(keys)b)
"""
_MAKE_NUMBERS = """
insert into identity_number (number)
select number from unnest(%b::text[]) as number order by 1
on conflict do nothing
"""
_LOCK_NUMBERS = """
select number from identity_number where number = any(%b) order by number for update
"""


@dataclass(frozen=True, slots=True)
class Link:
    """A patient's person, by which rule, tied to whom: (rule, other patient) pairs."""

    patient: UUID
    person: UUID
    rule: str
    evidence: tuple[tuple[str, str], ...]

    def evidence_json(self) -> str:
        """The evidence as it is stored."""
        return orjson.dumps(self.evidence).decode()


@dataclass(slots=True)
class Around:
    """Patients who share a number, a merge or a person, however many steps away."""

    numbers: set[str]
    evidence: dict[UUID, Evidence] = field(default_factory=dict[UUID, Evidence])
    links: dict[UUID, Link] = field(default_factory=dict[UUID, Link])
    pairs: dict[tuple[UUID, UUID], bool] = field(default_factory=dict[tuple[UUID, UUID], bool])

    @property
    def merged(self) -> list[tuple[UUID, UUID]]:
        """The pairs that are said to be one, in order."""
        return sorted(pair for pair, undone in self.pairs.items() if not undone)


def hold(connection: Connection, patients: Collection[UUID]) -> set[str]:
    """Make and lock the patients' rows in key order; the numbers they bore until now."""
    keys = sorted(patients)
    connection.execute(_NAMED, (keys,))
    rows = connection.execute(_HOLD, (keys,)).fetchall()
    return {number for _, number in rows if number is not None}


def note(connection: Connection, evidence: Mapping[UUID, Evidence]) -> None:
    """Write down what was seen of the patients."""
    if not evidence:
        return
    rows = [
        {
            "key": key,
            "number": one.number,
            "names": one.names,
            "birth": one.birth,
            "known": one.known,
            "nameless": one.nameless,
        }
        for key, one in evidence.items()
    ]
    connection.execute(_NOTE, (orjson.dumps(rows).decode(),))


def lock(connection: Connection, patients: Collection[UUID], numbers: set[str]) -> Around:
    """The surroundings of the patients, with every number in them locked.

    Numbers are locked in order. If others turn up while waiting, the locks are given back (to
    a savepoint) and taken anew with the new ones, so that two transactions never wait for
    each other in a ring.
    """
    around = _around(connection, patients, numbers)
    for _ in range(ROUNDS):
        if not around.numbers:
            return around
        locked = set(around.numbers)
        with connection.transaction() as attempt:
            connection.execute(_MAKE_NUMBERS, (sorted(locked),))
            connection.execute(_LOCK_NUMBERS, (sorted(locked),))
            around = _around(connection, patients, numbers)
            if around.numbers <= locked:
                return around
            raise psycopg.Rollback(attempt)
    raise psycopg.errors.DeadlockDetected("identity numbers change faster than they are locked")


def _around(connection: Connection, patients: Collection[UUID], numbers: set[str]) -> Around:
    around = Around(numbers=set(numbers))
    seen: set[UUID] = set()
    keys, fresh, persons = set(patients), set(numbers), set[UUID]()
    while keys or fresh or persons:
        wanted = {"keys": list(keys), "numbers": list(fresh), "persons": list(persons)}
        rows = connection.execute(_FOUND, wanted).fetchall()
        seen |= persons
        new = {row[0]: row for row in rows if row[0] not in around.evidence}
        for key, row in new.items():
            _, number, names, birth, known, nameless, person, rule, ties = row
            around.evidence[key] = Evidence(number, tuple(names), birth, known, nameless)
            if person is not None:
                around.links[key] = Link(key, person, rule, tuple(map(_tie, ties)))
        pairs = connection.execute(_PAIRS, {"keys": list(new)}).fetchall() if new else []
        around.pairs.update({(kept, replaced): undone for kept, replaced, undone in pairs})
        keys = {key for pair in around.pairs for key in pair} - around.evidence.keys()
        fresh = {one.number for one in around.evidence.values() if one.number} - around.numbers
        around.numbers |= fresh
        persons = {link.person for link in around.links.values()} - seen
        persons -= around.evidence.keys()
    return around


def _tie(pair: list[str]) -> tuple[str, str]:
    return pair[0], pair[1]
