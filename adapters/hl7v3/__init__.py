"""The adapter for XML: HL7 v3 messages, CDA documents, and vendors' own XML, bare or in SOAP."""

from __future__ import annotations

from collections.abc import Iterator

from adapters.hl7v3 import acknowledge, document, envelope, locate
from adapters.hl7v3.element import Element
from adapters.hl7v3.parse import MOST_TEXT
from healthhub.adapter_api import BadMessage, Feed, Outcome
from healthhub.adapter_api.record import Place, Record, Span
from healthhub.model.message import Envelope

_PARTED = "attributes ran together and were parted by a blank; correct what builds the XML"


class Hl7v3:
    """healthhub.adapter_api.Adapter for XML; ``cda`` is the same for a source that sends
    documents alone."""

    def __init__(self, name: str = "hl7v3") -> None:
        self._name = name

    @property
    def name(self) -> str:
        """Its name in settings and mappings."""
        return self._name

    @property
    def most_bytes(self) -> int:
        """A file is one document, and no document is longer than its text may be."""
        return MOST_TEXT

    def split(self, body: bytes) -> Iterator[bytes]:
        """A body is one document."""
        yield body

    def envelope(self, raw: bytes, feed: Feed) -> Envelope:
        """See adapters.hl7v3.envelope."""
        sketch = document.read(raw, feed.charset, envelope.WANTED)
        said = envelope.envelope(sketch, feed)
        sketch.root.whole.dissolve()
        return said

    def read(self, raw: bytes, feed: Feed) -> Record:
        """The innermost document's root; see adapters.hl7v3.document and element."""
        found = document.read(raw, feed.charset)
        mended: list[tuple[str, str]] = []
        if found.repaired:
            mended.append(("repaired", _PARTED))
        if found.mislabelled:
            mended.append(("wrong-charset", found.mislabelled))
        return Record(
            envelope.kind(found),
            (Element(found.root),),
            name=lambda place: locate.written(found, place),
            at=envelope.time_of(found),
            processing=envelope.processing(found),
            asks=found.root.name in envelope.QUESTIONS,
            valued=lambda: locate.valued(found),
            original=found.original,
            mended=tuple(mended),
            release=found.root.whole.dissolve,
        )

    def locate(self, raw: bytes, feed: Feed, place: Place) -> Span:
        """See adapters.hl7v3.locate."""
        return locate.locate(raw, feed, place)

    def acknowledge(
        self,
        raw: bytes | None,
        outcome: Outcome,
        text: str = "",
        error: BadMessage | None = None,
        feed: Feed | None = None,
    ) -> bytes:
        """See adapters.hl7v3.acknowledge."""
        return acknowledge.acknowledge(raw, outcome, text, error, feed)


ADAPTER = Hl7v3()
