"""Key sets that clients publish: read where the settings allow, bounded, kept, read anew."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import psycopg
import pytest
from serving import answering
from signing import Signer, ask, claims, elliptic, endpoint, register

from healthhub.access import published
from healthhub.main import build_app
from healthhub.settings import Oauth, Settings

FIRST, SECOND = elliptic("first"), elliptic("second")


@dataclass
class Publisher:
    """A server that publishes a key set: what it answers, and how often it was asked."""

    address: str = ""
    status: int = 200
    body: bytes = FIRST.set()
    headers: dict[str, str] = field(default_factory=dict)
    asked: int = 0


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    """A publisher on a port of its own."""
    told = Publisher()

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.asked += 1
            self.send_response(told.status)
            for name, value in told.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(told.body)))
            self.end_headers()
            self.wfile.write(told.body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    told.address = f"http://127.0.0.1:{server.server_port}/keys"
    yield told
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def hub(
    database: str, connection: psycopg.Connection, publisher: Publisher
) -> Iterator[httpx.Client]:
    """A hub that may read there, and a client that publishes its keys there."""
    register(connection, "his", "system/*.rs", url=publisher.address)
    known = Settings(oauth=Oauth(keys_from=(publisher.address,), keys_timeout_seconds=2))
    with answering(build_app(known, database)) as client:
        yield client


def asked(hub: httpx.Client, signer: Signer, **header: Any) -> int:
    """The status of the answer to an assertion of this key."""
    return ask(hub, signer.signed(claims("his", endpoint(hub)), **header)).status_code


def test_a_set_is_read_once_while_it_is_believed(
    hub: httpx.Client, publisher: Publisher
) -> None:
    assert [asked(hub, FIRST) for _ in range(3)] == [200, 200, 200]
    assert asked(hub, FIRST, jku=publisher.address) == 200
    assert publisher.asked == 1


def test_many_at_once_read_it_once(hub: httpx.Client, publisher: Publisher) -> None:
    with ThreadPoolExecutor(8) as crowd:
        assert set(crowd.map(lambda _: asked(hub, FIRST), range(16))) == {200}
    assert publisher.asked == 1


def test_a_new_key_is_found_by_reading_anew_and_the_old_one_is_refused(
    hub: httpx.Client, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(published, "AGAIN_SECONDS", 0.0)
    assert asked(hub, FIRST) == 200
    publisher.body = SECOND.set()
    assert asked(hub, SECOND) == 200
    assert asked(hub, FIRST) == 401


def test_unknown_keys_make_the_hub_read_no_more_often_than_it_may(
    hub: httpx.Client, publisher: Publisher
) -> None:
    assert {asked(hub, SECOND, kid=f"k{n}") for n in range(10)} == {401}
    assert publisher.asked == 1


@pytest.mark.parametrize(
    ("header", "again"),
    [("no-store", 2), ("max-age=0", 2), ("public, max-age=600", 1), ("", 1)],
)
def test_a_set_is_kept_no_longer_than_its_publisher_says(
    hub: httpx.Client,
    publisher: Publisher,
    monkeypatch: pytest.MonkeyPatch,
    header: str,
    again: int,
) -> None:
    monkeypatch.setattr(published, "AGAIN_SECONDS", 0.0)
    publisher.headers = {"cache-control": header}
    assert [asked(hub, FIRST), asked(hub, FIRST)] == [200, 200]
    assert publisher.asked == again


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (500, b"", {}),
        (302, b"", {"location": "/other"}),
        (200, b"<html>", {}),
        (200, b" " * 100_000, {}),
        (200, json.dumps({"keys": [FIRST.key.as_dict(private=True)]}).encode(), {}),
    ],
    ids=["error", "elsewhere", "no set", "endless", "private"],
)
def test_a_set_that_cannot_be_read_is_told_as_such_and_asked_for_later(
    hub: httpx.Client,
    publisher: Publisher,
    status: int,
    body: bytes,
    headers: dict[str, str],
) -> None:
    publisher.status, publisher.body, publisher.headers = status, body, headers
    answer = ask(hub, FIRST.signed(claims("his", endpoint(hub))))
    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
    assert "retry-after" in answer.headers
    assert asked(hub, FIRST) == 503
    assert publisher.asked == 1


def test_a_set_that_is_believed_outlives_a_failure_of_its_publisher(
    hub: httpx.Client, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(published, "AGAIN_SECONDS", 0.0)
    assert asked(hub, FIRST) == 200
    publisher.status = 500
    assert asked(hub, SECOND) == 401
    assert asked(hub, FIRST) == 200


def test_an_address_that_the_settings_do_not_allow_is_never_called(
    database: str, connection: psycopg.Connection, publisher: Publisher
) -> None:
    register(connection, "his", "system/*.rs", url=publisher.address)
    with answering(build_app(Settings(), database)) as hub:
        assert asked(hub, FIRST) == 401
    assert publisher.asked == 0
