"""Readings through the hub: by HTTP with the source's token, again and again, to one state."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from hut import LIBRARY, raw
from serving import answering

from healthhub import keep
from healthhub.convert.converter import Converter
from healthhub.convert.samples import samples
from healthhub.keep import Choice
from healthhub.main import build_app
from healthhub.model.message import State
from healthhub.pipeline import process
from healthhub.receive import polling
from healthhub.settings import Folder, Settings
from healthhub.store import query, reads, search

TOKEN = "a-token-for-tests"
SETTINGS = Settings.model_validate(
    {
        "institutions": {"h": {"title": "南渡镇卫生院"}},
        "sources": {
            "home": {
                "institution": "h",
                "adapter": "device",
                "mapping": "national/device",
                "token_sha256": hashlib.sha256(TOKEN.encode()).hexdigest(),
            }
        },
    }
)
BATCH = samples(LIBRARY, "national/device")[0].path.read_bytes()


@pytest.fixture
def home(database: str) -> Iterator[httpx.Client]:
    with answering(build_app(SETTINGS, database)) as client:
        client.headers["Authorization"] = f"Bearer {TOKEN}"
        yield client


def post(client: httpx.Client, body: bytes) -> httpx.Response:
    return client.post("/feeds/home/device", content=body)


def worked(database: str) -> None:
    converter = Converter("home", SETTINGS.sources["home"], LIBRARY)
    with psycopg.connect(database, autocommit=True) as conn:
        while batch := keep.claim(conn, range(256), 100):
            process(conn, batch, {"home": converter}, 1)


def state(database: str) -> dict[tuple[str, str], Any]:
    with psycopg.connect(database) as conn:
        keys = [key for (key,) in conn.execute("select id from resource").fetchall()]
        bodies = [json.loads(each.json) for each in query.fetch(conn, reads.by_ids(keys))]
    for body in bodies:
        body.pop("meta")
    return {(body["resourceType"], body["id"]): body for body in bodies}


def test_a_batch_is_kept_line_by_line_and_a_replay_changes_nothing(
    database: str, home: httpx.Client
) -> None:
    told = post(home, BATCH).raise_for_status().json()
    assert [one["outcome"] for one in told] == ["accept"] * 6
    assert all(one["repeated"] for one in post(home, BATCH).json())
    worked(database)
    first = state(database)
    kinds = [kind for kind, _ in first]
    assert (kinds.count("Patient"), kinds.count("Device")) == (2, 1)
    assert kinds.count("Observation") == 12
    with psycopg.connect(database, autocommit=True) as conn:
        assert keep.counts(conn).by_state[State.DONE] == 6
        keep.replay(conn, Choice(source="home"), who="test", reason="again")
    worked(database)
    assert state(database) == first


def test_a_retry_in_another_batch_makes_nothing_twice(
    database: str, home: httpx.Client
) -> None:
    post(home, raw(type="heart-rate", value=72, sent=1)).raise_for_status()
    post(home, b"[" + raw(type="heart-rate", value=72, sent=2) + b"]").raise_for_status()
    worked(database)
    assert [kind for kind, _ in state(database)].count("Observation") == 1


def test_what_is_broken_is_told_and_the_rest_is_kept(database: str, home: httpx.Client) -> None:
    answer = post(
        home, raw(type="spo2", value=97) + b'\n{"type": \n' + raw(type="spo2", value=96, id="2")
    )
    assert answer.status_code == 422
    assert [one["outcome"] for one in answer.json()] == ["accept", "reject", "accept"]
    assert answer.json()[1]["place"].startswith("byte ")
    assert (
        home.post(
            "/feeds/home/device", content=b"{}", headers={"Authorization": "Bearer x"}
        ).status_code
        == 401
    )
    with psycopg.connect(database) as conn:
        by_state = keep.counts(conn).by_state
    assert (by_state[State.REJECTED], by_state[State.PENDING]) == (1, 2)


def test_a_converted_value_is_found_in_the_unit_of_the_chart(
    database: str, home: httpx.Client
) -> None:
    post(home, raw(type="glucose", value=128, unit="mg/dL")).raise_for_status()
    worked(database)
    with psycopg.connect(database) as conn:
        asked = [("code-value-quantity", "http://loinc.org|14743-9$gt7.0||mmol/L")]
        assert len(search.run(conn, "Observation", asked).matches) == 1
        sent = [("component-code-value-quantity", "http://loinc.org|41653-7$128||mg/dL")]
        assert len(search.run(conn, "Observation", sent).matches) == 1


def test_a_file_of_lines_is_taken_reading_by_reading(tmp_path: Path, database: str) -> None:
    source = SETTINGS.sources["home"].model_copy(
        update={"folder": Folder(path=tmp_path, settle_seconds=0)}
    )
    hub = SETTINGS.model_copy(update={"sources": {"home": source}})
    (tmp_path / "day.ndjson").write_bytes(BATCH)
    (duty,) = polling.duties(hub, "home")
    for _ in range(2):
        assert polling.once("home", duty.turn, database) == ""
    with psycopg.connect(database) as conn:
        assert keep.counts(conn).by_state[State.PENDING] == 6
