"""MLLP framing without sockets: bytes in, frames and stray bytes out.

HL7 v2.5.1 appendix C.4 (Minimal Lower Layer Protocol): ``<VT> message <FS> <CR>``. In the
field LF stands for CR, or nothing does; both are taken. No byte gets lost: what stands outside
a frame is handed out as stray.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

VT, FS, CR = b"\x0b", b"\x1c", b"\r"
STRAY_BYTES = 64 * 2**10
"""Stray bytes that are gathered before they are handed out."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The bytes between VT and FS, or ``stray`` bytes and why they are no message."""

    raw: bytes
    stray: str = ""


def frame(message: bytes) -> bytes:
    """A message ready to be sent."""
    return VT + message + FS + CR


class Frames:
    """Cuts what one connection sends into frames, however the bytes arrive."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._scanned = 0
        self._inside = False

    @property
    def pending(self) -> int:
        """Bytes held of a frame, or of stray bytes, that has not ended."""
        return len(self._held)

    @property
    def inside(self) -> bool:
        """Whether a frame has begun and not ended."""
        return self._inside

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Frames that ``data`` completes."""
        self._held += data
        while True:
            found = self._inner() if self._inside else self._outer()
            if found is None:
                return
            if found.raw:
                yield found

    def rest(self, reason: str) -> Frame | None:
        """What is held when the connection ends or its time is up."""
        held = bytes(self._held)
        self._held.clear()
        self._scanned, self._inside = 0, False
        return Frame(held, reason) if held.strip(b"\r\n") else None

    def _inner(self) -> Frame | None:
        """The frame that has begun, once its end is here."""
        end = self._held.find(FS, self._scanned)
        begun_anew = self._held.find(VT, self._scanned, None if end < 0 else end)
        if begun_anew >= 0:
            return Frame(self._cut(begun_anew), "the frame did not end before the next began")
        if end < 0:
            self._scanned = len(self._held)
            return None
        self._inside = False
        return Frame(self._cut(end)) if end else Frame(self._cut(0), "empty")

    def _outer(self) -> Frame | None:
        """Stray bytes before the next frame; line ends between frames are nothing."""
        start = self._held.find(VT, self._scanned)
        if start < 0:
            while self._held[:1] in (b"\r", b"\n"):
                del self._held[:1]
            self._scanned = len(self._held)
            if len(self._held) < STRAY_BYTES:
                return None
            return self._stray(len(self._held), 0)
        stray = self._stray(start, 1)
        self._inside = True
        return stray

    def _stray(self, end: int, marks: int) -> Frame:
        return Frame(self._cut(end, marks).lstrip(b"\r\n"), "bytes outside of a frame")

    def _cut(self, end: int, marks: int = 1) -> bytes:
        """Take the first ``end`` bytes away, and the framing byte after them."""
        taken = bytes(self._held[:end])
        del self._held[: end + marks]
        self._scanned = 0
        return taken
