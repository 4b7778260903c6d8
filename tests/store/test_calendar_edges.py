"""Dates that a row can hold and nobody could read again, as some systems send them for "none"."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest

from healthhub.store import direct, search

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
