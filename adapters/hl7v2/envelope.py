"""What can be known of a message without converting it: kind, control id, patient, numbers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from adapters.hl7v2.parse import read
from healthhub.adapter_api import Feed
from healthhub.adapter_api.record import Record, Segment
from healthhub.adapter_api.text import clean, part
from healthhub.clock import parse_hl7
from healthhub.model.message import Envelope

_NUMBERS: dict[str, tuple[int, ...]] = {
    "PID": (2, 3, 4, 18),
    "MRG": (1,),
    "PV1": (19, 50),
    "ORC": (2, 3, 4),
    "OBR": (2, 3),
    "SPM": (2,),
    "SAC": (3,),
    "SCH": (1, 2),
    "TXA": (12,),
}
"""Fields that hold business numbers: patient, visit, order, report, specimen, appointment."""
MOST = 64
"""Numbers kept of one message."""


def envelope(raw: bytes, feed: Feed) -> Envelope:
    """The envelope; raises BadMessage."""
    record = read(raw, feed)
    header = record.segments[0]
    zone = _zone(feed.zone)
    return Envelope(
        kind=record.kind,
        control=clean(header.field(10)) or "",
        patient=_patient(record),
        at=_event_time(record, zone),
        numbers=tuple(dict.fromkeys(_numbers(record)))[:MOST],
    )


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _patient(record: Record) -> str:
    """The first patient number of PID-3, else PID-2, PID-4, PID-18: what the source gives
    first is what it gives in every message of that patient. Some put it into CX.5."""
    for segment in record.segments:
        if segment.name == "PID":
            fields = [segment.field(number) for number in (3, 2, 4, 18)]
            repetitions = [rep for field in fields for rep in field.split("~", MOST)[:MOST]]
            for component in (1, 5):
                for repetition in repetitions:
                    number = clean(part(repetition, 0, component, 1))
                    if number is not None and (component == 1 or any(map(str.isdigit, number))):
                        return number
            return ""
    return ""


def _event_time(record: Record, zone: ZoneInfo) -> datetime | None:
    """EVN-2 (recorded), else MSH-7."""
    for segment in record.segments:
        if segment.name == "EVN":
            at = _time(segment.field(2), zone)
            if at is not None:
                return at
            break
    return _time(record.segments[0].field(7), zone)


def _time(field: str, zone: ZoneInfo) -> datetime | None:
    text = clean(part(field, 0, 1, 1))
    return parse_hl7(text, zone) if text else None


def _numbers(record: Record) -> Iterator[str]:
    for segment in record.segments:
        for field in _NUMBERS.get(segment.name, ()):
            yield from _numbers_of(segment, field)


def _numbers_of(segment: Segment, field: int) -> Iterator[str]:
    text = segment.field(field)
    if not text:
        return
    for repetition in text.split("~", MOST)[:MOST]:
        for piece in repetition.split("^", 1)[0].split("&", 4)[:4]:
            number = clean(piece)
            if number is not None and len(number) <= 64:
                yield number
