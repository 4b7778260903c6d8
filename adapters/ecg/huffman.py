"""Huffman codes of SCP-ECG (section 2): the standard's own table and those that a record brings.

Codes are read from the most significant bit of each byte on. A table's base codes are stored the
other way round, their first bit lowest (EN 1064, 5.5). A code either stands for a value, or for
the value that follows it in its remaining bits as two's complement, or changes to another table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from adapters.ecg.sections import Section
from healthhub.adapter_api import BadMessage

STANDARD_TABLE = 19999
AHEAD = 10
"""Bits that are looked at together; longer prefixes are found one by one."""
LONGEST = 32


class Code(NamedTuple):
    """``prefix`` bits tell it, ``total`` bits it takes; ``switches`` to table ``value``."""

    prefix: int
    total: int
    value: int
    switches: bool


@dataclass(frozen=True, slots=True)
class Table:
    """Codes by the next AHEAD bits, and those with longer prefixes by length and bits."""

    near: tuple[Code | None, ...]
    far: dict[tuple[int, int], Code]


def table(codes: dict[tuple[int, int], Code]) -> Table:
    """A table of codes by (length, bits)."""
    near: list[Code | None] = [None] * (1 << AHEAD)
    far: dict[tuple[int, int], Code] = {}
    for (length, bits), code in codes.items():
        if length > AHEAD:
            far[(length, bits)] = code
            continue
        first = bits << (AHEAD - length)
        for place in range(first, first + (1 << (AHEAD - length))):
            near[place] = near[place] or code
    return Table(tuple(near), far)


def _standard() -> Table:
    codes = {(1, 0): Code(1, 1, 0, False)}
    for size in range(1, 9):
        ones = (1 << size) - 1 << 2
        codes[(size + 2, ones)] = Code(size + 2, size + 2, size, False)
        codes[(size + 2, ones | 1)] = Code(size + 2, size + 2, -size, False)
    codes[(10, 0b1111111110)] = Code(10, 18, 0, False)
    codes[(10, 0b1111111111)] = Code(10, 26, 0, False)
    return table(codes)


STANDARD = _standard()


def tables(section: Section | None) -> tuple[Table, ...]:
    """The tables of section 2; none if the samples are not coded."""
    if section is None:
        return ()
    count = section.number_at(0, "H", "the number of its tables")
    if count == STANDARD_TABLE:
        return (STANDARD,)
    found: list[Table] = []
    at = 2
    for _ in range(count):
        codes: dict[tuple[int, int], Code] = {}
        size = section.number_at(at, "H", "a table's number of codes")
        at += 2
        for _ in range(size):
            place = section.need(at, 9, "a code of a table") + 1
            prefix = section.number_at(at, "B", "a code")
            total = section.number_at(at + 1, "B", "a code")
            mode = section.number_at(at + 2, "B", "a code")
            value = section.number_at(at + 3, "h", "a code")
            base = section.number_at(at + 5, "I", "a code")
            at += 9
            if not 1 <= prefix <= total <= LONGEST or (mode == 0 and not 1 <= value <= count):
                raise BadMessage(
                    "a Huffman code of section 2 is impossible; send the recording again",
                    condition="102",
                    place=f"section 2, byte {place}",
                )
            bits = int(f"{base & ((1 << prefix) - 1):0{prefix}b}"[::-1], 2)
            codes[(prefix, bits)] = Code(prefix, total, value, mode == 0)
        found.append(table(codes))
    if not found:
        raise BadMessage(
            "section 2 holds no Huffman table; leave it out if samples are not coded",
            condition="102",
            place=f"section 2, byte {section.start + 1}",
        )
    return tuple(found)


def decode(
    known: tuple[Table, ...], section: Section, at: int, size: int, count: int
) -> list[int]:
    """The first ``count`` values of ``size`` coded bytes at ``at``."""
    start = section.need(at, size, "the samples of a lead")
    data = section.raw[start : start + size] + b"\0\0\0\0\0\0\0\0"
    limit = size * 8
    values: list[int] = []
    now, position = known[0], 0
    near = now.near
    append = values.append
    while len(values) < count:
        byte = position >> 3
        window = int.from_bytes(data[byte : byte + 8], "big") << (position & 7)
        code = near[(window >> (64 - AHEAD)) & ((1 << AHEAD) - 1)]
        if code is None:
            code = _far(now, window)
        if code is None or position + code.total > limit or not code.total:
            raise BadMessage(
                f"the samples of a lead end after {len(values)} of {count}, or a code is in no "
                "table; send the recording again",
                condition="102",
                place=f"section {section.number}, byte {start + min(byte, size) + 1}",
            )
        if code.switches:
            now = known[code.value - 1]
            near = now.near
        elif code.total == code.prefix:
            append(code.value)
        else:
            width = code.total - code.prefix
            value = (window >> (64 - code.total)) & ((1 << width) - 1)
            if value >> (width - 1):
                value -= 1 << width
            append(code.value + value)
        position += code.total
    return values


def _far(known: Table, window: int) -> Code | None:
    for length in range(AHEAD + 1, LONGEST + 1):
        code = known.far.get((length, (window >> (64 - length)) & ((1 << length) - 1)))
        if code is not None:
            return code
    return None
