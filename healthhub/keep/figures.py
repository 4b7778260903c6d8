"""Figures of each source by the hour: read, added up, and folded into their table.

Triggers (migration 0012) write differences beside what they count, so the figures are true at
every moment; ``fold`` only keeps the reading of them cheap.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import psycopg

from healthhub.model.message import State

Connection = psycopg.Connection[Any]

_FOLD_LOCK = 0x464F4C44  # "FOLD": one at a time
FLAWS = ("completeness", "conformity", "consistency")
"""What a finding says of a source's data; migration 0012 says which code says what."""
DELAYS = {
    "1m": timedelta(minutes=1),
    "10m": timedelta(minutes=10),
    "1h": timedelta(hours=1),
    "1d": timedelta(days=1),
    "7d": timedelta(days=7),
}
"""Classes of delay from the event to the receipt, by their upper bounds; then ``more``,
``ahead`` (the event is said to be in the future) and ``none`` (no time is said)."""
WAITS = {
    "1s": timedelta(seconds=1),
    "5s": timedelta(seconds=5),
    "30s": timedelta(seconds=30),
    "5m": timedelta(minutes=5),
    "1h": timedelta(hours=1),
}
"""The same from the receipt until what a message says can be read."""
KEEP_DAYS = 400
"""Days for which hours are kept; the sums of all time stay."""

Labels = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts of one source within some time: of messages received then, and of repeats."""

    received: int = 0
    bytes: int = 0
    repeated: int = 0
    state: Labels = field(default_factory=dict[str, int])
    finding: Labels = field(default_factory=dict[str, int])
    flaw: Labels = field(default_factory=dict[str, int])
    delay: Labels = field(default_factory=dict[str, int])
    wait: Labels = field(default_factory=dict[str, int])

    @property
    def timed(self) -> int:
        """Messages that say when their event was, and not in the future."""
        return sum(n for label, n in self.delay.items() if label not in ("none", "ahead"))

    def late(self, limit: str) -> int:
        """Messages that came later than ``limit`` (a class of DELAYS) after their event."""
        bounds = [*DELAYS, "more"]
        return sum(self.delay.get(label, 0) for label in bounds[bounds.index(limit) + 1 :])

    @property
    def failed(self) -> int:
        """Messages that are parked or were rejected."""
        return self.state.get(State.PARKED, 0) + self.state.get(State.REJECTED, 0)


def percentile(classes: Mapping[str, timedelta], labels: Labels, share: float) -> str:
    """The class below whose bound this share of the counts lies; empty when there is none."""
    total = sum(labels.get(label, 0) for label in [*classes, "more"])
    reached = 0
    for label in [*classes, "more"]:
        reached += labels.get(label, 0)
        if total and reached >= share * total:
            return label
    return ""


def since(
    conn: Connection, hour: datetime, until: datetime | None = None
) -> dict[str, Figures]:
    """Figures of each source from an hour on."""
    rows = conn.execute(
        """select source, measure, label, sum(n)::bigint from figure
            where hour >= %s and hour < coalesce(%s::timestamptz, 'infinity') and hour > '-infinity'
            group by 1, 2, 3""",
        (hour, until),
    )
    return _added(rows)


def ever(conn: Connection) -> dict[str, Figures]:
    """Figures of each source since the beginning."""
    rows = conn.execute(
        """select source, measure, label, sum(n)::bigint from figure
            where hour = '-infinity' group by 1, 2, 3"""
    )
    return _added(rows)


def by_hour(
    conn: Connection,
    hour: datetime,
    measure: str = "received",
    source: str = "",
    until: datetime | None = None,
) -> dict[str, dict[datetime, int]]:
    """A measure of each source (or one) by the hour, from an hour on; empty hours are left out."""
    rows = conn.execute(
        """select source, hour, sum(n)::bigint from figure
            where hour >= %s and hour > '-infinity' and measure = %s
              and hour < coalesce(%s::timestamptz, 'infinity')
              and (%s = '' or source = %s) group by 1, 2 having sum(n) > 0 order by 1, 2""",
        (hour, measure, until, source, source),
    )
    found: dict[str, dict[datetime, int]] = defaultdict(dict)
    for name, at, n in rows:
        found[name][at] = n
    return dict(found)


def last(conn: Connection, sources: Iterable[str]) -> dict[str, datetime]:
    """When each of the sources sent its last message; one that never did is missing."""
    rows = conn.execute(
        """select s.source, m.received from unnest(%s::text[]) as s (source)
             join lateral (select id from message where source = s.source
                            order by id desc limit 1) newest on true
             join message m using (id)""",
        (list(sources),),
    )
    return dict(rows.fetchall())


def fold(conn: Connection) -> int:
    """Add the differences to their sums; gives how many there were. 0 too while another does."""
    with conn.transaction():
        free = conn.execute("select pg_try_advisory_xact_lock(%s)", (_FOLD_LOCK,)).fetchone()
        if free != (True,):
            return 0
        row = conn.execute(
            """with taken as (delete from figure_tally returning *),
                    spread as (
                        select source, hour, measure, label, n from taken
                        union all select source, '-infinity', measure, label, n from taken),
                    summed as (
                        select source, hour, measure, label, sum(n) as n from spread
                         group by 1, 2, 3, 4 having sum(n) <> 0),
                    folded as (
                        insert into source_figure select * from summed
                        on conflict (source, hour, measure, label)
                        do update set n = source_figure.n + excluded.n)
               select count(*) from taken"""
        ).fetchone()
    return row[0] if row else 0


def forget(conn: Connection, days: int = KEEP_DAYS) -> int:
    """Drop the hours of long ago; gives how many rows."""
    return conn.execute(
        """delete from source_figure
            where hour > '-infinity' and hour < now() - make_interval(days => %s)""",
        (days,),
    ).rowcount


def _added(rows: Iterable[tuple[str, str, str, int]]) -> dict[str, Figures]:
    counts: dict[str, dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    for source, measure, label, n in rows:
        if n:
            counts[source][measure][label] = n
    return {
        source: Figures(
            received=by["received"].get("", 0),
            bytes=by["bytes"].get("", 0),
            repeated=by["repeated"].get("", 0),
            state=by["state"],
            finding=by["finding"],
            flaw=by["flaw"],
            delay=by["delay"],
            wait=by["wait"],
        )
        for source, by in counts.items()
    }
