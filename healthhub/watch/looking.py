"""Looking at all sources: what is known of each now, and what the rules say to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import psycopg

from healthhub.clock import ZONE
from healthhub.keep import figures, rows
from healthhub.keep.figures import Figures
from healthhub.settings import Settings
from healthhub.watch import alarms, rules
from healthhub.watch.rhythm import HOUR, Rhythm, learn
from healthhub.watch.rules import Seen, Trouble

Connection = psycopg.Connection[Any]
RECENT = 2 * HOUR
DAY = timedelta(days=1)
USUAL = timedelta(days=28)
LEARN_SECONDS = 3600.0
HOOK_PATIENCE = timedelta(minutes=10)
POLL_PATIENCE = timedelta(minutes=5)


class Looker:
    """Looks again and again; what changes slowly (rhythms, what is usual) it learns by the
    hour, and anew after a start."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._learned_at: datetime | None = None
        self._rhythms: Mapping[str, Rhythm] = {}
        self._usual: Mapping[str, Figures] = {}

    def look(self, conn: Connection, now: datetime) -> list[Trouble]:
        """Everything that is wrong now."""
        names = list(self._settings.sources)
        last = figures.last(conn, names)
        if (
            self._learned_at is None
            or (now - self._learned_at).total_seconds() >= LEARN_SECONDS
        ):
            self._learn(conn, now, last)
        recent = figures.since(conn, _hour(now - RECENT + HOUR))
        day = figures.since(conn, _hour(now - DAY))
        problems = rows.problems(conn, POLL_PATIENCE)
        found = list(self._of_the_hub(conn, now))
        for name, source in self._settings.sources.items():
            seen = Seen(
                name,
                last.get(name),
                recent.get(name, Figures()),
                day.get(name, Figures()),
                self._usual.get(name, Figures()),
                self._rhythms.get(name, Rhythm()),
                problems.get(name, ""),
                source.timely,
            )
            found += rules.troubles(
                seen, source.alarms, now, frozenset(self._settings.alarms.quiet_days)
            )
        return found

    def _learn(self, conn: Connection, now: datetime, last: Mapping[str, datetime]) -> None:
        self._rhythms = {
            name: rhythm_of(conn, self._settings, name, at) for name, at in last.items()
        }
        self._usual = figures.since(conn, _hour(now - USUAL - DAY), _hour(now - DAY))
        self._learned_at = now

    def _of_the_hub(self, conn: Connection, now: datetime) -> Iterator[Trouble]:
        since = rows.pending_since(conn)
        limit = self._settings.alarms.backlog_minutes
        if since is not None and now - since > timedelta(minutes=limit):
            yield Trouble("", "backlog", {"since": since.isoformat(timespec="seconds")})
        for state in alarms.hook_states(conn):
            failing = state.failing_since
            known = state.hook in self._settings.alarms.hooks
            if known and failing is not None and now - failing > HOOK_PATIENCE:
                yield Trouble(
                    "",
                    "hook",
                    {"hook": state.hook, "waiting": state.waiting, "said": state.said},
                )


def rhythm_of(conn: Connection, settings: Settings, name: str, last: datetime | None) -> Rhythm:
    """The rhythm of a source up to its last message."""
    if last is None:
        return Rhythm()
    weeks = settings.alarms.learn_weeks
    since = _hour(last - timedelta(weeks=weeks))
    found = figures.by_hour(conn, since, source=name, until=_hour(last))
    return learn(found.get(name, {}), last, weeks)


def _hour(at: datetime) -> datetime:
    return at.astimezone(ZONE).replace(minute=0, second=0, microsecond=0)
