"""Readings through the hub: by HTTP with the source's token, again and again, to one state."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from hut import LIBRARY, raw
from posted import Posted

from healthhub import keep
from healthhub.convert.samples import samples
from healthhub.keep import Choice
from healthhub.model.message import State
from healthhub.store import search

FEED = Posted("home", "device", "national/device")
BATCH = samples(LIBRARY, "national/device")[0].path.read_bytes()


@pytest.fixture
def home(database: str) -> Iterator[httpx.Client]:
    with FEED.answering(database) as client:
        yield client


def test_a_batch_is_kept_line_by_line_and_a_replay_changes_nothing(
    database: str, home: httpx.Client
) -> None:
    told = FEED.post(home, BATCH).raise_for_status().json()
    assert [one["outcome"] for one in told] == ["accept"] * 6
    assert all(one["repeated"] for one in FEED.post(home, BATCH).json())
    FEED.worked(database)
    first = FEED.state(database)
    kinds = [kind for kind, _ in first]
    assert (kinds.count("Patient"), kinds.count("Device")) == (2, 1)
    assert kinds.count("Observation") == 12
    with psycopg.connect(database, autocommit=True) as conn:
        assert keep.counts(conn).by_state[State.DONE] == 6
        keep.replay(conn, Choice(source="home"), who="test", reason="again")
    FEED.worked(database)
    assert FEED.state(database) == first


def test_a_retry_in_another_batch_makes_nothing_twice(
    database: str, home: httpx.Client
) -> None:
    FEED.post(home, raw(type="heart-rate", value=72, sent=1)).raise_for_status()
    FEED.post(home, b"[" + raw(type="heart-rate", value=72, sent=2) + b"]").raise_for_status()
    FEED.worked(database)
    assert [kind for kind, _ in FEED.state(database)].count("Observation") == 1


def test_what_is_broken_is_told_and_the_rest_is_kept(database: str, home: httpx.Client) -> None:
    answer = FEED.post(
        home, raw(type="spo2", value=97) + b'\n{"type": \n' + raw(type="spo2", value=96, id="2")
    )
    assert answer.status_code == 422
    assert [one["outcome"] for one in answer.json()] == ["accept", "reject", "accept"]
    assert answer.json()[1]["place"].startswith("byte ")
    assert (
        home.post(FEED.path, content=b"{}", headers={"Authorization": "Bearer x"}).status_code
        == 401
    )
    with psycopg.connect(database) as conn:
        by_state = keep.counts(conn).by_state
    assert (by_state[State.REJECTED], by_state[State.PENDING]) == (1, 2)


def test_a_converted_value_is_found_in_the_unit_of_the_chart(
    database: str, home: httpx.Client
) -> None:
    FEED.post(home, raw(type="glucose", value=128, unit="mg/dL")).raise_for_status()
    FEED.worked(database)
    with psycopg.connect(database) as conn:
        asked = [("code-value-quantity", "http://loinc.org|14743-9$gt7.0||mmol/L")]
        assert len(search.run(conn, "Observation", asked).matches) == 1
        sent = [("component-code-value-quantity", "http://loinc.org|41653-7$128||mg/dL")]
        assert len(search.run(conn, "Observation", sent).matches) == 1


def test_a_file_of_lines_is_taken_reading_by_reading(tmp_path: Path, database: str) -> None:
    (tmp_path / "day.ndjson").write_bytes(BATCH)
    FEED.looked_into(database, tmp_path)
    with psycopg.connect(database) as conn:
        assert keep.counts(conn).by_state[State.PENDING] == 6
