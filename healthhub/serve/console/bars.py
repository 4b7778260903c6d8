"""Bars of messages by the hour, as numbers that a template draws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from healthhub.clock import ZONE

WIDTH = 4
HEIGHT = 72
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Bar:
    """One hour: where its bar stands, how high it is, and what it says."""

    x: int
    height: float
    at: datetime
    count: int


@dataclass(frozen=True, slots=True)
class Chart:
    """All hours from one to another, with where each day begins, and each day's sum."""

    bars: tuple[Bar, ...]
    days: tuple[tuple[int, datetime], ...]
    sums: tuple[tuple[datetime, int], ...]
    most: int
    width: int


def chart(by_hour: Mapping[datetime, int], since: datetime, until: datetime) -> Chart:
    """The bars of the hours from ``since`` to ``until``; hours without messages have none."""
    hours: list[datetime] = []
    at = since
    while at <= until:
        hours.append(at)
        at += HOUR
    counts = {at.astimezone(ZONE): n for at, n in by_hour.items()}
    most = max([1, *counts.values()])
    bars = tuple(
        Bar(n * WIDTH, round(counts.get(at, 0) / most * HEIGHT, 1), at, counts.get(at, 0))
        for n, at in enumerate(hours)
    )
    sums: dict[datetime, int] = {}
    for bar in bars:
        day = bar.at.replace(hour=0)
        sums[day] = sums.get(day, 0) + bar.count
    days = tuple((bar.x, bar.at) for bar in bars if bar.at.hour == 0)
    return Chart(
        bars, days, tuple(sums.items()), max(counts.values(), default=0), len(bars) * WIDTH
    )
