"""The data elements of a DICOM file with the bytes that each stands on (PS3.5 section 7, PS3.10).

One pass that copies no value and stops before the pixel data. Explicit and implicit VR, both
byte orders, deflated data sets, files without preamble or meta information; depth and number of
elements are bounded while reading.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from functools import lru_cache

from pydicom.datadict import dictionary_VR, keyword_for_tag

from healthhub.adapter_api import BadMessage

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
BIG_ENDIAN = "1.2.840.10008.1.2.2"

MOST_DEPTH = 32
MOST_ELEMENTS = 200_000
MOST_INFLATED = 64 * 2**20
_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
PIXELS = (0x7FE00008, 0x7FE00009, 0x7FE00010)
PER_FRAME = 0x52009230
"""Per-frame functional groups: thousands of elements that say nothing of the study."""
_LONG = frozenset("OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_SHORT = frozenset("AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())


@dataclass(slots=True)
class Element:
    """One data element: where it begins, and where its value does and ends; of a sequence the
    elements of its items."""

    tag: int
    vr: str
    begin: int
    start: int
    end: int
    items: list[list[Element]] | None = None


@dataclass(slots=True)
class File:
    """A file's elements. ``data`` are the bytes that their places count in: the file's own, or
    of a deflated data set what it holds, with the file's part that it was ``deflated`` from."""

    data: bytes
    elements: list[Element]
    syntax: str
    big: bool
    preamble: bool
    pixels: Element | None = None
    meta: dict[int, str] = field(default_factory=dict[int, str])
    deflated: tuple[int, int] | None = None


@lru_cache(maxsize=8192)
def vr_of(tag: int) -> str:
    """The value representation of a tag where the file does not say it."""
    if tag & 0xFFFF == 0:
        return "UL"
    if tag >> 16 & 1:
        return "LO" if 0x10 <= tag & 0xFFFF <= 0xFF else "UN"
    try:
        return dictionary_VR(tag)[:2]
    except KeyError:
        return "UN"


@lru_cache(maxsize=8192)
def name_of(tag: int) -> str:
    """The keyword of a tag (PS3.6), or its eight hexadecimal digits."""
    return keyword_for_tag(tag) or f"{tag:08X}"


def shown(tag: int) -> str:
    """A tag as people write it: (0010,0010) PatientName."""
    name = keyword_for_tag(tag)
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})" + (f" {name}" if name else "")


def read(raw: bytes) -> File:
    """The elements of a file before its pixel data; BadMessage names the byte at fault."""
    start = _start(raw)
    meta, at = _meta(raw, start)
    syntax = meta.get(0x00020010, "") or _guessed(raw, at)
    data, deflated = raw, None
    if syntax == DEFLATED:
        data, deflated, at = _inflated(raw, at), (at, len(raw)), 0
    reader = _Reader(data, big=syntax == BIG_ENDIAN, implicit=syntax == IMPLICIT)
    elements = reader.all(at)
    return File(
        data,
        elements,
        syntax,
        reader.big,
        start > 0,
        reader.pixels,
        meta,
        deflated,
    )


def _start(raw: bytes) -> int:
    if raw[128:132] == b"DICM":
        return 132
    if raw[:4] == b"DICM":
        return 4
    little = raw[:2] in (b"\x02\x00", b"\x08\x00") and raw[3:4] == b"\x00"
    if len(raw) >= 8 and (little or raw[:3] == b"\x00\x08\x00"):
        return 0
    raise BadMessage(
        "the bytes are no DICOM object: neither DICM after a preamble of 128 bytes nor a data "
        "set that begins with group 0002 or 0008; send the file as PS3.10 has it",
        condition="100",
        place="byte 1",
    )


def _meta(raw: bytes, start: int) -> tuple[dict[int, str], int]:
    """The file meta information (always explicit VR, little endian), and where it ends."""
    reader = _Reader(raw, big=False, implicit=False)
    found: dict[int, str] = {}
    at = start
    while raw[at : at + 2] == b"\x02\x00":
        element = reader.one(at, 0, bounded=len(raw))
        if element.vr in ("UI", "SH", "AE"):
            text = raw[element.start : element.end].decode("ascii", "replace")
            found[element.tag] = text.strip("\0 ")
        at = element.end
    return found, at


def _guessed(raw: bytes, at: int) -> str:
    """The transfer syntax of a data set that does not name it, from its first element."""
    if raw[at : at + 1] == b"\x00" and raw[at + 1 : at + 2] != b"\x00":
        return BIG_ENDIAN
    vr = raw[at + 4 : at + 6].decode("latin-1")
    return EXPLICIT if vr in _LONG or vr in _SHORT else IMPLICIT


def _inflated(raw: bytes, at: int) -> bytes:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        data = inflater.decompress(raw[at:], MOST_INFLATED)
    except zlib.error:
        raise BadMessage(
            "the deflated data set is damaged; send the object again",
            condition="102",
            place=f"byte {at + 1}",
        ) from None
    if inflater.unconsumed_tail:
        raise BadMessage(
            f"the deflated data set unpacks to more than {MOST_INFLATED} bytes; send the object "
            "in another transfer syntax, without its pixel data",
            condition="102",
            place=f"byte {at + 1}",
        )
    return data


class _Reader:
    """Reads the elements of one data set."""

    def __init__(self, data: bytes, *, big: bool, implicit: bool) -> None:
        self.data = data
        self.big = big
        self.implicit = implicit
        self.pixels: Element | None = None
        order = ">" if big else "<"
        self._tag = struct.Struct(order + "HH").unpack_from
        self._two = struct.Struct(order + "H").unpack_from
        self._four = struct.Struct(order + "I").unpack_from
        self._count = 0

    def all(self, at: int) -> list[Element]:
        """The top level, up to the pixel data."""
        found: list[Element] = []
        while at < len(self.data):
            if len(self.data) - at < 8 and not self.data[at:].strip(b"\0 "):
                break  # padding
            element = self.one(at, 0, bounded=len(self.data))
            if element.tag in PIXELS:
                self.pixels = element
                break
            found.append(element)
            at = element.end
            if element.items is not None:
                at = self._after
        return found

    def one(
        self, at: int, depth: int, bounded: int, *, implicit: bool | None = None
    ) -> Element:
        """The element that begins at a byte; ``bounded`` is where what encloses it ends."""
        self._count += 1
        if self._count > MOST_ELEMENTS or depth > MOST_DEPTH:
            raise BadMessage(
                f"the object has more than {MOST_ELEMENTS} elements, or sequences {MOST_DEPTH} "
                "deep; send it without its per-frame or private sequences",
                condition="102",
                place=f"byte {at + 1}",
            )
        tag, vr, start, length = self._head(at, bounded, implicit=implicit)
        self._after = start
        inner = True if vr == "UN" else implicit
        if length == _UNDEFINED:
            if vr in ("OB", "OW") or tag in PIXELS:
                self._fragments(tag, start)
                return Element(tag, vr, at, start, self._after)
            items = self._items(tag, start, len(self.data), depth, implicit=inner, open_=True)
            return Element(tag, "SQ", at, start, self._after, items)
        end = start + length
        if end > bounded:
            raise self._cut(tag, at)
        if vr == "SQ":
            items = self._items(tag, start, end, depth, implicit=implicit, open_=False)
            self._after = end
            return Element(tag, vr, at, start, end, items)
        self._after = end
        return Element(tag, vr, at, start, end)

    def _head(
        self, at: int, bounded: int, *, implicit: bool | None
    ) -> tuple[int, str, int, int]:
        """Tag, VR, start of the value, and its length."""
        if at + 8 > bounded:
            raise self._cut(None, at)
        group, number = self._tag(self.data, at)
        tag = group << 16 | number
        if group == 0xFFFE or (self.implicit if implicit is None else implicit):
            return tag, vr_of(tag), at + 8, self._four(self.data, at + 4)[0]
        vr = self.data[at + 4 : at + 6].decode("latin-1")
        if vr in _LONG:
            if at + 12 > bounded:
                raise self._cut(tag, at)
            return tag, vr, at + 12, self._four(self.data, at + 8)[0]
        if vr in _SHORT:
            return tag, vr, at + 8, self._two(self.data, at + 6)[0]
        # Some systems write single elements without their VR in an explicit data set.
        return tag, vr_of(tag), at + 8, self._four(self.data, at + 4)[0]

    def _items(
        self, tag: int, at: int, end: int, depth: int, *, implicit: bool | None, open_: bool
    ) -> list[list[Element]]:
        items: list[list[Element]] = []
        while at < end:
            item, _, start, length = self._head(at, len(self.data), implicit=True)
            if item == _SEQUENCE_END and open_:
                self._after = start
                return items
            if item != _ITEM:
                raise BadMessage(
                    f"sequence {shown(tag)} holds {shown(item)} where an item must begin; "
                    "correct what writes it",
                    condition="102",
                    place=f"byte {at + 1}",
                )
            bounded = end if length == _UNDEFINED else start + length
            if bounded > end:
                raise self._cut(tag, at)
            elements, at = self._item(
                start, bounded, depth + 1, implicit=implicit, open_=length == _UNDEFINED
            )
            items.append(elements if tag != PER_FRAME else [])
        if open_:
            raise self._cut(tag, at)
        return items

    def _item(
        self, at: int, end: int, depth: int, *, implicit: bool | None, open_: bool
    ) -> tuple[list[Element], int]:
        elements: list[Element] = []
        while at < end:
            if open_ and at + 8 <= end and self._tag(self.data, at) == (0xFFFE, 0xE00D):
                return elements, at + 8
            elements.append(self.one(at, depth, end, implicit=implicit))
            at = self._after
        if open_:
            raise self._cut(None, at)
        return elements, at

    def _fragments(self, tag: int, at: int) -> None:
        """Pass over encapsulated pixel data (PS3.5 annex A.4), to its very end."""
        while True:
            item, _, start, length = self._head(at, len(self.data), implicit=True)
            if item == _SEQUENCE_END:
                self._after = start
                return
            if item != _ITEM or start + length > len(self.data):
                raise self._cut(tag, at)
            at = start + length

    def _cut(self, tag: int | None, at: int) -> BadMessage:
        name = f" within {shown(tag)}" if tag is not None else ""
        return BadMessage(
            f"the object is cut off{name}: what begins at byte {at + 1} reaches beyond its end "
            f"at byte {len(self.data)}; send it again, whole",
            condition="102",
            place=f"byte {at + 1}" + (f" {shown(tag)}" if tag is not None else ""),
        )
