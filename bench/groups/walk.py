"""The walk: history load, live feed, reads and the record page, through the whole hub."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from typing import Any

import orjson
import psycopg

from bench import http_load, mllp_load
from bench.city import load
from bench.figure import Figure
from bench.hub import Hub, running
from healthhub import city

RESIDENTS = 600
LIVE_PER_S = 200
LIVE_SECONDS = 20
CONNECTIONS = 16
READ_SECONDS = 6.0
READERS = 8


def measure(residents: int) -> Iterator[Figure]:
    """All figures of the group, in the order in which they can be taken."""
    residents = residents or RESIDENTS
    with running(workers=2) as hub, psycopg.connect(hub.dsn, autocommit=True) as connection:
        yield from _load(hub, connection, residents)
        yield from _live(hub, connection, residents)
        yield from _reads(hub, connection)


def _load(hub: Hub, connection: psycopg.Connection, residents: int) -> Iterator[Figure]:
    before = _one(connection, "select pg_database_size(current_database())")
    loaded = load(hub, connection, residents)
    versions = _one(
        connection, "select count(*) + (select count(*) from resource_history) from resource"
    )
    resources = _one(connection, "select count(*) from resource")
    connection.execute("checkpoint")
    bytes_ = _one(connection, "select pg_database_size(current_database())") - before
    stored = _one(
        connection,
        "select sum(pg_total_relation_size(oid)) from pg_class"
        " where relkind = 'r' and relname ~ '^resource'",
    )
    conditions = (
        f"history of {residents} residents, {loaded.messages} HL7 v2 messages of all sources, "
        f"{resources} resources in {versions} versions, 2 workers, PostgreSQL on the same machine"
    )
    yield Figure(
        "walk.load.resources_per_s", versions / loaded.seconds, "versions/s", conditions
    )
    yield Figure(
        "walk.load.messages_per_s", loaded.messages / loaded.seconds, "messages/s", conditions
    )
    yield Figure(
        "walk.load.bytes_per_resource",
        float(stored) / resources,
        "bytes",
        f"FHIR tables with history and indexes; with raw messages {bytes_ / resources:,.0f}",
    )
    yield Figure(
        "walk.load.peak_rss_mb", hub.peak_rss / 2**20, "MiB", "largest process of the hub's own"
    )


def _results(residents: int, count: int) -> list[bytes]:
    """Laboratory results of another city, so that the hub knows nothing of them yet."""
    found: list[bytes] = []
    for seed in itertools.count(1000):
        for source, _, raw in city.feed(residents, seed):
            if source == "hospital-a-lis" and raw.startswith(b"MSH"):
                found.append(raw)
                if len(found) == count:
                    return found
    raise AssertionError


class _Watch(threading.Thread):
    """Notes when each message is first seen settled, looking every 20 ms."""

    def __init__(self, dsn: str) -> None:
        super().__init__(daemon=True)
        self._dsn = dsn
        self.seen: dict[str, float] = {}
        self.stop = threading.Event()

    def run(self) -> None:
        """Poll until stopped."""
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            last = _one(connection, "select coalesce(max(id), 0) from message")
            open_: set[int] = set()
            while not self.stop.wait(0.02):
                rows = connection.execute(
                    "select m.id, m.control, s.state from message m join message_state s using (id)"
                    " where m.id > %s or m.id = any(%s)",
                    (last, list(open_)),
                ).fetchall()
                now = time.time()
                for id_, control, state in rows:
                    last = max(last, id_)
                    if state in ("pending", "retry"):
                        open_.add(id_)
                    else:
                        open_.discard(id_)
                        self.seen.setdefault(control, now)


def _live(hub: Hub, connection: psycopg.Connection, residents: int) -> Iterator[Figure]:
    count = LIVE_PER_S * LIVE_SECONDS
    messages = _results(residents, 2 * count)
    watch = _Watch(hub.dsn)
    watch.start()
    time.sleep(0.3)
    answered = mllp_load.send(
        "127.0.0.1", hub.mllp_port, messages[:count], CONNECTIONS, LIVE_PER_S
    )
    while hub.waiting(connection):
        time.sleep(0.05)
    time.sleep(0.1)
    watch.stop.set()
    watch.join()
    acks = sorted((a.at - a.due) * 1000 for a in answered)
    visible = sorted(
        (watch.seen[a.control] - a.at) * 1000 for a in answered if a.control in watch.seen
    )
    started = time.perf_counter()
    mllp_load.send("127.0.0.1", hub.mllp_port, messages[count:], CONNECTIONS)
    while hub.waiting(connection):
        time.sleep(0.05)
    rate = count / (time.perf_counter() - started)
    flat = (
        f"{count} laboratory messages over {CONNECTIONS} connections, flat out, until visible"
    )
    paced = f"{LIVE_PER_S} laboratory messages/s for {LIVE_SECONDS} s over {CONNECTIONS} connections, durable ACK"
    yield Figure("walk.live.messages_per_s", rate, "messages/s", flat)
    yield Figure("walk.live.ack_p50_ms", http_load.percentile(acks, 0.5), "ms", paced)
    yield Figure("walk.live.ack_p99_ms", http_load.percentile(acks, 0.99), "ms", paced)
    yield Figure(
        "walk.live.visible_p99_ms",
        http_load.percentile(visible, 0.99),
        "ms",
        f"{paced}; ACK to visible, seen every 20 ms, {len(visible)} messages",
    )


def _reads(hub: Hub, connection: psycopg.Connection) -> Iterator[Figure]:
    connection.execute("vacuum analyze")
    bearer = {"Authorization": f"Bearer {hub.token}"}
    ids = connection.execute(
        "select id from resource where type = 6 and not deleted order by id limit 500"
    ).fetchall()
    read = _run(hub, [f"/fhir/Observation/{row[0]}" for row in ids], bearer)
    yield Figure("walk.read_per_s", read.per_s, "requests/s", _said(read))
    patients = connection.execute(
        "select id, body from resource where type = 1 and not deleted order by id limit 300"
    ).fetchall()
    numbers = _numbers(hub, [str(row[0]) for row in patients], bearer)
    search = _run(hub, [f"/fhir/Patient?identifier={n}" for n in numbers], bearer)
    yield Figure("walk.patient_search_per_s", search.per_s, "requests/s", _said(search))
    (largest, size) = connection.execute(
        "select patient_key, count(*) from resource where type > 1 and patient_key <> "
        "'00000000-0000-0000-0000-000000000000' group by 1 "
        "order by abs(count(*) - 580), 1 limit 1"
    ).fetchall()[0]
    everything = _run(hub, [f"/fhir/Patient/{largest}/$everything"], bearer)
    yield Figure(
        "walk.everything_per_s",
        everything.per_s,
        "requests/s",
        f"a patient of {size} resources, {everything.body_bytes:,} bytes; {_said(everything)}",
    )
    page = _run(hub, [f"/record/{largest}"], {"Cookie": hub.session(), "Accept": "text/html"})
    yield Figure(
        "walk.page_p95_ms",
        page.p95,
        "ms",
        f"record page of the same patient, {page.per_s:.0f} pages/s, {_said(page)}",
    )


def _numbers(hub: Hub, patients: list[str], headers: dict[str, str]) -> list[str]:
    import httpx

    found = []
    with httpx.Client(base_url=hub.base, headers=headers) as client:
        for patient in patients:
            body = orjson.loads(client.get(f"/fhir/Patient/{patient}").content)
            found += [i["value"] for i in body.get("identifier", [])[:1] if i.get("value")]
    return found


def _run(hub: Hub, paths: list[str], headers: dict[str, str]) -> http_load.Load:
    requests = http_load.gets(hub.base, paths, headers)
    http_load.run(hub.base, requests, READERS, 1.0)
    return http_load.run(hub.base, requests, READERS, READ_SECONDS)


def _said(load: http_load.Load) -> str:
    return f"{READERS} connections, 1 web process, p50 {load.p50:.1f} ms, p99 {load.p99:.1f} ms"


def _one(connection: psycopg.Connection, sql: str) -> Any:
    row = connection.execute(sql).fetchone()  # type: ignore[arg-type]
    assert row is not None
    return row[0]
