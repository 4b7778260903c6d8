"""A message on the wire, and what the truth knows about it."""

from __future__ import annotations

from dataclasses import dataclass

from healthhub.city.moments import Moment


@dataclass(frozen=True, slots=True)
class Sent:
    """Bytes that a source sends at a moment.

    ``person`` is the truth's name for whom it is about (empty for garbage); ``planted`` names
    the error planted in it, or is empty, and ``detail`` says where it lies; ``accepted`` is
    False when a correct receiver refuses it.
    """

    at: Moment
    source: str
    raw: bytes
    kind: str
    control: str
    person: str
    planted: str = ""
    detail: str = ""
    accepted: bool = True
