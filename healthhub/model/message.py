"""A message as it came, and what its envelope says without being converted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class State(StrEnum):
    """Where a kept message stands. Every message is in exactly one; the counts add up."""

    PENDING = "pending"
    RETRY = "retry"
    DONE = "done"
    PARKED = "parked"
    REJECTED = "rejected"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class Envelope:
    """What can be known of a message before conversion.

    ``kind`` is ``ADT^A01`` and the like; ``control`` the sender's message id; ``patient`` the
    source's patient number (order within a patient is kept by it); ``at`` the time of the
    event at the source; ``numbers`` the business numbers to search by (visit, order, report);
    ``rest`` the seconds that it may wait for others that add to the same resource.
    """

    kind: str
    control: str
    patient: str
    at: datetime | None
    numbers: tuple[str, ...] = ()
    rest: int = 0


@dataclass(frozen=True, slots=True)
class Incoming:
    """Bytes that have arrived and are not durable yet. ``envelope`` is None for garbage, with
    the reason in ``rejected``."""

    source: str
    raw: bytes
    received: datetime
    via: str
    envelope: Envelope | None
    rejected: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """A durable message: its id, and whether the same bytes had come before."""

    id: int
    repeated: bool


@dataclass(frozen=True, slots=True)
class Message:
    """A kept message as a worker or the console sees it."""

    id: int
    source: str
    raw: bytes
    received: datetime
    state: State
    attempts: int
    envelope: Envelope
