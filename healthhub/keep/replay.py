"""Processing again what was kept, or setting it aside for good; both are logged."""

from __future__ import annotations

from collections.abc import Callable

import psycopg

from healthhub.errors import InvalidRequest
from healthhub.keep.choice import Choice
from healthhub.model.message import State

Also = Callable[[], int]

_REPLAYED = (State.DONE, State.PARKED, State.IGNORED, State.RETRY)
"""What is pending is processed anyway; what was rejected must be read anew first
(healthhub.receive.again)."""
_IGNORED = (State.PARKED, State.RETRY, State.PENDING, State.REJECTED)


def matching(conn: psycopg.Connection, choice: Choice, action: str) -> int:
    """How many messages ``replay`` or ``ignore`` of this choice would touch."""
    where, values = choice.required().where()
    row = conn.execute(
        f"""select count(*) from message m join message_state s using (id)
            where {where} and s.state = any(%(states)s)""",  # noqa: S608
        values | {"states": [*_states(action), *_anew(action)]},
    ).fetchone()
    return row[0] if row else 0


def required(choice: Choice, reason: str) -> None:
    """Raise InvalidRequest without a condition or a reason."""
    choice.required()
    if not reason.strip():
        raise InvalidRequest("say why: a reason is kept with every replay", expression="reason")


def replay(
    conn: psycopg.Connection, choice: Choice, *, who: str, reason: str, also: Also | None = None
) -> int:
    """Make the chosen messages pending again; gives how many. ``also`` does what belongs to it
    (reading anew what was rejected) and gives how many more. Ids are derived, so processing a message again changes
    nothing unless its mapping changed."""
    return _apply(conn, choice, "replay", State.PENDING, who, reason, also)


def ignore(conn: psycopg.Connection, choice: Choice, *, who: str, reason: str) -> int:
    """Set chosen messages aside for good; gives how many. A replay brings them back."""
    return _apply(conn, choice, "ignore", State.IGNORED, who, reason)


def _anew(action: str) -> tuple[State, ...]:
    """A replay reads what was rejected anew: how many will pass shows only then."""
    return (State.REJECTED,) if action == "replay" else ()


def _states(action: str) -> tuple[State, ...]:
    return _REPLAYED if action == "replay" else _IGNORED


def _apply(
    conn: psycopg.Connection,
    choice: Choice,
    action: str,
    state: State,
    who: str,
    reason: str,
    also: Also | None = None,
) -> int:
    required(choice, reason)
    where, values = choice.where()
    # Locked in the order of their ids, so that two of these do not wait for each other.
    touched = conn.execute(
        f"""with chosen as materialized (
                select s.id from message m join message_state s using (id)
                where {where} and s.state = any(%(states)s) order by s.id for update of s)
            update message_state t set state = %(to)s, attempts = 0, next_try = null,
                   changed = now()
            from chosen where t.id = chosen.id""",  # noqa: S608
        values | {"states": list(_states(action)), "to": state},
    ).rowcount
    touched += also() if also else 0
    conn.execute(
        "insert into message_log (who, action, reason, filter, messages) values (%s,%s,%s,%s,%s)",
        (who, action, reason.strip(), choice.as_json(), touched),
    )
    if state is State.PENDING:
        conn.execute("notify message")
    return touched
