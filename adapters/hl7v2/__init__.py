"""The adapter for HL7 v2.3 to v2.8 messages in the encoding with delimiters."""

from __future__ import annotations

from collections.abc import Iterator

from adapters.hl7v2 import acknowledge, envelope, locate, parse, split
from healthhub.adapter_api import BadMessage, Feed, Outcome
from healthhub.adapter_api.record import Place, Record, Span
from healthhub.model.message import Envelope


class Hl7v2:
    """healthhub.adapter_api.Adapter for HL7 v2."""

    name = "hl7v2"

    def split(self, body: bytes) -> Iterator[bytes]:
        """See adapters.hl7v2.split."""
        return split.split(body)

    def envelope(self, raw: bytes, feed: Feed) -> Envelope:
        """See adapters.hl7v2.envelope."""
        return envelope.envelope(raw, feed)

    def read(self, raw: bytes, feed: Feed) -> Record:
        """See adapters.hl7v2.parse."""
        return parse.read(raw, feed)

    def locate(self, raw: bytes, feed: Feed, place: Place) -> Span:
        """See adapters.hl7v2.locate."""
        return locate.locate(raw, feed, place)

    def acknowledge(
        self,
        raw: bytes | None,
        outcome: Outcome,
        text: str = "",
        error: BadMessage | None = None,
        feed: Feed | None = None,
    ) -> bytes:
        """See adapters.hl7v2.acknowledge."""
        return acknowledge.acknowledge(raw, outcome, text, error, feed)


ADAPTER = Hl7v2()
