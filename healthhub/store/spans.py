"""Dates, numbers and quantities as spans of integers, as a row holds and a search compares them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from healthhub.store import dates, units
from healthhub.store.hashes import HIGHEST, LOWEST, ordered

Amount = tuple[str, int, int]
"""Unit (empty for dates and numbers), first and last."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HUMAN = "|"
EARLIEST, LATEST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)
"""The ends of an open span, as a row holds them."""
Both = tuple[datetime | None, datetime | None]


def micros(moment: datetime) -> int:
    """Microseconds since 1970."""
    passed = moment - _EPOCH
    return (passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds


def span_of(value: Any) -> Both:
    """Both ends of a date, dateTime, instant, Period or Timing; None where open or unknown."""
    if isinstance(value, str):
        return dates.span(value) or (None, None)
    if not isinstance(value, dict):
        return None, None
    if "event" in value or "repeat" in value:
        return _timing(value)
    start, end = dates.span(value.get("start", "")), dates.span(value.get("end", ""))
    return (start[0] if start else None, end[1] if end else None)


def _timing(value: dict[str, Any]) -> Both:
    """The outer limits of a schedule (http://hl7.org/fhir/R4/search.html#date)."""
    found = [span for text in value.get("event", ()) if text and (span := dates.span(text))]
    if found:
        return min(span[0] for span in found), max(span[1] for span in found)
    return span_of(value.get("repeat", {}).get("boundsPeriod", {}))


def of_date(value: Any) -> Iterator[Amount]:
    """The span of a date."""
    start, end = span_of(value)
    if start is not None or end is not None:
        yield (
            "",
            LOWEST if start is None else micros(start),
            HIGHEST if end is None else micros(end),
        )


def of_number(value: Any) -> Iterator[Amount]:
    """The span of a number; of a Range too (RiskAssessment.probability)."""
    if isinstance(value, dict):
        low, high = value.get("low", {}).get("value"), value.get("high", {}).get("value")
        if low is not None or high is not None:
            yield "", _end(low, LOWEST), _end(high, HIGHEST)
    elif isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        yield "", _end(value, LOWEST), _end(value, HIGHEST)


def of_quantity(value: Any) -> Iterator[Amount]:
    """The spans of a Quantity, Money, Range or SampledData: one for each name of its unit.

    A comparator makes it open: ``< 0.01`` is all below 0.01.
    """
    if not isinstance(value, dict):
        return
    if "origin" in value:
        unit, (low, high) = value["origin"], _sampled(value)
    elif "low" in value or "high" in value:
        first, last = value.get("low", {}), value.get("high", {})
        unit, low, high = first or last, first.get("value"), last.get("value")
    else:
        unit, low, high = value, value.get("value"), value.get("value")
        comparator = value.get("comparator", "")
        low = None if "<" in comparator else low
        high = None if ">" in comparator else high
    if low is None and high is None:
        return
    for name in names_of(unit):
        yield name, _end(low, LOWEST), _end(high, HIGHEST)


def names_of(unit: dict[str, Any]) -> tuple[str, ...]:
    """The names under which a quantity's unit is found: its code, and how people write it."""
    if "currency" in unit:
        return (f"urn:iso:std:iso:4217|{unit['currency']}", f"|{unit['currency']}")
    code, system, human = unit.get("code", ""), unit.get("system", ""), unit.get("unit", "")
    found: list[str] = []
    if code:
        found.append(f"{system}|{units.plain(code) if system == units.UCUM else code}")
        if system and system != units.UCUM:
            found.append(_HUMAN + code)
    if human and human != code:
        found.append(_HUMAN + human)
    return tuple(dict.fromkeys(found)) or ("",)


def _points(texts: list[str]) -> list[Decimal]:
    """The least and the greatest of sampled points. Those of a curve are whole numbers in tens of
    thousands, which are compared as such. E, L and U are an error, below or above the limits."""
    stated = [text for text in texts if text not in ("E", "L", "U")]
    try:
        whole = [int(text) for text in stated]
        return [Decimal(min(whole)), Decimal(max(whole))] if whole else []
    except ValueError:
        return [point for point in map(_point, stated) if point is not None]


def _point(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def _sampled(value: dict[str, Any]) -> tuple[Any, Any]:
    """The bounds of sampled data: its limits, else its least and greatest point."""
    origin, factor = _number(value["origin"].get("value", 0)), _number(value.get("factor", 1))
    points = _points(str(value.get("data", "")).split())
    low, high = value.get("lowerLimit"), value.get("upperLimit")
    if points and low is None:
        low = min(points) * factor + origin
    if points and high is None:
        high = max(points) * factor + origin
    return low, high


def _number(value: Any) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(str(value))


def _end(value: Any, otherwise: int) -> int:
    return otherwise if value is None else as_integer(value)


@lru_cache(maxsize=50_000)
def as_integer(value: float | Decimal) -> int:
    """A number as the integer that sorts as it does."""
    try:
        return ordered(float(value))
    except OverflowError:
        return HIGHEST if value > 0 else LOWEST


def hull(found: Iterable[Both]) -> tuple[datetime, datetime]:
    """The span around several; where one has no end, neither has this. What lies beyond the
    ends of open spans (0001-01-01, midnight in China) could be stored, and not read again."""
    starts, ends = zip(*found, strict=True)
    return (
        EARLIEST if None in starts else _within(min(starts)),
        LATEST if None in ends else _within(max(ends)),
    )


def _within(moment: datetime) -> datetime:
    if EARLIEST <= moment <= LATEST:
        return moment
    return EARLIEST if moment < EARLIEST else LATEST
