"""The files of an upload: the file itself, or those of a zip, within bounds."""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from healthhub.errors import InvalidRequest, TooLarge

MOST_FILES = 2_000
MOST_BYTES = 512 * 2**20
BLOCK = 2**20
LONGEST_NAME = 180
"""Bytes; file systems take 255."""
_DAMAGED = (
    zipfile.BadZipFile,
    NotImplementedError,
    EOFError,
    UnicodeError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
)
"""What zipfile raises of an archive that is none; another OSError is the disk's."""
ZIP_UTF8 = 0x800
"""Bit of a member whose name is UTF-8; the others are in the packer's charset: GBK here."""


def unpacked(path: Path, folder: Path) -> list[tuple[Path, str]]:
    """The files with the names to show. What a zip holds is written below ``folder`` under
    numbers: a name from outside is never a path. Refused: too many or too large files, by what
    is really unpacked, zips within, and what is locked by a password."""
    if path.suffix.lower() != ".zip":
        return [(path, path.name)]
    try:
        with zipfile.ZipFile(path) as packed:
            return list(_members(packed, folder))
    except _DAMAGED:
        raise InvalidRequest("this is no zip that can be read; pack the files again") from None


def _members(packed: zipfile.ZipFile, folder: Path) -> Iterator[tuple[Path, str]]:
    members = [each for each in packed.infolist() if not each.is_dir()]
    if len(members) > MOST_FILES:
        raise TooLarge(f"the zip holds over {MOST_FILES} files; divide it")
    left = MOST_BYTES
    for number, member in enumerate(members):
        name = _name(member)
        if name.startswith(("._", ".")):
            continue
        if name.lower().endswith(".zip"):
            raise InvalidRequest(f"{name} is a zip within the zip; unpack it first")
        if member.flag_bits & 1:
            raise InvalidRequest(f"{name} is locked by a password; pack it without one")
        below = folder / str(number)
        below.mkdir()
        target = below / name
        with packed.open(member) as source, target.open("wb") as file:
            while block := source.read(BLOCK):
                left -= len(block)
                if left < 0:
                    raise TooLarge(f"the zip unpacks to over {MOST_BYTES} bytes; divide it")
                file.write(block)
        yield target, name


def _name(member: zipfile.ZipInfo) -> str:
    text = member.filename
    if not member.flag_bits & ZIP_UTF8:
        try:
            text = text.encode("cp437").decode("gb18030")
        except UnicodeError:
            text = member.filename
    last = text.replace("\\", "/").rpartition("/")[2]
    return (
        shortened("".join(c for c in last if c.isprintable() and c not in '<>:"|?*')) or "file"
    )


def shortened(name: str) -> str:
    """The end of a name, with its suffix, of no more bytes than a file's name may have."""
    return name.encode("utf-8", "replace")[-LONGEST_NAME:].decode("utf-8", "ignore")
