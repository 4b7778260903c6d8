"""Writes SCP-ECG records as EN 1064 says, independently of the adapter that reads them: it knows
the Huffman codes as strings of bits, and differences and decimation by their definitions."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

STANDARD = {0: "0"}
for size in range(1, 9):
    STANDARD[size] = "1" * size + "00"
    STANDARD[-size] = "1" * size + "01"
BYTE, WORD = "1111111110", "1111111111"


def crc(data: bytes) -> int:
    """CRC-CCITT as the standard defines it: x^16 + x^12 + x^5 + 1, begun with ones."""
    register = 0xFFFF
    for byte in data:
        register ^= byte << 8
        for _ in range(8):
            register = (register << 1) ^ 0x1021 if register & 0x8000 else register << 1
            register &= 0xFFFF
    return register


def huffman(values: Sequence[int], codes: dict[int, str] | None = None) -> bytes:
    """Values in the standard's codes, or in codes of one's own, filled up with zeros."""
    known = STANDARD if codes is None else codes
    bits: list[str] = []
    for value in values:
        if value in known:
            bits.append(known[value])
        elif codes is not None:
            raise ValueError(value)
        elif -128 <= value < 128:
            bits.append(BYTE + format(value & 0xFF, "08b"))
        else:
            bits.append(WORD + format(value & 0xFFFF, "016b"))
    text = "".join(bits)
    text += "0" * (-len(text) % 8)
    return bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8))


def table(codes: dict[int, str]) -> bytes:
    """Section 2 with one table of one's own."""
    body = struct.pack("<HH", 1, len(codes))
    for value, bits in codes.items():
        base = int(bits[::-1], 2)
        body += struct.pack("<BBBhI", len(bits), len(bits), 1, value, base)
    return body


def differences(samples: Sequence[int], order: int) -> list[int]:
    """First or second differences; the first one or two samples stand as they are."""
    if order == 0:
        return list(samples)
    if order == 1:
        return [*samples[:1], *(b - a for a, b in itertools.pairwise(samples))]
    rest = zip(samples, samples[1:], samples[2:], strict=False)
    return [*samples[:2], *(a - 2 * b + c for a, b, c in rest)]


def decimated(samples: Sequence[int], zones: Sequence[tuple[int, int]], rate: int) -> list[int]:
    """Samples outside the zones (from 1, both ends in) as the means of ``rate`` at a time."""
    found: list[int] = []
    block: list[int] = []
    for number, sample in enumerate(samples, 1):
        within = any(start <= number <= end for start, end in zones)
        if within and block:
            found.append(round(sum(block) / len(block)))
            block = []
        if within:
            found.append(sample)
            continue
        block.append(sample)
        if len(block) == rate:
            found.append(round(sum(block) / rate))
            block = []
    if block:
        found.append(round(sum(block) / len(block)))
    return found


def tag(number: int, value: bytes) -> bytes:
    """A tag of section 1."""
    return struct.pack("<BH", number, len(value)) + value


def device(language: int = 0x37) -> bytes:
    """Tag 14: a cart with its texts."""
    head = struct.pack(
        "<HHHBB6sBBBBB16s", 1, 2, 77, 0, 255, b"XJ-12\0", 20, 0xA0, language, 0, 1, b""
    )
    head += bytes([0])
    return head + b"\0".join((b"a1", b"SN0042", b"v3", b"scp", b"Xingjia")) + b"\0"


PATIENT = (
    tag(0, "陈".encode() + b"\0"),
    tag(1, "望舒".encode() + b"\0"),
    tag(2, b"P100471\0"),
    tag(5, struct.pack("<HBB", 1958, 3, 7)),
    tag(8, b"\x02"),
    tag(14, device()),
    tag(25, struct.pack("<HBB", 2026, 3, 2)),
    tag(26, bytes((8, 15, 30))),
)


@dataclass
class Record:
    """A record that can be spoiled in any of its parts before it is written."""

    leads: Sequence[tuple[int, Sequence[int]]]
    nanovolts: int = 2500
    interval: int = 2000
    order: int = 2
    coded: bool = True
    codes: dict[int, str] | None = None
    patient: Sequence[bytes] = PATIENT
    flags: int = 0x04
    bimodal: int = 0
    more: dict[int, bytes] = field(default_factory=dict)
    first: int = 1

    def sections(self) -> dict[int, bytes]:
        """The contents of the sections."""
        found = {1: b"".join(self.patient) + tag(255, b"")}
        if self.coded:
            found[2] = struct.pack("<H", 19999) if self.codes is None else table(self.codes)
        lines = b"".join(
            struct.pack("<IIB", self.first, self.first + len(samples) - 1, number)
            for number, samples in self.leads
        )
        found[3] = bytes((len(self.leads), self.flags)) + lines
        found[6] = self.data(
            [s for _, s in self.leads], self.nanovolts, self.interval, self.bimodal
        )
        return {**found, **self.more}

    def data(
        self, leads: Sequence[Sequence[int]], nanovolts: int, interval: int, flag: int
    ) -> bytes:
        """The content of section 5 or 6."""
        streams = []
        for samples in leads:
            values = differences(samples, self.order)
            stream = (
                huffman(values, self.codes)
                if self.coded
                else struct.pack(f"<{len(values)}h", *values)
            )
            streams.append(stream + b"\0" * (len(stream) % 2))
        head = struct.pack("<HHBB", nanovolts, interval, self.order, flag)
        sizes = b"".join(struct.pack("<H", len(stream)) for stream in streams)
        return head + sizes + b"".join(streams)

    def write(self) -> bytes:
        """The record with its pointers and checksums."""
        contents = {n: c + b"\0" * (len(c) % 2) for n, c in sorted(self.sections().items())}
        count = max(12, max(contents) + 1)
        size = 16 + 10 * count
        place = 6 + size
        pointers = [struct.pack("<HII", 0, size, 7)]
        bodies = b""
        for number in range(1, count):
            content = contents.get(number)
            if content is None:
                pointers.append(struct.pack("<HII", number, 0, 0))
                continue
            body = section(number, content)
            pointers.append(struct.pack("<HII", number, len(body), place + len(bodies) + 1))
            bodies += body
        whole = section(0, b"".join(pointers)) + bodies
        whole = struct.pack("<I", len(whole) + 6) + whole
        return struct.pack("<H", crc(whole)) + whole


def section(number: int, content: bytes) -> bytes:
    """A section with its header."""
    reserved = b"SCPECG" if number == 0 else b"\0" * 6
    body = struct.pack("<HIBB6s", number, len(content) + 16, 20, 20, reserved) + content
    return struct.pack("<H", crc(body)) + body


def measurements(qrs: int = 10) -> bytes:
    """Section 7: one block, no spikes, then rate and QTc."""
    body = struct.pack("<BBHH", 1, 0, 800, 800)
    body += struct.pack("<5H3h", 100, 210, 260, 352, 640, 48, -12, 29999)
    body += struct.pack("<H", qrs) + bytes(qrs)
    return body + struct.pack("<3HB", 75, 75, 424, 1)


def statements(*texts: str, confirmed: bool = False) -> bytes:
    """Section 8."""
    body = struct.pack("<BHBB3BB", int(confirmed), 2026, 3, 2, 9, 40, 0, len(texts))
    for number, text in enumerate(texts, 1):
        coded = text.encode() + b"\0"
        body += struct.pack("<BH", number, len(coded)) + coded
    return body


def beats(
    length_ms: int,
    fiducial: int,
    places: Sequence[tuple[int, int, int, int]],
    zones: Sequence[tuple[int, int]],
) -> bytes:
    """Section 4: type, start, fiducial, end of each QRS; then the protected zones."""
    body = struct.pack("<HHH", length_ms, fiducial, len(places))
    body += b"".join(struct.pack("<HIII", *place) for place in places)
    return body + b"".join(struct.pack("<II", *zone) for zone in zones)
