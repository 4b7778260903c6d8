"""A source's rhythm: how many messages it never fails to send, by hour and day of the week."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from healthhub.clock import ZONE

HOUR = timedelta(hours=1)
WEEK = timedelta(days=7)
LEAST_WEEKS = 2
"""Fewer teach nothing: a clinic that is closed on Sundays has been seen closed but once."""
FORGIVING_WEEKS = 4
"""From so many on, the lowest week is left out: a holiday is no rhythm."""
EXPECTED = 12
"""Messages that should have come: a source that is well misses so many at a time hardly ever."""
DENSE = 60
"""Messages an hour from which parts of an hour tell something too."""
SHORTEST = timedelta(minutes=15)
LONGEST = timedelta(days=14)
"""A silence that lasts longer is looked at from its last fortnight."""

Slot = tuple[int, int]
"""Day of the week (Monday 0) and hour, local time."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """What a source sent at least, in an hour of the week and on a day of the week."""

    weeks: int = 0
    hours: Mapping[Slot, int] = field(default_factory=dict[Slot, int])
    days: Mapping[int, int] = field(default_factory=dict[int, int])

    @property
    def learned(self) -> bool:
        """Whether enough weeks were seen."""
        return self.weeks >= LEAST_WEEKS


def learn(by_hour: Mapping[datetime, int], last: datetime, most_weeks: int) -> Rhythm:
    """The rhythm of the weeks before the last message: what came after it is the silence."""
    if not by_hour:
        return Rhythm()
    end = _hour(last)
    weeks = min(most_weeks, (end - _hour(min(by_hour))) // WEEK)
    if weeks < LEAST_WEEKS:
        return Rhythm(weeks)
    hours: dict[Slot, int] = {}
    counts = {_hour(at): n for at, n in by_hour.items()}
    for back in range(1, 7 * 24 + 1):
        at = end - back * HOUR
        seen = [counts.get(at - n * WEEK, 0) for n in range(weeks)]
        hours[(at.weekday(), at.hour)] = _least(seen)
    by_day: dict[date, int] = {}
    for at, n in counts.items():
        by_day[at.date()] = by_day.get(at.date(), 0) + n
    days: dict[int, int] = {}
    for back in range(1, 8):
        day = end.date() - timedelta(days=back)
        days[day.weekday()] = _least([by_day.get(day - n * WEEK, 0) for n in range(weeks)])
    return Rhythm(weeks, hours, days)


def missing(
    rhythm: Rhythm, last: datetime, now: datetime, quiet: Collection[date] = ()
) -> float | None:
    """How many messages should have come since the last one; None while that is no silence.

    Whole hours count, and parts of hours in which a source sends densely; a whole day without
    any message counts for a source that sends once a day, whenever that is.
    """
    since = max(last.astimezone(ZONE), now.astimezone(ZONE) - LONGEST)
    if not rhythm.learned or now - since < SHORTEST:
        return None
    expected = 0.0
    at = _hour(since)
    while at < now:
        low = 0 if at.date() in quiet else rhythm.hours.get((at.weekday(), at.hour), 0)
        part = (min(now, at + HOUR) - max(since, at)) / HOUR
        expected += low * part if part >= 1 or low >= DENSE else 0
        at += HOUR
    if expected >= EXPECTED:
        return expected
    return _days_missing(rhythm, since, now, quiet)


def _days_missing(
    rhythm: Rhythm, since: datetime, now: datetime, quiet: Collection[date]
) -> float | None:
    day, today = since.date() + timedelta(days=1), now.astimezone(ZONE).date()
    expected = 0
    while day < today:
        expected += 0 if day in quiet else rhythm.days.get(day.weekday(), 0)
        day += timedelta(days=1)
    return expected or None


def _least(seen: list[int]) -> int:
    ordered = sorted(seen)
    return ordered[1] if len(ordered) >= FORGIVING_WEEKS else ordered[0]


def _hour(at: datetime) -> datetime:
    return at.astimezone(ZONE).replace(minute=0, second=0, microsecond=0)
