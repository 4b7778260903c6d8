"""Invented patients for the tests of person links."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg

from healthhub import identify
from healthhub.identify.identity import check_character
from healthhub.model import ids, validate
from healthhub.model.resource import Draft, Merge, Stamp
from healthhub.store import writer

START = datetime(2026, 1, 1, tzinfo=UTC)


def number(sequence: int, birth: str = "19800307") -> str:
    """A valid invented resident number."""
    stem = f"420106{birth}{sequence:03}"
    return stem + check_character(stem)


def key(name: str) -> UUID:
    """The key of a source patient."""
    return ids.derive("test", "Patient", name)


def stamp(minutes: int) -> Stamp:
    """A statement so many minutes after the start."""
    return Stamp(1, START + timedelta(minutes=minutes), minutes)


def draft(
    patient: str, resident: str = "", name: str = "", birth: str = "", at: int = 1, **more: Any
) -> Draft:
    """What a source says of a patient."""
    body: dict[str, Any] = {
        "resourceType": "Patient",
        "id": str(key(patient)),
        "meta": {"source": f"urn:healthhub:source:test#{at}"},
    }
    if resident:
        body["identifier"] = [{"system": "urn:oid:2.16.156.10011.1.3", "value": resident}]
    if name:
        body["name"] = [{"text": name}]
    if birth:
        body["birthDate"] = birth
    return Draft("Patient", key(patient), key(patient), stamp(at), body | more)


def arrive(
    connection: psycopg.Connection[Any], *drafts: Draft, merges: tuple[Merge, ...] = ()
) -> None:
    """Write the drafts and link their patients, in one transaction."""
    written = writer.write(connection, drafts, validate.check)
    identify.observe(connection, written, merges)
    connection.commit()


def merge(kept: str, replaced: str, at: int, *, undone: bool = False) -> Merge:
    """An A40, or its cancellation."""
    return Merge(key(kept), key(replaced), stamp(at), undone)


def persons(connection: psycopg.Connection[Any], *patients: str) -> list[set[str]]:
    """The patients, put together as the hub does."""
    together: dict[UUID, set[str]] = {}
    for patient in patients:
        person = identify.person_of(connection, key(patient))
        together.setdefault(person, set()).add(patient)
    return sorted(together.values(), key=sorted)
