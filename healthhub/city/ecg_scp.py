"""An electrocardiogram as an SCP-ECG record (EN 1064): second differences in the standard's own
Huffman codes, texts in GB 18030."""

from __future__ import annotations

import binascii
import struct
from collections.abc import Sequence

from healthhub.city import heart, moments
from healthhub.city.ecg_order import Cart, Ordered
from healthhub.city.heart import MICROVOLTS, Tracing
from healthhub.city.moments import DAY, Moment

_CHARSET, _LANGUAGE = "gb18030", 0x27
_LEADS = {"I": 1, "II": 2, "III": 61, "aVR": 62, "aVL": 63, "aVF": 64}
_SECTIONS = 12
_OWN_TABLE = 19999
"""In section 2: the codes are those of the standard (its table C.1)."""
_CODES = {0: "0"} | {
    sign * size: "1" * size + ("00" if sign > 0 else "01")
    for size in range(1, 9)
    for sign in (1, -1)
}
_BYTE, _WORD = "1" * 9 + "0", "1" * 10
"""Before a difference of 8 and of 16 bits."""
_NOT_KNOWN = 29999


def write(ordered: Ordered, tracing: Tracing) -> bytes:
    """The record with its pointers and checksums."""
    contents = {
        1: _head(ordered),
        2: struct.pack("<H", _OWN_TABLE),
        3: _definitions(tracing),
        6: _rhythm(tracing),
        7: _measured(tracing),
        8: _statements(tracing, ordered.at),
    }
    size = 16 + 10 * _SECTIONS
    pointers, bodies = [struct.pack("<HII", 0, size, 7)], b""
    for number in range(1, _SECTIONS):
        content = contents.get(number, b"")
        body = _section(number, content + b"\0" * (len(content) % 2)) if content else b""
        place = 7 + size + len(bodies) if body else 0
        pointers.append(struct.pack("<HII", number, len(body), place))
        bodies += body
    whole = _section(0, b"".join(pointers)) + bodies
    whole = struct.pack("<I", len(whole) + 6) + whole
    return struct.pack("<H", binascii.crc_hqx(whole, 0xFFFF)) + whole


def _section(number: int, content: bytes) -> bytes:
    reserved = b"SCPECG" if number == 0 else b"\0" * 6
    body = struct.pack("<HIBB6s", number, len(content) + 16, 20, 20, reserved) + content
    return struct.pack("<H", binascii.crc_hqx(body, 0xFFFF)) + body


def _head(ordered: Ordered) -> bytes:
    """Section 1: tags of who, with what and when."""
    chart, resident = ordered.chart, ordered.chart.resident
    return b"".join(
        (
            _text(0, chart.name[:1]),
            _text(1, chart.name[1:]),
            _text(2, chart.number),
            _tag(5, _born(chart.birth)),
            _tag(8, b"\x01" if resident.sex == "M" else b"\x02"),
            _tag(14, _cart(ordered.device)),
            _text(16, ordered.place),
            _text(22, ordered.technician),
            _tag(25, _day(ordered.at)),
            _tag(26, _time(ordered.at)),
            _tag(255, b""),
        )
    )


def _tag(number: int, value: bytes) -> bytes:
    return struct.pack("<BH", number, len(value)) + value


def _text(number: int, text: str) -> bytes:
    return _tag(number, text.encode(_CHARSET) + b"\0")


def _day(at: Moment) -> bytes:
    day = moments.day_of(at)
    return struct.pack("<HBB", day.year, day.month, day.day)


def _time(at: Moment) -> bytes:
    minutes, second = divmod(at % DAY, 60)
    return bytes((*divmod(minutes, 60), second))


def _born(digits: str) -> bytes:
    """A birth date; zeros where it is not known."""
    known = digits or "0" * 8
    return struct.pack("<HBB", int(known[:4]), int(known[4:6]), int(known[6:8]))


def _cart(cart: Cart) -> bytes:
    """Tag 14: numbers of the machine, then its texts."""
    model = cart.model.encode(_CHARSET)[:5]
    numbers = struct.pack(
        "<HHHBB6sBBBBB16s", 1, 2, 77, 0, 255, model, 20, 0xA0, _LANGUAGE, 0, 1, b""
    )
    texts = ("", cart.serial, "V3", "", cart.maker)
    return numbers + b"\0" + b"".join(text.encode(_CHARSET) + b"\0" for text in texts)


def _definitions(tracing: Tracing) -> bytes:
    """Section 3: all leads at once."""
    lines = b"".join(
        struct.pack("<IIB", 1, heart.SAMPLES, _LEADS.get(name) or 2 + int(name[1:]))
        for name in tracing.leads
    )
    return bytes((len(tracing.leads), 0x04)) + lines


def _rhythm(tracing: Tracing) -> bytes:
    """Section 6."""
    streams = [_packed(samples) for samples in tracing.leads.values()]
    head = struct.pack("<HHBB", MICROVOLTS * 1000, 1_000_000 // heart.RATE, 2, 0)
    sizes = b"".join(struct.pack("<H", len(stream)) for stream in streams)
    return head + sizes + b"".join(streams)


def _packed(samples: Sequence[int]) -> bytes:
    """Two samples as they are, then second differences; in whole words."""
    rest = zip(samples, samples[1:], samples[2:], strict=False)
    values = [*samples[:2], *(a - 2 * b + c for a, b, c in rest)]
    bits = "".join([_CODES.get(value) or _long(value) for value in values])
    bits += "0" * (-len(bits) % 16)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def _long(value: int) -> str:
    if -128 <= value < 128:
        return _BYTE + format(value & 0xFF, "08b")
    return _WORD + format(value & 0xFFFF, "016b")


def _measured(tracing: Tracing) -> bytes:
    """Section 7: one block of points, no spikes, then rate and QTc."""
    qrs = 300
    p = qrs - tracing.pr if tracing.pr else _NOT_KNOWN
    points = (p, p + 110 if tracing.pr else p, qrs, qrs + tracing.qrs, qrs + tracing.qt)
    axes = (48 if tracing.pr else _NOT_KNOWN, tracing.axis, _NOT_KNOWN)
    beats = heart.SECONDS * 1000 // tracing.rr
    return b"".join(
        (
            struct.pack("<BBHH", 1, 0, tracing.rr, tracing.rr),
            struct.pack("<5H3h", *points, *axes),
            struct.pack("<H", beats) + bytes(beats),
            struct.pack("<3HB", tracing.rate, tracing.rate, tracing.qtc, 1),
        )
    )


def _statements(tracing: Tracing, at: Moment) -> bytes:
    """Section 8: what the machine says, not confirmed."""
    body = struct.pack("<B", 0) + _day(at) + _time(at) + bytes((len(tracing.said),))
    for number, text in enumerate(tracing.said, 1):
        coded = text.encode(_CHARSET) + b"\0"
        body += struct.pack("<BH", number, len(coded)) + coded
    return body
