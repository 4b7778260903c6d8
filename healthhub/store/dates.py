"""FHIR dates of any precision as the span of time that they mean."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import lru_cache

from healthhub import clock

_FORM = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?"
    r"(Z|[+-]\d\d:\d\d)?)?)?)?"
)
Span = tuple[datetime, datetime]


@lru_cache(maxsize=20_000)
def span(text: str) -> Span | None:
    """First and last moment of a date, dateTime or instant; None when it is none.

    ``2026-03`` is all of March (http://hl7.org/fhir/R4/search.html#date). The end is the last
    microsecond within.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    try:
        start = datetime(
            int(year),
            int(month or 1),
            int(day or 1),
            int(hour or 0),
            int(minute or 0),
            int(second or 0),
            int((fraction or "0")[:6].ljust(6, "0")),
            tzinfo=clock.ZONE
            if zone is None
            else datetime.fromisoformat(f"2000-01-01T00:00{zone}").tzinfo,
        )
        if month is None:
            after = start.replace(year=start.year + 1)
        elif day is None:
            after = (start + timedelta(days=31)).replace(day=1)
        else:
            after = start + _length(hour, second, fraction)
    except (ValueError, OverflowError):
        return None
    return start, after - timedelta(microseconds=1)


def _length(hour: str | None, second: str | None, fraction: str | None) -> timedelta:
    if hour is None:
        return timedelta(days=1)
    if second is None:
        return timedelta(minutes=1)
    if fraction is None:
        return timedelta(seconds=1)
    return timedelta(microseconds=10 ** max(0, 6 - len(fraction)))
