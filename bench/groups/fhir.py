"""Figures of the FHIR service: the interactions of other programs, on a realistic city."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from uuid import uuid4

import httpx
import orjson
import psycopg

from bench import http_load
from bench.city import load
from bench.figure import Figure
from bench.hub import Hub, running
from bench.population import Copy
from healthhub.store import dictionary, types

RESIDENTS = 600
PROCESSES = 2
READERS = 8
SECONDS = 8.0
WARM = 1.5
CREATED = 12_000
ENTRIES = 25_000
"""Resources that are sent in transactions, at most."""
NOBODY = "00000000-0000-0000-0000-000000000000"
"""The patient key of what belongs to no patient."""


def measure(residents: int) -> Iterator[Figure]:
    """All figures of the group but growth; ``residents`` of the city, 0: the usual number."""
    with (
        running(workers=2, processes=PROCESSES) as hub,
        psycopg.connect(hub.dsn, autocommit=True) as connection,
    ):
        load(hub, connection, residents or RESIDENTS)
        connection.execute("vacuum analyze")
        yield size(connection)
        yield from single(hub, connection)
        yield export(hub)
        yield create(hub, connection)
        yield transaction(hub, connection)


def size(connection: psycopg.Connection) -> Figure:
    """What a resource takes on disk, all in."""
    connection.execute("checkpoint")
    count, stored = row(
        connection,
        "select (select count(*) from resource where not deleted),"
        " (select sum(pg_total_relation_size(oid)) from pg_class"
        "   where relkind = 'r' and relname ~ '^resource')",
    )
    return Figure(
        "fhir.bytes_per_resource",
        float(stored) / count,
        "bytes",
        f"{count:,} resources of the demo city: rows, history, all search tables and indexes",
    )


def single(hub: Hub, connection: psycopg.Connection) -> Iterator[Figure]:
    """The figures of one patient's data."""
    for name, paths, what in (
        ("fhir.read_per_s", _reads(connection), "500 Observations of many patients"),
        (
            "fhir.observation_by_patient_code_per_s",
            _results(connection),
            "Observation?patient=&code=, 300 pairs, {size:,} bytes an answer",
        ),
        (
            "fhir.patient_by_identifier_per_s",
            _numbers(connection),
            "Patient?identifier=system|value, 300 numbers",
        ),
        ("fhir.everything_per_s", _everything(connection), "{size:,} bytes an answer"),
    ):
        yield measured(hub, name, paths, what)


def measured(hub: Hub, name: str, paths: Sequence[str], what: str) -> Figure:
    """One figure of GET requests."""
    requests = http_load.gets(hub.base, paths, {"Authorization": f"Bearer {hub.token}"})
    http_load.run(hub.base, requests, READERS, WARM)
    before = hub.cpu()
    load = http_load.run(hub.base, requests, READERS, SECONDS)
    taken = hub.cpu().since(before)
    return Figure(
        name,
        load.per_s,
        "requests/s",
        f"{what.format(size=load.body_bytes)}; {said(load, taken.web, taken.postgres)}",
    )


def said(load: http_load.Load, web: float, postgres: float) -> str:
    """The conditions that all HTTP figures share."""
    return (
        f"{READERS} connections, {PROCESSES} web processes, p50 {load.p50:.1f} ms, "
        f"p99 {load.p99:.1f} ms; CPU a request: web {web / load.answers * 1e3:.2f} ms, "
        f"PostgreSQL {postgres / load.answers * 1e3:.2f} ms; load generator "
        f"{load.cpu:.0%} of a core"
    )


def create(hub: Hub, connection: psycopg.Connection) -> Figure:
    """POST of single Observations of patients that are there."""
    rows = connection.execute(
        "select body from resource where type = %s and not deleted order by id limit 2000",
        (types.NUMBERS["Observation"],),
    ).fetchall()
    dictionary.learn(connection.execute(dictionary.ALL).fetchall())
    bodies = [orjson.loads(dictionary.unpack(bytes(row[0]))) for row in rows]
    sent = [
        orjson.dumps({k: v for k, v in b.items() if k not in ("id", "meta")}) for b in bodies
    ]
    requests = itertools.islice(
        itertools.cycle(http_load.posts(hub.base, "/fhir/Observation", sent, _headers(hub))),
        CREATED,
    )
    http_load.run(hub.base, itertools.islice(requests, 500), READERS)
    before = hub.cpu()
    load = http_load.run(hub.base, requests, READERS, SECONDS)
    taken = hub.cpu().since(before)
    return Figure(
        "fhir.create_per_s",
        load.per_s,
        "requests/s",
        f"POST of an Observation, {sum(map(len, sent)) // len(sent):,} bytes, each a durable "
        f"transaction with its audit; {said(load, taken.web, taken.postgres)}",
    )


def transaction(hub: Hub, connection: psycopg.Connection) -> Figure:
    """Histories of patients the hub does not know yet, a transaction each."""
    bundles = _bundles(connection)
    entries = sum(count for _, count in bundles)
    requests = http_load.posts(hub.base, "/fhir", [body for body, _ in bundles], _headers(hub))
    before = hub.cpu()
    load = http_load.run(hub.base, iter(requests), READERS)
    taken = hub.cpu().since(before)
    counts = [count for _, count in bundles]
    return Figure(
        "fhir.transaction.resources_per_s",
        entries / load.seconds,
        "resources/s",
        f"{len(bundles)} bundles of {min(counts)}-{max(counts)} entries, {entries:,} resources, "
        f"a patient each, created with references by urn:uuid, minimal answers; "
        f"{said(load, taken.web, taken.postgres)}",
    )


def export(hub: Hub) -> Figure:
    """$export of the whole store, from the kick-off to the manifest."""
    headers = {"authorization": f"Bearer {hub.token}", "prefer": "respond-async"}
    with httpx.Client(base_url=hub.base, headers=headers) as client:
        began = time.perf_counter()
        job = client.get("/fhir/$export").headers["content-location"]
        while (answer := client.get(job)).status_code == 202:
            time.sleep(0.02)
        seconds = time.perf_counter() - began
        count = sum(file["count"] for file in answer.json()["output"])
    root = hub.folder / "data" / "exports"
    size = sum(path.stat().st_size for path in root.rglob("*.gz"))
    return Figure(
        "fhir.export.resources_per_s",
        count / seconds,
        "resources/s",
        f"system $export of {count:,} resources to gzip NDJSON ({size:,} bytes), one process and "
        f"PostgreSQL, {seconds:.1f} s from the kick-off to the manifest, of which 1 s of waiting "
        "for writers",
    )


def _headers(hub: Hub) -> dict[str, str]:
    return {
        "Authorization": f"Bearer {hub.token}",
        "Content-Type": "application/fhir+json",
        "Prefer": "return=minimal",
    }


def _reads(connection: psycopg.Connection) -> list[str]:
    rows = connection.execute(
        "select id from resource where type = %s and not deleted order by id limit 500",
        (types.NUMBERS["Observation"],),
    )
    return [f"/fhir/Observation/{row[0]}" for row in rows]


def _results(connection: psycopg.Connection) -> list[str]:
    """Pairs of a patient and a LOINC code of one of its results."""
    dictionary.learn(connection.execute(dictionary.ALL).fetchall())
    rows = connection.execute(
        "select distinct on (patient_key) patient_key, body from resource"
        " where type = %s and not deleted and patient_key <> %s order by patient_key, id limit 2000",
        (types.NUMBERS["Observation"], NOBODY),
    ).fetchall()
    found = []
    for patient, packed in rows:
        body = orjson.loads(dictionary.unpack(bytes(packed)))
        for coding in body["code"].get("coding", ())[:1]:
            if coding.get("system") == "http://loinc.org":
                code = f"http://loinc.org|{coding['code']}"
                found.append(f"/fhir/Observation?patient={patient}&code={code}")
    return found[:300]


def _numbers(connection: psycopg.Connection) -> list[str]:
    """Record numbers, each of one source patient."""
    dictionary.learn(connection.execute(dictionary.ALL).fetchall())
    rows = connection.execute(
        "select body from resource r where type = %s and not deleted and exists (select from"
        " resource e where e.patient_key = r.patient_key and e.type > 1) order by id limit 300",
        (types.NUMBERS["Patient"],),
    )
    found = []
    for (packed,) in rows:
        numbers = orjson.loads(dictionary.unpack(bytes(packed))).get("identifier", [])
        found += [f"{n['system']}|{n['value']}" for n in numbers[:1] if n.get("value")]
    return [f"/fhir/Patient?identifier={number}" for number in found]


def _everything(connection: psycopg.Connection) -> list[str]:
    """The source patient whose record is nearest to 550 resources."""
    (patient, _) = row(
        connection,
        "select patient_key, count(*) from resource where not deleted and patient_key <> %s"
        " group by 1 order by abs(count(*) - 550), 1 limit 1",
        NOBODY,
    )
    return [f"/fhir/Patient/{patient}/$everything"]


def _bundles(connection: psycopg.Connection) -> list[tuple[bytes, int]]:
    """Records of 200 to 1,000 resources as transactions, under new ids and numbers."""
    dictionary.learn(connection.execute(dictionary.ALL).fetchall())
    patients = connection.execute(
        "select patient_key from resource where not deleted and patient_key <> %s"
        " group by 1 having count(*) between 200 and 1000 order by 1",
        (NOBODY,),
    ).fetchall()
    made: list[tuple[bytes, int]] = []
    total = 0
    for number, (patient,) in enumerate(patients):
        rows = connection.execute(
            "select body from resource where patient_key = %s and not deleted order by type, id",
            (patient,),
        ).fetchall()
        bodies = [dictionary.unpack(bytes(row[0])) for row in rows]
        made.append((_bundle(bodies, Copy(f"sent{number}")), len(bodies)))
        total += len(bodies)
        if total >= ENTRIES:
            break
    return made


def _bundle(bodies: Sequence[bytes], copy: Copy) -> bytes:
    resources = [orjson.loads(copy.of(body)) for body in bodies]
    names = {f"{r['resourceType']}/{r['id']}": f"urn:uuid:{uuid4()}" for r in resources}
    entries = []
    for resource in resources:
        name = f"{resource['resourceType']}/{resource.pop('id')}"
        resource.pop("meta", None)
        entries.append(
            {
                "fullUrl": names[name],
                "resource": _relinked(resource, names),
                "request": {"method": "POST", "url": resource["resourceType"]},
            }
        )
    return orjson.dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries})


def _relinked(value: object, names: dict[str, str]) -> object:
    if isinstance(value, dict):
        return {
            key: names.get(inner, inner) if key == "reference" else _relinked(inner, names)
            for key, inner in value.items()
        }
    return [_relinked(each, names) for each in value] if isinstance(value, list) else value


def row(connection: psycopg.Connection, sql: str, *values: object) -> tuple:
    """The only row of a query."""
    row = connection.execute(sql, values).fetchone()  # type: ignore[arg-type]
    assert row is not None
    return row
