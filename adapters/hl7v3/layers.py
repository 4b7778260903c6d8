"""What a document was wrapped in, and how its bytes stand in those that arrived.

A document may come in another charset, as escaped text or CDATA inside a SOAP envelope, or as
base64 inside a message (RCMR_IN000002UV02). Each wrapping is a layer that says for a byte inside
which byte outside it stands on; they are asked only when somebody wants the bytes explained.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol


class Layer(Protocol):
    """One wrapping."""

    def outer(self, at: int, *, end: bool) -> int:
        """Where the inner byte ``at`` stands outside; ``end``: it is the end of something."""
        ...


@dataclass(frozen=True, slots=True)
class Recoded:
    """The inner bytes are the outer text in UTF-8; ``start`` outer bytes stand before it."""

    inner: bytes
    codec: str
    start: int

    def outer(self, at: int, *, end: bool) -> int:
        """See Layer."""
        text = self.inner[:at].decode("utf-8", "ignore")
        return self.start + len(text.encode(self.codec, "surrogateescape"))


@dataclass(frozen=True, slots=True)
class Blanked:
    """Blanks were put in at these inner positions (between attributes that ran together)."""

    positions: Sequence[int]

    def outer(self, at: int, *, end: bool) -> int:
        """See Layer."""
        return at - bisect_right(self.positions, at - 1)


@dataclass(frozen=True, slots=True)
class Written:
    """The inner bytes are an element's text. ``pieces`` are the inner and outer byte at which
    each piece of it begins, and its inner length; inside a piece both run alike, unless it is
    one character written as an entity."""

    pieces: Sequence[tuple[int, int, int]]
    finish: int

    def outer(self, at: int, *, end: bool) -> int:
        """See Layer."""
        if end and at:
            before = self.outer(at - 1, end=False)
            index = bisect_right(self.pieces, (at - 1, 1 << 62, 0)) - 1
            inner, _, length = self.pieces[index]
            if at < inner + length:
                return before + 1
            later = self.pieces[index + 1][1] if index + 1 < len(self.pieces) else self.finish
            plain = self.pieces[index][1] + length
            return plain if length > 1 or later < plain else later
        index = max(bisect_right(self.pieces, (at, 1 << 62, 0)) - 1, 0)
        inner, outer, _ = self.pieces[index]
        return outer + at - inner


@dataclass(frozen=True)
class Base64:
    """The inner bytes are the outer text decoded."""

    text: str

    @cached_property
    def signs(self) -> Sequence[int]:
        """The positions of its letters."""
        return [at for at, sign in enumerate(self.text) if not sign.isspace()]

    def outer(self, at: int, *, end: bool) -> int:
        """See Layer: the four letters that carry the byte."""
        group, rest = divmod(at, 3)
        index = group * 4 + ((rest + 1 if rest else 0) if end else rest)
        if end:
            return self.signs[min(index, len(self.signs)) - 1] + 1 if index else self.signs[0]
        return self.signs[min(index, len(self.signs) - 1)]
