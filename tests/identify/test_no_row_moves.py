"""Joining and parting persons moves no clinical row: not its place, its key, nor its version."""

from __future__ import annotations

from typing import Any

import psycopg
from people import arrive, draft, key, merge, number, persons, stamp

from healthhub.model import ids
from healthhub.model.resource import Draft

Connection = psycopg.Connection[Any]
BORN = "1980-03-07"


def result(patient: str) -> Draft:
    """An observation of a patient."""
    uid = ids.derive("test", "Observation", patient)
    body: dict[str, Any] = {
        "resourceType": "Observation",
        "id": str(uid),
        "meta": {"source": "urn:healthhub:source:test#1"},
        "status": "final",
        "code": {"text": "血钾"},
        "subject": {"reference": f"Patient/{key(patient)}"},
    }
    return Draft("Observation", uid, key(patient), stamp(1), body)


def rows(connection: Connection) -> list[tuple[Any, ...]]:
    """Where the observations and the sources' own patients stand, and who last wrote them."""
    keys = [ids.derive("test", "Observation", name) for name in "ab"] + [key("a"), key("b")]
    return connection.execute(
        "select id, patient_key, version, ctid::text, xmin::text, updated from resource"
        " where id = any(%s) order by id",
        (keys,),
    ).fetchall()


def test_a_merge_and_its_undoing_move_no_row(connection: Connection) -> None:
    arrive(connection, draft("a", "", "陈梅"), draft("b", "", "陈没"), result("a"), result("b"))
    before = rows(connection)
    assert len(before) == 4
    arrive(connection, merges=(merge("a", "b", 5),))
    assert persons(connection, "a", "b") == [{"a", "b"}]
    assert rows(connection) == before
    arrive(connection, merges=(merge("a", "b", 6, undone=True),))
    assert persons(connection, "a", "b") == [{"a"}, {"b"}]
    assert rows(connection) == before


def test_a_number_that_joins_and_its_correction_that_parts_move_no_clinical_row(
    connection: Connection,
) -> None:
    one = number(1)
    arrive(connection, draft("a", one, "陈梅", BORN), draft("b", "", "陈梅"), result("b"))
    before = [row for row in rows(connection) if row[0] != key("b")]
    arrive(connection, draft("b", one, "陈梅", BORN, at=2))
    assert persons(connection, "a", "b") == [{"a", "b"}]
    arrive(connection, draft("b", number(3), "陈梅", BORN, at=3))
    assert persons(connection, "a", "b") == [{"a"}, {"b"}]
    assert [row for row in rows(connection) if row[0] != key("b")] == before
