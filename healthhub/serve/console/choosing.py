"""From the fields of the list's form to messages: a patient is looked up, counts are bounded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from fastapi import Request
from psycopg import Connection

from healthhub import keep
from healthhub.access import http
from healthhub.access.actor import Actor
from healthhub.errors import Unprocessable
from healthhub.keep import Choice
from healthhub.serve.console import asked
from healthhub.serve.console.shared import WHY

LIST_SECONDS = 8.0
COUNT_SECONDS = 3.0
MOST_OF_A_PATIENT = 2_000
"""Messages of a patient that are looked at: the newest."""
NO_MESSAGE = (-1,)


async def chosen(request: Request, who: Actor, given: Mapping[str, str]) -> Choice:
    """The choice that the fields make; a patient's stands for the messages of that person."""
    choice = asked.choice(given)
    if not given.get("patient"):
        return choice
    ids = await http.door(request).messages_of(who, WHY, given["patient"], MOST_OF_A_PATIENT)
    return replace(choice, ids=ids or NO_MESSAGE)


def count(conn: Connection, choice: Choice, action: str, most: int) -> int | None:
    """How many messages an action would touch, up to one more than ``most``; None where that
    takes too long to say."""
    try:
        with keep.within(conn, COUNT_SECONDS):
            return keep.matching(conn, choice, action, most)
    except Unprocessable:
        return None


def listed(conn: Connection, choice: Choice, before: int | None, limit: int) -> list[keep.Line]:
    """The list; Unprocessable with advice where it takes too long."""
    with keep.within(conn, LIST_SECONDS):
        return keep.find(conn, choice, before=before, limit=limit)
