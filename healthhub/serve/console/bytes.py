"""Raw bytes as people read them: decoded for show, with passages highlighted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of the message; segments are parted by line ends."""

    text: str
    marked: bool


def passages(
    raw: bytes, charset: str, spans: Iterable[tuple[int, int]]
) -> tuple[str, list[Passage]]:
    """The charset that the bytes are shown in, and the bytes in stretches.

    The given charset where the bytes are valid in it, else UTF-8 where they are valid in that;
    else a byte that the given one does not have is shown as the replacement character (the
    bytes themselves stay as they came).
    """
    charset = next((c for c in (charset, "utf-8") if _valid(raw, c)), charset)
    found: list[Passage] = []
    at = 0
    for start, end in _joined(spans):
        if start > at:
            found.append(Passage(_text(raw[at:start], charset), False))
        found.append(Passage(_text(raw[start:end], charset), True))
        at = end
    found.append(Passage(_text(raw[at:], charset), False))
    return charset, found


def _valid(raw: bytes, charset: str) -> bool:
    try:
        raw.decode(charset)
    except UnicodeDecodeError:
        return False
    return True


def _joined(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        elif end > start:
            joined.append((start, end))
    return joined


def _text(data: bytes, charset: str) -> str:
    text = data.decode(charset, "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")
