"""Identity numbers: the resident ID of GB 11643 and its relatives."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from healthhub import clock

RESIDENT, PERMIT, FOREIGNER = "resident", "permit", "foreigner"
Kind = Literal["resident", "permit", "foreigner"]

WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
CHECKS = "10X98765432"
PROVINCES = frozenset(
    str(code)
    for first, last in ((11, 15), (21, 23), (31, 37), (41, 46), (50, 54), (61, 65), (71, 71))
    for code in range(first, last + 1)
)
PERMIT_AREAS = frozenset({"81", "82", "83"})
"""Residence permits of residents of Hong Kong, Macao and Taiwan."""
OLDEST = 150
"""Years; a birth date longer ago is a typing error."""

_SHAPE = re.compile(r"[0-9]{17}[0-9X]|[0-9]{15}")


@dataclass(frozen=True, slots=True)
class ResidentId:
    """A well-formed number: 18 characters. It can still be someone else's."""

    number: str
    kind: Kind
    birth: date
    male: bool

    @property
    def area(self) -> str:
        """The area code of the first registration (GB/T 2260)."""
        return self.number[:6]


def parse_resident_id(text: str) -> ResidentId | None:
    """Read a number of 18 or 15 characters; None when its shape, area, birth date or check
    character is wrong. Full width, lower-case x and blanks around are forgiven."""
    number = unicodedata.normalize("NFKC", text).strip().upper()
    if not _SHAPE.fullmatch(number):
        return None
    if len(number) == 15:
        number = number[:6] + "19" + number[6:]
        number += check_character(number)
    elif check_character(number) != number[17]:
        return None
    kind = _kind(number)
    birth = _birth(number[6:14])
    if kind is None or birth is None:
        return None
    return ResidentId(number, kind, birth, int(number[16]) % 2 == 1)


def check_character(number: str) -> str:
    """The 18th character of the first 17 (ISO 7064 MOD 11-2)."""
    digits = zip(WEIGHTS, number, strict=False)
    return CHECKS[sum(weight * int(digit) for weight, digit in digits) % 11]


def _kind(number: str) -> Kind | None:
    if number[:2] in PROVINCES:
        return RESIDENT
    if number[:2] in PERMIT_AREAS:
        return PERMIT
    return FOREIGNER if number[0] == "9" else None


def _birth(digits: str) -> date | None:
    try:
        birth = date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return None
    today = clock.now().astimezone(clock.ZONE).date()
    return birth if today - timedelta(days=OLDEST * 366) < birth <= today else None
