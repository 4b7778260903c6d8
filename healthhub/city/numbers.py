"""Numbers of people: resident IDs that are valid, unique and nobody's; local numbers."""

from __future__ import annotations

from datetime import date, timedelta

from healthhub.city.dice import Dice

AREA = "429004"
"""Area code of the city that the invented one is modelled on (GB/T 2260)."""

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK = "10X98765432"
_FIRST_DAY = date(1900, 1, 1)
_SEQUENCES = 1000


def check_character(digits: str) -> str:
    """The 18th character for the first 17 (GB 11643-1999, ISO 7064 MOD 11-2)."""
    return _CHECK[sum(int(d) * w for d, w in zip(digits, _WEIGHTS, strict=True)) % 11]


def old_form(number: str) -> str:
    """The 15-digit number that the bearer held before 1999."""
    return number[:6] + number[8:17]


class ResidentIds:
    """Issues resident IDs, each once.

    One bit for each day and sequence number since 1900: 6 MB for a city of any size.
    """

    def __init__(self) -> None:
        self._used = bytearray((150 * 366 * _SEQUENCES) // 8 + 1)

    def issue(self, dice: Dice, birth: date, sex: str) -> str:
        """A number not given before, for a birth date and a sex (``M`` or ``F``)."""
        odd = 1 if sex == "M" else 0
        sequence = (dice.whole(0, _SEQUENCES // 2 - 1) * 2 + odd) % _SEQUENCES
        day = (birth - _FIRST_DAY).days * _SEQUENCES
        for step in range(0, _SEQUENCES, 2):
            place = day + (sequence + step) % _SEQUENCES
            if not self._used[place >> 3] >> (place & 7) & 1:
                self._used[place >> 3] |= 1 << (place & 7)
                digits = f"{AREA}{birth:%Y%m%d}{place - day:03d}"
                return digits + check_character(digits)
        return self.issue(dice, birth + timedelta(days=1), sex)


def scrambled(ordinal: int, salt: int, size: int = 100_000_000) -> int:
    """A number that looks random, different for every ordinal below size."""
    return (ordinal * 61_803_399 + salt * 7_919_317) % size


def with_typing_habit(dice: Dice, number: str) -> str:
    """A resident ID as a clerk types it: now and then a small x or full-width digits."""
    if number.endswith("X") and dice.chance(0.3):
        return number[:-1] + "x"
    if dice.chance(0.004):
        return "".join(chr(ord(c) + 0xFEE0) for c in number)
    return number
