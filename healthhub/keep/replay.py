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


def matching(
    conn: psycopg.Connection, choice: Choice, action: str, most: int | None = None
) -> int:
    """How many messages ``replay`` or ``ignore`` of this choice would touch; counted up to one
    more than ``most``."""
    where, values = choice.required().where()
    row = conn.execute(
        f"""select count(*) from (
                select from message m join message_state s using (id)
                 where {where} and s.state = any(%(states)s) limit %(most)s) found""",  # noqa: S608
        values | {"states": touchable(action), "most": None if most is None else most + 1},
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
    return _apply(conn, choice, "replay", who, reason, also)


def ignore(conn: psycopg.Connection, choice: Choice, *, who: str, reason: str) -> int:
    """Set chosen messages aside for good; gives how many. A replay brings them back."""
    return _apply(conn, choice, "ignore", who, reason)


def touchable(action: str) -> list[State]:
    """The states of messages that an action may touch."""
    return [*_states(action), *_anew(action)]


def _anew(action: str) -> tuple[State, ...]:
    """A replay reads what was rejected anew: how many will pass shows only then."""
    return (State.REJECTED,) if action == "replay" else ()


def _states(action: str) -> tuple[State, ...]:
    return _REPLAYED if action == "replay" else _IGNORED


def _apply(
    conn: psycopg.Connection,
    choice: Choice,
    action: str,
    who: str,
    reason: str,
    also: Also | None = None,
) -> int:
    required(choice, reason)
    touched = turn(conn, choice, action, also)
    note(conn, who, action, reason.strip(), choice.as_json(), touched)
    return touched


def turn(
    conn: psycopg.Connection, choice: Choice, action: str, also: Also | None = None
) -> int:
    """Change the states, and nothing else; gives how many changed."""
    where, values = choice.where()
    state = State.PENDING if action == "replay" else State.IGNORED
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
    if state is State.PENDING:
        conn.execute("notify message")
    return touched


def note(
    conn: psycopg.Connection, who: str, action: str, reason: str, shown: object, touched: int
) -> None:
    """Write an act into the log; ``shown`` is the choice as it may be shown, JSON."""
    conn.execute(
        "insert into message_log (who, action, reason, filter, messages) values (%s,%s,%s,%s,%s)",
        (who, action, reason, shown, touched),
    )
