"""What a search may cost, and that its pages stay whole while others write."""

from __future__ import annotations

import threading
from uuid import UUID

import psycopg
import pytest

from healthhub.errors import InvalidRequest, TooCostly
from healthhub.store import direct, includes, search
from healthhub.store.database import connect


def observation(number: int, day: int) -> dict:
    return {
        "resourceType": "Observation",
        "id": f"o{number}",
        "status": "final",
        "code": {"coding": [{"system": "urn:s", "code": "c"}]},
        "effectiveDateTime": f"2026-01-{day:02}",
    }


def test_a_search_that_takes_too_long_is_ended_with_advice(database: str) -> None:
    with connect(database) as busy, connect(database) as reader:
        busy.execute("lock table resource in access exclusive mode")
        reader.execute("set statement_timeout = '50ms'")
        with pytest.raises(TooCostly, match="narrow it"):
            search.run(reader, "Observation", [("status", "final")])


def test_more_than_a_page_may_bring_along_is_refused(
    connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(includes, "MOST", 3)
    direct.update(connection, "Encounter", "e", {"resourceType": "Encounter", "id": "e"})
    for number in range(4):
        body = observation(number, 1) | {"encounter": {"reference": "Encounter/e"}}
        direct.update(connection, "Observation", body["id"], body)
    with pytest.raises(InvalidRequest, match="smaller _count"):
        search.run(connection, "Encounter", [("_revinclude", "Observation:encounter")])


@pytest.mark.parametrize("sort", ["_id", "date", "-date"])
def test_pages_give_each_match_once_while_writers_run(database: str, sort: str) -> None:
    """What was there at the start and does not move is given once; what comes meanwhile at
    most once."""
    with connect(database) as connection:
        for number in range(60):
            body = observation(number, 1 + number % 28)
            direct.update(connection, "Observation", body["id"], body)
    stop = threading.Event()

    def write() -> None:
        with connect(database) as writer:
            for number in range(1000, 5000):
                if stop.is_set():
                    return
                fresh = observation(number, 1 + number % 28)
                direct.update(writer, "Observation", fresh["id"], fresh)
                old = observation(number % 60, 1 + number % 60 % 28) | {
                    "language": f"x-{number}"
                }
                direct.update(writer, "Observation", old["id"], old)
                writer.commit()

    writers = [threading.Thread(target=write)]
    for thread in writers:
        thread.start()
    try:
        seen = pages(database, sort)
    finally:
        stop.set()
        for thread in writers:
            thread.join()
    assert len(seen) == len(set(seen))
    with connect(database) as connection:
        first = {direct.row_id("Observation", f"o{number}") for number in range(60)}
        assert first <= set(seen)
        assert pages(database, sort) != []
        connection.rollback()


def pages(database: str, sort: str) -> list[UUID]:
    """The ids of all pages, in their order."""
    seen: list[UUID] = []
    cursor = None
    with connect(database) as connection:
        connection.autocommit = True
        for _ in range(400):
            params = [("code", "c"), ("_count", "7"), ("_sort", sort)]
            more = [("_cursor", cursor)] if cursor else []
            page = search.run(connection, "Observation", [*params, *more])
            seen += [match.id for match in page.matches]
            cursor = page.next
            if cursor is None:
                return seen
    raise AssertionError("the pages do not end")
