"""SCP-ECG (EN 1064, ISO 11073-91064): the record's frame - length, checksums, sections - and the
reading of little-endian numbers and texts out of it."""

from __future__ import annotations

import binascii
import struct
from dataclasses import dataclass

from adapters.tree import Piece
from healthhub.adapter_api import BadMessage

HEADER = 16
"""Bytes of a section's own header: checksum, number, length, versions, six reserved."""
POINTER = 10
STANDARD = range(0, 12)
"""Sections of the standard; those above are manufacturers' own, or new in its third edition."""


@dataclass(frozen=True, slots=True)
class Section:
    """One section's content: ``start`` and ``end`` are bytes of the record."""

    number: int
    raw: bytes
    start: int
    end: int

    def need(self, at: int, size: int, what: str) -> int:
        """``at`` as a byte of the record, if ``size`` bytes stand there."""
        if at < 0 or self.start + at + size > self.end:
            raise BadMessage(
                f"section {self.number} ends before {what}; the record was cut off or its "
                "lengths are wrong, send it again",
                condition="102",
                place=f"section {self.number}, byte {self.start + max(at, 0) + 1}",
            )
        return self.start + at

    def number_at(self, at: int, form: str, what: str) -> int:
        """A number at a byte of the section; ``form`` as struct spells it, without an order."""
        place = self.need(at, struct.calcsize("<" + form), what)
        return struct.unpack_from("<" + form, self.raw, place)[0]

    def piece(self, at: int, size: int, text: str) -> Piece:
        """A text with the bytes that it was read from."""
        return Piece(text, self.start + at, self.start + at + size)

    def __len__(self) -> int:
        return self.end - self.start


def looks_like(raw: bytes) -> bool:
    """Whether bytes begin as such a record does: section 0 at byte 7 of some length, with a
    pointer to itself."""
    return len(raw) >= 32 and raw[8:10] == b"\0\0" and raw[28:32] == b"\7\0\0\0"


def sections(raw: bytes) -> dict[int, Section]:
    """The sections of a record by their numbers, lengths and checksums tested."""
    if len(raw) < 6 + HEADER:
        raise _broken("the record ends in its header", f"byte {len(raw) + 1}")
    checksum, size = struct.unpack_from("<HI", raw)
    if size != len(raw):
        raise _broken(
            f"the record says it has {size} bytes, and {len(raw)} came; send it whole", "byte 3"
        )
    found = {0: _section(raw, 0, 6, None)}
    pointers = found[0]
    for at in range(0, len(pointers) - POINTER + 1, POINTER):
        number = pointers.number_at(at, "H", "a pointer")
        length = pointers.number_at(at + 2, "I", "a pointer")
        index = pointers.number_at(at + 6, "I", "a pointer")
        if number and number in STANDARD and length:
            found[number] = _section(raw, number, index - 1, length)
    # Of the whole last: a section's own checksum tells nearer where the damage is.
    if binascii.crc_hqx(raw[2:], 0xFFFF) != checksum:
        raise _broken("the record's checksum is wrong: it was damaged on its way", "byte 1")
    return found


def _section(raw: bytes, number: int, start: int, length: int | None) -> Section:
    place = f"section {number}, byte {start + 1}"
    if start < 6 or start + HEADER > len(raw):
        raise _broken(f"section {number} lies outside the record", place)
    checksum, said, own = struct.unpack_from("<HHI", raw, start)
    length = own if length is None else length
    if said != number or own != length or length < HEADER:
        raise _broken(
            f"the header of section {number} does not agree with the pointer to it", place
        )
    if start + length > len(raw):
        raise _broken(f"section {number} ends outside the record", place)
    if binascii.crc_hqx(raw[start + 2 : start + length], 0xFFFF) != checksum:
        raise _broken(
            f"the checksum of section {number} is wrong: it was damaged on its way", place
        )
    return Section(number, raw, start + HEADER, start + length)


def _broken(what: str, place: str) -> BadMessage:
    return BadMessage(f"{what}; send the recording again", condition="102", place=place)
