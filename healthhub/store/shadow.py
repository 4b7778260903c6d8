"""Searching versions that are not, or no longer, the current ones.

The versions are laid into temporary tables that bear the names of the store's own. On this
connection the store's names then mean those, so that what the store's writer enters and what
its search finds is the same as ever: a criterion means for any version what it means in a
search. A search that looks at other resources (chains) finds nothing here and is not for this.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from healthhub.model.resource import Stamp, Stored
from healthhub.store import rows, search, wire
from healthhub.store.query import fetch

Connection = psycopg.Connection[Any]
Params = Sequence[tuple[str, str]]
MOST = 500
"""Versions that can be laid out at once: one page of a search holds them all."""


class Shadow:
    """A connection on which the store's tables are shadowed; of no use for anything else."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        found = conn.execute(
            """select c.relname from pg_class c where c.relnamespace = 'public'::regnamespace
                  and c.relkind = 'r' and c.relname ~ '^resource(_|$)'
                  and c.relname not in ('resource_history', 'resource_word', 'resource_concept')"""
        ).fetchall()
        self._tables = [sql.Identifier(name) for (name,) in found]
        for (name,) in found:
            conn.execute(
                sql.SQL("create temporary table {} (like public.{} including defaults)").format(
                    sql.Identifier(name), sql.Identifier(name)
                )
            )
        conn.commit()

    def lay(self, versions: Sequence[Stored]) -> None:
        """Lay out these versions, one for each id, instead of what was there."""
        self._conn.execute(
            sql.SQL("truncate {}").format(
                sql.SQL(", ").join(sql.SQL("pg_temp.{}").format(name) for name in self._tables)
            )
        )
        moments: dict[datetime, list[rows.Current]] = {}
        for each in versions:
            current = rows.Current(
                each.type,
                each.id,
                each.patient,
                each.version,
                Stamp(1, each.updated, 0),
                None,
                False,
                wire.reload(each.json),
            )
            moments.setdefault(each.updated, []).append(current)
        for updated, found in moments.items():
            rows.insert(self._conn, found, updated)
        self._conn.commit()

    def matching(
        self,
        resource_type: str,
        params: Params,
        base: str,
    ) -> set[UUID]:
        """Which of them the search finds."""
        wanted = [*params, ("_count", str(MOST))]
        page = fetch(self._conn, search.compile(resource_type, wanted, base))
        self._conn.commit()
        return {found.id for found in page.matches}
