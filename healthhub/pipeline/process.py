"""The whole way in, as a recipe: convert, store, identify, finish; one transaction a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psycopg

from healthhub import identify, keep
from healthhub.convert.forms import Forms
from healthhub.errors import HubError
from healthhub.model.finding import Finding
from healthhub.model.message import Message
from healthhub.pipeline.attempts import TRANSIENT, attempt, usable, wait
from healthhub.pipeline.conversion import Conversion, Convert, convert, unexpected
from healthhub.store import writer

STORE_AT_FAULT = ("53100", "58030")
"""Disk full and I/O error (PostgreSQL appendix A): no message's fault, so it costs none of a
message's attempts; the worker waits until the store can write again."""
_FORMS = Forms()
"""Those that merged resources have passed: they are as alike as those of one mapping."""


@dataclass(slots=True)
class Tally:
    """How many messages ended how, and what they wrote."""

    done: int = 0
    parked: int = 0
    retried: int = 0
    resources: int = 0

    def add(self, other: Tally) -> None:
        """Count another's too."""
        self.done += other.done
        self.parked += other.parked
        self.retried += other.retried
        self.resources += other.resources


def process(
    conn: psycopg.Connection,
    batch: Sequence[Message],
    converters: Mapping[str, Convert],
    max_attempts: int,
) -> Tally:
    """Take a batch of claimed messages all the way in.

    Each message is wholly in or not at all: what it writes and its state commit together. The
    batch is one transaction; if that fails, each message gets one of its own, and only the
    one at fault is parked or retried. Raises OperationalError when the connection is gone.
    """
    conversions = [convert(message, converters) for message in batch]
    try:
        return attempt(conn, lambda: _settle(conn, conversions))
    except Exception:  # noqa: BLE001 - the message at fault is found one by one
        usable(conn)
    tally = Tally()
    behind: set[tuple[str, str]] = set()
    for conversion in conversions:
        message = conversion.message
        patient = (message.source, message.envelope.patient)
        if patient in behind:
            continue  # it stays pending until the earlier one of its patient has passed
        outcome = _alone(conn, conversion, max_attempts)
        tally.add(outcome)
        if outcome.retried and message.envelope.patient:
            behind.add(patient)
    return tally


def _settle(conn: psycopg.Connection, conversions: Sequence[Conversion]) -> Tally:
    """Finish a batch and store what it says.

    The states come first: they lock the messages, so that one which somebody else has settled
    meanwhile (a person ignored it, a worker that was thought dead went on) writes nothing.
    """
    bad = {c.message.id: c.findings for c in conversions if c.failed}
    good = {c.message.id: c for c in conversions if not c.failed}
    done = keep.finish(conn, {id_: c.findings for id_, c in good.items()})
    parked = keep.park(conn, bad)
    said = [c.converted for id_, c in good.items() if id_ in done]
    written = writer.write(conn, [d for each in said for d in each.drafts], _FORMS.check)
    identify.observe(conn, written, [merge for each in said for merge in each.merges])
    met = {id_: c.converted.sightings for id_, c in good.items() if id_ in done}
    met |= {id_: c.converted.sightings for c in conversions if (id_ := c.message.id) in parked}
    keep.sight(conn, [c.message for c in conversions if c.message.id in met], met)
    changed = sum(each.action != "unchanged" for each in written)
    return Tally(done=len(done), parked=len(parked), resources=changed)


def _alone(conn: psycopg.Connection, conversion: Conversion, max_attempts: int) -> Tally:
    """One message in a transaction of its own; if it fails it waits or is parked."""
    message = conversion.message
    try:
        return attempt(conn, lambda: _settle(conn, [conversion]))
    except HubError as error:
        finding = Finding("error", error.code, error.expression or "", error.message)
    except TRANSIENT as error:
        usable(conn)
        if error.sqlstate in STORE_AT_FAULT:
            raise psycopg.OperationalError("the store cannot write") from error
        code = error.sqlstate or type(error).__name__
        detail = f"the store refused it for the moment ({code}); it is tried again by itself"
        finding = Finding("error", "transient", "", detail)
        if message.attempts + 1 < max_attempts:
            with conn.transaction():
                keep.retry_later(conn, message.id, wait(message.attempts), finding)
            return Tally(retried=1)
    except Exception as error:  # noqa: BLE001 - the catch-all at the worker's edge: it parks
        finding = Finding("error", "internal", "", unexpected("store", message.id, error))
    usable(conn)
    with conn.transaction():
        parked = keep.park(conn, {message.id: [*conversion.findings, finding]})
    return Tally(parked=len(parked))
