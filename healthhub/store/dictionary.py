"""The compression dictionaries of bodies: each is kept in the database that needs it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import LiteralString

ALL: LiteralString = "select content from body_dictionary"


class UnknownDictionary(Exception):
    """A body was compressed with a dictionary that this process has not read yet."""


def learn(rows: Iterable[tuple[bytes, ...]]) -> None:
    """Take in the dictionaries that the database holds."""
