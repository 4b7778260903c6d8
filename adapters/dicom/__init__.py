"""The adapter for DICOM objects: files (PS3.10) and metadata as JSON (PS3.18 annex F)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from adapters.dicom import envelope, json_model, objects, tree
from adapters.dicom.kinds import kind_of
from adapters.dicom.objects import Found
from adapters.hl7v3.element import Element
from healthhub.adapter_api import BadMessage, Feed, Outcome, answer
from healthhub.adapter_api.instances import Names
from healthhub.adapter_api.record import Place, Record, Span
from healthhub.model.message import Envelope

__all__ = ["ADAPTER", "kind_of"]

MOST_BYTES = 512 * 2**20


class Dicom:
    """healthhub.adapter_api.Adapter and Instances for DICOM."""

    name = "dicom"

    @property
    def most_bytes(self) -> int:
        """A file is one object. The hub is no archive: how long one may be is said by its source's
        setting (max_message_bytes), and no setting goes beyond this."""
        return MOST_BYTES

    def split(self, body: bytes) -> Iterator[bytes]:
        """A body is one file, or an array of objects in JSON."""
        if json_model.looks_like(body):
            return json_model.split(body)
        return iter((body,))

    def envelope(self, raw: bytes, feed: Feed) -> Envelope:
        """See adapters.dicom.envelope."""
        _bounded(raw)
        return envelope.envelope(objects.find(raw, feed.charset).tree, feed)

    def names(self, raw: bytes) -> Names:
        """The UIDs of an object; what cannot be read has none."""
        try:
            tree_ = objects.find(raw, "utf-8").tree
        except BadMessage:
            return Names()
        told = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
        return Names(*(tree_.first(name) for name in told))

    def read(self, raw: bytes, feed: Feed) -> Record:
        """The object's tree; its elements are paths by keyword."""
        _bounded(raw)
        found = objects.find(raw, feed.charset)
        said = envelope.envelope(found.tree, feed)
        return Record(
            said.kind,
            (Element(found.tree.root),),
            name=lambda place: tree.written(found.node(place)),
            at=envelope.time_of(found.tree),
            mended=tuple(found.tree.amiss),
            valued=lambda: tree.valued(found.tree),
        )

    def locate(self, raw: bytes, feed: Feed, place: Place) -> Span:
        """The bytes of an element's value."""
        return _found(raw, feed.charset).span(place)

    def acknowledge(
        self,
        raw: bytes | None,
        outcome: Outcome,
        text: str = "",
        error: BadMessage | None = None,
        feed: Feed | None = None,
    ) -> bytes:
        """JSON, to one who sent an object otherwise than by STOW-RS."""
        return answer.in_json(outcome, text, error)


def _bounded(raw: bytes) -> None:
    if len(raw) > MOST_BYTES:
        raise BadMessage(
            f"the object is longer than {MOST_BYTES} bytes; send it without its pixel data, "
            "which stays in the PACS",
            condition="102",
            place=f"byte {MOST_BYTES + 1}",
        )


@lru_cache(maxsize=1)
def _found(raw: bytes, charset: str) -> Found:
    """An explanation asks for hundreds of places of one object."""
    return objects.find(raw, charset)


ADAPTER = Dicom()
