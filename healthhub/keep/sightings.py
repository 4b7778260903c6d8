"""Which message holds which code that its mapping lacks, counted as the message is settled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg

from healthhub.keep.queue import storable
from healthhub.model.code_maps import Sighting
from healthhub.model.message import Message

LONGEST = 200
"""Characters of a code, name or unit that are kept: longer ones are texts, not codes."""
MOST = 200
"""Sightings kept of one message."""

_NEVER, _EVER = datetime(1900, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)
_Key = tuple[str, str, str]

_FORGET = """with gone as (
      delete from code_sighting where message = any(%b::bigint[]) returning gap, version)
    select g.source, g.tab, g.code, gone.version > 0, count(*)
      from gone join code_gap g on g.id = gone.gap group by 1, 2, 3, 4"""

# Rows are locked in one order, so that workers that meet the same codes do not deadlock.
_COUNT = """insert into code_gap as g
      (source, tab, code, display, unit, first_seen, last_seen, open, mapped)
    select * from unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::text[],
                         %b::timestamptz[], %b::timestamptz[], %b::bigint[], %b::bigint[])
     order by 1, 2, 3
    on conflict (source, tab, code) do update
       set open = g.open + excluded.open, mapped = g.mapped + excluded.mapped,
           first_seen = least(g.first_seen, excluded.first_seen),
           last_seen = greatest(g.last_seen, excluded.last_seen),
           display = case when excluded.display <> '' then excluded.display else g.display end,
           unit = case when excluded.unit <> '' then excluded.unit else g.unit end
    returning id, source, tab, code"""


@dataclass(slots=True)
class _Count:
    """What changes in the count of one code. Without a new sighting the times change nothing."""

    first: datetime = _EVER
    last: datetime = _NEVER
    open: int = 0
    mapped: int = 0
    display: str = ""
    unit: str = ""


def sight(
    conn: psycopg.Connection,
    settled: Sequence[Message],
    met: Mapping[int, Sequence[Sighting]],
) -> None:
    """Note what settled messages hold; what they were noted for before gives way.

    Part of the transaction that settles them, and the last of it: counts of a frequent code are
    then locked but for a moment.
    """
    if not settled:
        return
    counts: dict[_Key, _Count] = {}
    rows: list[tuple[int, _Key, int]] = []
    for source, table, code, was_mapped, number in conn.execute(
        _FORGET, ([m.id for m in settled],), binary=True
    ):
        count = counts.setdefault((source, table, code), _Count())
        if was_mapped:
            count.mapped -= number
        else:
            count.open -= number
    for message in settled:
        for seen in met[message.id][:MOST]:
            if not 0 < len(seen.code) <= LONGEST:
                continue
            key, version = (message.source, seen.table, storable(seen.code)), seen.version
            rows.append((message.id, key, version))
            count = counts.setdefault(key, _Count())
            count.first = min(count.first, message.received)
            count.last = max(count.last, message.received)
            count.open += not version
            count.mapped += bool(version)
            count.display = storable(seen.display, LONGEST) or count.display
            count.unit = storable(seen.unit, LONGEST) or count.unit
    if counts:
        _write(conn, counts, rows)


def _write(
    conn: psycopg.Connection,
    counts: Mapping[_Key, _Count],
    rows: Sequence[tuple[int, _Key, int]],
) -> None:
    keys = list(counts)
    values = list(counts.values())
    found = conn.execute(
        _COUNT,
        (
            *([key[n] for key in keys] for n in range(3)),
            [c.display for c in values],
            [c.unit for c in values],
            [c.first for c in values],
            [c.last for c in values],
            [c.open for c in values],
            [c.mapped for c in values],
        ),
    )
    ids = {(source, table, code): id_ for id_, source, table, code in found}
    if rows:
        conn.execute(
            """insert into code_sighting (message, gap, version)
               select * from unnest(%b::bigint[], %b::bigint[], %b::bigint[])""",
            ([r[0] for r in rows], [ids[r[1]] for r in rows], [r[2] for r in rows]),
        )
