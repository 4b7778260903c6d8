"""Dates that a row can hold and nobody could read again, as some systems send them for "none"."""

from __future__ import annotations

import importlib
import json
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from healthhub import keep
from healthhub.keep import Choice, rows
from healthhub.model.message import Envelope, Incoming
from healthhub.store import differences, direct, search

MIGRATION = importlib.import_module("healthhub.store.migrations.versions.0025_calendar_edges")
EDGES = ("0001-01-01T00:00:00+08:00", "2026-01-01", "9999-12-31T12:00:00+08:00")


@pytest.mark.parametrize(("order", "wanted"), [("date", "012"), ("-date", "210")])
def test_dates_at_the_edge_of_the_calendar_break_no_order(
    connection: psycopg.Connection[Any], order: str, wanted: str
) -> None:
    for number, date in enumerate(EDGES):
        body = {
            "resourceType": "Observation",
            "id": str(number),
            "status": "final",
            "code": {"coding": [{"system": "urn:s", "code": "c"}]},
            "effectiveDateTime": date,
        }
        direct.update(connection, "Observation", str(number), body)
    asked = [("code", "urn:s|c"), ("_count", "1"), ("_sort", order)]
    page = search.run(connection, "Observation", asked)
    found = [json.loads(each.json)["id"] for each in page.matches]
    while page.next:
        page = search.run(connection, "Observation", [*asked, ("_cursor", page.next)])
        found += [json.loads(each.json)["id"] for each in page.matches]
    assert found == list(wanted)


@pytest.mark.parametrize("at", ["0001-12-31 16:00:00+00 BC", "9999-12-31 23:00:00+00"])
def test_a_message_from_before_the_check_is_read_again_without_its_time(
    connection: psycopg.Connection[Any], at: str
) -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    for control in ("C1", "C2"):
        said = Envelope("ORU^R01", control, control, now)
        rows.put(connection, [Incoming("his", control.encode(), now, "test", said)])
    connection.execute("update message set at = %s where control = 'C1'", (at,))
    connection.execute(MIGRATION.MESSAGES)
    first, second = sorted(keep.claim(connection, range(256), 10), key=lambda one: one.id)
    assert first.envelope.at is None
    assert second.envelope.at is not None
    assert len(keep.find(connection, Choice(source="his"))) == 2


@pytest.mark.parametrize("bad", ["0001-12-31 16:00:00+00 BC", "9999-12-31 23:00:00+00"])
@pytest.mark.parametrize("column", ["at_start", "at_end", "event_at"])
def test_a_resource_from_before_the_check_is_read_checked_and_written_again(
    connection: psycopg.Connection[Any], column: str, bad: str
) -> None:
    for key, date in (("dated", "2026-03-01"), ("undated", None)):
        body = {
            "resourceType": "Observation",
            "id": key,
            "status": "final",
            "code": {"coding": [{"system": "urn:s", "code": "c"}]},
        }
        dated = body if date is None else body | {"effectiveDateTime": date}
        direct.update(connection, "Observation", key, dated)
    where = "at_start is not null" if column != "event_at" else "true"
    connection.execute(f"update resource set {column} = %s where {where}", (bad,))  # type: ignore[arg-type]  # noqa: S608
    connection.execute(MIGRATION.RESOURCES)
    (undated,) = connection.execute(
        "select count(*) from resource where at_start is null and at_end is null"
    ).fetchall()
    assert undated == (1,)
    connection.commit()
    wrong = [each for each in differences.find(connection, 0, 1) if each is not None]
    assert {tuple(each.what) for each in wrong} <= {("date",)}
    direct.update(
        connection, "Observation", "dated", body | {"id": "dated", "status": "amended"}
    )
