"""Real messages, mutilated, through the real listener and a worker: none is lost, none harms."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from healthhub import keep
from healthhub.adapter_api import registry
from healthhub.keep import raw as raw_bytes
from healthhub.model.message import State
from healthhub.pipeline import Convert, process
from healthhub.settings import PACKAGE_ROOT, Settings
from healthhub.worker import converters_of
from tests.receive.conftest import Client, Listening
from tests.receive.test_mllp_listener import utf8

SOURCES: dict[str, dict[str, Any]] = {
    "any": {"institution": "h", "mapping": "national/hl7v2", "charset": "gb18030"}
}


@cache
def samples() -> tuple[bytes, ...]:
    """The national mapping's own samples and those of the hospitals' dialects."""
    files = sorted((PACKAGE_ROOT / "mappings").rglob("samples/*.hl7"))
    adapter = registry.find("hl7v2")
    return tuple(
        b"\r".join(message.splitlines()) + b"\r"
        for path in files
        for message in adapter.split(Path(path).read_bytes())
    )


@cache
def converters() -> dict[str, Convert]:
    return converters_of(
        Settings.model_validate({"institutions": {"h": {"title": "h"}}, "sources": SOURCES})
    )


def mutilated(draw: st.DrawFn) -> bytes:
    """A sample with one to four injuries."""
    raw = draw(st.sampled_from(samples()))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(len(raw), 1)))
        piece = draw(st.integers(0, 60))
        raw = draw(
            st.sampled_from(
                [
                    raw[:at],
                    raw[:at] + raw[at + piece :],
                    raw.replace(b"|", b"#") if at % 2 else raw.replace(b"^", b"|"),
                    raw.replace(b"~\\&", b"^^^") if at % 2 else raw.replace(b"\r", b"\n"),
                    raw[:at] + b"\0" * piece + raw[at:],
                    raw[:at] + (raw[at : at + piece] or b"~") * 200 + raw[at:],
                    raw[:at] + b"~^&" * 700 + raw[at:],
                    raw[:at] + b"9" * 70_000 + raw[at:],
                    raw[:at] + bytes([0x81 + at % 120, 0xFF]) + raw[at:],
                    raw[:at] + "\N{FULLWIDTH VERTICAL LINE}赵㐂𠮷".encode() + raw[at:],
                    raw.decode("utf-8", "replace").encode("utf-16") if at % 7 == 0 else raw,
                    raw + raw,
                ]
            )
        )
    return raw.replace(b"\x0b", b"").replace(b"\x1c", b"")


@pytest.fixture
def hub(listening: Listening, database: str) -> Iterator[tuple[Client, psycopg.Connection]]:
    with (
        listening(SOURCES) as port,
        Client(port) as client,
        psycopg.connect(database, autocommit=True) as conn,
    ):
        yield client, conn


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(st.composite(mutilated)().filter(bytes), min_size=1, max_size=3))
def test_a_mutilated_message_is_answered_kept_as_it_came_and_ends_in_a_state_with_a_reason(
    hub: tuple[Client, psycopg.Connection], raws: list[bytes]
) -> None:
    client, conn = hub
    for raw in raws:
        client.send(raw)
    answers = [client.answer() for _ in raws]
    for answer in answers:
        assert re.search(rb"\rMSA\|[AC][AR][|\r]", answer), answer
    while batch := keep.claim(conn, range(256), 100):
        process(conn, batch, converters(), 1)
    for raw, answer in zip(raws, answers, strict=True):
        row = conn.execute(
            "select id from message where digest = %s", (raw_bytes.digest("any", raw),)
        ).fetchone()
        assert row, "acknowledged or rejected, but not kept"
        kept = keep.get(conn, row[0])
        assert kept.raw == raw
        assert kept.state in (State.DONE, State.PARKED, State.REJECTED)
        found = keep.findings(conn, [kept.id])[kept.id]
        assert "internal" not in [finding.code for finding in found], found
        assert kept.state is State.DONE or any(f.severity == "error" for f in found)
        assert (kept.state is State.REJECTED) is bool(re.search(rb"\rMSA\|[AC]R", answer))
    assert b"\rMSA|AA|after\r" in client.ask(utf8("after", name="WANG^WEI"))
