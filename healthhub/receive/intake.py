"""One message on its way from bytes to durable to answered, whatever the transport."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from healthhub import clock
from healthhub.adapter_api.adapter import Adapter, Outcome
from healthhub.adapter_api.bad_message import BadMessage
from healthhub.errors import HubError, TryAgain
from healthhub.keep import Keeper
from healthhub.model.message import Envelope, Incoming, Kept
from healthhub.receive.advice import bilingual
from healthhub.receive.sender import UNKNOWN
from healthhub.settings import Source

log = logging.getLogger(__name__)

T = TypeVar("T")
LONG_BYTES = 256 * 2**10
"""More than this takes over a few milliseconds to read."""
HEAD_BYTES = 8192
"""What an answer needs of a message: its header. The rest need not wait for the commit."""

OUR_FAULT = BadMessage(
    bilingual("a fault of the hub; tell its administrator", ""), condition="207"
)
"""Without the advice of its condition, which is for what was not kept: these bytes are."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the sender is told. ``accept``: durable. ``error``: not durable, send again.
    ``reject``: kept as rejected, correct it. ``acknowledgement`` is unframed HL7."""

    outcome: Outcome
    acknowledgement: bytes
    control: str
    text: str = ""
    id: int | None = None
    repeated: bool = False
    condition: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True)
class Promise:
    """An answer that comes when the message is durable. Promises are kept in any order."""

    head: bytes
    adapter: Adapter
    source: Source | None
    envelope: Envelope | None
    bad: BadMessage | None
    kept: asyncio.Future[Kept] | HubError

    async def answer(self) -> Answer:
        """Wait until the message is durable or refused."""
        try:
            if isinstance(self.kept, HubError):
                raise self.kept
            kept = await self.kept
        except HubError as error:
            condition = "207"  # HL7 table 0357: application internal error
            refusal = BadMessage(bilingual(error.message, condition), condition=condition)
            return self._told("error", refusal, None)
        return self._told("reject" if self.bad else "accept", self.bad, kept)

    def _told(self, outcome: Outcome, bad: BadMessage | None, kept: Kept | None) -> Answer:
        text = bad.message if bad else ""
        control = self.envelope.control if self.envelope else ""
        return Answer(
            outcome=outcome,
            acknowledgement=self.adapter.acknowledge(
                self.head, outcome, text, bad, self.source
            ),
            control=control,
            text=text,
            id=kept.id if kept else None,
            repeated=kept.repeated if kept else False,
            condition=bad.condition if bad else "",
            place=bad.place if bad else "",
        )


async def aside(size: int, work: Callable[[], T]) -> T:
    """What ``work`` makes of so many bytes: in a thread when they are many, so that nobody
    waits for their reading."""
    return await asyncio.to_thread(work) if size > LONG_BYTES else work()


class Intake:
    """Hands messages to the keeper. Those taken one after the other keep their order."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    async def take(
        self, name: str, source: Source, adapter: Adapter, raw: bytes, via: str
    ) -> Promise:
        """A message of a known source; of one beyond its limit only the beginning is kept."""
        incoming, bad = await aside(len(raw), lambda: read(name, source, adapter, raw, via))
        return await self.hand_over(source, adapter, incoming, bad)

    async def turn_away(
        self, name: str, adapter: Adapter, raw: bytes, via: str, error: BadMessage
    ) -> Promise:
        """Bytes that are no message, or come from nobody known: kept as rejected."""
        bad = _bilingual(error)
        incoming = Incoming(name or UNKNOWN, raw, clock.now(), via, None, noted(bad))
        return await self.hand_over(None, adapter, incoming, bad)

    async def hand_over(
        self,
        source: Source | None,
        adapter: Adapter,
        incoming: Incoming,
        bad: BadMessage | None,
    ) -> Promise:
        """What ``read`` gave, in line to be kept."""
        raw = incoming.raw
        if bad is not None:
            log.info(
                "reject source=%s condition=%s bytes=%d",
                incoming.source,
                bad.condition,
                len(raw),
            )
        kept: asyncio.Future[Kept] | HubError
        try:
            kept = await self._keeper.submit(incoming)
        except TryAgain as error:
            kept = error
        return Promise(raw[:HEAD_BYTES], adapter, source, incoming.envelope, bad, kept)


def read(
    name: str, source: Source, adapter: Adapter, raw: bytes, via: str
) -> tuple[Incoming, BadMessage | None]:
    """Bytes of a known source as they are kept, of what is beyond its limit the beginning;
    beside them why they are no message, if so."""
    if len(raw) > source.max_message_bytes:
        bad = _bilingual(too_long(source.max_message_bytes))
        return Incoming(name, raw[:HEAD_BYTES], clock.now(), via, None, noted(bad)), bad
    try:
        envelope = adapter.envelope(raw, source)
    except BadMessage as error:
        bad = _bilingual(error)
    except Exception as error:  # noqa: BLE001 - a fault of ours must not lose the bytes
        fault("envelope", error)
        bad = OUR_FAULT
    else:
        return Incoming(name, raw, clock.now(), via, envelope), None
    return Incoming(name, raw, clock.now(), via, None, noted(bad)), bad


def too_long(limit: int) -> BadMessage:
    """The refusal of a message that is longer than its source may send."""
    return BadMessage(
        f"the message is longer than {limit} bytes; send less in one (of an image its metadata "
        "alone), or let the administrator raise sources.NAME.max_message_bytes",
        condition="102",
        place=f"byte {limit + 1}",
    )


def fault(stage: str, error: BaseException) -> None:
    """Log a fault of the hub itself without its text, which could quote patient data."""
    frames = traceback.extract_tb(error.__traceback__)
    where = " < ".join(f"{f.name}:{f.lineno}" for f in reversed(frames[-4:]))
    log.error("%s fault error=%s at=%s", stage, type(error).__name__, where)


def unreadable(error: BadMessage) -> str:
    """Why bytes are rejected, as the console shows it."""
    return noted(_bilingual(error))


def noted(bad: BadMessage) -> str:
    """Condition (HL7 table 0357), place, and the sentence that the sender was told."""
    return f"{bad.condition} {bad.place} {bad.message}"


def _bilingual(error: BadMessage) -> BadMessage:
    text = bilingual(error.message, error.condition)
    return BadMessage(text, condition=error.condition, place=error.place)
