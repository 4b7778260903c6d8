"""The bytes in the raw message that a place of its record stands on."""

from __future__ import annotations

from codecs import getincrementaldecoder
from functools import lru_cache

from adapters.hl7v2.parse import Parsed, parse
from healthhub.adapter_api import Feed
from healthhub.adapter_api.record import Place, Span


def locate(raw: bytes, feed: Feed, place: Place) -> Span:
    """Start and end byte of ``place``; a place that the message lacks is an empty span at the
    end of what encloses it."""
    return span(raw, _parsed(raw, feed.charset), place)


@lru_cache(maxsize=1)
def _parsed(raw: bytes, fallback: str) -> Parsed:
    """An explanation asks for hundreds of places of one message."""
    return parse(raw, fallback)


def span(raw: bytes, parsed: Parsed, place: Place) -> Span:
    """As locate, of a message that has been parsed already."""
    start, end = parsed.bounds[place.segment]
    separator, component, repetition, _, subcomponent = parsed.delimiters
    if place.field:
        header = parsed.text[start : start + 3] in ("MSH", "FHS", "BHS")
        if header and place.field <= 2:
            start, end = (
                (start + 3, start + 4)
                if place.field == 1
                else _cut(parsed.text, start, end, separator, 1)
            )
        else:
            number = place.field - 1 if header else place.field
            start, end = _cut(parsed.text, start, end, separator, number)
            for delimiter, index in (
                (repetition, place.repetition),
                (component, place.component - 1),
                (subcomponent, place.subcomponent - 1),
            ):
                if index >= 0:
                    start, end = _cut(parsed.text, start, end, delimiter, index)
    return _offset(raw, parsed, start), _offset(raw, parsed, end)


def _cut(text: str, start: int, end: int, delimiter: str, index: int) -> Span:
    """The part number ``index`` (from 0) of text[start:end]."""
    for _ in range(index):
        found = text.find(delimiter, start, end)
        if found < 0:
            return end, end
        start = found + 1
    found = text.find(delimiter, start, end)
    return start, end if found < 0 else found


def _offset(raw: bytes, parsed: Parsed, position: int) -> int:
    """Byte offset of a text position: the length of what stands before it, encoded. GB18030
    has a few characters with two spellings; then the bytes are decoded one at a time."""
    prefix = parsed.text[:position].encode(parsed.codec)
    if raw.startswith(prefix, parsed.start):
        return parsed.start + len(prefix)
    decoder = getincrementaldecoder(parsed.codec)()
    seen = 0
    for offset in range(parsed.start, len(raw)):
        if seen >= position:
            return offset
        seen += len(decoder.decode(raw[offset : offset + 1]))
    return len(raw)
