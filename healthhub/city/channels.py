"""The ways that a city's systems send by, as the hub's settings know them."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = "file"
"""Kind of a Sent on a folder that is a whole file of its own; its control is the file's name."""


def digest(token: str) -> str:
    """SHA-256 of a token, as the settings hold it."""
    return hashlib.sha256(token.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a hub that receives the city keeps what the city hands over, and the tokens of the
    sources that send over HTTP."""

    folder: Path
    tokens: Mapping[str, str]

    def feed(self, source: str) -> Path:
        """The folder of a source's own."""
        return self.folder / "feeds" / source


class Channel(ABC):
    """A way to send. What it holds is the same for every demonstration."""

    @abstractmethod
    def settings(self, source: str, place: Place) -> dict[str, Any]:
        """What the source's table says of the way."""


@dataclass(frozen=True, slots=True)
class Mllp(Channel):
    """Messages in frames on the hub's MLLP port; the source is known by its ``sender``."""

    def settings(self, source: str, place: Place) -> dict[str, Any]:
        """Nothing more."""
        return {}


@dataclass(frozen=True, slots=True)
class Http(Channel):
    """POST /feeds/SOURCE/``way`` with a token: ``soap``, or the name of the adapter."""

    way: str
    media_type: str

    def settings(self, source: str, place: Place) -> dict[str, Any]:
        """The digest of the token."""
        return {"token_sha256": digest(place.tokens[source])}


Book = Callable[[str, Sequence[Mapping[str, Any]], str], tuple[str, bytes]]
"""Writes a file of one table's rows: (kind, rows, stamp of the time) to (name, bytes)."""


@dataclass(frozen=True, slots=True)
class Folder(Channel):
    """Files in a watched folder."""

    book: Book

    def settings(self, source: str, place: Place) -> dict[str, Any]:
        """The folder; it is looked into often, since somebody watches."""
        path = str(place.feed(source))
        return {"folder": {"path": path, "every_seconds": 2, "settle_seconds": 1}}


@dataclass(frozen=True, slots=True)
class View:
    """A view of a source's database: its columns, those of its key, that of its change."""

    columns: tuple[str, ...]
    key: tuple[str, ...]
    changed: str


@dataclass(frozen=True, slots=True)
class Views(Channel):
    """Views of a database (SQLite here), by the name of each; the hub polls them. ``charset``
    is that of the text in it."""

    views: Mapping[str, View]
    charset: str

    def database(self, source: str, place: Place) -> Path:
        """The file that the database is."""
        return place.feed(source) / f"{source}.sqlite"

    def settings(self, source: str, place: Place) -> dict[str, Any]:
        """The address."""
        url = f"sqlite:///{self.database(source, place)}"
        return {"database": {"url": url, "every_seconds": 5}}
