"""A search finds what a resource says, and nothing else."""

from __future__ import annotations

import orjson
import psycopg
import pytest

from healthhub.errors import InvalidRequest, PreconditionFailed, UnknownParameter
from healthhub.model import ids
from healthhub.store import direct, reads, search, wire, writer
from healthhub.store.query import fetch
from tests.store.drafts import PATIENT, accept, code, draft, stamp

ID_CARD = "urn:oid:2.16.156.10011.1.3"


@pytest.fixture
def city(connection: psycopg.Connection) -> psycopg.Connection:
    """One patient with a visit and three results."""
    laboratory = [
        code("laboratory", "http://terminology.hl7.org/CodeSystem/observation-category")
    ]

    def result(number: str, minute: int, loinc: str, day: str) -> object:
        return draft(
            "Observation",
            number,
            stamp(minute),
            status="final",
            code=code(loinc),
            category=laboratory,
            subject={"reference": f"Patient/{PATIENT}"},
            encounter={"reference": f"Encounter/{ids.derive('test', 'Encounter', 'v')}"},
            effectiveDateTime=day,
        )

    writer.write(
        connection,
        [
            draft(
                "Patient",
                "1",
                stamp(1),
                identifier=[{"system": ID_CARD, "value": "110101199003070039"}],
                name=[{"text": "欧阳小·明"}],
                birthDate="1990-03-07",
                gender="male",
                telecom=[{"system": "phone", "value": "138-0000-1111"}],
            ),
            draft(
                "Encounter", "v", stamp(1), status="finished", period={"start": "2026-01-03"}
            ),
            result("a", 1, "718-7", "2026-01-03T08:00:00+08:00"),
            result("b", 2, "718-7", "2026-02-03"),
            result("c", 3, "2345-7", "2026-02"),
        ],
        accept,
    )
    return connection


def numbers(connection: psycopg.Connection, kind: str, query: str) -> str:
    """The business numbers that a search finds, in its order."""
    params = [tuple(part.split("=", 1)) for part in query.split("&")] if query else []
    page = search.run(connection, kind, params)  # type: ignore[arg-type]
    names = {ids.derive("test", kind, name): name for name in ("1", "v", "a", "b", "c")}
    return "".join(names[match.id] for match in page.matches)


@pytest.mark.parametrize(
    ("kind", "query", "found"),
    [
        ("Patient", "identifier=110101199003070039", "1"),
        ("Patient", f"identifier={ID_CARD}|110101199003070039", "1"),
        ("Patient", "identifier=urn:other|110101199003070039", ""),
        ("Patient", "name=欧阳", "1"),
        ("Patient", "name=欧阳小明", "1"),
        ("Patient", "name=ouyangxiao", "1"),
        ("Patient", "name=oyxm", "1"),
        ("Patient", "name=明", ""),
        ("Patient", "name:contains=明", "1"),
        ("Patient", "name:exact=欧阳小", ""),
        ("Patient", "phone=13800001111", "1"),
        ("Patient", "birthdate=1990", "1"),
        ("Patient", "birthdate=1990-03-08", ""),
        ("Patient", "birthdate=lt1990-03-08&gender=male", "1"),
        ("Patient", "gender=female", ""),
        ("Patient", "gender=http://hl7.org/fhir/administrative-gender|male", "1"),
        ("Patient", "gender=|male", ""),
        ("Patient", "name=\0欧阳", "1"),
        ("Patient", "gender:not=female", "1"),
        ("Observation", f"patient={PATIENT}&_sort=date", "acb"),
        ("Observation", f"subject=Patient/{PATIENT}&_sort=-date", "cba"),
        ("Observation", f"patient={PATIENT}&code=718-7&_sort=date", "ab"),
        ("Observation", "code=http://loinc.org|718-7&_sort=date", "ab"),
        ("Observation", "code=urn:x|718-7", ""),
        ("Observation", "code=718-7,2345-7&_sort=date", "acb"),
        ("Observation", f"patient={PATIENT}&date=ge2026-02&_sort=date", "cb"),
        ("Observation", f"patient={PATIENT}&date=2026-02&_sort=date", "cb"),
        ("Observation", f"patient={PATIENT}&date=gt2026-01-02&date=lt2026-01-04", "a"),
        ("Observation", f"patient={PATIENT}&date=sa2026-01-03&_sort=date", "cb"),
        ("Observation", "patient=nobody", ""),
        ("Observation", f"encounter={ids.derive('test', 'Encounter', 'v')}&code=2345-7", "c"),
        ("Observation", "status=preliminary", ""),
        ("Encounter", "date=2026-06", ""),
        ("Encounter", "date=ge2026-06", "v"),
    ],
)
def test_a_search_finds_exactly(
    city: psycopg.Connection, kind: str, query: str, found: str
) -> None:
    assert numbers(city, kind, query) == found


def test_pages_go_through_all_matches_once(city: psycopg.Connection) -> None:
    for sort in ("date", "-date", "_id", "-_lastUpdated"):
        seen, cursor = [], None
        while True:
            params = [("patient", str(PATIENT)), ("_count", "1"), ("_sort", sort)]
            page = search.run(
                city, "Observation", params + ([("_cursor", cursor)] if cursor else [])
            )
            seen += [match.id for match in page.matches]
            cursor = page.next
            if cursor is None:
                break
        assert len(seen) == len(set(seen)) == 3, sort


def test_a_total_is_counted_when_asked_for(city: psycopg.Connection) -> None:
    params = [("patient", str(PATIENT)), ("_count", "1"), ("_total", "accurate")]
    assert search.run(city, "Observation", params).total == 3
    assert search.run(city, "Observation", params[:2]).total is None


def test_included_resources_come_along(city: psycopg.Connection) -> None:
    params = [("code", "2345-7"), ("_include", "Observation:encounter")]
    assert [i.type for i in search.run(city, "Observation", params).included] == ["Encounter"]


def test_a_golden_patient_covers_its_members(city: psycopg.Connection) -> None:
    golden, joined = ids.derive("test", "person", "g"), ids.derive("test", "person", "h")
    city.execute(
        "insert into person (person_key, successor) values (%s, null), (%s, %s)",
        (golden, joined, golden),
    )
    city.execute(
        "insert into person_link (patient_key, person_key, rule, evidence, model, decided_by)"
        " values (%s, %s, 'r', '{}', 'm', 'test')",
        (PATIENT, golden),
    )
    for key in (golden, joined):
        assert len(search.run(city, "Observation", [("patient", str(key))]).matches) == 3
    params = [("patient", str(golden))]
    assert search.patient_references("Observation", params) == {golden}


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("colour=red", UnknownParameter),
        ("code:sounds-like=x", UnknownParameter),
        ("date=yesterday", InvalidRequest),
        ("_count=many", InvalidRequest),
        ("_sort=colour", InvalidRequest),
        ("_cursor=xx", InvalidRequest),
        ("_cursor=WzUsbnVsbF0", InvalidRequest),
        ("_include=Observation:colour", InvalidRequest),
        ("code=", InvalidRequest),
    ],
)
def test_what_is_not_understood_is_an_error(
    city: psycopg.Connection, query: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        numbers(city, "Observation", query)


def test_a_client_reads_back_what_it_sent(connection: psycopg.Connection) -> None:
    sent = wire.loads(
        '{"resourceType":"Observation","status":"final","valueQuantity":{"value":1.50},'
        '"effectiveDateTime":"2026-01-01T08:00:00+00:00","subject":{"reference":"Patient/p"}}'
    )
    made = direct.create(connection, "Observation", sent)
    assert b'"value":1.50' in made.json
    assert b"2026-01-01T08:00:00+00:00" in made.json
    assert made.patient == ids.row_id("Patient", "p")
    assert fetch(connection, reads.by_id("Observation", made.id)).json == made.json


def test_versions_are_counted_and_guarded(connection: psycopg.Connection) -> None:
    body = {"resourceType": "Patient", "gender": "male"}
    assert direct.update(connection, "Patient", "p.1", body).version == 1
    assert direct.update(connection, "Patient", "p.1", body).version == 1
    second = direct.update(connection, "Patient", "p.1", body | {"active": True}, if_match=1)
    assert second.version == 2
    assert orjson.loads(second.json)["id"] == "p.1"
    with pytest.raises(PreconditionFailed):
        direct.update(connection, "Patient", "p.1", body, if_match=1)
    deleted = direct.delete(connection, "Patient", "p.1")
    assert deleted is not None
    assert deleted.version == 3
    assert numbers(connection, "Patient", "gender=male") == ""
    assert direct.update(connection, "Patient", "p.1", body).version == 4
    history = fetch(connection, reads.history("Patient", ids.row_id("Patient", "p.1")))
    assert [(v.version, v.deleted) for v in history] == [
        (4, False),
        (3, True),
        (2, False),
        (1, False),
    ]
