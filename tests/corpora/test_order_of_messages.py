"""Messages may come in any order: what is stored in the end is what happened last."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import orjson
import psycopg
import pytest
from corpora import converter

from healthhub.model.resource import Body
from healthhub.model.validate import check
from healthhub.store import query, reads, writer

RECEIVED = datetime(2024, 4, 1, tzinfo=UTC)
SEQUENCES = 6
"""Orders tried of each story; the reverse is always among them."""


def message(kind: str, at: str, *segments: str) -> str:
    """A message of a hospital's HIS or LIS at a time."""
    head = f"MSH|^~\\&|HIS|H1|HUB|C|{at}||{kind}|M{at}|P|2.5.1"
    return "\r".join((head, f"EVN||{at}" if kind[:3] == "ADT" else "", *segments)).replace(
        "\r\r", "\r"
    )


def patient(number: str) -> str:
    return f"PID|1||{number}^^^H1^MR||沈怀远||19800315|M"


def visit(ended: str = "", ward: str = "XN01") -> str:
    fields = [""] * 46
    fields[0], fields[2], fields[3], fields[19] = "PV1", "I", ward, "V1"
    fields[44], fields[45] = "20240301080000", ended
    return "|".join(fields).rstrip("|")


def result(flag: str, value: str, status: str) -> tuple[str, str]:
    order = (
        "OBR|1|O1|R1|57021-8^血常规^LN"
        + "|" * 18
        + f"20240302100000||HM|{'C' if status == 'C' else 'F'}"
    )
    return order, f"OBX|1|NM|718-7^血红蛋白^LN||{value}|g/L|130-175|{flag}|||{status}"


def stored(connection: psycopg.Connection, kind: str, texts: Sequence[str]) -> Body:
    """The one resource of a type after these messages, each in a transaction of its own."""
    key = None
    for number, text in enumerate(texts):
        outcome = converter().convert(number + 1, text.encode(), RECEIVED)
        assert not [f for f in outcome.findings if f.severity == "error"]
        writer.write(connection, outcome.drafts, check)
        connection.commit()
        key = next((d.id for d in outcome.drafts if d.type == kind), key)
    assert key is not None
    body: dict[str, Any] = orjson.loads(query.fetch(connection, reads.by_id(kind, key)).json)
    return body


def orders(story: Sequence[int]) -> list[tuple[int, ...]]:
    """The story as told, backwards, and some orders between."""
    found = list(permutations(story))
    return [*found[:: max(1, len(found) // SEQUENCES)], found[-1]]


A01, A03, A13, A11 = "ADT^A01", "ADT^A03", "ADT^A13", "ADT^A11"
STORIES = {
    "admitted and discharged": (
        [
            (A01, "20240301080000", visit()),
            (A03, "20240305100000", visit("20240305100000")),
        ],
        {
            "status": "finished",
            "period": {
                "start": "2024-03-01T08:00:00+08:00",
                "end": "2024-03-05T10:00:00+08:00",
            },
        },
    ),
    "an update after discharge does not reopen the visit": (
        [
            (A01, "20240301080000", visit()),
            (A03, "20240305100000", visit("20240305100000")),
            ("ADT^A08", "20240306090000", visit(ward="XN02")),
        ],
        {"status": "finished", "location": "XN02"},
    ),
    "a discharge undone opens it again": (
        [
            (A01, "20240301080000", visit()),
            (A03, "20240305100000", visit("20240305100000")),
            (A13, "20240305110000", visit()),
        ],
        {"status": "in-progress", "period": {"start": "2024-03-01T08:00:00+08:00"}},
    ),
    "discharged again after that": (
        [
            (A03, "20240305100000", visit("20240305100000")),
            (A13, "20240305110000", visit()),
            (A03, "20240307150000", visit("20240307150000")),
        ],
        {
            "status": "finished",
            "period": {
                "start": "2024-03-01T08:00:00+08:00",
                "end": "2024-03-07T15:00:00+08:00",
            },
        },
    ),
    "an admission cancelled stays cancelled": (
        [
            (A01, "20240301080000", visit()),
            (A11, "20240301083000", visit()),
            ("ORU^R01", "20240302100000", visit()),
        ],
        {"status": "cancelled"},
    ),
}


@pytest.mark.parametrize("story", STORIES)
def test_a_visit_ends_as_it_ended_whatever_comes_first(
    story: str, connection: psycopg.Connection
) -> None:
    events, expected = STORIES[story]
    for number, order in enumerate(orders(range(len(events)))):
        texts = [
            message(events[index][0], events[index][1], patient(f"P{number}"), events[index][2])
            for index in order
        ]
        body = stored(connection, "Encounter", texts)
        found = {name: body.get(name) for name in expected}
        if "location" in found:
            found["location"] = body["location"][0]["location"]["display"]
        assert found == expected, order


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        ((("L", "128", "F"), ("N", "138", "C")), ("corrected", "138", "N")),
        ((("", "120", "P"), ("L", "128", "F")), ("final", "128", "L")),
        ((("L", "128", "F"), ("", "", "W")), ("entered-in-error", "128", "L")),
    ],
    ids=["corrected", "final after preliminary", "withdrawn"],
)
def test_a_result_ends_as_the_laboratory_left_it_whatever_comes_first(
    story: tuple[tuple[str, str, str], ...],
    expected: tuple[str, str, str],
    connection: psycopg.Connection,
) -> None:
    for number, order in enumerate(permutations(range(len(story)))):
        texts = [
            message(
                "ORU^R01",
                f"2024030210{index}000",
                patient(f"P{number}"),
                *result(*story[index]),
            )
            for index in order
        ]
        body = stored(connection, "Observation", texts)
        value = body.get("valueQuantity", {}).get("value")
        assert (body["status"], str(value)) == expected[:2], order
        assert body["interpretation"][0]["coding"][0]["code"] == expected[2]


def test_the_owner_of_the_persons_data_wins_over_a_later_mention(
    connection: psycopg.Connection,
) -> None:
    owner = message(A01, "20240301080000", "PID|1||P1^^^H1^MR||沈怀远||19800315|M", visit())
    mention = message(
        "ORU^R01",
        "20240302100000",
        "PID|1||P1^^^H1^MR||沈淮远||19800315|M",
        *result("L", "128", "F"),
    )
    for texts in ((owner, mention), (mention, owner)):
        body = stored(connection, "Patient", texts)
        assert body["name"][0]["text"] == "沈怀远"


def test_results_alone_make_a_patient_that_can_be_found(connection: psycopg.Connection) -> None:
    text = message("ORU^R01", "20240302100000", patient("P1"), *result("L", "128", "F"))
    body = stored(connection, "Patient", [text])
    assert body["identifier"][0]["value"] == "P1"
    assert (body["name"][0]["text"], body["gender"], body["birthDate"]) == (
        "沈怀远",
        "male",
        "1980-03-15",
    )
