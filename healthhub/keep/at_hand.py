"""What each worker has at hand, so that a message that kills its worker is found out.

A worker notes the messages of a batch before it begins. When it dies, the next one finds the
note without its owner: from then on those messages are taken one at a time, and the one that
kills again and again is parked. Both tables are unlogged: a death of PostgreSQL is nobody's
fault, and empties them.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence

import psycopg

from healthhub.model.finding import Finding
from healthhub.model.message import Message

MOST_DEATHS = 3
"""Workers that may die over a message: one in a batch, the others over it alone."""
_HELD = 0x48414E44  # "HAND": first key of the advisory lock of each note

_BURY = """with dead as (
      delete from message_at_hand
       where token <> %(mine)s and pg_try_advisory_xact_lock(%(held)s, token)
      returning ids)
    insert into message_suspect (id, deaths)
    select s.id, 1 from dead, unnest(dead.ids) id join message_state s using (id)
     where s.state in ('pending', 'retry')
    on conflict (id) do update set deaths = message_suspect.deaths + 1"""


class AtHand:
    """The note of one worker. It outlives a lost connection: ``open`` it again on the new one."""

    def __init__(self) -> None:
        self._token = random.randrange(2**31)  # noqa: S311 - a name, not a secret
        self._wary = False

    def open(self, conn: psycopg.Connection) -> None:
        """Hold the note's lock for as long as the connection lives, and look for the dead."""
        conn.execute("select pg_advisory_lock(%s, %s)", (_HELD, self._token))
        self.look(conn)

    def look(self, conn: psycopg.Connection) -> None:
        """Suspect what dead workers had at hand. Before lanes are taken: what a dead worker
        left is then known to whoever goes on with it."""
        conn.execute(_BURY, {"mine": self._token, "held": _HELD})
        row = conn.execute("select exists (select from message_suspect)").fetchone()
        self._wary = bool(row and row[0])

    def note(self, conn: psycopg.Connection, batch: Iterable[Message]) -> None:
        """Say what is begun now."""
        conn.execute(
            """insert into message_at_hand (token, ids) values (%s, %s)
               on conflict (token) do update set ids = excluded.ids""",
            (self._token, [message.id for message in batch]),
        )

    def close(self, conn: psycopg.Connection) -> None:
        """Nothing is at hand any more."""
        conn.execute("delete from message_at_hand where token = %s", (self._token,))
        conn.execute("select pg_advisory_unlock(%s, %s)", (_HELD, self._token))

    def pieces(
        self, conn: psycopg.Connection, batch: Sequence[Message]
    ) -> Iterator[tuple[Sequence[Message], int]]:
        """The batch in its order, each suspect alone and with the deaths over it."""
        deaths = self._deaths(conn, batch) if self._wary else {}
        piece: list[Message] = []
        for message in batch:
            if message.id not in deaths:
                piece.append(message)
                continue
            if piece:
                yield piece, 0
                piece = []
            yield [message], deaths[message.id]
        if piece:
            yield piece, 0

    @staticmethod
    def acquit(conn: psycopg.Connection, message: int) -> None:
        """The message was taken alone, and the worker lives; or it is parked."""
        conn.execute("delete from message_suspect where id = %s", (message,))

    @staticmethod
    def _deaths(conn: psycopg.Connection, batch: Sequence[Message]) -> Mapping[int, int]:
        found = conn.execute(
            "select id, deaths from message_suspect where id = any(%s)",
            ([message.id for message in batch],),
        )
        return dict(found.fetchall())


def fatal(deaths: int) -> Finding:
    """The finding of a message that is parked for it."""
    return Finding(
        "error",
        "worker-died",
        "",
        f"{deaths} workers died over this message; report it with its number, and replay it "
        "when the fault is corrected",
    )
