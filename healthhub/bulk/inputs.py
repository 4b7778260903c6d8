"""Inputs of an import: files of an administrator's folder, or fetched from allowed addresses."""

from __future__ import annotations

import gzip
import os
import ssl
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import httpx

from healthhub import outbound
from healthhub.errors import InvalidRequest, Unprocessable
from healthhub.settings import Bulk

FILE = "file:"
LOCAL = "local:"
"""Stands before a path that the command line names; no client can."""
LONGEST_LINE = 64 * 2**20
SECONDS = 60.0
"""How long a server may be silent."""
_GZIP = b"\x1f\x8b"


def require(url: str, settings: Bulk) -> None:
    """Raise Unprocessable unless the hub may read this address."""
    if url.startswith(FILE):
        _in_folder(url, settings)
        return
    outbound.require(url, settings.import_from, "bulk.import_from", "input.url")


def _in_folder(url: str, settings: Bulk) -> Path:
    """The file of that name in the folder, and nowhere else, links followed."""
    name = url.removeprefix(FILE)
    if settings.import_folder is None:
        raise Unprocessable(
            "the hub reads no files; an administrator names a folder in the setting "
            "bulk.import_folder",
            expression="input.url",
        )
    folder = settings.import_folder.resolve()
    path = folder
    try:
        path = (folder / name).resolve()
        there = path.is_relative_to(folder) and path.is_file()
    except (ValueError, OSError):  # no name of a file at all: a zero in it, or too long
        there = False
    if not there:
        raise Unprocessable(
            "there is no such file in the folder of imports; name it as file:NAME",
            expression="input.url",
        )
    return path


def local(url: str, settings: Bulk, folder: Path, number: int) -> Path:
    """Where the input can be read; what is elsewhere is fetched first, once."""
    if url.startswith(LOCAL):
        return Path(url.removeprefix(LOCAL))
    if url.startswith(FILE):
        return _in_folder(url, settings)
    outbound.require(url, settings.import_from, "bulk.import_from", "input.url")
    path = folder / f"input.{number}"
    if not path.exists():
        _fetch(url, path, settings.max_import_bytes)
    return path


def _fetch(url: str, path: Path, most: int) -> None:
    """Fetch a file; certificates are verified, redirections refused."""
    part = path.with_suffix(".part")
    context = ssl.create_default_context()
    try:
        with (
            httpx.Client(verify=context, trust_env=False, timeout=SECONDS) as client,
            client.stream("GET", url, headers={"accept-encoding": "gzip"}) as answer,
            part.open("wb") as file,
        ):
            if answer.status_code != httpx.codes.OK:
                raise InvalidRequest(
                    f"an input cannot be read: its server answered HTTP {answer.status_code}",
                    expression="input.url",
                )
            size = 0
            for chunk in answer.iter_raw():
                size += len(chunk)
                if size > most:
                    raise _too_long(most)
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise InvalidRequest(
            f"an input cannot be read ({type(error).__name__}); start the import again",
            expression="input.url",
        ) from None
    part.rename(path)


def lines(path: Path, after: int, most: int) -> Iterator[tuple[int, bytes]]:
    """The lines with their numbers from 1, those up to ``after`` passed over."""
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP
        file.seek(0)
        source = cast("BinaryIO", gzip.GzipFile(fileobj=file)) if packed else file
        size, number = 0, 0
        while line := _line(source):
            number += 1
            size += len(line)
            if len(line) > LONGEST_LINE or size > most:
                raise _too_long(most)
            if number > after:
                yield number, line


def _line(source: BinaryIO) -> bytes:
    try:
        return source.readline(LONGEST_LINE + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise InvalidRequest(
            "an input is no whole gzip file; what stood before is stored. Write it again, and "
            "import it again",
            expression="input.url",
        ) from None


def _too_long(most: int) -> InvalidRequest:
    return InvalidRequest(
        f"an input has over {most} bytes, or a line over {LONGEST_LINE}; part it",
        expression="input.url",
    )
