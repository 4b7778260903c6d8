"""A hub with the laboratory of hospital A, which sends a code that its mapping lacks."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest

from healthhub import keep, worker
from healthhub.adapter_api import registry
from healthhub.convert import Converter
from healthhub.keep import Keeper
from healthhub.keep.gaps import Gap
from healthhub.mapping.library import Library
from healthhub.model.code_maps import Target
from healthhub.model.message import State
from healthhub.receive.intake import Intake
from healthhub.settings import Settings
from healthhub.store import dictionary

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = (
    (ROOT / "mappings/hospital-a/samples/oul-r24-unknown-code.hl7")
    .read_bytes()
    .replace(b"\r\n", b"\r")
    .replace(b"\n", b"\r")
)
CODE = "0399003"
"""Uric acid, under a number that hospital A's table does not have."""
URATE = Target("14933-6", "尿酸")
SETTINGS = Settings.model_validate(
    {
        "institutions": {"hospital-a": {"title": "江城市第一人民医院"}},
        "sources": {
            "a-lis": {"institution": "hospital-a", "mapping": "hospital-a"},
            "a-old-lis": {"institution": "hospital-a", "mapping": "hospital-a"},
        },
    }
)
MAPPINGS = {name: source.mapping for name, source in SETTINGS.sources.items()}


@cache
def library() -> Library:
    return Library(SETTINGS.mappings_dir)


@cache
def converter() -> Converter:
    """Compiled once for all tests."""
    return Converter("a-lis", SETTINGS.sources["a-lis"], library())


@cache
def converters() -> dict[str, Converter]:
    return {n: Converter(n, s, library()) for n, s in SETTINGS.sources.items()}


def report(number: int, *, code: str = CODE, patient: int | None = None) -> bytes:
    """A report of its own number, about a patient of that number unless another is named."""
    who = number if patient is None else patient
    raw = SAMPLE.replace(b"V003874290700100", b"V%016d" % number)
    raw = raw.replace(b"A000011610005", b"A%012d" % number)
    raw = raw.replace(b"0038742907", b"%010d" % who).replace(CODE.encode(), code.encode())
    return raw.replace(b"429004196405174527", b"").replace(b"394276870", b"")


def take(dsn: str, *raws: bytes, source: str = "a-lis") -> list[int]:
    """Keep messages as a listener does; gives their numbers."""

    async def work() -> list[int]:
        async with Keeper(dsn) as keeper:
            intake, adapter = Intake(keeper), registry.find("hl7v2")
            known = SETTINGS.sources[source]
            waiting = [
                await intake.take(source, known, adapter, raw, "mllp 127.0.0.1") for raw in raws
            ]
            return [(await each.answer()).id or 0 for each in waiting]

    return asyncio.run(work())


@contextmanager
def working(dsn: str, monkeypatch: pytest.MonkeyPatch, count: int = 1) -> Iterator[None]:
    """Workers in threads, which ask often whether somebody has mapped a code."""
    monkeypatch.setattr(worker, "converters_of", lambda settings: converters())
    for name in ("MAPS_SECONDS", "DERIVE_SECONDS", "IDLE_SECONDS", "RESCAN_SECONDS"):
        monkeypatch.setattr(worker, name, 0.02)
    stop = threading.Event()
    threads = [
        threading.Thread(target=worker.run, args=(SETTINGS, dsn, stop)) for _ in range(count)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(20)
            assert not thread.is_alive()


def until(true: Callable[[], Any], seconds: float = 30) -> None:
    limit = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < limit
        time.sleep(0.1)


def settled(conn: psycopg.Connection) -> bool:
    """Whether nothing waits and no version is under way."""
    by_state = keep.counts(conn).by_state
    busy = by_state[State.PENDING] + by_state[State.RETRY]
    return not busy and not keep.code_maps.under_way(conn)


def gap(conn: psycopg.Connection, code: str = CODE, source: str = "a-lis") -> Gap:
    (found,) = [g for g in keep.gaps.of_sources(conn, [source], "tests") if g.code == code]
    return found


def codes(conn: psycopg.Connection) -> list[list[tuple[str, str]]]:
    """The codings (display and code) of each stored Observation of uric acid."""
    found = []
    for packed in conn.execute("select body from resource where not deleted").fetchall():
        body = orjson.loads(dictionary.unpack(packed[0]))
        if body["resourceType"] == "Observation" and body["code"].get("text") == "尿酸":
            found.append([(c.get("display", ""), c["code"]) for c in body["code"]["coding"]])
    return sorted(found)


def versions(conn: psycopg.Connection) -> int:
    """All versions of all resources."""
    row = conn.execute("select sum(version) from resource").fetchone()
    return int(row[0]) if row else 0
