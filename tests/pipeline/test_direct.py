"""Writes of FHIR clients: store and person index in one transaction, whoever else writes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import orjson
import psycopg
import pytest
from psycopg import errors

from healthhub import identify
from healthhub.errors import HubError, PreconditionFailed, TryAgain
from healthhub.pipeline import direct


@pytest.fixture
def conn(database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database, autocommit=True) as opened:
        yield opened


def patient(name: str = "王伟") -> dict[str, Any]:
    return {"resourceType": "Patient", "name": [{"text": name}]}


def count(conn: psycopg.Connection) -> int:
    row = conn.execute("select count(*) from resource where not deleted").fetchone()
    return row[0] if row else 0


def test_what_the_person_index_refuses_is_not_stored(
    conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(identify, "observe", refuse)
    with pytest.raises(ZeroDivisionError):
        direct.create(conn, "Patient", patient())
    assert count(conn) == 0


def test_a_write_that_met_another_writer_is_done_again(
    conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, met = identify.observe, []

    def observe(*arguments: Any) -> None:
        if len(met) < 2:
            met.append(1)
            raise errors.DeadlockDetected
        real(*arguments)

    monkeypatch.setattr(identify, "observe", observe)
    stored = direct.create(conn, "Patient", patient())
    assert (stored.version, count(conn), len(met)) == (1, 1, 2)


def test_a_wrong_version_is_refused_at_once_and_changes_nothing(
    conn: psycopg.Connection,
) -> None:
    stored = direct.create(conn, "Patient", patient())
    with pytest.raises(PreconditionFailed):
        direct.update(conn, "Patient", str(stored.id), patient("李娜"), if_match=7)
    assert count(conn) == 1


def test_two_clients_that_put_the_same_new_id_make_one_resource_of_two_versions(
    conn: psycopg.Connection, database: str
) -> None:
    failures: list[Exception] = []
    together = threading.Barrier(4)

    def put(name: str) -> None:
        try:
            with psycopg.connect(database, autocommit=True) as own:
                together.wait()
                direct.update(own, "Patient", "same", {**patient(name), "id": "same"})
        except (psycopg.Error, HubError) as error:
            failures.append(error)

    threads = [threading.Thread(target=put, args=(f"n{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    stored = direct.update(conn, "Patient", "same", {**patient("last"), "id": "same"})
    assert stored.version == 5
    assert orjson.loads(stored.json)["name"][0]["text"] == "last"


def test_a_deleted_resource_is_gone_and_deleting_again_is_nothing(
    conn: psycopg.Connection,
) -> None:
    stored = direct.create(conn, "Patient", patient())
    gone = direct.delete(conn, "Patient", str(stored.id))
    assert gone is not None
    assert gone.deleted
    assert count(conn) == 0
    assert direct.delete(conn, "Patient", str(stored.id)) is None


def test_a_write_waits_for_another_only_so_long(
    conn: psycopg.Connection, database: str
) -> None:
    stored = direct.create(conn, "Patient", patient())
    conn.execute("set lock_timeout = '50ms'")
    with psycopg.connect(database) as other:
        other.execute("select 1 from resource for update")
        with pytest.raises(TryAgain):
            direct.update(conn, "Patient", str(stored.id), patient("李娜"))
    assert direct.update(conn, "Patient", str(stored.id), patient("李娜")).version == 2
