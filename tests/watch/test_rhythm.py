"""A silence is what a source has never kept before: case tables over weeks of invented traffic."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest

from healthhub.clock import ZONE
from healthhub.watch.rhythm import HOUR, Rhythm, learn, missing

MONDAY = datetime(2026, 3, 2, tzinfo=ZONE)
Traffic = Callable[[datetime], int]


def busy(at: datetime) -> int:
    """A hospital: 300 an hour by day, 6 by night, every day."""
    return 300 if 8 <= at.hour < 18 else 6


def office(at: datetime) -> int:
    """A clinic: 20 an hour on weekdays, 8 to 12 and 14 to 17."""
    return 20 if at.weekday() < 5 and (8 <= at.hour < 12 or 14 <= at.hour < 17) else 0


def daily(at: datetime) -> int:
    """A township's upload: once a day, at 17, 18 or 19 o'clock."""
    return 200 if at.hour == 17 + at.day % 3 else 0


def rare(at: datetime) -> int:
    """Once a week, if at all."""
    return int(at.day % 9 == 0 and at.hour == 10)


def weeks(traffic: Traffic, until: datetime, count: int = 6) -> dict[datetime, int]:
    hours = [until - n * HOUR for n in range(1, count * 7 * 24 + 1)]
    return {at: n for at in hours if (n := traffic(at))}


CASES = [
    (busy, "2026-03-02T10:00", "2026-03-02T10:10", False),
    (busy, "2026-03-02T10:00", "2026-03-02T10:16", True),
    (busy, "2026-03-02T23:00", "2026-03-02T23:50", False),
    (busy, "2026-03-02T23:00", "2026-03-03T01:00", True),
    (office, "2026-03-02T11:55", "2026-03-02T14:50", False),
    (office, "2026-03-02T11:55", "2026-03-02T15:01", True),
    (office, "2026-03-06T16:59", "2026-03-09T08:30", False),
    (office, "2026-03-06T16:59", "2026-03-09T09:01", True),
    (daily, "2026-03-02T19:30", "2026-03-03T23:59", False),
    (daily, "2026-03-02T19:30", "2026-03-04T00:01", True),
    (rare, "2026-03-09T10:30", "2026-04-09T10:30", False),
]


@pytest.mark.parametrize(("traffic", "last", "now", "silent"), CASES)
def test_a_silence_is_seen_and_a_pause_is_not(
    traffic: Traffic, last: str, now: str, silent: bool
) -> None:
    at, then = (datetime.fromisoformat(each).replace(tzinfo=ZONE) for each in (last, now))
    rhythm = learn(weeks(traffic, at.replace(minute=0)), at, 6)
    assert rhythm.weeks >= 5
    assert (missing(rhythm, at, then) is not None) is silent


def test_a_silence_stays_one_however_long_it_lasts() -> None:
    last = MONDAY + 9 * HOUR
    rhythm = learn(weeks(busy, last), last, 6)
    for days in (1, 20, 200):
        assert missing(rhythm, last, last + timedelta(days=days)) is not None


def test_one_holiday_among_four_weeks_is_forgiven_and_one_of_two_is_not() -> None:
    last = MONDAY + 9 * HOUR
    holiday = (MONDAY - timedelta(days=7)).date()
    for count, learned in ((4, 300), (2, 0)):
        traffic = weeks(busy, last, count)
        kept = {at: n for at, n in traffic.items() if at.date() != holiday}
        kept[last - count * timedelta(days=7)] = 300
        rhythm = learn(kept, last, 6)
        assert rhythm.weeks == count
        assert rhythm.hours[(0, 8)] == learned


def test_nothing_is_learned_from_less_than_two_weeks() -> None:
    last = MONDAY + 9 * HOUR
    rhythm = learn(weeks(busy, last, 1), last, 6)
    assert not rhythm.learned
    assert missing(rhythm, last, last + timedelta(days=3)) is None
    assert learn({}, last, 6) == Rhythm()


def test_a_quiet_day_is_no_silence() -> None:
    last = datetime(2026, 9, 30, 16, 30, tzinfo=ZONE)
    rhythm = learn(weeks(office, last.replace(minute=0)), last, 6)
    then = datetime(2026, 10, 1, 16, 30, tzinfo=ZONE)
    assert missing(rhythm, last, then) is not None
    assert missing(rhythm, last, then, {date(2026, 10, 1)}) is None
