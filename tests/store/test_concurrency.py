"""Many writers at once: no version is lost, none has another's number, no memory lies."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import orjson
import psycopg

from healthhub.errors import PreconditionFailed
from healthhub.model import ids
from healthhub.model.resource import Draft, Stamp
from healthhub.store import direct, reads, writer
from healthhub.store.database import connect
from healthhub.store.query import fetch
from tests.store.drafts import PATIENT, accept, draft, stamp

WRITERS = 12
DAY = 24 * 60


def at_once(database: str, work: Callable[[psycopg.Connection, int], object]) -> list:
    """What the writers' transactions gave, or the errors that they raised."""

    def one(number: int) -> object:
        with connect(database) as connection:
            try:
                return work(connection, number)
            except PreconditionFailed as error:
                return error

    with ThreadPoolExecutor(WRITERS) as threads:
        return list(threads.map(one, range(WRITERS)))


def patient(number: int) -> dict:
    return {"resourceType": "Patient", "id": "p", "language": f"x-{number}"}


def test_writers_of_one_id_make_contiguous_versions(database: str) -> None:
    made = at_once(database, lambda c, n: direct.update(c, "Patient", "p", patient(n)).version)
    assert sorted(made) == list(range(1, WRITERS + 1))
    with connect(database) as connection:
        history = fetch(connection, reads.history("Patient", ids.row_id("Patient", "p")))
    assert [entry.version for entry in history] == list(range(WRITERS, 0, -1))
    assert len({orjson.loads(entry.json)["language"] for entry in history}) == WRITERS


def test_one_of_many_with_the_same_if_match_wins(database: str) -> None:
    with connect(database) as connection:
        direct.update(connection, "Patient", "p", patient(99))
    made = at_once(database, lambda c, n: direct.update(c, "Patient", "p", patient(n), 1))
    assert sum(isinstance(each, PreconditionFailed) for each in made) == WRITERS - 1
    with connect(database) as connection:
        history = fetch(connection, reads.history("Patient", ids.row_id("Patient", "p")))
    assert [entry.version for entry in history] == [2, 1]


def test_batches_that_share_rows_lose_no_statement(database: str) -> None:
    elements = ("language", "status", "priority", "class", "type", "length")

    def work(connection: psycopg.Connection, number: int) -> object:
        name = elements[number % len(elements)]
        drafts = [
            draft("Encounter", str(visit), stamp(number + 1), **{name: {"x": number}})
            for visit in range(10)
        ]
        return len(writer.write(connection, drafts[:: 1 if number % 2 else -1], accept))

    with connect(database) as connection:
        writer.write(
            connection, [draft("Encounter", str(v), stamp(1)) for v in range(10)], accept
        )
    assert at_once(database, work) == [10] * WRITERS
    with connect(database) as connection:
        for visit in range(10):
            key = ids.derive("test", "Encounter", str(visit))
            stored = fetch(connection, reads.by_id("Encounter", key))
            body = orjson.loads(stored.json)
            assert [body[name]["x"] for name in elements] == [6, 7, 8, 9, 10, 11]


def practitioner(minute: int, name: str) -> Draft:
    return draft(
        "Practitioner", "d", stamp(minute, 0), patient=ids.SHARED, name=[{"text": name}]
    )


def name_of(connection: psycopg.Connection) -> str:
    key = ids.derive("test", "Practitioner", "d")
    return orjson.loads(fetch(connection, reads.by_id("Practitioner", key)).json)["name"][0][
        "text"
    ]


def test_a_mention_that_was_true_before_is_believed_again(database: str) -> None:
    with connect(database) as connection:
        for day, name in enumerate("AAABBA"):
            writer.write(connection, [practitioner(day * DAY, name)], accept)
            connection.commit()
        assert name_of(connection) == "A"


def test_what_was_rolled_back_is_not_remembered(database: str) -> None:
    with connect(database) as connection:
        for _ in range(3):
            with connection.transaction(force_rollback=True):
                for _ in range(3):
                    writer.write(connection, [practitioner(1, "A")], accept)
        for _ in range(2):
            with connection.transaction():
                for _ in range(2):
                    with connection.transaction(force_rollback=True):
                        writer.write(connection, [practitioner(1, "A")], accept)
        assert [w.action for w in writer.write(connection, [practitioner(1, "A")], accept)] == [
            "created"
        ]


def test_mentions_of_one_day_touch_a_shared_row_once(database: str) -> None:
    with connect(database) as connection:
        places = set()
        for minute in range(5):
            writer.write(connection, [practitioner(minute, "A")], accept)
            connection.commit()
            row = connection.execute("select ctid, xmin from resource").fetchone()
            places.add(row)
        assert len(places) == 1


def test_a_feed_may_correct_later_what_a_client_wrote(connection: psycopg.Connection) -> None:
    writer.write(connection, [draft("Patient", "1", stamp(1), gender="male")], accept)
    sent = {"resourceType": "Patient", "gender": "female"}
    direct.update(connection, "Patient", str(PATIENT), sent)
    soon = datetime.now(UTC) + timedelta(seconds=5)
    late = draft("Patient", "1", stamp(2), gender="unknown", language="zh")
    for said, gender in ((late, "female"), (None, "other")):
        newer = draft("Patient", "1", Stamp(1, soon, 99), gender="other")
        writer.write(connection, [said or newer], accept)
        stored = fetch(connection, reads.by_id("Patient", PATIENT))
        assert orjson.loads(stored.json)["gender"] == gender


def test_a_client_is_believed_even_if_a_clock_is_ahead(connection: psycopg.Connection) -> None:
    ahead = Stamp(2, datetime.now(UTC) + timedelta(days=400), 7)
    writer.write(connection, [draft("Patient", "1", ahead, gender="male")], accept)
    sent = {"resourceType": "Patient", "gender": "female"}
    direct.update(connection, "Patient", str(PATIENT), sent)
    writer.write(connection, [draft("Patient", "1", ahead, gender="male")], accept)
    stored = fetch(connection, reads.by_id("Patient", PATIENT))
    assert orjson.loads(stored.json)["gender"] == "female"
