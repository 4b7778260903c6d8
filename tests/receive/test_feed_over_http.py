"""POST /feeds/{source}/hl7v2: tokens, one or many messages, answers as JSON or as HL7."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import psycopg
import pytest
import uvicorn
from psycopg.conninfo import make_conninfo

from healthhub import keep
from healthhub.keep import Choice
from healthhub.main import build_app
from healthhub.receive.frames import frame
from tests.receive.conftest import settings_with
from tests.receive.test_mllp_listener import utf8

TOKEN = "a-token-for-tests"
SHA = hashlib.sha256(TOKEN.encode()).hexdigest()
BASE = {"institution": "h", "mapping": "x", "token_sha256": SHA}
SOURCES: dict[str, dict[str, Any]] = {
    "his": BASE,
    "tight": {**BASE, "addresses": ["10.0.0.0/8"]},
    "silent": {"institution": "h", "mapping": "x"},
}
HEADERS = {"Authorization": f"Bearer {TOKEN}"}


@contextmanager
def served(database: str, dsn: str) -> Iterator[httpx.Client]:
    """A client of the whole application, whose feeds are kept in ``dsn``."""
    app = build_app(settings_with({}, SOURCES), database)
    app.state.dsn = dsn
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as opened:
            yield opened
    finally:
        server.should_exit = True
        thread.join(20)


@pytest.fixture
def client(database: str) -> Iterator[httpx.Client]:
    with served(database, database) as opened:
        yield opened


def post(client: httpx.Client, body: bytes, name: str = "his", **headers: str) -> Any:
    return client.post(f"/feeds/{name}/hl7v2", content=body, headers={**HEADERS, **headers})


def test_a_message_is_durable_when_it_is_accepted(client: httpx.Client, database: str) -> None:
    response = post(client, utf8("7"))
    assert response.status_code == 200
    (entry,) = response.json()
    assert (entry["outcome"], entry["control"], entry["repeated"]) == ("accept", "7", False)
    with psycopg.connect(database) as conn:
        assert keep.get(conn, entry["id"]).raw == utf8("7")


@pytest.mark.parametrize("join", [b"", b"\n", b"\r\n", "framed"])
def test_many_messages_in_a_body_are_answered_one_by_one(
    client: httpx.Client, join: bytes | str
) -> None:
    messages = [utf8(str(n)) for n in range(5)]
    if isinstance(join, bytes):
        body = join.join(messages)
    else:
        body = b"".join(frame(message) for message in messages)
    entries = post(client, body).json()
    assert [entry["control"] for entry in entries] == ["0", "1", "2", "3", "4"]
    assert len({entry["id"] for entry in entries}) == 5


def test_the_same_body_again_is_accepted_and_stores_nothing(
    client: httpx.Client, connection: psycopg.Connection
) -> None:
    body = utf8("1") + utf8("2")
    first, again = post(client, body).json(), post(client, body).json()
    assert [entry["id"] for entry in again] == [entry["id"] for entry in first]
    assert all(entry["repeated"] for entry in again)
    assert keep.counts(connection).total == 2


def test_a_body_with_garbage_says_which_message_is_wrong_and_keeps_the_rest(
    client: httpx.Client, connection: psycopg.Connection
) -> None:
    response = post(client, b"rubbish\r" + utf8("2"))
    assert response.status_code == 422
    assert [entry["outcome"] for entry in response.json()] == ["reject", "accept"]
    assert "/" in response.json()[0]["text"]
    assert [line.state for line in keep.find(connection, Choice())] == ["pending", "rejected"]


def test_acknowledgements_come_as_hl7_when_asked(client: httpx.Client) -> None:
    response = post(client, utf8("1") + utf8("2"), Accept="application/hl7-v2")
    assert response.headers["content-type"].startswith("application/hl7-v2")
    assert response.content.count(b"MSA|AA|") == 2
    framed = post(client, frame(utf8("1")), Accept="text/plain")
    assert framed.content.startswith(b"\x0bMSH")


@pytest.mark.parametrize(
    ("name", "authorization"),
    [
        ("his", ""),
        ("his", "Bearer wrong"),
        ("his", f"Basic {TOKEN}"),
        ("his", "Bearer"),
        ("silent", f"Bearer {TOKEN}"),
        ("silent", "Bearer -"),
        ("nobody", f"Bearer {TOKEN}"),
    ],
)
def test_without_the_token_of_the_source_nothing_is_taken(
    client: httpx.Client, connection: psycopg.Connection, name: str, authorization: str
) -> None:
    response = client.post(
        f"/feeds/{name}/hl7v2", content=utf8(), headers={"Authorization": authorization}
    )
    assert response.status_code == 401
    assert keep.counts(connection).total == 0


def test_a_source_with_networks_sends_from_them_alone(client: httpx.Client) -> None:
    assert post(client, utf8(), "tight").status_code == 403


def test_another_kind_of_feed_than_the_source_has_is_not_found(client: httpx.Client) -> None:
    response = client.post("/feeds/his/cda", content=b"x", headers=HEADERS)
    assert response.status_code == 404


def test_an_empty_body_is_no_message(client: httpx.Client) -> None:
    response = post(client, b"")
    assert (response.status_code, response.json()) == (422, [])


def test_a_sender_is_told_when_to_come_back_while_the_store_is_away(database: str) -> None:
    nowhere = make_conninfo(database, host="127.0.0.1", port="1")
    with served(database, nowhere) as client:
        response = post(client, utf8())
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) > 0
    assert response.json()[0]["outcome"] == "error"
