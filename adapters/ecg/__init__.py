"""The adapter for electrocardiograms: DICOM waveforms, HL7 annotated ECG and SCP-ECG."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from zoneinfo import ZoneInfo

from adapters.ecg import aecg, dicom, scp, sections
from adapters.ecg.recording import MOST_BYTES
from adapters.tree import Grown, Tree
from healthhub.adapter_api import BadMessage, Feed, Outcome, answer
from healthhub.adapter_api.record import Place, Record, Span
from healthhub.clock import parse_hl7
from healthhub.model.message import Envelope


class Ecg:
    """healthhub.adapter_api.Adapter for electrocardiograms."""

    name = "ecg"
    most_bytes = MOST_BYTES

    def split(self, body: bytes) -> Iterator[bytes]:
        """A body is one recording."""
        yield body

    def envelope(self, raw: bytes, feed: Feed) -> Envelope:
        """Kind, number, patient and time; the recording is read whole, so that its sender is
        told at once what is wrong with it."""
        tree = _tree(raw, feed.charset)
        at = tree.first("time")
        numbers = tuple(filter(None, (tree.first("order"), tree.first("visit"))))
        return Envelope(
            kind=f"ECG^{tree.first('kind')}",
            control=tree.first("id")[:200],
            patient=tree.first("patient/id")[:200],
            at=parse_hl7(at, ZoneInfo(feed.zone)) if at else None,
            numbers=tuple(number for number in numbers if len(number) <= 64),
        )

    def read(self, raw: bytes, feed: Feed) -> Record:
        """The recording as a tree, see adapters.ecg.recording."""
        tree = _tree(raw, feed.charset)
        return Record(
            f"ECG^{tree.first('kind')}",
            (Grown(tree.items[0]),),
            name=tree.written,
            at=tree.first("time"),
            original=raw if tree.first("long") else b"",
            valued=tree.valued,
            mended=tuple(tree.amiss),
        )

    def locate(self, raw: bytes, feed: Feed, place: Place) -> Span:
        """The bytes of a value; of a lead's samples those that they are coded in."""
        return _tree(raw, feed.charset).span(place)

    def acknowledge(
        self,
        raw: bytes | None,
        outcome: Outcome,
        text: str = "",
        error: BadMessage | None = None,
        feed: Feed | None = None,
    ) -> bytes:
        """There is no standard answer to a recording: JSON."""
        return answer.in_json(outcome, text, error)


@lru_cache(maxsize=1)
def _tree(raw: bytes, charset: str) -> Tree:
    """Envelope, conversion and explanation ask for one recording one after the other."""
    if len(raw) > MOST_BYTES:
        raise BadMessage(
            f"the recording is over {MOST_BYTES} bytes; divide it",
            condition="102",
            place=f"byte {MOST_BYTES + 1}",
        )
    if dicom.looks_like(raw):
        return dicom.read(raw, charset)
    if sections.looks_like(raw):
        return scp.read(raw, charset)
    if raw.lstrip()[:1] in (b"<", b"\xef", b"\xff", b"\xfe"):
        return aecg.read(raw, charset)
    raise BadMessage(
        "these bytes are no DICOM file, SCP-ECG record or AnnotatedECG; send one of them as "
        "it is, unpacked",
        condition="200",
        place="byte 1",
    )


ADAPTER = Ecg()
