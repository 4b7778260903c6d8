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

    UTF-8 where they are valid UTF-8, else the given charset; a byte that it does not have is
    shown as the replacement character (the bytes themselves stay as they came).
    """
    try:
        raw.decode("utf-8")
        charset = "utf-8"
    except UnicodeDecodeError:
        pass
    found: list[Passage] = []
    at = 0
    for start, end in _joined(spans):
        if start > at:
            found.append(Passage(_text(raw[at:start], charset), False))
        found.append(Passage(_text(raw[start:end], charset), True))
        at = end
    found.append(Passage(_text(raw[at:], charset), False))
    return charset, found


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
