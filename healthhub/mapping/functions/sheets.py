"""Functions on what people and spreadsheets write into cells."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from healthhub.mapping.functions.registry import function
from healthhub.terms.forms import half

_SERIAL = re.compile(r"(\d{5})(?:\.(\d+))?")
_FIRST, _LAST = 10000, 73050  # 1927 to 2099: what else has five digits is no date of a sheet
_ORIGIN = datetime(1899, 12, 30)  # noqa: DTZ001 - Excel's day 60 is 1900-02-29, which was none


def as_written(text: str) -> str:
    """A date that a sheet holds as the number of its day, in the form of ISO; else the text."""
    match = _SERIAL.fullmatch(half(text).strip())
    if match is None or not _FIRST <= int(match[1]) <= _LAST:
        return text
    seconds = round(float(f"0.{match[2] or 0}") * 86400)
    at = _ORIGIN + timedelta(days=int(match[1]), seconds=seconds)
    return at.isoformat(sep=" ") if match[2] else at.date().isoformat()


@function("| sheet_date")
def sheet_date(value: str) -> str | None:
    """A date as spreadsheets count days (45352 is 2024-03-01); any other text as it is."""
    return as_written(value)
