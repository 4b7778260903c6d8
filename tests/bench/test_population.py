"""What fills a store with copies: they are whole, differ where they must, and are found."""

from __future__ import annotations

from collections import Counter

import psycopg
import pytest

from bench.population import Copy, fill
from healthhub.city.numbers import check_character
from healthhub.model.ids import row_id
from healthhub.model.resource import Body
from healthhub.store import direct, reindex, search, wire

COPIES = 3
NUMBERS = ("110101199003070038", "420106198003070011")
RESIDENT = "urn:oid:2.16.156.10011.1.3"


def people() -> list[Body]:
    """Two invented patients with a visit and results each, and a doctor whom both share."""
    made: list[Body] = [{"resourceType": "Practitioner", "id": "d", "name": [{"text": "医生"}]}]
    for n, number in enumerate(NUMBERS):
        patient = {"reference": f"Patient/{key(n)}"}
        made += [
            {
                "resourceType": "Patient",
                "id": key(n),
                "identifier": [
                    {"system": RESIDENT, "value": number},
                    {"system": "urn:mrn", "value": f"A{n}"},
                ],
                "name": [{"text": "张试验"}],
                "telecom": [{"system": "phone", "value": f"1380000000{n}"}],
            },
            {
                "resourceType": "Encounter",
                "id": key(10 + n),
                "status": "finished",
                "class": {"code": "AMB"},
                "identifier": [{"system": "urn:visit", "value": f"V{n}"}],
                "subject": patient,
                "period": {"start": "2026-01-02", "end": "2026-01-03"},
            },
        ]
        made += [
            {
                "resourceType": "Observation",
                "id": key(20 + 10 * n + result),
                "status": "final",
                "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
                "subject": patient,
                "encounter": {"reference": f"Encounter/{key(10 + n)}"},
                "performer": [{"reference": "Practitioner/d"}],
                "effectiveDateTime": f"2026-01-0{1 + result}",
                "valueQuantity": {"value": 100 + 10 * result, "unit": "g/L"},
            }
            for result in range(3)
        ]
    return made


def key(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012}"


def found(connection: psycopg.Connection, kind: str, *params: tuple[str, str]) -> list[Body]:
    page = search.run(connection, kind, [*params, ("_count", "1000")])
    return [wire.reload(each.json) for each in page.matches]


def indexes(connection: psycopg.Connection) -> list[tuple[str, ...]]:
    return connection.execute(
        "select tablename, indexname, indexdef from pg_indexes where tablename ~ '^resource'"
        " order by 1, 2"
    ).fetchall()


@pytest.fixture
def filled(database: str) -> str:
    """A store that has the people and so many copies of them; its address."""
    with psycopg.connect(database) as writer:
        for body in people():
            direct.update(writer, body["resourceType"], body["id"], body)
    with psycopg.connect(database, autocommit=True) as connection:
        before = indexes(connection)
        done = fill(database, COPIES, processes=2)
        assert indexes(connection) == before
    assert (done.copies, done.rows) == (COPIES, COPIES * (len(people()) - 1))
    return database


def test_copies_are_counted_have_ids_of_their_own_and_are_found(filled: str) -> None:
    with psycopg.connect(filled, autocommit=True) as connection:
        rows = connection.execute("select type, id, patient_key, version from resource")
        held = rows.fetchall()
        assert len({(kind, id_) for kind, id_, _, _ in held}) == len(held)
        assert len(held) == 1 + (1 + COPIES) * (len(people()) - 1)
        patients = found(connection, "Patient")
        assert len(patients) == 2 * (1 + COPIES)
        numbers = Counter(n["value"] for patient in patients for n in patient["identifier"])
        assert set(numbers.values()) == {1}
        for patient in patients:
            for number in patient["identifier"]:
                asked = ("identifier", f"{number['system']}|{number['value']}")
                assert found(connection, "Patient", asked) == [patient]
            results = found(connection, "Observation", ("patient", patient["id"]))
            assert sorted(r["valueQuantity"]["value"] for r in results) == [100, 110, 120]
            visits = found(connection, "Encounter", ("patient", patient["id"]))
            by_visit = ("encounter", f"Encounter/{visits[0]['id']}")
            assert len(found(connection, "Observation", by_visit)) == 3
        assert len({r["id"] for r in found(connection, "Observation", ("code", "718-7"))}) == (
            6 * (1 + COPIES)
        )
        rare = ("value-quantity", "gt110")
        assert len(found(connection, "Observation", ("code", "718-7"), rare)) == 2 * (
            1 + COPIES
        )
        shared = ("performer", "Practitioner/d")
        assert len(found(connection, "Observation", shared)) == 6 * (1 + COPIES)


def test_what_copies_are_found_by_follows_from_their_bodies(filled: str) -> None:
    with psycopg.connect(filled, autocommit=True) as connection:
        assert list(reindex.verify(connection, lambda _: None)) == []


def test_golden_patients_are_not_copied(database: str) -> None:
    with psycopg.connect(database) as writer:
        for body in people()[:3]:
            direct.update(writer, body["resourceType"], body["id"], body)
        writer.execute(
            "insert into person (person_key) values (%s)", (row_id("Patient", key(0)),)
        )
    assert fill(database, 2, processes=1).rows == 2  # the visit alone, in each copy


def test_a_copied_resident_number_is_of_no_other_copy_and_keeps_birthday_sex_and_check() -> (
    None
):
    copies = [Copy(str(number)) for number in range(1000)]
    made = [copy.part(number.encode()).decode() for copy in copies for number in NUMBERS]
    assert len(set(made) | set(NUMBERS)) == 2002
    for number, each in zip(NUMBERS * 1000, made, strict=True):
        assert (each[:2], each[6:17]) == (number[:2], number[6:17])
        assert check_character(each[:17]) == each[17]
