"""Reads an HL7 v2 message into a record: header, delimiters, segments; fields on demand."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from adapters.hl7v2 import charset
from healthhub.adapter_api import BadMessage, Feed
from healthhub.adapter_api.record import Record, Segment
from healthhub.adapter_api.text import clean, part

_HEADER = re.compile(rb"(?:^|[^A-Za-z0-9])(MSH([^A-Za-z0-9\s\x80-\xff]))")
_UTF_16 = re.compile(rb"\A\s*(?:\xff\xfe|\xfe\xff)|\A\x00?M\x00S\x00H\x00?")
_LINE_BREAK = re.compile(r"[\r\n]+")
_NAME = re.compile(r"[A-Z][A-Z0-9]{2}")
_STANDARD = "|^~\\&"
_LITERALS = {"^": "\\S\\", "~": "\\R\\", "&": "\\T\\", "\\": "\\E\\"}
LOOK_AHEAD = 1024
"""Bytes of junk (BOM, blanks, frame bytes, batch headers) that may stand before MSH."""
MOST_SEGMENTS = 20_000
MOST_PARTS = 500_000
"""Fields, repetitions, components and subcomponents of a message. What has more would take the
memory and the time of all others; no hospital's message comes near."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """A message's text from MSH on, its codec and delimiters, where it starts in the bytes,
    and for each segment its start and end in the text."""

    text: str
    codec: str
    start: int
    delimiters: str
    bounds: tuple[tuple[int, int], ...]


def begin(raw: bytes) -> int:
    """Where MSH stands; raises BadMessage when there is none."""
    if raw[:3] == b"MSH" and len(raw) > 3:
        match = _HEADER.match(raw)
    else:
        match = _HEADER.search(raw, 0, LOOK_AHEAD)
    if match is None:
        if _UTF_16.match(raw):
            raise BadMessage(
                "the message is in UTF-16, which HL7 v2 does not know as a charset of its "
                "encoding: send it in UTF-8 or GB18030",
                condition="102",
                place="byte 1",
            )
        what = "the message is empty" if not raw.strip() else "there is no MSH segment"
        raise BadMessage(
            f"{what}: send an HL7 v2 message that begins with MSH|^~\\&|", place="MSH"
        )
    return match.start(1)


def parse(raw: bytes, fallback: str) -> Parsed:
    """Decode (``fallback``: the source's charset) and cut into segments; raises BadMessage."""
    start = begin(raw)
    header = re.split(rb"[\r\n]", raw[start : start + 4096], maxsplit=1)[0]
    text, codec = charset.decode(raw, start, header, fallback)
    separator = text[3]
    encoding = text[4:].split(separator, 1)[0]
    delimiters = separator
    for position, usual in enumerate(_STANDARD[1:]):
        given = encoding[position : position + 1]
        delimiters += given if given and not given.isalnum() and not given.isspace() else usual
    if len(set(delimiters)) < 5:
        raise BadMessage(
            "MSH-1 and MSH-2 name the same delimiter twice: send |^~\\&",
            condition="102",
            place="MSH-2",
        )
    bounds = _bounds(text, separator)
    _one_of_a_size(text, delimiters, bounds)
    return Parsed(text, codec, start, delimiters, bounds)


def _one_of_a_size(text: str, delimiters: str, bounds: tuple[tuple[int, int], ...]) -> None:
    """Refuse a batch that came as one message, whose later messages would be passed over, and
    a message of a size that only a fault makes."""
    for start, _ in bounds[1:]:
        if text.startswith("MSH", start):
            raise BadMessage(
                "a second MSH stands in the message: send each message in a frame of its own, "
                "or a batch as a file or by POST",
                place="MSH",
            )
    parts = sum(text.count(delimiter) for delimiter in delimiters[:3] + delimiters[4])
    for number, most, what in (
        (len(bounds), MOST_SEGMENTS, "segments"),
        (parts, MOST_PARTS, "fields, repetitions and components"),
    ):
        if number > most:
            raise BadMessage(
                f"the message has {number} {what}; at most {most} are taken: divide it"
            )


def _bounds(text: str, separator: str) -> tuple[tuple[int, int], ...]:
    """Start and end of each segment. A line break ends a segment if what follows looks like
    one; else it belongs to the text of a field, as careless systems send it."""
    end = len(text.rstrip("\r\n\x1c\x00 \t"))
    bounds: list[tuple[int, int]] = []
    start = 0
    for line_break in _LINE_BREAK.finditer(text, 0, end):
        after = line_break.end()
        name = text[after : after + 3]
        follows = text[after + 3 : after + 4]
        if _NAME.fullmatch(name) and (
            follows in (separator, "", "\r", "\n") or after + 3 >= end
        ):
            bounds.append((start, line_break.start()))
            start = after
    bounds.append((start, end))
    return tuple(bounds)


def record(parsed: Parsed) -> Record:
    """The record of a parsed message; raises BadMessage when MSH-9 says nothing."""
    text, delimiters = parsed.text, parsed.delimiters
    split = _split_standard if delimiters == _STANDARD else _splitter(delimiters)
    segments = tuple(
        Segment(text[start : start + 3], text[start:end], index, split)
        for index, (start, end) in enumerate(parsed.bounds)
    )
    processing = clean(part(segments[0].field(11), 0, 1, 1)) or ""
    return Record(
        _kind(segments),
        segments,
        parsed.codec,
        processing.upper(),
        mended=charset.mislabelled(text, parsed.codec),
    )


def _kind(segments: tuple[Segment, ...]) -> str:
    field = segments[0].field(9)
    kind = clean(part(field, 0, 1, 1))
    if kind is None:
        raise BadMessage(
            "MSH-9 is empty: name the message type there, such as ADT^A01",
            condition="101",
            place="MSH-9",
        )
    event = clean(part(field, 0, 2, 1))
    if event is None:
        event = next((clean(part(s.field(1))) for s in segments if s.name == "EVN"), None)
    return f"{kind}^{event}" if event else kind


def _split_standard(name: str, text: str) -> list[str]:
    fields = text.split("|")
    if name in ("MSH", "FHS", "BHS"):
        fields.insert(1, "|")
    return fields


@lru_cache(maxsize=16)
def _splitter(delimiters: str) -> Callable[[str, str], list[str]]:
    """A field splitter that also turns a message's own delimiters into the canonical ones."""
    separator = delimiters[0]
    table = {char: code for char, code in _LITERALS.items() if char not in delimiters[1:]}
    table |= dict(zip(delimiters[1:], _STANDARD[1:], strict=True))
    translation = str.maketrans(table)

    def split(name: str, text: str) -> list[str]:
        fields = [field.translate(translation) for field in text.split(separator)]
        if name in ("MSH", "FHS", "BHS"):
            fields.insert(1, "|")
            fields[2] = "^~\\&"
        return fields

    return split


def read(raw: bytes, feed: Feed) -> Record:
    """Bytes to record; raises BadMessage."""
    return record(parse(raw, feed.charset))
