"""The city's institutions by the codes that other offices know them by, and what is about nobody."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from healthhub.city.moments import DAY, HOUR, MINUTE, Moment, day_of
from healthhub.city.places import CITY
from healthhub.city.sent import Sent

INSTITUTIONS = {
    "a": ("H42900400001", f"{CITY}第一人民医院"),
    "b": ("H42900400002", f"{CITY}中医医院"),
    "c": ("H42900400003", f"{CITY}妇幼保健院"),
}
"""Code of the insurance bureau and name, by house."""


def spelt(at: Moment) -> str:
    """yyyy-MM-dd HH:mm:ss."""
    seconds = at % DAY
    return f"{day_of(at):%Y-%m-%d} {seconds // HOUR:02d}:{seconds // MINUTE % 60:02d}:{seconds % 60:02d}"


def impersonal(
    source: str, kind: str, at: Moment, cells: Mapping[str, object], key: str, planted: str = "",
    detail: str = "",
) -> Sent:  # fmt: skip
    """A row of table ``kind`` that is about no resident."""
    raw = orjson.dumps(dict(cells))
    return Sent(at, source, raw, kind, f"{kind}|{key}", "", planted, detail)
