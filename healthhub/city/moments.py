"""Wall-clock seconds of the city (Asia/Shanghai since 1970), cheap to add, sort and print."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from healthhub import clock

Moment = int
MINUTE, HOUR, DAY = 60, 3_600, 86_400
_EPOCH = date(1970, 1, 1).toordinal()
_OFFSET = 8 * HOUR
"""China keeps UTC+8 the year round since 1992; the story does not go further back."""


def of(day: date, seconds: int = 0) -> Moment:
    """The moment a number of seconds into a day."""
    return (day.toordinal() - _EPOCH) * DAY + seconds


@lru_cache(maxsize=65536)
def _digits(day: int) -> str:
    return date.fromordinal(day + _EPOCH).strftime("%Y%m%d")


def day_of(moment: Moment) -> date:
    """The calendar day of a moment."""
    return date.fromordinal(moment // DAY + _EPOCH)


def digits8(moment: Moment) -> str:
    """yyyyMMdd."""
    return _digits(moment // DAY)


def digits14(moment: Moment) -> str:
    """yyyyMMddHHmmss, the form of HL7 v2 times in these feeds."""
    day, second = divmod(moment, DAY)
    minute, second = divmod(second, 60)
    hour, minute = divmod(minute, 60)
    return f"{_digits(day)}{hour:02d}{minute:02d}{second:02d}"


def aware(moment: Moment) -> datetime:
    """The moment as a datetime with its zone."""
    start = datetime(1970, 1, 1, tzinfo=UTC)
    return (start + timedelta(seconds=moment - _OFFSET)).astimezone(clock.ZONE)


def here(instant: datetime) -> Moment:
    """The city's moment of an aware datetime."""
    return int(instant.timestamp()) + _OFFSET
