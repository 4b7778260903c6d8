"""The seal of a client's write: its audit, entered within the write's own transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

import psycopg

from healthhub.access import audit
from healthhub.access.audit import Event
from healthhub.access.policy import Action
from healthhub.access.whose import of_all
from healthhub.model.resource import Stored
from healthhub.store import changes

Connection = psycopg.Connection[Any]


class Outcome(Protocol):
    """What became of one interaction that writes, as the audit needs it."""

    @property
    def id(self) -> str:
        """The FHIR id."""
        ...

    @property
    def stored(self) -> Stored | None:
        """What is there now; None for nothing."""
        ...


class Seal(Protocol):
    """Enters a write in the audit, within the write's own transaction."""

    def __call__(
        self, connection: Connection, outcomes: Sequence[Outcome], shown: Sequence[Stored] = ()
    ) -> None:
        """``shown``: what the client gets to see besides."""
        ...


def of_each(events: Sequence[Event]) -> Seal:
    """The seal of several writes in one transaction: an event for each outcome."""

    def seal(
        connection: Connection, outcomes: Sequence[Outcome], shown: Sequence[Stored] = ()
    ) -> None:
        sealed: list[Event] = []
        for event, outcome in zip(events, outcomes, strict=True):
            stored = [outcome.stored] if outcome.stored is not None else []
            sealed.append(replace(event, ids=(outcome.id,), patients=of_all(stored)))
            changes.sign(connection, stored, event.actor.id, event.purpose.value)
        connection.execute(audit.INSERT, (audit.as_parameter(sealed),))

    return seal


def of(event: Event) -> Seal:
    """The seal of the write that this event announces; it also signs the changes."""

    def seal(
        connection: Connection, outcomes: Sequence[Outcome], shown: Sequence[Stored] = ()
    ) -> None:
        stored = [each.stored for each in outcomes if each.stored is not None]
        if event.type:
            ids = tuple(each.id for each in outcomes if each.id)
        else:
            ids = tuple(f"{s.type}/{each.id}" for each in outcomes if (s := each.stored))
        events = [replace(event, ids=ids, patients=of_all(stored))]
        if shown:
            events.append(
                Event(
                    event.actor,
                    event.purpose,
                    Action.READ,
                    query=event.query,
                    patients=of_all(shown),
                )
            )
        connection.execute(audit.INSERT, (audit.as_parameter(events),))
        changes.sign(connection, stored, event.actor.id, event.purpose.value)

    return seal
