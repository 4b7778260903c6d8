"""The whole way in for messages that come in thousands: kept and settled in one transaction.

The same stages as ``process``, and the same outcome (tests/load compares them). What is saved is
the way over the queue: a message is written once, in the state that it ends in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
import zstandard

from healthhub import identify, keep
from healthhub.keep import history
from healthhub.keep.history import Arrival
from healthhub.model import validate
from healthhub.model.finding import Finding
from healthhub.model.message import Incoming, Message, State
from healthhub.pipeline.conversion import Conversion, Convert, convert
from healthhub.pipeline.process import Tally
from healthhub.store import writer

Connection = psycopg.Connection[Any]


@dataclass(slots=True)
class Taken:
    """What became of messages: the id of each, in order; how they ended; the ids of those that
    were known before; what was rejected once, can be read now, and waits; how many were
    rejected."""

    ids: list[int] = field(default_factory=list[int])
    tally: Tally = field(default_factory=Tally)
    repeated: list[int] = field(default_factory=list[int])
    admitted: dict[int, Incoming] = field(default_factory=dict[int, Incoming])
    rejected: int = 0


def take(
    conn: Connection,
    arrivals: Sequence[Arrival],
    converters: Mapping[str, Convert],
    packer: zstandard.ZstdCompressor,
) -> Taken:
    """Take messages all the way in, in the caller's transaction; known ones are passed over.

    Raises whatever the store raises: the caller then keeps them as pending and lets ``process``
    find the one at fault.
    """
    known = history.known(conn, [each.digest for each in arrivals])
    taken, fresh = Taken(), list[Arrival]()
    for each in arrivals:
        id_, rejected = known.get(each.digest, (0, False))
        if not id_:
            fresh.append(each)
            known[each.digest] = (each.id, False)
        elif rejected and each.incoming.envelope is not None:
            taken.admitted[id_] = each.incoming
        else:
            taken.repeated.append(id_)
    taken.ids = [known[each.digest][0] for each in arrivals]
    history.admit(conn, taken.admitted, packer)
    if not fresh:
        return taken
    conversions = [
        convert(message, converters) for each in fresh if (message := _message(each))
    ]
    taken.rejected = len(fresh) - len(conversions)
    findings: dict[int, Sequence[Finding]] = {c.message.id: c.findings for c in conversions}
    parked = {c.message.id for c in conversions if c.failed}
    history.settle(conn, fresh, findings, parked, packer)
    good = [c for c in conversions if not c.failed]
    changed = _store(conn, good)
    met = {c.message.id: c.converted.sightings for c in conversions}
    keep.sight(conn, [c.message for c in conversions], met)
    taken.tally = Tally(len(conversions) - len(parked), len(parked), 0, changed)
    return taken


def _message(arrival: Arrival) -> Message | None:
    """What a converter takes; None for bytes that were rejected."""
    incoming = arrival.incoming
    if incoming.envelope is None:
        return None
    return Message(
        arrival.id,
        incoming.source,
        incoming.raw,
        incoming.received,
        State.PENDING,
        0,
        incoming.envelope,
    )


def _store(conn: Connection, conversions: Sequence[Conversion]) -> int:
    said = [conversion.converted for conversion in conversions]
    written = writer.write(conn, [d for each in said for d in each.drafts], validate.check)
    identify.observe(conn, written, [merge for each in said for merge in each.merges])
    return sum(each.action != "unchanged" for each in written)
