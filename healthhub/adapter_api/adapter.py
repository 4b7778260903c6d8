"""The protocol of an adapter: bytes in, envelope, source record, places and acknowledgement out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, Protocol, runtime_checkable

from healthhub.adapter_api.bad_message import BadMessage
from healthhub.adapter_api.record import Place, Record, Span
from healthhub.model.message import Envelope

Outcome = Literal["accept", "error", "reject"]
"""What became of a message: kept; kept but not acceptable now (send again); not a message."""


class Feed(Protocol):
    """What an adapter must know of a source; settings.Source has this shape."""

    @property
    def charset(self) -> str:
        """Charset of bytes that do not declare one rightly."""
        ...

    @property
    def zone(self) -> str:
        """Zone of times without an offset, e.g. Asia/Shanghai."""
        ...


@runtime_checkable
class OneAFile(Protocol):
    """An adapter whose files are read whole, for they hold one message (an XML document), or few
    that only it can part."""

    @property
    def most_bytes(self) -> int:
        """A longer file is none of its messages."""
        ...


@runtime_checkable
class OwnAnswer(Protocol):
    """An adapter whose senders by HTTP are answered in its own form."""

    @property
    def media_type(self) -> str:
        """What the answer is."""
        ...

    def joined(self, acknowledgements: Sequence[bytes]) -> bytes:
        """The answer to a body that held several messages."""
        ...


class Adapter(Protocol):
    """One kind of feed. Adapters hold no state and do no I/O."""

    @property
    def name(self) -> str:
        """The name by which mappings and settings call it."""
        ...

    def split(self, body: bytes) -> Iterator[bytes]:
        """The messages of a body that may hold many, byte for byte; a body that holds none
        comes back whole, so that nothing received is lost."""
        ...

    def envelope(self, raw: bytes, feed: Feed) -> Envelope:
        """Kind, control id, patient, time and business numbers; raises BadMessage."""
        ...

    def read(self, raw: bytes, feed: Feed) -> Record:
        """The message as segments and fields for the mapping; raises BadMessage."""
        ...

    def locate(self, raw: bytes, feed: Feed, place: Place) -> Span:
        """The bytes of ``raw`` that a place of the record stands on (start, end)."""
        ...

    def acknowledge(
        self,
        raw: bytes | None,
        outcome: Outcome,
        text: str = "",
        error: BadMessage | None = None,
        feed: Feed | None = None,
    ) -> bytes:
        """The answer to the sender, unframed; ``raw`` may be garbage or None."""
        ...
