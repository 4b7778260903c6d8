"""Figures of the FHIR interactions: transactions, creates and reads by id."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import orjson

from bench import http_load
from bench.figure import Figure
from bench.hub import running

CONNECTIONS = 8
SECONDS = 6.0
SIZES = (200, 1000)
"""Entries of the smallest and the largest bundle."""


def measure(residents: int) -> Iterator[Figure]:
    """All figures of the group; ``residents`` is the number of patients, 0: the usual one."""
    dice = random.Random(7)
    with running(processes=2) as hub:
        headers = {
            "Authorization": f"Bearer {hub.token}",
            "Content-Type": "application/fhir+json",
            "Prefer": "return=minimal",
        }
        sizes = [dice.randint(*SIZES) for _ in range(residents or 240)]
        bundles = [_bundle(dice, size) for size in sizes]
        mean = sum(sizes) / len(sizes)
        where = f"2 web processes, {CONNECTIONS} connections, PostgreSQL on the same machine"
        load = http_load.post(hub.base, "/fhir", bundles, headers, CONNECTIONS, SECONDS)
        yield Figure(
            "fhir.transaction.resources_per_s",
            load.per_s * mean,
            "resources/s",
            f"bundles of {SIZES[0]}-{SIZES[1]} new entries (mean {mean:.0f}): a patient, a visit, "
            f"results; {where}; p95 {load.p95:.0f} ms",
        )
        results = [
            orjson.dumps(_result(dice, f"Patient/{UUID(int=dice.getrandbits(128))}", None))
            for _ in range(2000)
        ]
        load = http_load.post(
            hub.base, "/fhir/Observation", results, headers, CONNECTIONS, SECONDS
        )
        yield Figure(
            "fhir.create_per_s",
            load.per_s,
            "requests/s",
            f"Observations of about {len(results[0])} bytes; {where}; p95 {load.p95:.1f} ms",
        )
        with httpx.Client(base_url=hub.base, headers=headers) as client:
            page = client.get("/fhir/Observation?_count=1000").json()
        paths = [f"/fhir/Observation/{each['resource']['id']}" for each in page["entry"]]
        load = http_load.run(hub.base, paths, headers, CONNECTIONS, SECONDS)
        yield Figure(
            "fhir.read_per_s",
            load.per_s,
            "requests/s",
            f"Observations in turn, each read audited; {where}; p95 {load.p95:.1f} ms",
        )


def _bundle(dice: random.Random, size: int) -> bytes:
    patient, visit = f"urn:uuid:{uuid4()}", f"urn:uuid:{uuid4()}"
    entries = [
        _entry(patient, _patient(dice)),
        _entry(visit, _visit(patient)),
        *(
            _entry(f"urn:uuid:{uuid4()}", _result(dice, patient, visit))
            for _ in range(size - 2)
        ),
    ]
    return orjson.dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries})


def _entry(full_url: str, resource: dict[str, Any]) -> dict[str, Any]:
    request = {"method": "POST", "url": resource["resourceType"]}
    return {"fullUrl": full_url, "resource": resource, "request": request}


def _patient(dice: random.Random) -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "identifier": [{"system": "https://example.org/mrn", "value": str(uuid4())}],
        "name": [{"family": "王", "given": [f"试{dice.randint(1, 9999)}"]}],
        "gender": dice.choice(("male", "female")),
        "birthDate": f"19{dice.randint(30, 99)}-0{dice.randint(1, 9)}-1{dice.randint(0, 9)}",
    }


def _visit(patient: str) -> dict[str, Any]:
    act = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
    return {
        "resourceType": "Encounter",
        "status": "finished",
        "class": {"system": act, "code": "AMB"},
        "subject": {"reference": patient},
        "period": {"start": "2026-01-01T08:00:00+08:00", "end": "2026-01-01T09:00:00+08:00"},
    }


def _result(dice: random.Random, patient: str, visit: str | None) -> dict[str, Any]:
    number = dice.randint(0, 9999)
    day = f"2025-0{1 + number % 9}-1{number % 10}T08:{number % 60:02}"
    category = "http://terminology.hl7.org/CodeSystem/observation-category"
    body: dict[str, Any] = {
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [{"system": category, "code": "laboratory"}]}],
        "code": {
            "coding": [{"system": "http://loinc.org", "code": f"{700 + number % 90}-1"}],
            "text": "血红蛋白",
        },
        "subject": {"reference": patient},
        "effectiveDateTime": f"{day}:00+08:00",
        "issued": f"{day}:30.123+08:00",
        "valueQuantity": {
            "value": round(dice.uniform(1, 200), 2),
            "unit": "g/L",
            "system": "http://unitsofmeasure.org",
            "code": "g/L",
        },
        "referenceRange": [{"low": {"value": 110, "unit": "g/L"}, "high": {"value": 150}}],
    }
    return body | ({"encounter": {"reference": visit}} if visit else {})
