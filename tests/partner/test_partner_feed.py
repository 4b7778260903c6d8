"""A partner's bundles through the hub: in any order, again and again, to one state and a search."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from partner import RECEIVED, bundle, deleted, dump, hub_id, observation, patient
from posted import Posted, state

from healthhub import keep
from healthhub.city.numbers import check_character
from healthhub.identify import person_of
from healthhub.keep import Choice
from healthhub.model import validate
from healthhub.model.message import State
from healthhub.store import search, writer

FEED = Posted("partner", "fhir", "national/fhir")
OLD, NEW, LATER = (f"2026-03-0{day}T08:00:00+08:00" for day in (1, 2, 3))


@pytest.fixture
def partner(database: str) -> Iterator[httpx.Client]:
    with FEED.answering(database) as client:
        yield client


def test_a_bundle_by_http_is_found_by_a_search_and_a_replay_changes_nothing(
    database: str, partner: httpx.Client
) -> None:
    raw = bundle(patient(), observation(at=OLD, valueString="阴性"), kind="transaction")
    told = FEED.post(partner, raw).raise_for_status()
    assert told.headers["content-type"] == "application/fhir+json"
    assert told.json()["resourceType"] == "OperationOutcome"
    assert told.json()["issue"][0]["severity"] == "information"
    FEED.post(partner, raw).raise_for_status()
    FEED.worked(database)
    with psycopg.connect(database, autocommit=True) as conn:
        own = hub_id("Patient", "123", "h")
        asked = [("subject", f"Patient/{own}"), ("code", "http://loinc.org|14749-6")]
        [found] = search.run(conn, "Observation", asked).matches
        assert json.loads(found.json)["valueString"] == "阴性"
        assert str(found.patient) == own
        first = state(conn)
        assert keep.counts(conn).by_state[State.DONE] == 1
        keep.replay(conn, Choice(source="partner"), who="test", reason="again")
        FEED.worked(database)
        assert state(conn) == first


def test_broken_lines_are_told_and_the_rest_is_kept(
    database: str, partner: httpx.Client
) -> None:
    body = dump(patient()) + b'\n{"resourceType": \n' + dump(patient("2"))
    answer = FEED.post(partner, body)
    assert answer.status_code == 422
    issues = answer.json()["issue"]
    assert [i["severity"] for i in issues] == ["information", "error", "information"]
    assert issues[1]["diagnostics"].startswith("byte ")
    with psycopg.connect(database) as conn:
        by_state = keep.counts(conn).by_state
    assert (by_state[State.REJECTED], by_state[State.PENDING]) == (1, 2)


def test_a_bundle_with_one_faulty_resource_waits_whole(
    database: str, partner: httpx.Client
) -> None:
    FEED.post(partner, bundle(patient(), observation(status="finished"))).raise_for_status()
    FEED.worked(database)
    with psycopg.connect(database) as conn:
        assert keep.counts(conn).by_state[State.PARKED] == 1
        assert state(conn) == {}


VERSIONS = [
    bundle(patient(), observation(at=OLD, valueString="一", note=[{"text": "旧注"}])),
    bundle(observation(at=NEW, valueString="二")),
    deleted("Observation/o1", at=LATER),
]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_versions_and_a_deletion_end_alike_in_any_order(
    connection: psycopg.Connection, order: tuple[int, ...]
) -> None:
    converter = FEED.converter
    for number in order:
        converted = converter.convert(number + 1, VERSIONS[number], RECEIVED)
        writer.write(connection, converted.drafts, validate.check)
    own = hub_id("Observation", "o1", "h")
    body = state(connection)["Observation", own]
    assert (body["status"], body["valueString"]) == ("entered-in-error", "二")
    assert "note" not in body
    row = connection.execute(
        "select patient_key from resource where id = %s", (own,)
    ).fetchone()
    assert row is not None
    assert str(row[0]) == hub_id("Patient", "123", "h")


def test_a_deletion_that_comes_first_is_found_with_its_patient_later(
    database: str, partner: httpx.Client
) -> None:
    for raw in (VERSIONS[2], VERSIONS[0]):
        FEED.post(partner, raw).raise_for_status()
        FEED.worked(database)
    with psycopg.connect(database) as conn:
        own = hub_id("Patient", "123", "h")
        asked = [("subject", f"Patient/{own}"), ("status", "entered-in-error")]
        [found] = search.run(conn, "Observation", asked).matches
        assert str(found.patient) == own
        assert json.loads(found.json)["code"]["coding"][0]["code"] == "14749-6"
        assert keep.counts(conn).by_state[State.DONE] == 2


def test_what_was_deleted_comes_back_when_it_is_sent_anew(
    connection: psycopg.Connection,
) -> None:
    converter = FEED.converter
    gone = deleted("Observation/o1", at=NEW)
    for number, raw in enumerate((gone, bundle(observation(at=LATER))), 1):
        drafts = converter.convert(number, raw, RECEIVED).drafts
        writer.write(connection, drafts, validate.check)
    [body] = state(connection).values()
    assert body["status"] == "final"


def test_a_partners_patient_is_one_person_with_its_own_replacement_and_by_number(
    database: str, partner: httpx.Client
) -> None:
    card = "42900419580307002" + check_character("42900419580307002")
    number = [{"system": "urn:oid:2.16.156.10011.1.3", "value": card}]
    links = [{"other": {"reference": "Patient/2"}, "type": "replaced-by"}]
    for one in (
        patient("1", link=links),
        patient("2", identifier=number),
        patient("3", identifier=number),
    ):
        FEED.post(partner, bundle(one)).raise_for_status()
    FEED.post(
        partner, bundle(patient("4", birthDate="1990-05-05", name=[{"text": "安可"}]))
    ).raise_for_status()
    FEED.worked(database)
    with psycopg.connect(database) as conn:
        persons = [person_of(conn, UUID(hub_id("Patient", own, "h"))) for own in "1234"]
    assert persons[0] == persons[1] == persons[2] != persons[3]


def test_a_folder_takes_bundles_and_lines(tmp_path: Any, database: str) -> None:
    (tmp_path / "one.json").write_bytes(json.dumps(json.loads(VERSIONS[0]), indent=1).encode())
    (tmp_path / "many.ndjson").write_bytes(dump(patient("8")) + b"\n" + dump(patient("9")))
    FEED.looked_into(database, tmp_path)
    with psycopg.connect(database) as conn:
        assert keep.counts(conn).by_state[State.PENDING] == 3
