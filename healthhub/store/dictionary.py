"""How bodies are packed: zstd with a dictionary, each kept in the database that needs it.

A packed body names its dictionary, so that a new one can be brought in at any time: what was
packed with an older one stays readable.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path
from typing import LiteralString

import zstandard

ALL: LiteralString = "select content from body_dictionary"
SHIPPED = Path(__file__).parent / "dictionaries"
LEVEL = 3


class UnknownDictionary(Exception):
    """A body was compressed with a dictionary that this process has not read yet."""


_readers: dict[int, zstandard.ZstdDecompressor] = {0: zstandard.ZstdDecompressor()}


def learn(rows: Iterable[tuple[bytes, ...]]) -> None:
    """Take in the dictionaries that the database holds."""
    for (content,) in rows:
        _learn(content)


def _learn(content: bytes) -> zstandard.ZstdCompressionDict:
    data = zstandard.ZstdCompressionDict(content)
    _readers[data.dict_id()] = zstandard.ZstdDecompressor(dict_data=data)
    return data


def shipped() -> list[bytes]:
    """The dictionaries that come with this release, oldest first."""
    return [path.read_bytes() for path in sorted(SHIPPED.glob("*.zdict"))]


def _compressor() -> zstandard.ZstdCompressor:
    newest = None
    for content in shipped():
        newest = _learn(content)
    if newest is None:
        return zstandard.ZstdCompressor(level=LEVEL)
    newest.precompute_compress(level=LEVEL)
    return zstandard.ZstdCompressor(level=LEVEL, dict_data=newest)


_packer = _compressor()
_alone = threading.Lock()
"""zstandard's objects are not safe for use by two threads at once: bytes would be mixed up."""


def pack(body: bytes) -> bytes:
    """The body as it is stored."""
    with _alone:
        return _packer.compress(body)


def unpack(packed: bytes) -> bytes:
    """The body as it was; UnknownDictionary when its dictionary must be learnt first."""
    reader = _readers.get(zstandard.get_frame_parameters(packed).dict_id)
    if reader is None:
        raise UnknownDictionary
    with _alone:
        return reader.decompress(packed)
