"""ADT^A24 makes one person of two patients, ADT^A37 two again: from bytes to persons."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from people import arrive

from healthhub import identify
from healthhub.convert import Converter
from healthhub.mapping.library import Library
from healthhub.model import ids
from healthhub.settings import Source

Connection = psycopg.Connection[Any]
MAPPINGS = Library(Path(__file__).resolve().parents[2] / "mappings")
FIRST, SECOND = (ids.derive("h", "Patient", number) for number in ("P1^H", "P2^H"))


def send(connection: Connection, event: str, minute: int, *numbers: str) -> None:
    """An event about the patients with these numbers."""
    at = f"2024010108{minute:02}00"
    lines = [f"MSH|^~\\&|HIS|H|HUB|H|{at}||ADT^{event}|{minute}|P|2.5", f"EVN|{event}|{at}"]
    lines += [f"PID|{n}||{number}^^^H^MR||陈^梅" for n, number in enumerate(numbers, 1)]
    source = Source(institution="h", mapping="national/hl7v2")
    outcome = Converter("his", source, MAPPINGS).convert(
        minute, "\r".join(lines).encode(), datetime(2024, 1, 1, 8, minute, tzinfo=UTC)
    )
    arrive(connection, *outcome.drafts, merges=outcome.merges)


def person(connection: Connection, patient: UUID) -> UUID:
    """Who a source patient is."""
    return identify.person_of(connection, patient)


def test_a_link_joins_and_its_undoing_parts_in_whatever_order_the_patients_stand(
    connection: Connection,
) -> None:
    send(connection, "A28", 1, "P1")
    send(connection, "A28", 2, "P2")
    assert person(connection, FIRST) != person(connection, SECOND)
    send(connection, "A24", 3, "P1", "P2")
    assert person(connection, FIRST) == person(connection, SECOND)
    send(connection, "A37", 4, "P2", "P1")
    assert person(connection, FIRST) != person(connection, SECOND)


@pytest.mark.parametrize("first", ["A24", "A37"])
def test_the_later_of_link_and_unlink_holds_whichever_arrives_first(
    connection: Connection, first: str
) -> None:
    minutes = {"A24": 3, "A37": 4}
    for event in (first, "A37" if first == "A24" else "A24"):
        send(connection, event, minutes[event], "P1", "P2")
    assert person(connection, FIRST) != person(connection, SECOND)
