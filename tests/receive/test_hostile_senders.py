"""What one sender does to a hub, others do not notice, and an administrator sees in the console."""

from __future__ import annotations

import contextlib
import resource
import socket
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import httpx
import psycopg
import pytest
from serving import answering

from healthhub import clock, keep
from healthhub.keep import Choice, figures
from healthhub.main import build_app
from healthhub.model.message import State
from healthhub.pipeline import process
from healthhub.pipeline.converters import converters_of
from healthhub.receive.frames import VT
from healthhub.watch.looking import Looker
from tests.receive.conftest import Client, Listening, settings_with
from tests.receive.test_feed_over_http import BASE, HEADERS
from tests.receive.test_mllp_listener import message, segments, utf8

IDLE = 2_000
PIECE = b"x" * 2**20
SETTINGS = settings_with(
    {},
    {
        "his": {**BASE, "mapping": "national/hl7v2"},
        "p": {**BASE, "adapter": "tabular", "mapping": "township-p"},
    },
)


def accepted(port: int, control: str) -> bool:
    """Whether another sender's message is taken now."""
    with Client(port) as other:
        return segments(other.ask(utf8(control)))["MSA"][1:3] == ["AA", control]


def shown(dsn: str) -> list[str]:
    """Why messages were rejected, as the console lists them."""
    with psycopg.connect(dsn) as conn:
        return [line.detail for line in keep.find(conn, Choice(state=State.REJECTED))]


@pytest.mark.slow
def test_others_are_answered_while_a_field_of_200_megabytes_comes(
    listening: Listening, database: str
) -> None:
    with listening() as port, Client(port) as client:
        client.socket.sendall(VT + utf8() + b"OBX|1|TX|A^B||")
        with contextlib.suppress(OSError):
            for number in range(200):
                client.socket.sendall(PIECE)
                if number % 10 == 0:
                    assert accepted(port, f"n{number}")
        assert accepted(port, "after")
    assert any("longer than 16777216 bytes" in reason for reason in shown(database))


@pytest.mark.slow
def test_others_are_answered_while_a_stream_without_an_end_comes(
    listening: Listening, database: str
) -> None:
    with listening(max_frame_bytes=2**20) as port, Client(port) as client:
        with contextlib.suppress(OSError):
            for number in range(200):
                client.socket.sendall(b"GET / HTTP/1.1 " * 4000)
                if number % 10 == 0:
                    assert accepted(port, f"n{number}")
        assert accepted(port, "after")
    assert shown(database)


@pytest.fixture
def files() -> Iterator[None]:
    """Room for the sockets of a flood, both ends of which are in this process."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(before[1], 3 * IDLE), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.slow
def test_senders_are_answered_under_a_flood_of_idle_connections(
    listening: Listening, database: str, files: None
) -> None:
    with listening() as port, contextlib.ExitStack() as stack, Client(port) as early:
        assert segments(early.ask(utf8("before")))["MSA"][1] == "AA"
        for number in range(IDLE):
            stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
            if number % 500 == 499:
                assert accepted(port, f"n{number}")
        assert segments(early.ask(utf8("still")))["MSA"][1] == "AA"
    assert any("connections are open" in reason for reason in shown(database))


def bomb(path: Path) -> bytes:
    """A workbook of 200 KB whose sheet is 200 MB."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("[Content_Types].xml", "<Types/>")
        packed.writestr("xl/workbook.xml", "<workbook/>")
        with packed.open("xl/worksheets/sheet1.xml", "w") as sheet:
            for _ in range(200):
                sheet.write(b" " * 2**20)
    return path.read_bytes()


@pytest.mark.slow
def test_others_are_answered_while_zip_bombs_come(database: str, tmp_path: Path) -> None:
    content = bomb(tmp_path / "bomb.xlsx")
    with answering(build_app(SETTINGS, database)) as client:
        client.headers.update(HEADERS)

        def send(_: int) -> httpx.Response:
            return client.post("/feeds/p/tabular?file=bomb.xlsx", content=content)

        with ThreadPoolExecutor(4) as senders:
            bombs = senders.map(send, range(8))
            for number in range(8):
                answer = client.post("/feeds/his/hl7v2", content=utf8(str(number)))
                assert answer.status_code == 200
            assert {answer.status_code for answer in bombs} == {422}
    assert shown(database)


@pytest.mark.parametrize(
    ("years", "delay", "rules"), [(10, "ahead", {"ahead"}), (-10, "more", set())]
)
def test_a_sender_whose_clock_is_ten_years_off_is_taken_and_told(
    database: str, years: int, delay: str, rules: set[str]
) -> None:
    now = clock.now()
    off = f"{now + timedelta(days=365 * years):%Y%m%d%H%M%S}"
    with answering(build_app(SETTINGS, database)) as client:
        client.headers.update(HEADERS)
        for number in range(30):
            body = message(str(number)).replace("20260301120000", off).encode()
            assert (
                client.post("/feeds/his/hl7v2", content=body).json()[0]["outcome"] == "accept"
            )
        right = message("right").replace("20260301120000", f"{now:%Y%m%d%H%M%S}")
        assert client.post("/feeds/his/hl7v2", content=right.encode()).is_success
    with psycopg.connect(database, autocommit=True) as conn:
        converters = converters_of(SETTINGS)
        while batch := keep.claim(conn, range(256), 100):
            process(conn, batch, converters, 1)
        assert keep.counts(conn, "his").by_state[State.DONE] == 31
        newest = conn.execute("select max(event_at) from resource").fetchone()
        assert newest is not None
        assert newest[0] < now + timedelta(days=2)
        figures.fold(conn)
        assert figures.ever(conn)["his"].delay[delay] == 30
        troubles = Looker(SETTINGS).look(conn, clock.now())
        assert {trouble.rule for trouble in troubles} == rules
