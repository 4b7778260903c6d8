"""What a packed file unpacks to, of any size, as long as it is in proportion: an archive of a few
megabytes may be made to unpack to terabytes."""

from __future__ import annotations

import gzip
import io
import lzma
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from healthhub.errors import HubError, InvalidRequest

MOST_TIMES = 200
"""How many times larger than its packed form honest text may be: histories of HL7 v2 are 10 to
30 times, tables whose columns are mostly empty up to 100. Made to do harm, gzip is 1,030."""
SMALL = 64 * 2**20
"""Up to so many bytes the proportion says nothing."""
ROOM = 2 * 2**30
"""Bytes that stay free on the disk: the database may lie on it."""
BLOCK = 2**20
DAMAGED = (
    zipfile.BadZipFile,
    NotImplementedError,
    EOFError,
    UnicodeError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
    gzip.BadGzipFile,
)
"""What the unpackers raise of what is none; an OSError may be the disk's."""


class CannotUnpack(HubError):
    """A packed file that is damaged, or out of all proportion."""

    code, status, issue = "cannot-unpack", 422, "invalid"


def reader(name: str, packed: int, opened: Callable[[], Any]) -> IO[bytes]:
    """A packed file being unpacked as it is read; ``packed`` is its size.

    Reading raises CannotUnpack where it is damaged, and once it is over MOST_TIMES its size.
    """
    return io.BufferedReader(_Unpacking(name, packed, opened), BLOCK)


class _Unpacking(io.RawIOBase):
    def __init__(self, name: str, packed: int, opened: Callable[[], Any]) -> None:
        self._name, self._packed = name, packed
        self._left = max(SMALL, MOST_TIMES * packed)
        self._from: Any = None
        self._from = self._sound(opened)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """The next bytes."""
        count: int = self._sound(lambda: self._from.readinto(buffer))
        self._left -= count
        if self._left < 0:
            raise CannotUnpack(
                f"{self._name} unpacks to over {MOST_TIMES} times its {self._packed} bytes, as no "
                "history does; if it is right, unpack it, and load the folder"
            )
        return count

    def close(self) -> None:
        """Close what is read from."""
        if self._from is not None and not self.closed:
            self._from.close()
        super().close()

    def _sound(self, work: Callable[[], Any]) -> Any:
        try:
            return work()
        except DAMAGED:
            raise CannotUnpack(
                f"{self._name} is damaged, and was taken in part at most; get it again, whole, "
                "and load that"
            ) from None


def write(packed: IO[bytes], path: Path) -> None:
    """Write all of a file being unpacked to another; InvalidRequest when the disk has no room."""
    with path.open("wb") as file:
        while block := packed.read(BLOCK):
            if shutil.disk_usage(path.parent).free < ROOM + len(block):
                raise InvalidRequest(
                    f"there is no room to unpack {path.name} in {path.parent.parent}; set TMPDIR "
                    "to a folder on a larger disk, or unpack it there, and load the folder"
                )
            file.write(block)
