"""Functions on readings of devices: clocks that are wrong, values that cannot be, other units."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from healthhub.mapping.functions.numbers import number
from healthhub.mapping.functions.registry import Run, function
from healthhub.mapping.functions.times import Moment, parse

CLOCK_AHEAD = timedelta(hours=1)
"""How far a device's clock may run ahead of the receipt."""
LARGEST = Decimal(10) ** 12
"""A greater number was not measured; it is left as it came."""
_LENGTHS = {10: 1, 13: 1000}
"""Digits of a time counted since 1970, and how many of its units make a second."""


@function("| epoch", asks=True)
def epoch(run: Run, node: Any, need: Any, value: str) -> str:
    """A time counted in seconds or milliseconds since 1970 as a dateTime; any other text as it
    is."""
    text = value.strip()
    unit = _LENGTHS.get(len(text)) if text.isdigit() else None
    if unit is None:
        return value
    return datetime.fromtimestamp(int(text) // unit, UTC).astimezone(run.zone).isoformat()


@function("| near(days)", asks=True, timely=True)
def near(run: Run, node: Any, need: Any, value: str, days: str | int = 366) -> str | None:
    """A dateTime of at most so many days before the receipt, and no more than an hour after it;
    one further off (the device's clock is wrong) is left out, with the finding clock-off."""
    found = parse(value, run.zone)
    if isinstance(found, Moment):
        late = run.received_at - found.at
        if -CLOCK_AHEAD <= late <= timedelta(days=int(days)):
            return found.date_time
    detail = (
        "the device's clock is wrong; the time of receipt counts, the device's is in the note"
    )
    run.remark("clock-off", node, need, detail, value)
    return None


@function("| outside(low, high)", asks=True)
def outside(
    run: Run, node: Any, need: Any, value: str, low: str | int | None, high: str | int | None
) -> str | None:
    """The number if it lies outside the limits, with the finding implausible; else nothing."""
    found = number(value)
    if found is None:
        return None
    lowest = number(str(low)) if low is not None else None
    highest = number(str(high)) if high is not None else None
    below = lowest is not None and found < lowest
    if not below and (highest is None or found <= highest):
        return None
    detail = f"the value lies outside {low} to {high}; it was kept and marked as preliminary"
    run.remark("implausible", node, need, detail, value)
    return value


@function("| times(factor, digits)")
def times(value: str, factor: str | int | None, digits: str | int = 2) -> str | None:
    """A number times a factor, rounded to so many digits after the point."""
    found, by = number(value), number(str(factor)) if factor is not None else None
    if found is None or by is None or abs(found) > LARGEST:
        return None
    return str(round(found * by, int(digits)))


@function("| over(number)")
def over(value: str, dividend: str | int) -> Decimal | None:
    """How many times a number goes into another: 250 | over(1000) is 4."""
    found, whole = number(value), number(str(dividend))
    if not found or whole is None or not 1 / LARGEST < found < LARGEST:
        return None
    return Decimal(format(round(whole / found, 6).normalize(), "f"))
