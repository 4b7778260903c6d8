"""A message that is processed again after its mapping has changed says only what it says now."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from psycopg import Connection

from healthhub.model.ids import derive
from healthhub.model.resource import Body, Draft, Stamp
from healthhub.store import writer

AT = datetime(2026, 3, 1, 8, tzinfo=UTC)
PATIENT = derive("h", "Patient", "1")
ID = derive("h", "Observation", "1")


def draft(message: int, authority: int = 1, **said: Any) -> Draft:
    body: Body = {"resourceType": "Observation", "id": str(ID), "status": "final", **said}
    return Draft("Observation", ID, PATIENT, Stamp(authority, AT, message), body)


def after(connection: Connection, *drafts: Draft) -> Body:
    written = [writer.write(connection, [each], lambda _: None)[0] for each in drafts]
    return written[-1].body


WORDS = [("A", "B"), ("B", "A")]


@pytest.mark.parametrize(("before", "now"), WORDS, ids=["greater", "lesser"])
def test_its_new_words_take_the_place_of_its_own(
    connection: Connection, before: str, now: str
) -> None:
    first, again = draft(7, code={"text": before}), draft(7, code={"text": now})
    assert after(connection, first, again)["code"] == {"text": now}


def test_what_it_no_longer_says_is_gone(connection: Connection) -> None:
    first = draft(7, code={"text": "A"}, method={"text": "M"})
    assert "method" not in after(connection, first, draft(7, code={"text": "A"}))


def test_what_another_message_says_stays(connection: Connection) -> None:
    first = draft(7, code={"text": "A"}, method={"text": "M"})
    other = draft(8, code={"text": "B"})
    found = after(connection, first, other, draft(7, code={"text": "C"}, method={"text": "N"}))
    assert (found["code"], found["method"]) == ({"text": "B"}, {"text": "N"})


def test_direct_writes_are_no_message(connection: Connection) -> None:
    """They all bear the number 0."""
    first = draft(0, code={"text": "A"}, method={"text": "M"})
    assert after(connection, first, draft(0, code={"text": "A"}))["method"] == {"text": "M"}


def test_a_replay_that_says_the_same_makes_no_version(connection: Connection) -> None:
    first = draft(7, code={"text": "A"})
    writer.write(connection, [first], lambda _: None)
    (again,) = writer.write(connection, [first], lambda _: None)
    assert (again.action, again.version) == ("unchanged", 1)
