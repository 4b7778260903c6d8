"""Index and body are held against one another on a live store, and the index is made anew."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from itertools import pairwise

import psycopg
import pytest

from healthhub.store import differences, direct, reindex, search
from healthhub.store.database import connect

PEOPLE = 40


def person(number: int) -> dict:
    return {
        "resourceType": "Patient",
        "id": f"p{number}",
        "identifier": [{"system": "urn:n", "value": str(number)}],
        "name": [{"text": f"Invented {number}"}],
        "birthDate": "1970-01-01",
        "communication": [{"language": {"text": f"tongue {number}"}}],
    }


def immunization(number: int) -> dict:
    return {
        "resourceType": "Immunization",
        "id": f"i{number}",
        "status": "completed",
        "vaccineCode": {"coding": [{"code": f"v{number}"}]},
        "patient": {"reference": f"Patient/p{number}"},
    }


@pytest.mark.parametrize(
    "sql",
    ["update resource set concept = null", "update resource set concept = 5 where concept <> 0",
     "delete from resource_concept", "update resource_concept set traits = 1"],
)  # fmt: skip
def test_a_wrong_concept_is_told_and_put_right(held: psycopg.Connection, sql: str) -> None:
    with held.transaction():
        for number in range(3, 8):
            direct.update(held, "Immunization", f"i{number}", immunization(number))
    assert wrong(held) == []
    held.execute(sql)  # type: ignore[arg-type]
    assert set(wrong(held)) == {("concept",)}
    assert reindex.reindex(held, lambda _: None).righted == 5
    assert wrong(held) == []
    assert len(search.run(held, "Immunization", [("vaccine-code", "v7")]).matches) == 1


@pytest.fixture
def held(database: str) -> Iterator[psycopg.Connection]:
    """A store of some people, and a connection with autocommit."""
    with connect(database) as writer:
        for number in range(PEOPLE):
            direct.update(writer, "Patient", f"p{number}", person(number))
        for number in range(3):
            direct.delete(writer, "Patient", f"p{number}")
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection


def wrong(connection: psycopg.Connection) -> list[tuple[str, ...]]:
    """What verify tells of each row."""
    return [each.what for each in reindex.verify(connection, lambda _: None)]


SPOILT = [
    ("update resource set tokens = tokens || 5::bigint", ("tokens",), PEOPLE),
    ("update resource set tokens = '{}' where tokens <> '{}'", ("tokens",), PEOPLE - 3),
    ("update resource set present = 0 where present <> 0", ("presence",), PEOPLE - 3),
    ("update resource set at_end = null where not deleted", ("date",), PEOPLE - 3),
    ("update resource set spans = '{1,2,3}'", ("spans",), PEOPLE),
    ("update resource set version = version + 1", ("version",), PEOPLE),
    ("delete from resource_identifier", ("identifiers",), PEOPLE - 3),
    ("insert into resource_identifier select * from resource_identifier", ("identifiers",), PEOPLE - 3),
    ("update resource_identifier set hash = 1", ("identifiers",), PEOPLE - 3),
    ("delete from resource_text where parameter = 'name' and value like '%1'", ("texts",), 3),
    ("delete from resource_word", ("words",), PEOPLE - 3),
    ("insert into resource_text values (gen_random_uuid(), gen_random_uuid(), 1, 'name', 'x')", ("stray",), 1),
    ("insert into resource_identifier values (1, 2, null, gen_random_uuid(), gen_random_uuid())", ("stray",), 1),
]  # fmt: skip


def test_a_store_that_was_only_written_to_verifies(held: psycopg.Connection) -> None:
    assert wrong(held) == []


@pytest.mark.parametrize(
    ("sql", "what", "count"), SPOILT, ids=[each[0][:60] for each in SPOILT]
)
def test_each_difference_is_told_and_put_right(
    held: psycopg.Connection, sql: str, what: tuple[str, ...], count: int
) -> None:
    held.execute(sql)  # type: ignore[arg-type]
    assert wrong(held) == [what] * count
    if what == ("version",):  # the body's number is not the index's to mend
        return
    done = reindex.reindex(held, lambda _: None)
    assert (done.done, done.righted) == (done.of, count)
    assert wrong(held) == []
    assert len(search.run(held, "Patient", [("identifier", "urn:n|7")]).matches) == 1


def test_ranges_cover_every_id_once(
    monkeypatch: pytest.MonkeyPatch, held: psycopg.Connection
) -> None:
    edges = [differences.bounds(number, 7) for number in range(7)]
    assert edges[0][0].int == 0
    assert edges[-1][1].int == 2**128 - 1
    assert all(low.int == high.int + 1 for (_, high), (low, _) in pairwise(edges))
    monkeypatch.setattr(differences, "ROWS", 5)
    held.execute("analyze resource")
    assert differences.ranges(held) == 8
    assert wrong(held) == []


def test_a_run_that_was_cut_off_goes_on(
    monkeypatch: pytest.MonkeyPatch, held: psycopg.Connection
) -> None:
    monkeypatch.setattr(differences, "ROWS", 5)
    held.execute("analyze resource")
    held.execute("update resource set tokens = '{}'")

    def cut(progress: reindex.Progress) -> None:
        if progress.done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reindex.reindex(held, cut)
    started: list[int] = []
    done = reindex.reindex(held, lambda progress: started.append(progress.done))
    assert started == [4, 5, 6, 7, 8]
    assert done.righted == PEOPLE - 3
    assert wrong(held) == []


def test_one_reindex_works_at_a_time(database: str, held: psycopg.Connection) -> None:
    with psycopg.connect(database, autocommit=True) as other:
        other.execute("select pg_advisory_lock(%s)", (reindex._LOCK,))
        with pytest.raises(reindex.Busy):
            reindex.reindex(held, lambda _: None)


def test_writers_go_on_while_the_index_is_made_anew(
    database: str, held: psycopg.Connection
) -> None:
    held.execute("update resource set tokens = '{}'")
    stop = threading.Event()

    def write() -> None:
        with connect(database) as writer:
            number = 0
            while not stop.is_set():
                number += 1
                changed = person(number % PEOPLE) | {"language": f"x-{number}"}
                direct.update(writer, "Patient", changed["id"], changed)
                writer.commit()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(3):
            reindex.reindex(held, lambda _: None)
            assert wrong(held) == []
    finally:
        stop.set()
        thread.join()


@pytest.mark.slow
def test_a_killed_process_is_followed_by_one_that_ends(
    database: str, held: psycopg.Connection
) -> None:
    with connect(database) as writer:
        for number in range(PEOPLE, 400):
            direct.update(writer, "Patient", f"p{number}", person(number))
    held.execute("analyze resource")
    held.execute("update resource set tokens = '{}'")
    program = (
        "import sys, psycopg\nfrom healthhub.store import differences, reindex\n"
        "differences.ROWS = 10\n"
        "with psycopg.connect(sys.argv[1], autocommit=True) as connection:\n"
        "    reindex.reindex(connection, lambda p: print(p.done, flush=True))\n"
    )
    with subprocess.Popen(  # noqa: S603 - this very interpreter
        [sys.executable, "-c", program, database], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if int(line) >= 5:
                os.kill(child.pid, signal.SIGKILL)
                break
    row = held.execute("select done, finished_at from index_run").fetchone()
    assert row is not None
    assert row[0] >= 5
    assert row[1] is None
    # The lock of a killed process goes with its connection.
    for _ in range(200):
        try:
            reindex.reindex(held, lambda _: None)
            break
        except reindex.Busy:
            held.execute("select pg_sleep(0.05)")
    assert wrong(held) == []
