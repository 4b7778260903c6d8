"""How people write dates, times and digits into forms and sheets."""

from __future__ import annotations

from healthhub.city import moments
from healthhub.city.dice import Dice
from healthhub.city.moments import DAY, HOUR, MINUTE, Moment


def full_width(text: str) -> str:
    """Digits as an input method left in full width writes them."""
    return "".join(chr(ord(c) + 0xFEE0) if c.isdigit() else c for c in text)


def day(dice: Dice, at: Moment) -> str:
    """A date as whoever is at the keyboard writes it."""
    d = moments.day_of(at)
    return dice.pick(
        (
            f"{d.year}/{d.month}/{d.day}",
            f"{d:%Y-%m-%d}",
            f"{d:%Y%m%d}",
            f"{d.year}年{d.month}月{d.day}日",
            f"{d.year}.{d.month}.{d.day}",
        )
    )


def minute(at: Moment) -> str:
    """A time as the basic HIS exports it."""
    d, (hour, left) = moments.day_of(at), divmod(at % DAY, HOUR)
    return f"{d.year}/{d.month}/{d.day} {hour}:{left // MINUTE:02d}"
