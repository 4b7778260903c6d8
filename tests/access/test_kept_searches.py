"""Searches that came in a body: kept for their sender, and never more than the hub can hold."""

from __future__ import annotations

import psycopg
import pytest

from healthhub.access import kept
from healthhub.access.actor import Actor
from healthhub.errors import Gone
from healthhub.store.query import fetch

MINE, OTHER = (
    Actor(f"client:{number}", "client", f"c{number}", frozenset()) for number in (1, 2)
)


def keep(conn: psycopg.Connection, who: Actor, number: int) -> str:
    """Keep a search; each has a time of its own."""
    token = fetch(conn, kept.keep(who, "Patient", [("_id", str(number))]))
    conn.commit()
    return token


def of(conn: psycopg.Connection, who: Actor) -> int:
    row = conn.execute("select count(*) from kept_search where actor = %s", (who.id,))
    return row.fetchall()[0][0]


def test_the_oldest_of_an_actor_goes_when_it_keeps_too_many_and_others_keep_theirs(
    connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "MOST_OF_ONE", 3)
    theirs = keep(connection, OTHER, 0)
    tokens = [keep(connection, MINE, number) for number in range(5)]
    assert (of(connection, MINE), of(connection, OTHER)) == (3, 1)
    with pytest.raises(Gone, match="send it again"):
        fetch(connection, kept.kept(MINE, "Patient", tokens[1]))
    assert fetch(connection, kept.kept(MINE, "Patient", tokens[2])) == [("_id", "2")]
    assert fetch(connection, kept.kept(OTHER, "Patient", theirs)) == [("_id", "0")]


def test_all_actors_together_keep_no_more_than_the_hub_can_hold(
    connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "MOST", 4)
    for number in range(5):
        keep(connection, MINE, number)
        keep(connection, OTHER, number)
    assert (of(connection, MINE), of(connection, OTHER)) == (2, 2)


def test_a_search_is_kept_for_an_hour(connection: psycopg.Connection) -> None:
    token = keep(connection, MINE, 1)
    connection.execute("update kept_search set at = at - interval '61 minutes'")
    keep(connection, OTHER, 2)
    with pytest.raises(Gone, match="send it again"):
        fetch(connection, kept.kept(MINE, "Patient", token))
