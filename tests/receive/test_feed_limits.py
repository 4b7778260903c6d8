"""What one sender over HTTP may make the hub hold: bytes until they are kept, and messages."""

from __future__ import annotations

import asyncio
import threading
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psycopg
import pytest
from fastapi import FastAPI

from healthhub import keep
from healthhub.adapter_api import registry
from healthhub.main import build_app
from healthhub.model.message import Incoming
from healthhub.receive import http, intake
from healthhub.receive.connection import Budget
from tests.receive.conftest import settings_with
from tests.receive.test_feed_over_http import BASE, HEADERS
from tests.receive.test_mllp_listener import utf8
from tests.serving import answering

SOURCES = {
    "his": BASE,
    "ihe": {**BASE, "adapter": "hl7v3", "mapping": "national/hl7v3"},
    "home": {**BASE, "adapter": "device"},
    "partner": {**BASE, "adapter": "fhir"},
    "pacs": {**BASE, "adapter": "dicom"},
}


@pytest.fixture
def app(database: str) -> FastAPI:
    return build_app(settings_with({}, SOURCES), database)


@pytest.fixture
def client(app: FastAPI) -> Iterator[httpx.Client]:
    with answering(app) as opened:
        opened.headers.update(HEADERS)
        yield opened


class SlowKeeper:
    """A keeper whose disk is slow: it keeps nothing until it is let."""

    def __init__(self, keeper: keep.Keeper) -> None:
        self._keeper = keeper
        self.asked, self.let = threading.Event(), threading.Event()

    async def submit(self, incoming: Incoming) -> Any:
        self.asked.set()
        await asyncio.to_thread(self.let.wait, 20)
        return await self._keeper.submit(incoming)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("his/hl7v2", "text/plain"),
        ("ihe/soap", "application/soap+xml"),
        ("pacs/studies", "application/dicom"),
    ],
)
def test_a_body_counts_until_what_it_holds_is_kept(
    app: FastAPI, client: httpx.Client, path: str, kind: str
) -> None:
    body = utf8("7")
    slow = app.state.keeper = SlowKeeper(app.state.keeper)
    app.state.feed_budget = Budget(len(body) * 3 // 2)

    def send() -> httpx.Response:
        return client.post(f"/feeds/{path}", content=body, headers={"Content-Type": kind})

    with ThreadPoolExecutor(1) as other:
        first = other.submit(send)
        assert slow.asked.wait(10)
        second = send()
        slow.let.set()
        assert (second.status_code, "large bodies" in second.text) == (503, True)
        assert first.result(20).status_code != 503
    assert send().status_code != 503


BODIES = [
    ("his/hl7v2", [utf8(str(number)) for number in range(5)]),
    ("his/hl7v2", [b"\x0brubbish %d\x1c\r" % number for number in range(5)]),
    ("home/device", [b'{"id": "%d"}\n' % number for number in range(5)]),
]


@pytest.mark.parametrize(("path", "pieces"), BODIES, ids=["messages", "rubbish", "readings"])
def test_a_body_of_too_many_messages_is_refused_and_those_before_are_kept(
    client: httpx.Client,
    connection: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    pieces: list[bytes],
) -> None:
    monkeypatch.setattr(http, "MOST_MESSAGES", 3)
    answer = client.post(f"/feeds/{path}", content=b"".join(pieces))
    assert (answer.status_code, "send fewer at a time" in answer.text) == (413, True)
    assert keep.counts(connection).total == 3
    assert client.post(f"/feeds/{path}", content=b"".join(pieces[:3])).status_code != 413
    assert keep.counts(connection).total == 3


def test_a_large_message_is_read_where_it_keeps_nobody_waiting(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter, beside = type(registry.find("fhir")), list[bool]()
    real = adapter.envelope

    def envelope(self: Any, raw: bytes, feed: Any) -> Any:
        beside.append(asyncio._get_running_loop() is None)
        return real(self, raw, feed)

    monkeypatch.setattr(adapter, "envelope", envelope)
    note = "x" * intake.LONG_BYTES
    body = {"resourceType": "Patient", "id": "1", "name": [{"text": note}]}
    assert client.post("/feeds/partner/fhir", json=body).status_code == 200
    assert beside == [True]


@pytest.mark.parametrize(
    ("adapter", "body"), [("hl7v2", b"MSH|\r" * 10**6), ("fhir", b"\n" * 5 * 10**6)]
)
def test_a_body_is_cut_piece_by_piece(adapter: str, body: bytes) -> None:
    pieces = registry.find(adapter).split(body)
    tracemalloc.start()
    try:
        next(pieces)
        assert tracemalloc.get_traced_memory()[1] < len(body)
    finally:
        tracemalloc.stop()
