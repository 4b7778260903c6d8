"""A message that kills its worker is taken alone, then parked; nothing else waits for it."""

from __future__ import annotations

import multiprocessing
import os
import signal
from datetime import datetime
from typing import Any

import psycopg
import pytest

from healthhub import keep, worker
from healthhub.model.message import State
from healthhub.model.resource import Converted
from healthhub.settings import Settings
from tests.pipeline.test_process import Plain, fill

DEADLY = "deadly"
SPAWN = multiprocessing.get_context("spawn")


class Deadly(Plain):
    """Converts as Plain does, and kills the process over one message."""

    def convert(self, message_id: int, raw: bytes, received: datetime, /) -> Converted:
        if DEADLY.encode() in raw:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().convert(message_id, raw, received)


def work(database: str) -> None:
    worker.converters_of = lambda settings: {"his": Deadly()}  # type: ignore[assignment]
    worker.run(Settings.model_validate({"pipeline": {"batch": 4}}), database)


def people(*names: str) -> list[dict[str, Any]]:
    return [{"patient": name, "name": name} for name in names]


def lives(database: str, done: int, parked: int) -> int:
    """Start workers one after another until so many are settled; how many died."""
    deaths = 0
    while True:
        process = SPAWN.Process(target=work, args=(database,))
        process.start()
        try:
            while process.is_alive():
                with psycopg.connect(database) as conn:
                    found = keep.counts(conn).by_state
                if (found[State.DONE], found[State.PARKED]) == (done, parked):
                    return deaths
                process.join(0.05)
            deaths += 1
            assert deaths <= keep.MOST_DEATHS, "it is found out"
        finally:
            process.terminate()
            process.join(20)


def test_a_message_that_kills_its_worker_is_parked_and_all_others_are_done(
    database: str,
) -> None:
    with psycopg.connect(database, autocommit=True) as conn:
        fill(conn, *people("a", "b", DEADLY, "c", "d", "e", "f"))
        assert lives(database, done=6, parked=1) == keep.MOST_DEATHS
        (line,) = keep.findings(conn, [_parked(conn)]).values()
        assert [finding.code for finding in line] == ["worker-died"]
        assert conn.execute("select count(*) from message_suspect").fetchone() == (0,)


def _parked(conn: psycopg.Connection) -> int:
    row = conn.execute("select id from message_state where state = 'parked'").fetchone()
    assert row is not None
    return row[0]


@pytest.mark.parametrize("again", [False, True])
def test_a_worker_that_lost_its_connection_suspects_nothing(database: str, again: bool) -> None:
    at_hand = keep.AtHand()
    with psycopg.connect(database, autocommit=True) as conn:
        fill(conn, *people("a"))
        (message,) = keep.claim(conn, range(256), 10)
    with psycopg.connect(database, autocommit=True) as conn:
        at_hand.open(conn)
        at_hand.note(conn, [message])
    other = at_hand if again else keep.AtHand()
    with psycopg.connect(database, autocommit=True) as conn:
        other.open(conn)
        (piece,) = other.pieces(conn, [message])
        assert piece == ([message], 0 if again else 1)
