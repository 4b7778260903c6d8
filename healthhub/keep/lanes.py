"""Lanes: which patients a worker works for, held by locks that die with it."""

from __future__ import annotations

import random
from hashlib import blake2b

import psycopg

from healthhub.keep import applications

LANES = 256
QUIET_SECONDS = 60
"""An idle worker asks every other second; a batch of the largest messages takes some."""
_LANE_LOCK = 0x4C414E45  # "LANE": first key of the advisory lock of each lane
_WORKERS = 0x574F524B  # "WORK": shared by every live worker, so that they can be counted


def order_key(source: str, patient: str, digest: bytes) -> int:
    """Messages with the same key are processed in order of receipt; signed 64 bits.

    A message that names no patient has a key of its own and waits for nobody.
    """
    text = f"{source}\x1f{patient}".encode(errors="surrogatepass") if patient else digest
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big", signed=True)


def lane_of(key: int) -> int:
    """The lane of an order key, 0 to 255."""
    return key % LANES


def workers_here(conn: psycopg.Connection, application: str = applications.WORKER) -> int:
    """Workers (or processes of another name) that came from where ``conn`` came from (the same machine or container) and have
    asked for something within QUIET_SECONDS."""
    row = conn.execute(
        """select count(*) from pg_stat_activity as worker, pg_stat_activity as mine
           where mine.pid = pg_backend_pid() and worker.datname = mine.datname
             and worker.application_name = %s
             and worker.client_addr is not distinct from mine.client_addr
             and (worker.state = 'active'
                  or worker.state_change > clock_timestamp() - make_interval(secs => %s))""",
        (application, QUIET_SECONDS),
    ).fetchone()
    return 0 if row is None else row[0]


class Lanes:
    """The lanes that one worker's connection holds.

    Session advisory locks: no other worker can hold the same lane, and PostgreSQL frees them
    when the connection ends, however it ends. ``conn`` must do all that the lanes protect.
    """

    def __init__(self, conn: psycopg.Connection) -> None:
        self._conn = conn
        self.held: set[int] = set()
        conn.execute("select pg_advisory_lock_shared(%s, 0)", (_WORKERS,))
        conn.commit()

    def rebalance(self) -> None:
        """Take or give back lanes until this worker holds its fair share of them."""
        taken, workers = self._survey()
        share = -(-LANES // max(workers, 1))
        if len(self.held) > share:
            self._release(random.sample(sorted(self.held), len(self.held) - share))
        elif len(self.held) < share:
            free = sorted(set(range(LANES)) - taken)
            random.shuffle(free)
            self._take(free[: share - len(self.held)])
        self._conn.commit()

    def release(self) -> None:
        """Give every lane back, so that others go on at once."""
        self._release(sorted(self.held))
        self._conn.execute("select pg_advisory_unlock_shared(%s, 0)", (_WORKERS,))
        self._conn.commit()

    def _survey(self) -> tuple[set[int], int]:
        rows = self._conn.execute(
            """select classid::bigint, objid::bigint, count(*) from pg_locks
               where locktype = 'advisory' and granted and objsubid = 2
                 and classid in (%s, %s)
                 and database = (select oid from pg_database where datname = current_database())
               group by 1, 2""",
            (_LANE_LOCK, _WORKERS),
        ).fetchall()
        taken = {lane for kind, lane, _ in rows if kind == _LANE_LOCK}
        return taken, sum(count for kind, _, count in rows if kind == _WORKERS)

    def _take(self, lanes: list[int]) -> None:
        rows = self._conn.execute(
            "select lane, pg_try_advisory_lock(%s, lane) from unnest(%s::int[]) as lane",
            (_LANE_LOCK, lanes),
        )
        self.held |= {lane for lane, got in rows if got}

    def _release(self, lanes: list[int]) -> None:
        self._conn.execute(
            "select pg_advisory_unlock(%s, lane) from unnest(%s::int[]) as lane",
            (_LANE_LOCK, lanes),
        )
        self.held -= set(lanes)
