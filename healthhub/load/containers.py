"""What a load is given: files, folders, archives. Each file in them, opened when its turn comes."""

from __future__ import annotations

import base64
import gzip
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO

import orjson

from healthhub.errors import InvalidRequest, NotFound
from healthhub.keep.loads import File
from healthhub.load import unpacked
from healthhub.receive.folder import NOT_YET

ZIP, GZIP, LINES = (".zip",), (".gz",), (".ndjson", ".jsonl")
GZIP_RATIO = 6
"""How much larger text is than its packed form, as a rule: for the estimate of what is left."""
LONGEST_LINE = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Piece:
    """One file, or one member of an archive: its name for people, about how many bytes it
    has, which file it is, how to open it, and where it lies if it lies open."""

    name: str
    size: int
    file: File
    open: Callable[[], IO[bytes]]
    path: Path | None = None

    @property
    def holds_lines(self) -> bool:
        """Whether each of its lines is a message in JSON."""
        return self.name.lower().endswith(LINES)


def pieces(paths: Iterable[Path]) -> Iterator[Piece]:
    """All files of the paths, folders in the order of their names; hidden files and those that
    are still being written are left out."""
    for path in paths:
        if not path.exists():
            raise NotFound(f"{path} does not exist")
        for file in [path] if path.is_file() else sorted(_below(path)):
            yield from _pieces(file, file.name)


def _below(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        name = path.name
        if path.is_file() and not _skipped(name):
            yield path


def _skipped(name: str) -> bool:
    return name.startswith((".", "~$", "__MACOSX")) or name.lower().endswith(NOT_YET)


def _pieces(path: Path, name: str) -> Iterator[Piece]:
    found = path.stat()
    file = File(str(path.resolve()), found.st_size, found.st_mtime_ns)
    if name.lower().endswith(ZIP):
        yield from _members(path, file)
    elif name.lower().endswith(GZIP):
        opener = partial(unpacked.reader, name, file.size, partial(gzip.GzipFile, path))
        yield Piece(name[:-3], file.size * GZIP_RATIO, file, opener)
    else:
        yield Piece(name, file.size, file, partial(path.open, "rb"), path)


def _members(path: Path, file: File) -> Iterator[Piece]:
    """The members of a zip archive, in the order of their names. Each is to be opened before
    the next is asked for: the archive's directory, which may be long, is read once."""
    try:
        archive = zipfile.ZipFile(path)
    except unpacked.DAMAGED as error:
        raise InvalidRequest(
            f"{path.name} is no zip archive that can be read: {error}"
        ) from None
    with archive:
        members = sorted(archive.infolist(), key=lambda member: member.filename)
        if sum(member.compress_size for member in members) > file.size:
            raise InvalidRequest(
                f"{path.name} says that it holds more than it has bytes: it is damaged, or made "
                "to do harm; pack the files again"
            )
        for member in members:
            last = member.filename.rpartition("/")[2]
            if not last or member.filename.startswith("__MACOSX") or _skipped(last):
                continue
            if member.flag_bits & 1:
                raise InvalidRequest(
                    f"{path.name} is encrypted; unpack it, and load the folder"
                )
            name = f"{path.name}/{member.filename}"
            yield Piece(
                name,
                member.file_size,
                replace(file, name=f"{file.name}/{member.filename}"),
                partial(
                    unpacked.reader, name, member.compress_size, partial(archive.open, member)
                ),
            )


@contextmanager
def lying_open(piece: Piece) -> Iterator[Path]:
    """The piece as a file of its own, for readers that must go to and fro in it. What an
    archive holds is unpacked for as long."""
    if piece.path is not None:
        yield piece.path
        return
    with tempfile.TemporaryDirectory(prefix="healthhub-load-") as folder:
        path = Path(folder) / Path(piece.name).name
        with piece.open() as packed:
            unpacked.write(packed, path)
        yield path


def lines(file: IO[bytes]) -> Iterator[bytes]:
    """The messages of NDJSON: each line a text, or an object with the message as ``message``
    (text) or ``base64``. A line that is none of these comes as it is, to be rejected as such."""
    while line := file.readline(LONGEST_LINE):
        if line.strip():
            yield _message(line)


def _message(line: bytes) -> bytes:
    try:
        said = orjson.loads(line)
        if isinstance(said, str):
            return said.encode()
        if isinstance(said["message"], str) if "message" in said else False:
            return said["message"].encode()
        return base64.b64decode(said["base64"], validate=True)
    except (ValueError, KeyError, TypeError):
        return line
