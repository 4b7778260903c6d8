"""Whose data an export of a Group, or of named patients, is of."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson
import psycopg

from healthhub import identify
from healthhub.bulk.wanted import Wanted
from healthhub.errors import InvalidRequest, NotFound
from healthhub.model.ids import row_id
from healthhub.store import query, reads

Connection = psycopg.Connection[Any]
_PATIENT = "Patient/"


def members(conn: Connection, group: str) -> list[str]:
    """The FHIR ids of a Group's patients, those that have left it not among them."""
    stored = query.fetch(conn, reads.by_id("Group", row_id("Group", group)))
    found: list[str] = []
    for member in orjson.loads(stored.json).get("member", ()):
        reference = member.get("entity", {}).get("reference", "")
        if reference.startswith(_PATIENT) and not member.get("inactive"):
            found.append(reference.removeprefix(_PATIENT).partition("/")[0])
    return list(dict.fromkeys(found))


def require(conn: Connection, wanted: Wanted) -> None:
    """Raise NotFound when the Group is not there, InvalidRequest when a named patient is not
    there or not in it."""
    known = set(members(conn, wanted.group)) if wanted.level == "Group" else None
    for patient in wanted.patients:
        if known is not None and patient not in known:
            raise InvalidRequest(
                f"Patient/{patient} is no member of this Group", expression="patient"
            )
        try:
            query.fetch(conn, reads.by_id("Patient", row_id("Patient", patient)))
        except NotFound:
            raise InvalidRequest(
                f"there is no Patient/{patient}; leave it out", expression="patient"
            ) from None


def keys(conn: Connection, wanted: Wanted) -> list[UUID] | None:
    """The patient keys whose rows are wanted, golden Patients with their sources; None: all."""
    if wanted.patients:
        named = list(wanted.patients)
    elif wanted.level == "Group":
        named = members(conn, wanted.group)
    else:
        return None
    covered: set[UUID] = set()
    for patient in named:
        covered.update(identify.cover(conn, row_id("Patient", patient)))
    return sorted(covered)
