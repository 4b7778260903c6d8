"""Processing again what was kept, or setting it aside for good; both are logged."""

from __future__ import annotations

import psycopg

from healthhub.errors import InvalidRequest
from healthhub.keep.choice import Choice
from healthhub.model.message import State

_REPLAYED = (State.DONE, State.PARKED, State.IGNORED, State.RETRY)
"""What is pending is processed anyway; what was rejected is no message."""
_IGNORED = (State.PARKED, State.RETRY, State.PENDING)


def matching(conn: psycopg.Connection, choice: Choice, action: str) -> int:
    """How many messages ``replay`` or ``ignore`` of this choice would touch."""
    where, values = choice.required().where()
    row = conn.execute(
        f"""select count(*) from message m join message_state s using (id)
            where {where} and s.state = any(%(states)s)""",  # noqa: S608
        values | {"states": list(_states(action))},
    ).fetchone()
    return row[0] if row else 0


def replay(conn: psycopg.Connection, choice: Choice, *, who: str, reason: str) -> int:
    """Make the chosen messages pending again; gives how many. Ids are derived, so processing
    a message again changes nothing unless its mapping changed."""
    return _apply(conn, choice, "replay", State.PENDING, who, reason)


def ignore(conn: psycopg.Connection, choice: Choice, *, who: str, reason: str) -> int:
    """Set chosen messages aside for good; gives how many. A replay brings them back."""
    return _apply(conn, choice, "ignore", State.IGNORED, who, reason)


def _states(action: str) -> tuple[State, ...]:
    return _REPLAYED if action == "replay" else _IGNORED


def _apply(
    conn: psycopg.Connection, choice: Choice, action: str, state: State, who: str, reason: str
) -> int:
    if not reason.strip():
        raise InvalidRequest("say why: a reason is kept with every replay", expression="reason")
    where, values = choice.required().where()
    touched = conn.execute(
        f"""update message_state t set state = %(to)s, attempts = 0, next_try = null,
                   changed = now()
            from message m join message_state s using (id)
            where t.id = s.id and {where} and t.state = any(%(states)s)""",  # noqa: S608
        values | {"states": list(_states(action)), "to": state},
    ).rowcount
    conn.execute(
        "insert into message_log (who, action, reason, filter, messages) values (%s,%s,%s,%s,%s)",
        (who, action, reason.strip(), choice.as_json(), touched),
    )
    if state is State.PENDING:
        conn.execute("notify message")
    return touched
