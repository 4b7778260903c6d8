"""What messages state is merged into one resource, whatever the order of processing."""

from __future__ import annotations

from decimal import Decimal
from itertools import permutations

import orjson
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from healthhub.model import ids
from healthhub.model.resource import Draft, Stamp
from healthhub.store import reads, writer
from healthhub.store.query import fetch
from tests.store.drafts import PATIENT, accept, code, draft, stamp


def body(connection: psycopg.Connection, resource_type: str, number: str) -> dict:
    stored = fetch(
        connection, reads.by_id(resource_type, ids.derive("test", resource_type, number))
    )
    return orjson.loads(stored.json)


def without_meta(found: dict) -> dict:
    return {name: value for name, value in found.items() if name != "meta"}


def test_a_first_statement_makes_version_one_with_its_source(
    connection: psycopg.Connection,
) -> None:
    written = writer.write(
        connection, [draft("Encounter", "v", stamp(5), status="finished")], accept
    )
    assert [(w.action, w.version) for w in written] == [("created", 1)]
    found = body(connection, "Encounter", "v")
    assert found["meta"]["versionId"] == "1"
    assert found["meta"]["source"] == "urn:healthhub:source:test#5"
    assert found["status"] == "finished"


def test_the_same_message_again_changes_nothing(connection: psycopg.Connection) -> None:
    said = [draft("Encounter", "v", stamp(5), status="finished", period={"start": "2026"})]
    writer.write(connection, said, accept)
    assert [w.action for w in writer.write(connection, said, accept)] == ["unchanged"]
    history = fetch(connection, reads.history("Encounter", said[0].id))
    assert [version.version for version in history] == [1]


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        pytest.param(stamp(9), "in-progress", id="a newer event wins"),
        pytest.param(stamp(1), "finished", id="an older event does not"),
        pytest.param(stamp(9, authority=0), "finished", id="a mention never does"),
        pytest.param(stamp(1, authority=2), "in-progress", id="a correction always does"),
    ],
)
def test_the_greater_stamp_is_believed(
    connection: psycopg.Connection, later: Stamp, expected: str
) -> None:
    writer.write(connection, [draft("Encounter", "v", stamp(5), status="finished")], accept)
    writer.write(connection, [draft("Encounter", "v", later, status="in-progress")], accept)
    assert body(connection, "Encounter", "v")["status"] == expected


def test_an_older_event_fills_what_nobody_said(connection: psycopg.Connection) -> None:
    writer.write(
        connection, [draft("Encounter", "v", stamp(5), period={"end": "2026-01-02"})], accept
    )
    writer.write(
        connection, [draft("Encounter", "v", stamp(1), period={"start": "2026-01-01"})], accept
    )
    assert body(connection, "Encounter", "v")["period"] == {
        "start": "2026-01-01",
        "end": "2026-01-02",
    }


def test_an_erased_element_stays_erased_when_older_events_come(
    connection: psycopg.Connection,
) -> None:
    writer.write(
        connection,
        [draft("Encounter", "v", stamp(5), ("period.end",), status="finished")],
        accept,
    )
    writer.write(
        connection, [draft("Encounter", "v", stamp(1), period={"end": "2026-01-02"})], accept
    )
    assert "period" not in body(connection, "Encounter", "v")


def test_the_forms_of_a_choice_replace_one_another(connection: psycopg.Connection) -> None:
    text = draft("Observation", "o", stamp(1), valueString="阴性")
    for said in (text, draft("Observation", "o", stamp(2), valueQuantity={"value": 1})):
        writer.write(connection, [said], accept)
    found = body(connection, "Observation", "o")
    assert "valueString" not in found
    assert found["valueQuantity"] == {"value": 1}


def test_numbers_keep_their_digits(connection: psycopg.Connection) -> None:
    said = draft("Observation", "o", stamp(1), valueQuantity={"value": Decimal("131.00")})
    writer.write(connection, [said], accept)
    writer.write(connection, [draft("Observation", "o", stamp(2), status="final")], accept)
    stored = fetch(connection, reads.by_id("Observation", said.id))
    assert b'"value":131.00' in stored.json


def test_other_digits_are_another_value(connection: psycopg.Connection) -> None:
    for when, digits in ((1, "1.5"), (2, "1.50")):
        said = draft("Observation", "o", stamp(when), valueQuantity={"value": Decimal(digits)})
        (written,) = writer.write(connection, [said], accept)
        assert written.version == when


def test_a_merged_body_is_checked(connection: psycopg.Connection) -> None:
    writer.write(connection, [draft("Encounter", "v", stamp(1), status="finished")], accept)
    seen: list[dict] = []
    writer.write(connection, [draft("Encounter", "v", stamp(2), language="zh")], seen.append)
    assert [(s["status"], s["language"]) for s in seen] == [("finished", "zh")]


def test_a_row_that_changes_its_patient_takes_its_history_along(
    connection: psycopg.Connection,
) -> None:
    other = ids.derive("test", "Patient", "2")
    first = draft("Observation", "o", stamp(1), status="final")
    writer.write(connection, [first], accept)
    moved = draft("Observation", "o", stamp(2), patient=other, status="amended")
    (written,) = writer.write(connection, [moved], accept)
    assert (written.before, written.patient) == (PATIENT, other)
    assert fetch(connection, reads.everything([PATIENT])).matches == []
    assert len(fetch(connection, reads.everything([other])).matches) == 1
    assert [v.version for v in fetch(connection, reads.history("Observation", first.id))] == [
        2,
        1,
    ]


def test_shared_rows_that_say_nothing_new_are_not_touched(
    connection: psycopg.Connection,
) -> None:
    def said(minute: int) -> Draft:
        return draft(
            "Practitioner", "d", stamp(minute), patient=ids.SHARED, name=[{"text": "李"}]
        )

    writer.write(connection, [said(1)], accept)
    assert [w.action for w in writer.write(connection, [said(2)], accept)] == ["unchanged"]
    changed = draft("Practitioner", "d", stamp(3), patient=ids.SHARED, name=[{"text": "王"}])
    assert [w.action for w in writer.write(connection, [changed], accept)] == ["updated"]
    assert body(connection, "Practitioner", "d")["name"] == [{"text": "王"}]


statement = st.builds(
    lambda minute, authority, message, said, erased: draft(
        "Encounter",
        "v",
        stamp(minute, authority, message),
        tuple(name for name in erased if name.split(".")[0] not in said),
        **said,
    ),
    st.integers(0, 3),
    st.integers(0, 2),
    st.integers(1, 3),
    st.fixed_dictionaries(
        {},
        optional={
            "status": st.sampled_from(["planned", "finished"]),
            "class": st.fixed_dictionaries({"code": st.sampled_from("AI")}),
            "period": st.fixed_dictionaries(
                {},
                optional={"start": st.sampled_from(["2025", "2026"]), "end": st.just("2027")},
            ).filter(bool),
            "reasonCode": st.lists(st.just(code("R05")), min_size=1, max_size=2),
        },
    ),
    st.sets(st.sampled_from(["period.end", "period", "reasonCode", "class"]), max_size=2),
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    drafts=st.lists(statement, min_size=1, max_size=5),
    data=st.data(),
)
def test_any_order_and_grouping_gives_the_same_resource(
    connection: psycopg.Connection, drafts: list, data: st.DataObject
) -> None:
    """A message is processed whole, and any of them may be processed again."""
    messages = [
        [draft for draft in drafts if draft.stamp.message == number] for number in (1, 2, 3)
    ]
    messages = [message for message in messages if message]
    again = data.draw(st.lists(st.sampled_from(messages), max_size=2))
    results = []
    for order in (messages, [*data.draw(st.permutations(messages)), *again]):
        with connection.transaction(force_rollback=True):
            rest = list(order)
            while rest:
                size = data.draw(st.integers(1, len(rest)))
                writer.write(connection, [d for each in rest[:size] for d in each], accept)
                rest = rest[size:]
            results.append(without_meta(body(connection, "Encounter", "v")))
    assert results[0] == results[1]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_statement_that_names_no_patient_leaves_the_row_with_its_patient(
    connection: psycopg.Connection, order: tuple[int, ...]
) -> None:
    said = [
        draft("Observation", "o", stamp(1), status="final", code=code("1")),
        draft("Observation", "o", stamp(5), patient=ids.SHARED, status="entered-in-error"),
        draft("Observation", "o", stamp(3), status="amended", code=code("1")),
    ]
    for number in order:
        writer.write(connection, [said[number]], accept)
    [row] = connection.execute("select patient_key from resource").fetchall()
    assert row[0] == PATIENT
    assert body(connection, "Observation", "o")["status"] == "entered-in-error"
