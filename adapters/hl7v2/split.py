"""Cuts a body that holds many messages: MLLP frames, files of messages, FHS/BHS batches."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain, pairwise

_DELIMITER = re.compile(rb"[^A-Za-z0-9\s\x80-\xff]")
_BATCH = re.compile(rb"[\r\n]+(?:FHS|BHS|BTS|FTS)[^A-Za-z0-9\s\x80-\xff]")
_FRAME_END = re.compile(rb"\x1c[\r\n]*(?:\x0b|\Z)")
_BLANK = b"\xef\xbb\xbf\x0b\x1c\r\n\t \x00"


def split(body: bytes) -> Iterator[bytes]:
    """The messages of ``body``. A frame's end ends one, so that a frame of rubbish stands for
    itself and spoils no message beside it; MSH at the start of a line begins one; what stands
    before the first is kept apart unless it is a batch header or blank; what has no MSH comes
    back whole."""
    at = 0
    for end in _FRAME_END.finditer(body):
        yield from _unframed(body[at : end.start()])
        at = end.end()
    yield from _unframed(body[at:] if at else body)


def _unframed(body: bytes) -> Iterator[bytes]:
    body = body.removeprefix(b"\x0b")
    starts = _starts(body)
    first = next(starts, None)
    if first is None:
        if body.strip(_BLANK):
            yield body
        return
    before = body[:first].strip(_BLANK)
    if before and before[:3] not in (b"FHS", b"BHS"):
        yield before
    for start, end in pairwise(chain([first], starts, [len(body)])):
        yield _end(body[start:end])


def _starts(body: bytes) -> Iterator[int]:
    """Where MSH and a delimiter stand at the start of a line (or after a byte order mark)."""
    at = body.find(b"MSH")
    while at >= 0:
        before, delimiter = body[at - 1 : at], body[at + 3 : at + 4]
        begins = before in (b"", b"\r", b"\n", b"\x0b") or (
            at == 3 and body.startswith(b"\xef\xbb\xbf")
        )
        if begins and _DELIMITER.fullmatch(delimiter):
            yield at
        at = body.find(b"MSH", at + 3)


def _end(piece: bytes) -> bytes:
    """The message without the frame's or batch's end that follows it."""
    trailer = _BATCH.search(piece)
    if trailer is not None:
        piece = piece[: trailer.start() + 1]
    frame = piece.find(b"\x1c")
    if frame >= 0 and not piece[frame:].strip(_BLANK):
        piece = piece[:frame]
    return piece.rstrip(b"\n\x0b") if piece.endswith((b"\r\n", b"\n", b"\x0b")) else piece
