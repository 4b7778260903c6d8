"""The demo city: invented residents, their illnesses, and real feeds about them, with the truth.

``feed`` gives the bytes that the city's systems send; ``settings`` the tables that a hub needs to
receive them; ``Story`` both the bytes and the truth beside them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime

from healthhub.city import moments
from healthhub.city.settings import as_toml, settings
from healthhub.city.story import UNTIL, Story

__all__ = ["UNTIL", "Story", "as_toml", "feed", "settings"]


def feed(
    residents: int, seed: int = 1, years: int = 3, until: date = UNTIL
) -> Iterator[tuple[str, datetime, bytes]]:
    """(source, time of sending, message) of the whole city, in order of time."""
    for sent in Story(residents, seed, years, until).messages():
        yield sent.source, moments.aware(sent.at), sent.raw
