"""The demo city: invented residents, their illnesses, and real feeds about them, with the truth.

``feed`` gives the HL7 v2 messages that the city's hospitals send; ``settings`` the tables that a hub needs to
receive them; ``Story`` what every system sends, and
the truth beside it.
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
    """(source, time of sending, message) of the city's HL7 v2 houses, in order of time."""
    for sent in Story(residents, seed, years, until, systems=()).messages():
        yield sent.source, moments.aware(sent.at), sent.raw
