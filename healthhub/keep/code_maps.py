"""Versions of the overlay: what people have mapped beside the mappings' code tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import psycopg

from healthhub.errors import Conflict, NotFound
from healthhub.model.code_maps import Overlay, Solved, Target

_LOCK = 0x434F4445  # "CODE": one change to the overlay at a time

_COLUMNS = """v.number, v.mapping, v.tab, v.code, v.target, v.display, v.system, v.who, v.why,
    v.at, v.undoes, v.messages, v.lost, v.finished"""


@dataclass(frozen=True, slots=True)
class Version:
    """One change. ``target`` None: the code is unknown again. ``undoes``: the version that it
    takes back. ``messages`` were stored and are derived again, ``lost`` of them could not be;
    ``finished`` is when that was over."""

    number: int
    mapping: str
    table: str
    code: str
    target: Target | None
    who: str
    why: str
    at: datetime
    undoes: int | None
    messages: int
    lost: int
    finished: datetime | None


def newest(conn: psycopg.Connection) -> int:
    """The number of the latest version; 0 before the first."""
    row = conn.execute("select max(number) from code_map_version").fetchone()
    return (row[0] if row else None) or 0


def overlay(conn: psycopg.Connection) -> Overlay:
    """All entries in force, in one snapshot."""
    rows = conn.execute(
        f"""select distinct on (v.mapping, v.tab, v.code) {_COLUMNS}
              from code_map_version v order by v.mapping, v.tab, v.code, v.number desc"""  # noqa: S608
    ).fetchall()
    versions = [_version(row) for row in rows]
    return Overlay(
        max((v.number for v in versions), default=0),
        tuple(
            Solved(v.number, v.mapping, v.table, v.code, v.target)
            for v in versions
            if v.target is not None
        ),
    )


def current(conn: psycopg.Connection, mapping: str, table: str, code: str) -> Version | None:
    """The latest version of a code's map; None: nobody has ever mapped it."""
    found = history(conn, mapping, table, code)
    return found[0] if found else None


def history(conn: psycopg.Connection, mapping: str, table: str, code: str) -> list[Version]:
    """All versions of a code's map, the latest first."""
    rows = conn.execute(
        f"""select {_COLUMNS} from code_map_version v
             where v.mapping = %s and v.tab = %s and v.code = %s order by v.number desc""",  # noqa: S608
        (mapping, table, code),
    )
    return [_version(row) for row in rows]


def get(conn: psycopg.Connection, number: int) -> Version:
    """One version; NotFound otherwise."""
    row = conn.execute(
        f"select {_COLUMNS} from code_map_version v where v.number = %s",  # noqa: S608
        (number,),
    ).fetchone()
    if row is None:
        raise NotFound(f"there is no version {number}; `healthhub terms versions` lists them")
    return _version(row)


def latest(conn: psycopg.Connection, limit: int = 50) -> list[Version]:
    """The latest versions of all maps."""
    rows = conn.execute(
        f"select {_COLUMNS} from code_map_version v order by v.number desc limit %s",  # noqa: S608
        (limit,),
    )
    return [_version(row) for row in rows]


def under_way(conn: psycopg.Connection) -> list[Version]:
    """Versions whose messages are still derived again, the oldest first."""
    rows = conn.execute(
        f"select {_COLUMNS} from code_map_version v where v.finished is null order by v.number"  # noqa: S608
    )
    return [_version(row) for row in rows]


def spelling(
    conn: psycopg.Connection, mapping: str, table: str, code: str, loose: Callable[[str], str]
) -> str:
    """The spelling that a code is mapped under: two of one code (whose ``loose`` forms are the
    same) are not mapped apart."""
    for entry in overlay(conn).entries:
        if (entry.mapping, entry.table) == (mapping, table) and loose(entry.code) == loose(
            code
        ):
            return entry.code
    return code


def enter(
    conn: psycopg.Connection,
    wanted: Solved,
    *,
    who: str,
    why: str,
    messages: int,
    loose: Callable[[str], str],
    unknown: bool = False,
    undoes: int | None = None,
) -> int:
    """Make ``wanted.target`` the map of its code, or the code unknown; gives the new number.

    ``wanted.number`` is the version that the person saw (0: none); Conflict when there is
    another by now, of whatever spelling. What was still under way for the code goes on under
    the new version.
    """
    conn.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))
    code = spelling(conn, wanted.mapping, wanted.table, wanted.code, loose)
    wanted = replace(wanted, code=code)
    known = current(conn, wanted.mapping, wanted.table, wanted.code)
    if (known.number if known else 0) != wanted.number:
        raise Conflict(
            "somebody has mapped this code meanwhile; look at what they chose, and then decide"
        )
    conn.execute(
        """update code_map_version set finished = now()
            where mapping = %s and tab = %s and code = %s and finished is null""",
        (wanted.mapping, wanted.table, wanted.code),
    )
    row = conn.execute(
        """insert into code_map_version
             (mapping, tab, code, target, display, system, who, why, messages, undoes)
           values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) returning number""",
        (
            wanted.mapping,
            wanted.table,
            wanted.code,
            None if unknown else wanted.target.code,
            "" if unknown else wanted.target.display,
            "" if unknown else wanted.target.system,
            who,
            why.strip(),
            messages,
            undoes,
        ),
    ).fetchone()
    assert row is not None  # noqa: S101 - an insert gives its row
    return row[0]


def finish(conn: psycopg.Connection, numbers: Sequence[int]) -> None:
    """The messages of these versions have been derived again."""
    conn.execute(
        "update code_map_version set finished = now() where number = any(%s) and finished is null",
        (list(numbers),),
    )


def lose(conn: psycopg.Connection, number: int, count: int) -> None:
    """Messages of a version cannot be derived again."""
    conn.execute(
        "update code_map_version set lost = lost + %s where number = %s", (count, number)
    )


def _version(row: tuple) -> Version:
    number, mapping, table, code, target, display, system, *rest = row
    goal = None if target is None else Target(target, display, system)
    return Version(number, mapping, table, code, goal, *rest)
