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
    sources that send over HTTP. ``archive`` is the address of the city's archive of images, and
    ``pages`` that of the hub itself, where somebody runs them."""

    folder: Path
    tokens: Mapping[str, str]
    archive: str = ""
    pages: str = ""

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
    """POST /feeds/SOURCE/``way`` with a token: ``soap``, or the name of the adapter. ``suffix``
    is that of a message's file."""

    way: str
    media_type: str
    suffix: str = ".xml"

    def settings(self, source: str, place: Place) -> dict[str, Any]:
        """The digest of the token."""
        return {"token_sha256": digest(place.tokens[source])}

    def body(self, raw: bytes) -> bytes:
        """What is posted of a message."""
        return raw


_BOUNDARY = "healthhub-city-0f1e2d3c4b5a"


@dataclass(frozen=True, slots=True)
class Stow(Http):
    """STOW-RS (PS3.18, 10.5): objects as parts of a body; the PACS keeps its images."""

    way: str = "studies"
    media_type: str = f'multipart/related; type="application/dicom"; boundary={_BOUNDARY}'
    suffix: str = ".dcm"

    def settings(self, source: str, place: Place) -> dict[str, Any]:
        """The token, and where the images are to be had."""
        return {"token_sha256": digest(place.tokens[source]), **archived(source, place)}

    def body(self, raw: bytes) -> bytes:
        """The object as the only part."""
        head = f"--{_BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n"
        return head.encode() + raw + f"\r\n--{_BOUNDARY}--\r\n".encode()


def archived(source: str, place: Place) -> dict[str, Any]:
    """The table [sources.NAME.pacs], where the city's archive runs."""
    if not place.archive:
        return {}
    address = f"{place.pages}/dicomweb/{source}"
    return {"pacs": {"url": f"{place.archive}/{source}", "address": address}}


Book = Callable[[str, Sequence[Mapping[str, Any]], str], tuple[str, bytes]]
"""Writes a file of one table's rows: (kind, rows, stamp of the time) to (name, bytes)."""


@dataclass(frozen=True, slots=True)
class Folder(Channel):
    """Files in a watched folder: rows of tables, bound into files by a book."""

    book: Book

    def settings(self, source: str, place: Place) -> dict[str, Any]:
        """The folder; it is looked into often, since somebody watches."""
        return watched(source, place)


@dataclass(frozen=True, slots=True)
class Objects(Channel):
    """DICOM objects as files in a watched folder; the PACS keeps its images."""

    def settings(self, source: str, place: Place) -> dict[str, Any]:
        """The folder, and where the images are to be had."""
        return {**watched(source, place), **archived(source, place)}


def watched(source: str, place: Place) -> dict[str, Any]:
    """The table [sources.NAME.folder]."""
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
