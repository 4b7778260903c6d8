"""Growth of the FHIR service: the same questions of a store of many times as many patients.

Large: the usual run makes a hundred times as many patients (``--residents`` copies of a city of
600 residents), which takes the disk and the time that it prints.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

import psycopg

from bench import http_load
from bench.city import load
from bench.figure import Figure
from bench.groups import fhir
from bench.hub import Hub, running
from bench.population import fill
from healthhub import clock

COPIES = 99
ROUNDS = 3
City = tuple[Hub, psycopg.Connection]
TIMES = 20
"""How often each search of the whole population is asked."""


def measure(residents: int) -> Iterator[Figure]:
    """Growth and population searches; ``residents``: copies of the city, 0: the usual 99."""
    copies = residents or COPIES
    with _city() as (small, few), _city() as (large, many):
        print(f"filling: {copies} copies", flush=True)
        print(fill(large.dsn, copies), flush=True)
        many.execute("checkpoint")
        yield growth(copies, (small, few), (large, many))
        yield population(large, many)


@contextmanager
def _city() -> Iterator[City]:
    """A hub with the city in it, and a connection to its database."""
    with (
        running(workers=2, processes=fhir.PROCESSES) as hub,
        psycopg.connect(hub.dsn, autocommit=True) as connection,
    ):
        load(hub, connection, fhir.RESIDENTS)
        connection.execute("vacuum analyze")
        yield hub, connection


def growth(copies: int, small: City, large: City) -> Figure:
    """The worst of the single-patient figures against those of the smaller store.

    Both stores are asked in turn, so that what else the machine does meets both alike.
    """
    rates: dict[str, list[list[float]]] = {}
    times: dict[str, list[list[float]]] = {}
    for _ in range(ROUNDS):
        for both in zip(fhir.single(*small), fhir.single(*large), strict=True):
            name = both[0].name.removeprefix("fhir.")
            for side, figure in enumerate(both):
                rates.setdefault(name, [[], []])[side].append(figure.value)
                times.setdefault(name, [[], []])[side].append(_cpu(figure))
            print(name, *(f"{figure.value:,.0f}" for figure in both), flush=True)
    shares = {name: sum(after) / sum(before) for name, (before, after) in rates.items()}
    each = ", ".join(
        f"{name} {share:.2f} ({sum(rates[name][0]) / ROUNDS:,.0f} to "
        f"{sum(rates[name][1]) / ROUNDS:,.0f}, by CPU a request "
        f"{sum(times[name][0]) / sum(times[name][1]):.2f})"
        for name, share in shares.items()
    )
    return Figure(
        "fhir.growth.worst_ratio",
        min(shares.values()),
        "ratio",
        f"requests/s of {copies + 1} times as many patients against those of the city, both "
        f"stores asked in turn, {ROUNDS} rounds; {_count(large[1])}; {each}",
    )


def _cpu(figure: Figure) -> float:
    """Milliseconds of the web processes and PostgreSQL for a request, as its conditions say."""
    found = re.search(r"web ([\d.]+) ms, PostgreSQL ([\d.]+) ms", figure.conditions)
    assert found is not None
    return float(found[1]) + float(found[2])


def population(hub: Hub, connection: psycopg.Connection) -> Figure:
    """Searches of everybody's data, the first page of 50, one after another."""
    headers = {"Authorization": f"Bearer {hub.token}"}
    times: list[float] = []
    slowest: dict[str, float] = {}
    for name, paths in searches().items():
        found: list[float] = []
        for path in [*paths, *paths * TIMES][: len(paths) + TIMES]:
            requests = http_load.gets(hub.base, [path], headers)
            found.append(http_load.run(hub.base, requests, 1, 0).p50)
        times += found[len(paths) :]
        slowest[name] = http_load.percentile(sorted(found[len(paths) :]), 0.95)
    each = ", ".join(f"{name} {value:.0f}" for name, value in slowest.items())
    return Figure(
        "fhir.population_search_p95_ms",
        max(slowest.values()),
        "ms",
        f"the slowest of {len(slowest)} kinds of search, first page of 50, one connection, "
        f"{TIMES} times each; {_count(connection)}; p95 of each: {each}",
    )


def searches() -> dict[str, list[str]]:
    """Searches by what they ask for."""
    rare = {"718-7": 165, "4544-3": 49.3, "6690-2": 14, "14682-9": 450}
    """Values beyond which few results of a test lie."""
    loinc = [f"http://loinc.org|{code}" for code in rare]
    day = clock.now().strftime("%Y-%m-%d")
    asked = {
        "newest": ["Observation?_sort=-date"],
        "code, newest": [f"Observation?code={code}&_sort=-date" for code in loinc],
        "code": [f"Observation?code={code}" for code in loinc],
        "code and value": [
            f"Observation?code={code}&value-quantity=gt{value}&_sort=-date"
            for code, value in zip(loinc, rare.values(), strict=True)
        ],
        "code and usual value": [
            f"Observation?code={code}&value-quantity=gt{value}&_sort=-date"
            for code, value in zip(loinc, (120, 40, 5, 70), strict=True)
        ],
        "code-value": [f"Observation?code-value-quantity={c}$gt70&_sort=-date" for c in loinc],
        "code and value in a unit": [
            "Observation?code=http://loinc.org|22664-7&value-quantity=gt0.0185|"
            "http://unitsofmeasure.org|mol/L",
        ],
        "date": [
            "Observation?date=ge2025-06-01&date=lt2025-06-08",
            f"Observation?date=ge{day}",
        ],
        "date and code": [
            *(f"Observation?date=ge2025-06-01&code={code}" for code in loinc),
            *(f"Observation?date=lt2025-01-01&code={code}&_sort=-date" for code in loinc),
        ],
        "status": ["Encounter?status=finished", "MedicationRequest?status=active"],
        "status, newest": ["Encounter?status=finished&_sort=-date"],
        "diagnosis": ["Condition?code=J06.900", "Condition?code=I10.x00&_sort=-recorded-date"],
        "name": [f"Patient?name={quote(name)}" for name in ("李", "王伟", "陈")],
        "birth date": [
            "Patient?birthdate=1980-01-01",
            "Patient?birthdate=ge2020&gender=female",
        ],
        "last changed": ["Observation?_sort=-_lastUpdated"],
    }
    return {
        name: ["/fhir/" + quote(each, safe="/?=&$:,.%") for each in paths]
        for name, paths in asked.items()
    }


def _count(connection: psycopg.Connection) -> str:
    count, size = fhir.row(
        connection,
        "select (select sum(reltuples) from pg_class where relname = 'resource'),"
        " pg_database_size(current_database())",
    )
    return f"{int(count):,} resources, {size / 2**30:.1f} GiB on disk"
