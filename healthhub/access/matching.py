"""Find the persons that a Patient could be: candidates by search, judged, one for each person."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from healthhub import identify
from healthhub.identify.golden import is_golden
from healthhub.identify.match import Features, Fit, Judge, features, judge
from healthhub.model.resource import Body, Stored
from healthhub.store import query, reads, search

CANDIDATES = 100
"""Patients that one search brings in; a name and a birth date are shared by few."""


@dataclass(frozen=True, slots=True)
class Match:
    """A person that fits: its Patient (the golden one where there is one), and how well."""

    patient: Stored
    fit: Fit


async def find(
    pool: AsyncConnectionPool[Any], wanted: Body, judge_: Judge = judge
) -> list[Match]:
    """The persons that fit, the best first."""
    looked_for = features(wanted)
    async with pool.connection() as connection:
        found: dict[UUID, Stored] = {}
        for params in _searches(wanted, looked_for):
            limit = ("_count", str(CANDIDATES))
            page = await search.arun(connection, "Patient", [*params, limit])
            found.update({stored.id: stored for stored in page.matches})
        fits = await _judged(connection, found, looked_for, judge_)
        missing = [key for key in fits if key not in found]
        if missing:
            more = await query.afetch(connection, reads.by_ids(missing))
            found.update({stored.id: stored for stored in more})
    matches = [Match(found[key], fit) for key, fit in fits.items() if key in found]
    return sorted(matches, key=lambda one: (-one.fit.score, one.patient.id))


async def _judged(
    connection: AsyncConnection[Any],
    found: dict[UUID, Stored],
    looked_for: Features,
    judge_: Judge,
) -> dict[UUID, Fit]:
    """The best fit of each person's Patients. A golden Patient says what others have said: it
    is judged only by them."""
    best: dict[UUID, Fit] = {}
    for key, stored in found.items():
        body: Body = orjson.loads(stored.json)
        if is_golden(body):
            continue
        fit = judge_(looked_for, features(body))
        if fit is None:
            continue
        person = await identify.aperson_of(connection, key)
        if person not in best or fit.score > best[person].score:
            best[person] = fit
    return best


def _searches(wanted: Body, looked_for: Features) -> Iterator[list[tuple[str, str]]]:
    evidence = looked_for.evidence
    if evidence.number:
        yield [("identifier", evidence.number)]
    for system, value in sorted(looked_for.identifiers):
        yield [("identifier", f"{_escaped(system)}|{_escaped(value)}")]
    if evidence.birth is not None:
        for name in _names(wanted):
            yield [("name", _escaped(name)), ("birthdate", evidence.birth.isoformat())]
    for phone in sorted(looked_for.phones):
        yield [("phone", phone)]


def _names(wanted: Body) -> list[str]:
    """Names as they were written: the search folds them itself."""
    found: dict[str, None] = {}
    for one in wanted.get("name", ()):
        text = one.get("text") or "".join([one.get("family", ""), *one.get("given", ())])
        if text:
            found[text] = None
    return list(found)


def _escaped(text: str) -> str:
    return re.sub(r"([\\,|$])", r"\\\1", text)
