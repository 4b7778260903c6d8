"""A resource on its way into the store, and as the store gives it back."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from healthhub.model.code_maps import Sighting

Body = dict[str, Any]
"""A FHIR R4 resource as JSON-ready dicts, lists and scalars; numbers that must keep their
digits are ``model.decimal`` text written through orjson.Fragment (see store.body)."""


@dataclass(frozen=True, slots=True, order=True)
class Stamp:
    """What decides which of two statements about an element is believed: the greater one.

    ``authority``: 0 a mention in passing (a visit seen in a result), 1 a statement by the
    system that owns the fact, 2 a correction or withdrawal. ``at``: when the event happened at
    the source. ``message``: the raw message's id, which a replay keeps; 0 for direct writes.
    """

    authority: int
    at: datetime
    message: int


@dataclass(frozen=True, slots=True)
class Draft:
    """A resource as one message states it: what it says, what it unsays, and with what weight.

    ``patient`` is the source patient's key, or ids.SHARED. ``erased`` are elements that the
    source explicitly emptied (HL7 ``""``), as ``element`` or ``element.child``. ``body`` holds
    resourceType and id.
    """

    type: str
    id: UUID
    patient: UUID
    stamp: Stamp
    body: Body
    erased: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Merge:
    """One source patient's record was joined into another (A40) or parted again (A37)."""

    kept: UUID
    replaced: UUID
    stamp: Stamp
    undone: bool = False


@dataclass(frozen=True, slots=True)
class Stored:
    """A resource version as the store holds it. ``json`` is the wire form, id and meta in it."""

    type: str
    id: UUID
    patient: UUID
    version: int
    updated: datetime
    deleted: bool
    json: bytes
    message: int = 0


@dataclass(frozen=True, slots=True)
class Converted:
    """The whole outcome of converting one message."""

    drafts: tuple[Draft, ...]
    merges: tuple[Merge, ...] = ()
    findings: tuple[Any, ...] = field(default=())
    sightings: tuple[Sighting, ...] = ()
