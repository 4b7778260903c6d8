"""The one source of time: now, the hub's zone, and HL7 timestamps with their precision kept."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Asia/Shanghai")
"""The zone of a time that names none (a source may say otherwise)."""

_HL7 = re.compile(
    r"(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:\.?(\d{1,6})\d*)?)?)?)?)?)?"
    r"([+-]\d{4})?"
)


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC)


def parse_hl7(text: str, zone: ZoneInfo | timezone = ZONE) -> datetime | None:
    """Read an HL7 v2 TS/DTM; None when it is no valid time.

    Missing parts count as the first moment of what is given (``2026`` is 2026-01-01T00:00).
    Fractions without their dot (17 digits in all) are what some hospitals send.
    HL7 v2.5.1 chapter 2A.3.22.
    """
    match = _HL7.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    tz: ZoneInfo | timezone = zone
    if offset:
        minutes = int(offset[1:3]) * 60 + int(offset[3:5])
        if minutes >= 24 * 60:
            return None
        tz = timezone(timedelta(minutes=-minutes if offset[0] == "-" else minutes))
    try:
        return datetime(
            int(year),
            int(month or 1),
            int(day or 1),
            int(hour or 0),
            int(minute or 0),
            int(second or 0),
            int((fraction or "0").ljust(6, "0")),
            tzinfo=tz,
        )
    except ValueError:
        return None
