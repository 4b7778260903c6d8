"""Files that were uploaded in the console: held after their check, taken once, then let go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from healthhub.errors import Conflict, NotFound
from healthhub.keep import insert, raw

Connection = psycopg.Connection[Any]
HELD_HOURS = 1
_COLUMNS = "id, made, changed, who, source, name, size, state, told"


@dataclass(frozen=True, slots=True)
class Upload:
    """One file: whose, for which source, where it stands, what became of it."""

    id: int
    made: datetime
    changed: datetime
    who: str
    source: str
    name: str
    size: int
    state: str
    told: dict[str, Any]


def hold(conn: Connection, who: str, source: str, name: str, content: bytes) -> int:
    """Keep a checked file until its taker says so; gives its number."""
    row = conn.execute(
        """insert into upload (who, source, name, size, content, state)
           values (%s, %s, %s, %s, %s, 'checked') returning id""",
        (who, source, name[:200], len(content), content),
    ).fetchone()
    assert row is not None  # noqa: S101 - an insert gives its row
    return row[0]


def listed(conn: Connection, limit: int = 20) -> list[Upload]:
    """The latest."""
    with conn.cursor(row_factory=class_row(Upload)) as cursor:
        return cursor.execute(
            f"select {_COLUMNS} from upload order by id desc limit %s",  # noqa: S608
            (limit,),
        ).fetchall()


def begin(conn: Connection, upload: int, who: str) -> None:
    """Let a checked file of one's own be taken; a second time changes nothing."""
    row = conn.execute(
        """update upload set state = 'taking', changed = now()
            where id = %s and who = %s and state = 'checked' returning id""",
        (upload, who),
    ).fetchone()
    if row is not None:
        return
    found = conn.execute(
        "select state from upload where id = %s and who = %s", (upload, who)
    ).fetchone()
    if found is None:
        raise NotFound("there is no such upload of yours; check the file again")
    if found[0] in ("expired", "failed"):
        raise Conflict("the file is no longer held; check it again")


def next_one(conn: Connection) -> tuple[Upload, bytes] | None:
    """The file that is to be taken now, locked for the caller's transaction."""
    with conn.cursor(row_factory=class_row(Upload)) as cursor:
        found = cursor.execute(
            f"""select {_COLUMNS} from upload where state = 'taking' order by id limit 1
                for update skip locked""",  # noqa: S608
        ).fetchone()
    if found is None:
        return None
    row = conn.execute("select content from upload where id = %s", (found.id,)).fetchone()
    return found, row[0] if row else b""


def finish(conn: Connection, upload: int, state: str, told: dict[str, Any]) -> None:
    """Note what became of it, and let the file go."""
    conn.execute(
        """update upload set state = %s, told = %s, content = null, changed = now()
            where id = %s""",
        (state, Jsonb(told), upload),
    )


def expire(conn: Connection) -> int:
    """Let go of files that were checked and not taken; gives how many."""
    return conn.execute(
        """update upload set state = 'expired', content = null, changed = now()
            where state = 'checked' and changed < now() - make_interval(hours => %s)""",
        (HELD_HOURS,),
    ).rowcount


def repeated(conn: Connection, source: str, raws: Sequence[bytes]) -> int:
    """How many of these messages were kept before."""
    digests = [raw.digest(source, each) for each in raws]
    return len(conn.execute(insert.KNOWN, (digests,)).fetchall())
