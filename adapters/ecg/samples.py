"""The samples of an SCP-ECG record: sections 3 to 6 decoded to amplitudes.

A lead's rhythm (section 6) may be coded by Huffman, stored as first or second differences,
decimated outside the protected zones around each QRS (bimodal), and be what is left once a
reference beat (section 5) was taken away. All are undone in the opposite order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate
from math import gcd

from adapters.ecg import recording
from adapters.ecg.huffman import Table, decode, tables
from adapters.ecg.sections import Section
from healthhub.adapter_api import BadMessage

REFERENCE, SIMULTANEOUS = 0x01, 0x04
"""Flags of section 3: a reference beat was taken away; all leads were recorded at once."""


@dataclass(frozen=True, slots=True)
class Defined:
    """A lead of section 3: its number in the standard's list, first and last sample (from 1)."""

    number: int
    first: int
    last: int
    at: int

    @property
    def count(self) -> int:
        """How many samples it has."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Beat:
    """A QRS: its type (0 is like the reference beat), where the reference beat was taken away,
    and the zone around it whose samples are not decimated. All count samples from 1."""

    type: int
    start: int
    fiducial: int
    end: int
    protected: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Decoded samples of one lead: amplitudes are ``nanovolts`` each, ``start`` and ``size`` the
    bytes that they stand on."""

    defined: Defined
    values: Sequence[int]
    nanovolts: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Rhythms:
    """All leads, the time between samples in microseconds, and the samples of the longest."""

    leads: tuple[Rhythm, ...]
    interval: int
    longest: int
    bimodal: bool
    first: int
    simultaneous: bool


@dataclass(frozen=True, slots=True)
class _Stored:
    """What sections 5 and 6 have in common."""

    section: Section
    nanovolts: int
    interval: int
    differences: int
    flag: int
    places: tuple[tuple[int, int], ...]


def leads(section: Section) -> tuple[tuple[Defined, ...], int]:
    """The leads of section 3 and its flags."""
    count = section.number_at(0, "B", "the number of leads")
    flags = section.number_at(1, "B", "its flags")
    found: list[Defined] = []
    for number in range(count):
        at = 2 + 9 * number
        first = section.number_at(at, "I", f"lead {number + 1}")
        last = section.number_at(at + 4, "I", f"lead {number + 1}")
        lead = Defined(section.number_at(at + 8, "B", f"lead {number + 1}"), first, last, at)
        place = f"section 3, byte {section.start + at + 1}"
        if not 1 <= first <= last:
            raise _wrong(f"lead {number + 1} goes from sample {first} to {last}", place)
        if last > recording.MOST_SAMPLES:
            raise recording.too_much(f"lead {number + 1} goes to sample {last}", place)
        found.append(lead)
    return tuple(found), flags


def rhythms(found: dict[int, Section]) -> Rhythms:
    """The leads of a record; raises BadMessage with section and byte."""
    defined, flags = leads(found[3])
    known = tables(found.get(2))
    stored = _stored(found[6], len(defined))
    if flags & REFERENCE and (5 not in found or 4 not in found):
        raise _wrong(
            "the record says that a reference beat was taken away, and has none",
            f"section 3, byte {found[3].start + 2}",
        )
    beats, length_ms, fiducial = _beats(found[4]) if 4 in found else ((), 0, 0)
    reference = _stored(found[5], len(defined)) if 5 in found else None
    bimodal = stored.flag == 1
    rate = _rate(stored, reference, beats) if bimodal else 1
    interval = stored.interval // rate
    made: list[Rhythm] = []
    for lead, place in zip(defined, stored.places, strict=True):
        count = recording.kept(lead.count, Decimal(interval) / 1000, _at(found[3], lead))
        zones = [beat.protected for beat in beats] if bimodal else []
        values = _expanded(known, stored, place, lead, count, rate, zones)
        nanovolts = stored.nanovolts
        if flags & REFERENCE and reference is not None:
            beat = _reference(known, reference, len(made), length_ms)
            values, nanovolts = _with_beats(
                values, lead, beats, beat, fiducial, (stored.nanovolts, reference.nanovolts)
            )
        made.append(Rhythm(lead, values, nanovolts, place[0], place[0] + place[1]))
    first = min((lead.first for lead in defined), default=1)
    longest = max((lead.last for lead in defined), default=0) - first + 1
    simultaneous = bool(flags & SIMULTANEOUS)
    return Rhythms(tuple(made), interval, longest, bimodal, first, simultaneous)


def _stored(section: Section, count: int) -> _Stored:
    nanovolts = section.number_at(0, "H", "its amplitude multiplier")
    interval = section.number_at(2, "H", "its sample interval")
    differences = section.number_at(4, "B", "its kind of differences")
    flag = section.number_at(5, "B", "its flag")
    place = f"section {section.number}, byte {section.start + 1}"
    if not nanovolts or not interval:
        raise _wrong(
            f"section {section.number} states no amplitude or no time for a sample", place
        )
    if differences > 2:
        raise _wrong(
            f"section {section.number} has differences of order {differences}; 0, 1 and 2 exist",
            place,
        )
    at = 6 + 2 * count
    places: list[tuple[int, int]] = []
    for number in range(count):
        size = section.number_at(6 + 2 * number, "H", f"the length of lead {number + 1}")
        section.need(at, size, f"the samples of lead {number + 1}")
        places.append((section.start + at, size))
        at += size
    return _Stored(section, nanovolts, interval, differences, flag, tuple(places))


def _beats(section: Section) -> tuple[tuple[Beat, ...], int, int]:
    """The QRS complexes of section 4, the reference beat's length in ms, its fiducial sample."""
    length_ms = section.number_at(0, "H", "the reference beat's length")
    fiducial = section.number_at(2, "H", "the fiducial sample")
    count = section.number_at(4, "H", "the number of QRS complexes")
    zones = 6 + 14 * count
    protects = len(section) >= zones + 8 * count
    found: list[Beat] = []
    for number in range(count):
        at = 6 + 14 * number
        kind = section.number_at(at, "H", "a QRS complex")
        start, middle, end = (
            section.number_at(at + 2 + 4 * i, "I", "a QRS complex") for i in range(3)
        )
        zone = (0, 0)
        if protects:
            zone = (
                section.number_at(zones + 8 * number, "I", "a protected zone"),
                section.number_at(zones + 8 * number + 4, "I", "a protected zone"),
            )
        found.append(Beat(kind, start, middle, end, zone))
    return tuple(found), length_ms, fiducial


def _rate(stored: _Stored, reference: _Stored | None, beats: Sequence[Beat]) -> int:
    """How many samples outside the protected zones one stored value stands for."""
    whole = reference is not None and not stored.interval % reference.interval
    rate = stored.interval // reference.interval if reference is not None and whole else 0
    if not 1 <= rate <= 16 or not beats:
        raise _wrong(
            "the samples are decimated (bimodal) and sections 4 and 5 do not say how",
            f"section 6, byte {stored.section.start + 6}",
        )
    return rate


def _values(
    known: tuple[Table, ...], stored: _Stored, place: tuple[int, int], count: int
) -> list[int]:
    """The first ``count`` amplitudes that are stored, differences undone."""
    section, (start, size) = stored.section, place
    if known:
        raw = decode(known, section, start - section.start, size, count)
    else:
        if 2 * count > size:
            raise _wrong(
                f"a lead holds {size // 2} of its {count} samples",
                f"section {section.number}, byte {start + size + 1}",
            )
        view = memoryview(section.raw)[start : start + 2 * count]
        raw = [
            int.from_bytes(view[i : i + 2], "little", signed=True)
            for i in range(0, 2 * count, 2)
        ]
    if stored.differences == 1:
        return list(accumulate(raw))
    if stored.differences == 2 and count > 2:
        slopes = accumulate(raw[2:], initial=raw[1] - raw[0])
        return list(accumulate(slopes, initial=raw[0]))
    return raw


def _expanded(
    known: tuple[Table, ...],
    stored: _Stored,
    place: tuple[int, int],
    lead: Defined,
    count: int,
    rate: int,
    zones: Sequence[tuple[int, int]],
) -> list[int]:
    """A lead's samples at the full rate."""
    if rate == 1:
        return _values(known, stored, place, count)
    pieces = _pieces(lead, count, zones)
    needed = sum(size if full else -(-size // rate) for full, size in pieces)
    values = _values(known, stored, place, needed)
    found: list[int] = []
    at = 0
    for full, size in pieces:
        taken = size if full else -(-size // rate)
        part = values[at : at + taken]
        at += taken
        found += part if full else _between(part, size, rate)
    return found


def _pieces(
    lead: Defined, count: int, zones: Sequence[tuple[int, int]]
) -> list[tuple[bool, int]]:
    """The stretches of a lead in order: whether it is protected, and its samples."""
    found: list[tuple[bool, int]] = []
    at, last = lead.first, lead.first + count - 1
    for start, end in sorted(zones):
        start, end = max(start, at), min(end, last)
        if end < start:
            continue
        if start > at:
            found.append((False, start - at))
        found.append((True, end - start + 1))
        at = end + 1
    if at <= last:
        found.append((False, last - at + 1))
    return found


def _between(values: Sequence[int], size: int, rate: int) -> list[int]:
    """Decimated values drawn out: each stands in the middle of its samples, straight lines lie
    between them, and the ends are held."""
    found: list[int] = []
    for place in range(size):
        along = 2 * place + 1 - rate
        index, rest = divmod(along, 2 * rate)
        low = values[min(max(index, 0), len(values) - 1)]
        high = values[min(max(index + 1, 0), len(values) - 1)]
        found.append(low + round((high - low) * rest / (2 * rate)))
    return found


def _reference(
    known: tuple[Table, ...], reference: _Stored, number: int, length_ms: int
) -> list[int]:
    """The reference beat of a lead."""
    count = length_ms * 1000 // reference.interval
    return _values(known, reference, reference.places[number], count)


def _with_beats(
    values: list[int],
    lead: Defined,
    beats: Sequence[Beat],
    beat: Sequence[int],
    fiducial: int,
    nanovolts: tuple[int, int],
) -> tuple[list[int], int]:
    """The reference beat put back at each QRS of type 0, both in their common unit."""
    own, others = nanovolts
    unit = gcd(own, others)
    whole = [value * (own // unit) for value in values]
    scaled = [value * (others // unit) for value in beat]
    for place in beats:
        if place.type:
            continue
        offset = place.fiducial - fiducial  # the sample before the beat's first
        first = max(place.start, lead.first, offset + 1)
        last = min(place.end, lead.first + len(values) - 1, offset + len(scaled))
        for sample in range(first, last + 1):
            whole[sample - lead.first] += scaled[sample - offset - 1]
    return whole, unit


def _at(section: Section, lead: Defined) -> str:
    return f"section 3, byte {section.start + lead.at + 1}"


def _wrong(what: str, place: str) -> BadMessage:
    return BadMessage(f"{what}; send the recording again", condition="102", place=place)
