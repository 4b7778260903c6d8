"""Loads of history: one at a time for a source, and how far each file has been taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg

_LOADING = 0x4C4F4144  # "LOAD": the one load of a source
_POLLING = 0x504F4C4C  # "POLL": shared by batches of a poller, held alone by a load


@dataclass(frozen=True, slots=True)
class File:
    """A file, or member of an archive, as it was when a load saw it: its path, its bytes, when
    it was changed. When any of these is another, it is another file."""

    name: str
    size: int
    changed: int


@dataclass(frozen=True, slots=True)
class Taken:
    """So many messages or rows of a file have been taken; all of it, if ``whole``."""

    count: int = 0
    whole: bool = False


def begin(conn: psycopg.Connection[Any], source: str) -> bool:
    """Claim a source's history for this session, until it ends; False when another load has it.
    Waits for the batch that a poller has at hand."""
    row = conn.execute(
        "select pg_try_advisory_lock(%s, hashtext(%s))", (_LOADING, source)
    ).fetchone()
    if not (row and row[0]):
        return False
    conn.execute("select pg_advisory_lock(%s, hashtext(%s))", (_POLLING, source))
    return True


def end(conn: psycopg.Connection[Any], source: str) -> None:
    """Give it back."""
    for lock in (_POLLING, _LOADING):
        conn.execute("select pg_advisory_unlock(%s, hashtext(%s))", (lock, source))


def is_loaded(conn: psycopg.Connection[Any], source: str) -> bool:
    """Whether a load has the source's history; if not, none begins before this transaction
    ends."""
    row = conn.execute(
        "select pg_try_advisory_xact_lock_shared(%s, hashtext(%s))", (_POLLING, source)
    ).fetchone()
    return not (row and row[0])


def taken(conn: psycopg.Connection[Any], source: str, file: File) -> Taken:
    """How far earlier loads came in a file."""
    row = conn.execute(
        """select taken, whole from source_file
           where source = %s and name = %s and size = %s and changed = %s""",
        (source, file.name, file.size, file.changed),
    ).fetchone()
    return Taken(*row) if row else Taken()


def note(conn: psycopg.Connection[Any], source: str, file: File, how_far: Taken) -> None:
    """Note how far a file has been taken, once all that is committed."""
    conn.execute(
        """insert into source_file (source, name, size, changed, taken, whole)
           values (%s, %s, %s, %s, %s, %s)
           on conflict (source, name) do update set size = excluded.size,
               changed = excluded.changed, taken = excluded.taken, whole = excluded.whole,
               at = now()""",
        (source, file.name, file.size, file.changed, how_far.count, how_far.whole),
    )
