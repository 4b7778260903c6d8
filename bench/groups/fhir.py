"""Figures of the FHIR service."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
import psycopg

from bench.figure import Figure
from bench.hub import Hub, running
from healthhub import clock
from healthhub.model.ids import derive
from healthhub.model.resource import Draft, Stamp
from healthhub.store import writer

PATIENTS = 500
RESULTS = 199


def measure(residents: int) -> Iterator[Figure]:
    """All figures of the group; ``residents`` is the number of patients, 0: the usual one."""
    with running() as hub:
        patients = residents or PATIENTS
        fill(hub.dsn, patients)
        yield export(hub)


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


def fill(dsn: str, patients: int) -> None:
    """Patients with RESULTS results each."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        for n in range(patients):
            with conn.transaction():
                writer.write(conn, _record(n), lambda _: None)
        conn.execute("vacuum analyze resource")


def _record(n: int) -> list[Draft]:
    stamp = Stamp(1, clock.now(), 0)
    key = derive("bench", "Patient", str(n))
    named = {"system": "urn:oid:2.16.156.10011.1.3", "value": f"11010119800101{n:04d}"}
    body = {
        "resourceType": "Patient",
        "id": str(key),
        "identifier": [named],
        "name": [{"text": f"陈试验{n}"}],
        "gender": "female",
        "birthDate": "1980-01-01",
    }
    return [Draft("Patient", key, key, stamp, body), *(_result(n, k) for k in range(RESULTS))]


def _result(n: int, k: int) -> Draft:
    patient = derive("bench", "Patient", str(n))
    key = derive("bench", "Observation", str(n), str(k))
    code = {"system": "http://loinc.org", "code": f"{2000 + k % 40}-1", "display": "葡萄糖"}
    category = {
        "system": "http://terminology.hl7.org/CodeSystem/observation-category",
        "code": "laboratory",
    }
    body = {
        "resourceType": "Observation",
        "id": str(key),
        "meta": {"source": f"urn:healthhub:message:{n * 1000 + k}"},
        "identifier": [{"system": "urn:healthhub:lis:a", "value": f"R{n}-{k}"}],
        "status": "final",
        "category": [{"coding": [category]}],
        "code": {"coding": [code], "text": "葡萄糖"},
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": f"2026-03-{1 + k % 28:02d}T08:{k % 60:02d}:00+08:00",
        "issued": f"2026-03-{1 + k % 28:02d}T09:{k % 60:02d}:00+08:00",
        "performer": [{"display": "江城市第一人民医院检验科"}],
        "valueQuantity": {
            "value": round(4 + (n * 7 + k * 3) % 50 / 10, 1),
            "unit": "mmol/L",
            "system": "http://unitsofmeasure.org",
            "code": "mmol/L",
        },
        "referenceRange": [{"low": {"value": 3.9}, "high": {"value": 6.1}}],
    }
    return Draft("Observation", key, patient, Stamp(1, clock.now(), 0), body)
