"""Hospital C end to end: kept by SOAP's keeper, processed, stored; replayed and out of order."""

from __future__ import annotations

import asyncio
import itertools
import json
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from conversion import MAPPINGS, RECEIVED, convert, converter, of

from adapters.hl7v3 import ADAPTER
from healthhub import keep
from healthhub.convert.samples import SampleSource
from healthhub.keep import Choice, Keeper
from healthhub.model.message import Incoming, State
from healthhub.pipeline import process
from healthhub.store import query, reads

AT = datetime(2026, 3, 10, tzinfo=UTC)
SAMPLES = sorted((MAPPINGS / "hospital-c" / "samples").glob("*.xml"))
FEED = SampleSource("hospital-c")


def sent(conn: psycopg.Connection[Any], raws: list[bytes]) -> None:
    """Keep messages as the endpoint does, and process them until none waits."""

    async def work() -> None:
        async with Keeper(conn.info.dsn) as keeper:
            for raw in raws:
                envelope = ADAPTER.envelope(raw, FEED)
                await keeper.keep(Incoming("sample", raw, AT, "t", envelope))

    asyncio.run(work())
    worked(conn)


def worked(conn: psycopg.Connection[Any]) -> None:
    while batch := keep.claim(conn, range(256), 100):
        process(conn, batch, {"sample": converter("hospital-c")}, 1)


def state(conn: psycopg.Connection[Any]) -> dict[tuple[str, str], Any]:
    """What is stored, without what names the message that said it last."""
    keys = [key for (key,) in conn.execute("select id from resource").fetchall()]
    bodies = [json.loads(each.json) for each in query.fetch(conn, reads.by_ids(keys))]
    for body in bodies:
        body.pop("meta")
    return {(body["resourceType"], body["id"]): body for body in bodies}


def test_own_xml_is_read_as_the_contract_says() -> None:
    converted = convert(
        (MAPPINGS / "hospital-c/samples/own-lab.xml").read_bytes(), "hospital-c"
    )
    items = {o["code"]["text"]: o for o in of(converted, "Observation")}
    glucose = items["葡萄糖"]
    assert glucose["referenceRange"][0]["text"] == "3.9-6.1"
    assert float(glucose["referenceRange"][0]["high"]["value"]) == 6.1
    assert glucose["interpretation"][0]["coding"][0]["code"] == "A"
    assert glucose["code"]["coding"][0]["code"] == "14749-6"
    assert [(f.code, f.value) for f in converted.findings] == [("unknown-code", "XB9")]
    assert items["新项目九"]["valueString"] == "阴性"
    assert items["新项目九"]["code"]["coding"][0]["code"] == "XB9"


def test_a_cancelled_diagnosis_is_entered_in_error_with_the_greater_weight() -> None:
    kept, cancelled = (
        next(
            d
            for d in convert(
                (MAPPINGS / f"hospital-c/samples/{name}.xml").read_bytes(), "hospital-c"
            ).drafts
            if d.type == "Condition"
        )
        for name in ("own-diagnosis", "own-diagnosis-cancelled")
    )
    assert kept.id == cancelled.id
    assert cancelled.stamp.authority > kept.stamp.authority
    assert cancelled.body["verificationStatus"]["coding"][0]["code"] == "entered-in-error"


def test_messages_documents_and_own_xml_speak_of_one_visit_and_patient() -> None:
    visits, people = set(), set()
    for name in ("visit-discharge", "own-lab", "document-register"):
        converted = convert(
            (MAPPINGS / f"hospital-c/samples/{name}.xml").read_bytes(), "hospital-c"
        )
        visits |= {v["id"] for v in of(converted, "Encounter")}
        if name != "document-register":
            people |= {p["id"] for p in of(converted, "Patient")}
    assert len(visits) == len(people) == 1


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_explain_names_the_bytes_of_what_arrived(path: Any) -> None:
    raw = path.read_bytes()
    told = converter("hospital-c").explain(1, raw, RECEIVED)
    exact = 0
    for each, span in itertools.chain.from_iterable(
        zip([e] * len(e.spans), e.spans, strict=True) for e in told
    ):
        piece = raw[span[0] : span[1]].decode("utf-8", "replace")
        assert piece.strip(), each
        exact += piece == each.value
    assert exact > 2 or path.stem == "document-register"


def test_every_message_is_stored_and_a_replay_changes_nothing(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as conn:
        sent(conn, [path.read_bytes() for path in SAMPLES])
        first = state(conn)
        counted = keep.counts(conn).by_state
        assert counted[State.DONE] == len(SAMPLES) == sum(counted.values())
        assert {kind for kind, _ in first} >= {
            "Patient",
            "Encounter",
            "DiagnosticReport",
            "Observation",
            "Condition",
            "DocumentReference",
            "Binary",
        }
        keep.replay(conn, Choice(source="sample"), who="test", reason="again")
        worked(conn)
        assert state(conn) == first


def test_the_order_of_messages_makes_no_difference(database: str) -> None:
    raws = [path.read_bytes() for path in SAMPLES]
    with psycopg.connect(database, autocommit=True) as conn:
        sent(conn, raws)
        expected = state(conn)
        keep.replay(conn, Choice(source="sample"), who="test", reason="anew, in another order")
        conn.execute("truncate resource, resource_history")
        conn.execute("update message_state set order_key = -order_key")
        worked(conn)
        assert state(conn) == expected
