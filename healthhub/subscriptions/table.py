"""The tables of subscriptions and their events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from healthhub.store import types
from healthhub.subscriptions.wanted import Wanted

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription as its table holds it.

    ``events`` were entered in all, ``delivered`` of them acknowledged; ``version`` is the last
    one of the resource that was taken in; ``said``: why it fails.
    """

    id: UUID
    fhir_id: str
    owner: str
    purpose: str
    version: int
    state: str
    wanted: Wanted
    types: frozenset[int]
    counting: bool
    ends: datetime | None
    events: int
    delivered: int
    failures: int
    said: str
    failing_since: datetime | None

    @property
    def pending(self) -> int:
        """Events that the receiver has not acknowledged."""
        return self.events - self.delivered


@dataclass(frozen=True, slots=True)
class Event:
    """A version that a subscription is to be told of, under its number there."""

    number: int
    type: str
    id: UUID
    version: int
    deleted: bool
    created: bool
    at: datetime


_COLUMNS = """s.id, s.fhir_id, s.owner, s.purpose, s.version, s.state, s.wanted, s.types,
    s.counting, s.ends, s.events, s.delivered, s.failures, s.said, s.failing_since"""


def _read(rows: Iterable[Sequence[Any]]) -> list[Subscription]:
    found: list[Subscription] = []
    for row in rows:
        values: list[Any] = [*row]
        values[6], values[7] = Wanted.of(row[6]), frozenset(row[7])
        found.append(Subscription(*values))
    return found


def by_id(conn: Connection, key: UUID) -> Subscription | None:
    """One; None when there is none."""
    rows = conn.execute(
        f"select {_COLUMNS} from subscription s where id = %s",  # noqa: S608
        (key,),
    )
    found = _read(rows)
    return found[0] if found else None


def of_owner(conn: Connection, owner: str) -> list[Subscription]:
    """All of one owner."""
    rows = conn.execute(
        f"select {_COLUMNS} from subscription s where owner = %s order by fhir_id",  # noqa: S608
        (owner,),
    )
    return _read(rows)


def counting(conn: Connection) -> list[Subscription]:
    """Those for which events are entered."""
    rows = conn.execute(
        f"select {_COLUMNS} from subscription s where counting order by id"  # noqa: S608
    )
    return _read(rows)


def wanted_types(conn: Connection) -> set[int]:
    """The types that any subscription which is not off looks at."""
    rows = conn.execute("select distinct unnest(types) from subscription where state <> 'off'")
    return {row[0] for row in rows}


def due(conn: Connection, busy: Iterable[UUID]) -> list[Subscription]:
    """Those that have something to be sent or decided now, the longest waiting first.

    A subscription that is asked for waits until the types it looks at are watched.
    """
    rows = conn.execute(
        f"""select {_COLUMNS} from subscription s, change_watch w
             where s.state <> 'off' and s.next_try <= now() and s.id <> all(%s)
               and (s.ends <= now()
                 or (s.state = 'requested' and s.types <@ w.types)
                 or s.state = 'error'
                 or (s.state = 'active' and (s.events > s.delivered
                   or ((s.wanted->>'heartbeat')::int > 0 and coalesce(s.last_sent, '-infinity')
                       <= now() - make_interval(secs => (s.wanted->>'heartbeat')::int)))))
             order by s.next_try limit 100""",  # noqa: S608
        (list(busy),),
    )
    return _read(rows)


def put(
    conn: Connection,
    key: UUID,
    fhir_id: str,
    who: tuple[str, str],
    version: int,
    wanted: Wanted,
    looked_at: Iterable[int],
) -> None:
    """Take in what the resource asks for; its handshake is due."""
    conn.execute(
        """insert into subscription
               (id, fhir_id, owner, purpose, version, state, wanted, types, ends)
           values (%s, %s, %s, %s, %s, 'requested', %s, %s, %s)
           on conflict (id) do update set owner = excluded.owner, purpose = excluded.purpose,
               version = excluded.version, state = 'requested', wanted = excluded.wanted,
               types = excluded.types, ends = excluded.ends, failures = 0, said = '',
               next_try = now(), failing_since = null""",
        (
            key,
            fhir_id,
            *who,
            version,
            Jsonb(wanted.kept()),
            sorted(looked_at),
            wanted.ends,
        ),
    )


def turn_off(conn: Connection, key: UUID, version: int, said: str = "") -> None:
    """No more events are entered nor sent; those there are stay."""
    conn.execute(
        """update subscription set state = 'off', counting = false, version = %s, said = %s
           where id = %s""",
        (version, said, key),
    )


def remove(conn: Connection, key: UUID) -> None:
    """Forget a subscription and its events."""
    conn.execute("delete from subscription where id = %s", (key,))


def enter(
    conn: Connection, key: UUID, found: Sequence[tuple[str, UUID, int, bool, bool, datetime]]
) -> None:
    """Give events their numbers: type, id, version, deleted, created, time; in this order."""
    row = conn.execute(
        "update subscription set events = events + %s where id = %s returning events",
        (len(found), key),
    ).fetchone()
    if row is None:
        return
    first = row[0] - len(found) + 1
    conn.cursor().executemany(
        """insert into subscription_event
               (subscription, number, type, id, version, deleted, created, at)
           values (%s, %s, %s, %s, %s, %s, %s, %s)""",
        [
            (key, number, types.NUMBERS[each[0]], *each[1:])
            for number, each in enumerate(found, first)
        ],
    )


def events(
    conn: Connection, key: UUID, since: int, until: int | None, count: int
) -> list[Event]:
    """Events from number ``since`` to ``until``, both included, at most ``count``."""
    rows = conn.execute(
        """select number, type, id, version, deleted, created, at from subscription_event
            where subscription = %s and number >= %s and number <= coalesce(%s, number)
            order by number limit %s""",
        (key, since, until, count),
    )
    return [Event(row[0], types.name(row[1]), *row[2:]) for row in rows]


def delivered(conn: Connection, one: Subscription, number: int) -> None:
    """The receiver acknowledged all events up to ``number``."""
    conn.execute(
        """update subscription set delivered = greatest(delivered, %s), failures = 0, said = '',
                  next_try = now(), last_sent = now(), failing_since = null
            where id = %s""",
        (number, one.id),
    )


def activate(conn: Connection, one: Subscription) -> bool:
    """From here on its events are entered; False when it was changed meanwhile."""
    row = conn.execute(
        """update subscription set state = 'active', counting = true, failures = 0, said = '',
                  next_try = now(), last_sent = now(), failing_since = null
            where id = %s and version = %s and state <> 'off' returning id""",
        (one.id, one.version),
    ).fetchone()
    return row is not None


def failed(conn: Connection, one: Subscription, said: str, pause: float, state: str) -> None:
    """An attempt failed; the next is after ``pause`` seconds."""
    conn.execute(
        """update subscription set failures = failures + 1, said = %s, state = %s,
                  next_try = now() + make_interval(secs => %s),
                  failing_since = coalesce(failing_since, now())
            where id = %s and version = %s and state <> 'off'""",
        (said, state, pause, one.id, one.version),
    )


def versioned(conn: Connection, key: UUID, version: int) -> None:
    """The hub itself wrote this version of the resource."""
    conn.execute("update subscription set version = %s where id = %s", (version, key))


def prune(conn: Connection, days: int) -> int:
    """Forget acknowledged events, and those of subscriptions that are off, after their time."""
    return conn.execute(
        """delete from subscription_event e using subscription s
            where s.id = e.subscription and e.at < now() - make_interval(days => %s)
              and (e.number <= s.delivered or s.state = 'off')""",
        (days,),
    ).rowcount
