"""Functions on dates and times: HL7 and local spellings to FHIR, precision and zone kept."""

from __future__ import annotations

import re
from datetime import date as calendar_date
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from healthhub.clock import now
from healthhub.mapping.functions.registry import Run, function
from healthhub.terms.forms import half

_HL7 = re.compile(
    r"(\d{4})(?:(\d\d)(?:(\d\d)(?:\s*[T ]?(\d\d)(?::?(\d\d)(?::?(\d\d)(?:\.?(\d{1,6})\d*)?)?)?)?)?)?"
    r"([+-]\d\d:?\d\d|Z)?"
)
_LOCAL = re.compile(
    r"(\d{4})[-/.年](\d{1,2})(?:[-/.月](\d{1,2})日?"
    r"(?:[T ]*(\d{1,2})[:时](\d{1,2})(?:[:分](\d{1,2})(?:\.(\d{1,6})\d*)?)?[分秒]?)?)?月?"
    r"\s*([+-]\d\d:?\d\d|Z)?"
)
_DEFAULTS = frozenset(
    (
        "00010101",
        "16010101",
        "17530101",
        "18000101",
        "18991230",
        "18991231",
        "19000101",
        "29991231",
        "99991231",
        "99990101",
    )
)
_TIME = re.compile(r"([01]\d|2[0-3]):?([0-5]\d)(?::?([0-5]\d)(\.\d+)?)?(?:[+-]\d{4})?")
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)")
_SECONDS = {
    "s": 1,
    "sec": 1,
    "min": 60,
    "m": 60,
    "h": 3600,
    "hr": 3600,
    "d": 86400,
    "day": 86400,
    "wk": 604800,
    "w": 604800,
}
MOST_AHEAD = timedelta(days=1)
"""How far ahead of the hub's clock the time of something that has happened may be."""


class Moment:
    """A parsed time: its FHIR spellings and its instant."""

    __slots__ = ("at", "date", "date_time", "instant")

    def __init__(self, date: str, date_time: str, instant: str | None, at: datetime) -> None:
        self.date = date
        self.date_time = date_time
        self.instant = instant
        self.at = at


PLACEHOLDER = "placeholder"


@lru_cache(maxsize=16384)
def parse(text: str, zone: ZoneInfo) -> Moment | str | None:
    """A time as Moment; PLACEHOLDER for a default date or zeros; None if impossible."""
    text = half(text).strip()
    match = _HL7.fullmatch(text) or _LOCAL.fullmatch(text)
    if match is None or match[1] == "0000":
        return PLACEHOLDER if not text.strip("0 :-./") else None
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    if f"{year}{month or ''}{day or ''}" in _DEFAULTS:
        return PLACEHOLDER
    if month == "00" or day == "00":
        month, day, hour = (None, None, None) if month == "00" else (month, None, None)
    try:
        at = datetime(
            int(year),
            int(month or 1),
            int(day or 1),
            int(hour or 0),
            int(minute or 0),
            int(second or 0),
            int((fraction or "0").ljust(6, "0")),
            tzinfo=zone,
        )
    except ValueError:
        return None
    stated = _OFFSET.fullmatch(offset) if offset else None
    if offset:
        minutes = int(stated[2]) * 60 + int(stated[3]) if stated else 0
        if minutes > 14 * 60:
            return None
        shown = f"{stated[1]}{stated[2]}:{stated[3]}" if stated and minutes else "+00:00"
        at = datetime.fromisoformat(at.replace(tzinfo=None).isoformat() + shown)
    date = f"{at:%Y-%m-%d}" if day else year if not month else f"{at:%Y-%m}"
    date = date.rjust(4, "0")
    if hour is None:
        return Moment(date, date, None, at)
    spelled = _spelled(at, fraction)
    return Moment(date, spelled, spelled, at)


def _spelled(at: datetime, fraction: str | None) -> str:
    """yyyy-MM-ddThh:mm:ss(.f)+hh:mm. Offsets with seconds (local mean time before 1901) do not
    exist in FHIR."""
    offset = at.utcoffset() or timedelta()
    minutes = int(offset.total_seconds()) // 60
    sign, minutes = ("-", -minutes) if minutes < 0 else ("+", minutes)
    tail = f".{fraction}" if fraction and fraction.strip("0") else ""
    return f"{at:%Y-%m-%dT%H:%M:%S}{tail}{sign}{minutes // 60:02d}:{minutes % 60:02d}"


def _moment(run: Run, node: Any, need: Any, text: str) -> Moment | None:
    moment = parse(text, run.zone)
    if isinstance(moment, Moment):
        return moment
    if moment is None:
        run.remark("bad-date", node, need, "this is no date or time; it was left out", text)
    else:
        run.remark("placeholder", node, need, "a default date was left out", text)
    return None


@function("| date", asks=True)
def date(run: Run, node: Any, need: Any, value: str) -> str | None:
    """A FHIR date with the precision given. Default dates (1900-01-01, 1800-01-01, zeros, …),
    impossible and future ones are left out and remarked upon."""
    moment = _moment(run, node, need, value)
    if moment is None:
        return None
    if moment.date > f"{now() + MOST_AHEAD:%Y-%m-%d}":
        run.remark("bad-date", node, need, "this date is in the future; it was left out", value)
        return None
    return moment.date


@function("| date_time", asks=True)
def date_time(run: Run, node: Any, need: Any, value: str) -> str | None:
    """A FHIR dateTime with the precision given, in the zone that it names or else the
    source's."""
    moment = _moment(run, node, need, value)
    return moment.date_time if moment else None


@function("| any_date", asks=True)
def any_date(run: Run, node: Any, need: Any, value: str) -> str | None:
    """A FHIR date that may lie in the future (an appointment, an expiry)."""
    moment = _moment(run, node, need, value)
    return moment.date if moment else None


@function("| instant", asks=True)
def instant(run: Run, node: Any, need: Any, value: str) -> str | None:
    """A FHIR instant; a date without a time counts as its first moment."""
    moment = _moment(run, node, need, value)
    return None if moment is None else moment.instant or _spelled(moment.at, None)


@function("| time")
def time(value: str) -> str | None:
    """A FHIR time hh:mm:ss."""
    match = _TIME.fullmatch(half(value).strip())
    return f"{match[1]}:{match[2]}:{match[3] or '00'}{match[4] or ''}" if match else None


@function("| later(amount, unit)", asks=True)
def later(
    run: Run, node: Any, need: Any, value: str, amount: str | None, unit: str | None = None
) -> str | None:
    """A dateTime that comes an amount of s, min, h, d or wk (default min) after another."""
    moment = _moment(run, node, need, value)
    seconds = _SECONDS.get((unit or "min").lower())
    if moment is None or not amount or seconds is None:
        return None
    try:
        return _spelled(moment.at + timedelta(seconds=float(amount) * seconds), None)
    except (ValueError, OverflowError):
        return None


@function("| minutes(unit)")
def minutes(value: str, unit: str | None = None) -> int | None:
    """A length of time as whole minutes; unit s, min (default), h, d or wk."""
    seconds = _SECONDS.get((unit or "min").lower())
    try:
        found = round(float(half(value)) * (seconds or 0) / 60)
    except (ValueError, OverflowError):
        return None
    return found if seconds is not None and found > 0 else None


@function("| age_at(date)", asks=True)
def age_at(run: Run, node: Any, need: Any, value: str, when: str | None) -> int | None:
    """Whole years from a birth date to another date."""
    born, then = parse(value, run.zone), parse(when or "", run.zone)
    if not isinstance(born, Moment) or not isinstance(then, Moment):
        return None
    first, last = calendar_date.fromisoformat(f"{born.at:%Y-%m-%d}"), then.at.date()
    years = last.year - first.year - ((last.month, last.day) < (first.month, first.day))
    return years if years >= 0 else None
